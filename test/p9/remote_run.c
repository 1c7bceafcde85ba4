// `berth` with --volume served by fs_remote instead of fs_posix: the asynchronous back end in a
// real guest without a browser. Linked with -Wl,--wrap: fs_posix_create makes an fs_remote whose
// host carries requests out on the directory, a few at a time, whenever the machine runs.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "host/host.h"
#include "machine/machine.h"
#include "p9/fs_remote.h"

struct request {
    struct request *next;
    u32 id;
    enum remote_op op;
    char *path, *path2;
    u8 *data;
    size_t len;
};

static struct {
    struct fs *fs;
    const char *root;
    const struct fs_ops *ops;
    struct request *head, **tail;
    u64 timer_ns;
} host;

struct fs *__wrap_fs_posix_create(const char *dir, bool readonly, struct err *err);
struct machine_status __real_machine_run(struct machine *m, u64 budget_ns);
struct machine_status __wrap_machine_run(struct machine *m, u64 budget_ns);

static char *host_path(const char *path) {
    char *full = malloc(strlen(host.root) + strlen(path) + 2);
    sprintf(full, "%s/%s", host.root, path);
    return full;
}

static void on_request(void *arg, u32 id, enum remote_op op, const char *path, const char *path2,
                       const u8 *data, size_t len) {
    (void)arg;
    struct request *q = calloc(1, sizeof *q);
    *q = (struct request){.id = id, .op = op, .path = host_path(path), .len = len};
    q->path2 = path2 ? host_path(path2) : NULL;
    q->data = malloc(len + 1);
    if (len) memcpy(q->data, data, len);
    *host.tail = q;
    host.tail = &q->next;
}

static u64 on_now(void *arg) {
    (void)arg;
    return host_realtime_ns();
}

static void on_timer(void *arg, u32 delay_ms) {
    (void)arg;
    host.timer_ns = host_realtime_ns() + delay_ms * 1000000ull;
}

static int do_stat(const char *path, struct buf *out) {
    struct stat st;
    if (lstat(path, &st)) return errno;
    buf_put_le32(out, S_ISDIR(st.st_mode) ? REMOTE_DIR : REMOTE_FILE);
    buf_put_le32(out, 0);
    buf_put_le64(out, (u64)st.st_size);
    buf_put_le64(out, (u64)st.st_mtim.tv_sec * 1000 + (u64)st.st_mtim.tv_nsec / 1000000);
    buf_put_le64(out, 0);
    return 0;
}

static int do_list(const char *path, struct buf *out) {
    DIR *d = opendir(path);
    if (!d) return errno;
    for (struct dirent *e; (e = readdir(d));) {
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
        buf_put_u8(out, e->d_type == DT_DIR ? REMOTE_DIR : REMOTE_FILE);
        buf_put_le16(out, (u16)strlen(e->d_name));
        buf_put_str(out, e->d_name);
    }
    closedir(d);
    return 0;
}

static int do_read(const char *path, struct buf *out) {
    u8 part[65536];
    int fd = open(path, O_RDONLY);
    if (fd < 0) return errno;
    for (ssize_t n; (n = read(fd, part, sizeof part)) > 0;) buf_put(out, part, (size_t)n);
    close(fd);
    return 0;
}

static int do_write(const struct request *q) {
    int fd = open(q->path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (fd < 0) return errno;
    ssize_t n = write(fd, q->data, q->len); // whole: a regular file
    close(fd);
    return n == (ssize_t)q->len ? 0 : EIO;
}

static int carry_out(const struct request *q, struct buf *out) {
    switch (q->op) {
    case REMOTE_STAT:
        return do_stat(q->path, out);
    case REMOTE_READDIR:
        return do_list(q->path, out);
    case REMOTE_READ:
        return do_read(q->path, out);
    case REMOTE_WRITE:
        return do_write(q);
    case REMOTE_MKDIR:
        return mkdir(q->path, 0755) ? errno : 0;
    case REMOTE_DELETE:
        return remove(q->path) ? errno : 0;
    case REMOTE_RENAME:
        return rename(q->path, q->path2) ? errno : 0;
    }
    return EIO;
}

static void answer_one(void) {
    struct request *q = host.head;
    struct buf out = {0};
    host.head = q->next;
    if (!host.head) host.tail = &host.head;
    int err = carry_out(q, &out);
    fs_remote_complete(host.fs, q->id, err, out.data, err ? 0 : out.len);
    if (q->op >= REMOTE_WRITE) // as a watcher would
        fs_remote_changed(host.fs, q->path + strlen(host.root) + 1);
    buf_free(&out);
    free(q->path);
    free(q->path2);
    free(q->data);
    free(q);
}

struct machine_status __wrap_machine_run(struct machine *m, u64 budget_ns) {
    if (host.fs && host.timer_ns && host_realtime_ns() >= host.timer_ns) {
        host.timer_ns = 0;
        fs_remote_tick(host.fs);
    }
    for (unsigned i = 0; i < 8 && host.head; i++) answer_one();
    struct machine_status st = __real_machine_run(m, budget_ns);
    if (st.state == MACHINE_IDLE && (host.head || host.timer_ns)) st.state = MACHINE_RUNNING;
    return st;
}

// Before the file system goes: `berth` destroys it long before the process ends.
static void write_out(struct fs *fs) {
    fs_remote_flush(fs, NULL, NULL);
    while (host.head) answer_one();
    if (fs_remote_dirty(fs)) fprintf(stderr, "FAIL: not everything could be written\n");
    host.fs = NULL;
    host.ops->destroy(fs);
}

static void on_log(void *arg, enum log_level level, const char *msg) {
    (void)arg, (void)level;
    fprintf(stderr, "fs_remote: %s\n", msg);
}

struct fs *__wrap_fs_posix_create(const char *dir, bool readonly, struct err *err) {
    static struct fs_ops ops;
    static const struct log log = {.write = on_log, .max = LOG_WARN};
    struct fs_remote_settings set = {
        .host = {.request = on_request, .timer = on_timer, .now_ns = on_now},
        .readonly = readonly,
        .log = &log,
    };
    host.root = strdup(dir);
    host.tail = &host.head;
    host.fs = fs_remote_create(&set, err);
    if (!host.fs) return NULL;
    host.ops = host.fs->ops;
    ops = *host.ops;
    ops.destroy = write_out;
    host.fs->ops = &ops;
    return host.fs;
}
