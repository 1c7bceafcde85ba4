// The exported C API (api.h): one struct web_vm holds what JavaScript drives, from the image's
// first byte to power-off. Glue only: every decision is in container/, oci/, p9/ or in JavaScript.
//
// Depends on container, oci, p9 and the imports. Invariant: `container` exists only after the pull
// finished and is destroyed before what it borrows (image tree, volumes).
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "container/container.h"
#include "exec/cpu.h"
#include "host/host.h"
#include "host/web/api.h"
#include "host/web/imports.h"
#include "host/web/settings.h"
#include "machine/machine.h"
#include "oci/imgtree.h"
#include "oci/manifest.h"
#include "oci/oci.h"
#include "p9/fs_remote.h"

struct web_volume {
    struct web_vm *vm;
    u32 index;
    struct fs *fs;
};

struct web_vm {
    struct web_settings settings;
    int settings_rc; // of web_settings_parse, reported by the first call that can fail
    struct log log;
    struct err err;
    u8 *kernel, *initrd;
    u32 kernel_len, initrd_len;
    struct oci_pull *pull;
    struct oci_request request;
    struct oci_config *image; // when the pull was finished; else the configuration is the pull's
    struct imgtree *tree;
    struct buf saved_tree, stats;
    struct web_volume volumes[WEB_MAX_VOLUMES];
    struct container *container;
    struct machine_status status;
    struct jit_host jit;
};

void *berth_alloc(u32 len) { return malloc(len ? len : 1); }

void berth_free(void *p) { free(p); }

static void log_to_host(void *arg, enum log_level level, const char *msg) {
    (void)arg;
    web_log(level, msg, (u32)strlen(msg));
}

struct web_vm *berth_new(const char *options, u32 len) {
    struct web_vm *vm = calloc(1, sizeof *vm);
    if (!vm) return NULL;
    vm->log = (struct log){log_to_host, vm, LOG_INFO};
    vm->settings_rc = web_settings_parse(&vm->settings, options, len, &vm->err);
    if (!vm->settings.arch) vm->settings.arch = "riscv64";
    return vm;
}

void berth_destroy(struct web_vm *vm) {
    if (vm->container) container_destroy(vm->container);
    for (unsigned i = 0; i < WEB_MAX_VOLUMES; i++)
        if (vm->volumes[i].fs) vm->volumes[i].fs->ops->destroy(vm->volumes[i].fs);
    if (vm->pull) oci_pull_destroy(vm->pull);
    if (vm->tree) imgtree_destroy(vm->tree);
    buf_free(&vm->saved_tree);
    buf_free(&vm->stats);
    if (vm->image) oci_config_free(vm->image);
    free(vm->kernel);
    free(vm->initrd);
    web_settings_free(&vm->settings);
    free(vm);
}

const char *berth_error(struct web_vm *vm) { return vm->err.msg; }

void berth_kernel(struct web_vm *vm, u8 *p, u32 len) {
    free(vm->kernel);
    vm->kernel = p;
    vm->kernel_len = len;
}

void berth_initrd(struct web_vm *vm, u8 *p, u32 len) {
    free(vm->initrd);
    vm->initrd = p;
    vm->initrd_len = len;
}

// --- the image ---

static bool store_append(void *arg, const u8 *p, size_t n, u64 *off) {
    double at = web_store_append(arg, p, (u32)n);
    if (at < 0) return false;
    *off = (u64)at;
    return true;
}

static bool store_read(void *arg, u64 off, u8 *dst, size_t n) {
    return web_store_read(arg, (double)off, dst, (u32)n) == 1;
}

static int pull_create(struct web_vm *vm) {
    if (vm->settings_rc < 0) return vm->settings_rc;
    char archs[64];
    // The machine's first; what an image of none is told names all that there are.
    snprintf(archs, sizeof archs, "%.30s," MACHINE_ARCHS, vm->settings.arch);
    struct oci_pull_settings s = {
        .arch = archs,
        .tag = vm->settings.tag,
        .store = {vm, store_append, store_read},
        .max_unpacked = (u64)16 << 30,
        .skip_diff_ids = true, // a third of the time to read an image in wasm
        .log = &vm->log,
    };
    vm->pull = oci_pull_create(&s, &vm->err);
    return vm->pull ? 0 : -1;
}

static int check_arch(struct web_vm *vm) {
    const struct oci_config *c = oci_pull_config(vm->pull);
    if (!c || oci_arch_rank(vm->settings.arch, c->architecture) == 0) return 0;
    return err_set(
        &vm->err, ERR_UNSUPPORTED,
        "the image is for linux/%.30s, but the machine was to be linux/%.30s; start it as "
        "one for linux/%.30s with that one's kernel, or use an image for linux/%.30s",
        c->architecture, oci_arch_name(vm->settings.arch), c->architecture,
        oci_arch_name(vm->settings.arch));
}

int berth_pull_next(struct web_vm *vm) {
    if (vm->tree) return 0;
    if (!vm->pull && pull_create(vm) < 0) return -1;
    int rc = oci_pull_next(vm->pull, &vm->request, &vm->err);
    if (rc >= 0 && check_arch(vm) < 0) return -1;
    if (rc) return rc;
    vm->image = oci_pull_take_config(vm->pull);
    vm->tree = oci_pull_take_tree(vm->pull);
    oci_pull_destroy(vm->pull);
    vm->pull = NULL;
    return 0;
}

const char *berth_pull_path(struct web_vm *vm) { return vm->request.path; }
double berth_pull_size(struct web_vm *vm) { return (double)vm->request.size; }
u32 berth_pull_layer(struct web_vm *vm) { return vm->request.is_layer ? vm->request.layer : 0; }
u32 berth_pull_layers(struct web_vm *vm) { return vm->request.layers; }

int berth_pull_feed(struct web_vm *vm, const u8 *p, u32 len) {
    if (!vm->pull) return err_set(&vm->err, ERR_INVALID, "no pull is under way");
    return oci_pull_feed(vm->pull, p, len, &vm->err);
}

int berth_pull_end(struct web_vm *vm) {
    if (!vm->pull) return err_set(&vm->err, ERR_INVALID, "no pull is under way");
    return oci_pull_end(vm->pull, &vm->err);
}

static const struct oci_config *config(struct web_vm *vm) {
    return vm->image ? vm->image : vm->pull ? oci_pull_config(vm->pull) : NULL;
}

const char *berth_pull_digest(struct web_vm *vm) {
    const char *digest = vm->pull ? oci_pull_manifest_digest(vm->pull) : NULL;
    return digest ? digest : "";
}

int berth_tree_save(struct web_vm *vm) {
    if (!vm->tree) return err_set(&vm->err, ERR_INVALID, "no image was read");
    buf_free(&vm->saved_tree);
    return imgtree_save(vm->tree, &vm->saved_tree, &vm->err);
}

const u8 *berth_tree_data(struct web_vm *vm) { return vm->saved_tree.data; }
u32 berth_tree_len(struct web_vm *vm) { return (u32)vm->saved_tree.len; }
void berth_tree_drop(struct web_vm *vm) { buf_free(&vm->saved_tree); }

int berth_tree_load(struct web_vm *vm, const u8 *p, u32 len, double store_size) {
    if (vm->tree || !config(vm))
        return err_set(&vm->err, ERR_INVALID, "an image is loaded in place of its layers only");
    struct blob_store store = {vm, store_append, store_read};
    vm->tree = imgtree_load(p, len, &store, (u64)store_size, &vm->err);
    return vm->tree ? 0 : -1;
}

// --- volumes ---

static void fs_request(void *arg, u32 id, enum remote_op op, const char *path, const char *path2,
                       const u8 *data, size_t len) {
    struct web_volume *v = arg;
    web_fs_request(v->vm, v->index, id, op, path, (u32)strlen(path), path2,
                   path2 ? (u32)strlen(path2) : 0, data, (u32)len);
}

static void fs_timer(void *arg, u32 delay_ms) {
    struct web_volume *v = arg;
    web_fs_timer(v->vm, v->index, delay_ms);
}

static u64 fs_now(void *arg) {
    (void)arg;
    return host_realtime_ns();
}

static int volumes_create(struct web_vm *vm, struct container_volume *out) {
    for (u32 i = 0; i < vm->settings.nvolumes; i++) {
        struct web_volume *v = &vm->volumes[i];
        const struct web_volume_option *o = &vm->settings.volumes[i];
        v->vm = vm;
        v->index = i;
        struct fs_remote_settings s = {
            .host = {v, fs_request, fs_timer, fs_now},
            .readonly = o->readonly,
            .log = &vm->log,
        };
        v->fs = fs_remote_create(&s, &vm->err);
        if (!v->fs) return -1;
        out[i] = (struct container_volume){v->fs, o->guest, o->readonly};
    }
    return 0;
}

static struct fs *volume(struct web_vm *vm, u32 i) {
    return i < WEB_MAX_VOLUMES ? vm->volumes[i].fs : NULL;
}

void berth_fs_done(struct web_vm *vm, u32 i, u32 id, const u8 *p, u32 len) {
    struct fs *fs = volume(vm, i);
    if (fs) fs_remote_complete(fs, id, 0, p, len);
}

void berth_fs_fail(struct web_vm *vm, u32 i, u32 id, const char *code, u32 len) {
    struct fs *fs = volume(vm, i);
    char name[64] = "";
    memcpy(name, code, len < sizeof name ? len : sizeof name - 1);
    if (fs) fs_remote_complete(fs, id, fs_remote_errno(name), NULL, 0);
}

void berth_fs_tick(struct web_vm *vm, u32 i) {
    struct fs *fs = volume(vm, i);
    if (fs) fs_remote_tick(fs);
}

void berth_fs_changed(struct web_vm *vm, u32 i, const char *path, u32 len) {
    struct fs *fs = volume(vm, i);
    char *copy = malloc((size_t)len + 1);
    if (copy) memcpy(copy, path, len), copy[len] = '\0';
    // Without memory for the name: anything may have changed.
    if (fs) fs_remote_changed(fs, copy ? copy : "");
    free(copy);
}

static void flushed(void *arg, const struct fs_result *res) {
    struct web_volume *v = arg;
    web_fs_flushed(v->vm, v->index, (u32)res->err);
}

void berth_fs_flush(struct web_vm *vm, u32 i) {
    struct fs *fs = volume(vm, i);
    if (fs)
        fs_remote_flush(fs, flushed, &vm->volumes[i]);
    else
        web_fs_flushed(vm, i, 0);
}

double berth_fs_dirty(struct web_vm *vm, u32 i) {
    struct fs *fs = volume(vm, i);
    return fs ? (double)fs_remote_dirty(fs) : 0;
}

// --- the container ---

static void on_output(void *arg, unsigned session, enum container_stream stream, const u8 *p,
                      size_t n) {
    web_output(arg, session, stream, p, (u32)n);
}

static void on_exited(void *arg, unsigned session, unsigned status) {
    web_exited(arg, session, status);
}

static void on_message(void *arg, unsigned session, const char *text) {
    web_message(arg, session, text, (u32)strlen(text));
}

static void on_console(void *arg, const u8 *p, size_t n) { web_console(arg, p, (u32)n); }

static enum jit_result jit_install(void *arg, const u8 *module, size_t len, u32 token, bool later) {
    return (enum jit_result)web_jit_install(arg, module, (u32)len, token, later);
}

static u32 jit_grow(void *arg, u32 slots, u32 from) {
    (void)arg;
    return web_jit_grow(slots, from);
}

static void jit_set(void *arg, u32 slot, u32 from) {
    (void)arg;
    web_jit_set(slot, from);
}

void berth_jit_arrived(struct web_vm *vm, u32 token, u32 ok) {
    if (vm->container) cpu_jit_arrived(machine_cpu(container_machine(vm->container)), token, ok);
}

static int choose_engine(struct web_vm *vm, struct cpu_settings *cpu) {
    const struct web_settings *s = &vm->settings;
    vm->jit = (struct jit_host){vm, jit_install, jit_grow, jit_set};
    *cpu = (struct cpu_settings){.engine = ENGINE_JIT, .jit = &vm->jit, .log = &vm->log};
    int rc = s->engine ? cpu_set_switch(cpu, "engine", s->engine, &vm->err) : 0;
    if (rc == 0 && s->no) rc = cpu_set_switch(cpu, "no", s->no, &vm->err);
    if (rc == 0 && s->torture) rc = cpu_set_switch(cpu, "torture", s->torture, &vm->err);
    return rc;
}

int berth_start(struct web_vm *vm) {
    struct cpu_settings cpu;
    if (vm->settings_rc < 0) return vm->settings_rc;
    if (vm->container) return err_set(&vm->err, ERR_INVALID, "the container runs already");
    if (!vm->tree || !config(vm)) return err_set(&vm->err, ERR_INVALID, "no image was read");
    if (!vm->kernel) return err_set(&vm->err, ERR_INVALID, "no kernel was given");
    int rc = choose_engine(vm, &cpu);
    if (rc < 0) return rc;
    struct container_volume volumes[WEB_MAX_VOLUMES];
    if (volumes_create(vm, volumes) < 0) return -1;
    web_settings_use_image(&vm->settings, config(vm));
    struct container_settings s = {
        .arch = vm->settings.arch,
        .memory = vm->settings.memory,
        .kernel = vm->kernel,
        .initrd = vm->initrd,
        .kernel_len = vm->kernel_len,
        .initrd_len = vm->initrd_len,
        .extra_cmdline = vm->settings.cmdline,
        .image = config(vm),
        .tree = vm->tree,
        .volumes = volumes,
        .nvolumes = vm->settings.nvolumes,
        .hostname = vm->settings.hostname,
        .process = vm->settings.process,
        .cpu = cpu,
        .log = &vm->log,
        .arg = vm,
        .output = on_output,
        .exited = on_exited,
        .message = on_message,
        .console = on_console,
    };
    vm->container = container_create(&s, &vm->err);
    // Both are in guest memory now.
    berth_kernel(vm, NULL, 0);
    berth_initrd(vm, NULL, 0);
    return vm->container ? 0 : -1;
}

int berth_run(struct web_vm *vm, u32 budget_us) {
    if (!vm->container) return MACHINE_FAILED;
    vm->status = container_run(vm->container, (u64)budget_us * 1000);
    return (int)vm->status.state;
}

double berth_wake(struct web_vm *vm) {
    return vm->status.wake_ns == UINT64_MAX ? -1 : (double)vm->status.wake_ns / 1e6;
}

int berth_exit_code(struct web_vm *vm) { return vm->status.exit_code; }

const char *berth_failure(struct web_vm *vm) {
    const char *why = vm->container ? container_failure(vm->container) : NULL;
    return why ? why : "";
}

double berth_insns(struct web_vm *vm) {
    if (!vm->container) return 0;
    return (double)cpu_icount(machine_cpu(container_machine(vm->container)));
}

const char *berth_stats(struct web_vm *vm) {
    struct cpu_stats st = {0};
    if (vm->container) cpu_get_stats(machine_cpu(container_machine(vm->container)), &st);
    vm->stats.len = 0;
    cpu_stats_records(&st, &vm->stats);
    return buf_cstr(&vm->stats);
}

const char *berth_profile(struct web_vm *vm, u32 programs) {
    struct cpu *cpu = vm->container ? machine_cpu(container_machine(vm->container)) : NULL;
    vm->stats.len = 0;
    if (!cpu || !(programs ? cpu_profile_programs : cpu_profile)(cpu, &vm->stats))
        vm->stats.len = 0;
    return buf_cstr(&vm->stats);
}

int berth_spawn(struct web_vm *vm, const char *options, u32 len) {
    if (!vm->container) return err_set(&vm->err, ERR_INVALID, "the container does not run");
    struct web_settings s;
    int rc = web_settings_parse(&s, options, len, &vm->err);
    if (rc == 0) web_settings_use_image(&s, config(vm));
    if (rc == 0) rc = container_spawn(vm->container, &s.process, &vm->err);
    web_settings_free(&s);
    return rc;
}

u32 berth_stdin(struct web_vm *vm, u32 session, const u8 *p, u32 len) {
    return vm->container ? (u32)container_stdin(vm->container, session, p, len) : len;
}

void berth_stdin_eof(struct web_vm *vm, u32 session) {
    if (vm->container) container_stdin_eof(vm->container, session);
}

void berth_resize(struct web_vm *vm, u32 session, u32 cols, u32 rows) {
    if (vm->container) container_resize(vm->container, session, cols, rows);
}

void berth_signal(struct web_vm *vm, u32 session, u32 signo) {
    if (vm->container) container_signal(vm->container, session, signo);
}

void berth_output_done(struct web_vm *vm, u32 session, u32 len) {
    if (vm->container) container_output_done(vm->container, session, len);
}

void berth_shutdown(struct web_vm *vm) {
    if (vm->container) container_shutdown(vm->container);
}
