// The exported functions of the wasm module: how JavaScript drives a container. Nothing blocks and
// nothing throws; a function that can fail returns <0 and berth_error() says why.
//
// The life of a VM:
//   berth_new -> berth_kernel, berth_initrd -> { berth_pull_next, berth_pull_feed...,
//   berth_pull_end } until berth_pull_next gives 0 -> berth_start -> berth_run in slices, events in
//   between
//   -> berth_fs_flush each volume -> berth_destroy
//
// Options travel as NUL-terminated "key=value" records (settings.h).
#ifndef BERTH_HOST_WEB_API_H
#define BERTH_HOST_WEB_API_H

#include "base/types.h"

#define WEB_EXPORT(name) __attribute__((export_name(#name)))

struct web_vm;

WEB_EXPORT(berth_alloc) void *berth_alloc(u32 len); // bytes to pass data in; NULL: no memory
WEB_EXPORT(berth_free) void berth_free(void *p);

// `options` is copied. NULL when out of memory; bad options are reported by the first call after.
WEB_EXPORT(berth_new) struct web_vm *berth_new(const char *options, u32 len);
WEB_EXPORT(berth_destroy) void berth_destroy(struct web_vm *vm);
WEB_EXPORT(berth_error) const char *berth_error(struct web_vm *vm); // NUL-terminated

// The guest kernel and the initramfs, in memory of berth_alloc; the VM owns them then.
WEB_EXPORT(berth_kernel) void berth_kernel(struct web_vm *vm, u8 *p, u32 len);
WEB_EXPORT(berth_initrd) void berth_initrd(struct web_vm *vm, u8 *p, u32 len);

// Reading the image: next says what to fetch (1, see the getters), that everything is there (0).
WEB_EXPORT(berth_pull_next) int berth_pull_next(struct web_vm *vm);
WEB_EXPORT(berth_pull_path) const char *berth_pull_path(struct web_vm *vm);
WEB_EXPORT(berth_pull_size) double berth_pull_size(struct web_vm *vm);
WEB_EXPORT(berth_pull_layer) u32 berth_pull_layer(struct web_vm *vm);   // 1-based, 0: no layer
WEB_EXPORT(berth_pull_layers) u32 berth_pull_layers(struct web_vm *vm); // how many
WEB_EXPORT(berth_pull_feed) int berth_pull_feed(struct web_vm *vm, const u8 *p, u32 len);
WEB_EXPORT(berth_pull_end) int berth_pull_end(struct web_vm *vm);

// Keeping an unpacked image. berth_pull_digest names it ("" while unknown; known when the first
// layer is asked for). berth_tree_save puts the tree, without the store's bytes, where
// berth_tree_data and berth_tree_len say, until berth_tree_drop. berth_tree_load takes the place of
// pulling the layers.
WEB_EXPORT(berth_pull_digest) const char *berth_pull_digest(struct web_vm *vm);
WEB_EXPORT(berth_tree_save) int berth_tree_save(struct web_vm *vm);
WEB_EXPORT(berth_tree_data) const u8 *berth_tree_data(struct web_vm *vm);
WEB_EXPORT(berth_tree_len) u32 berth_tree_len(struct web_vm *vm);
WEB_EXPORT(berth_tree_drop) void berth_tree_drop(struct web_vm *vm);
WEB_EXPORT(berth_tree_load)
int berth_tree_load(struct web_vm *vm, const u8 *p, u32 len, double store_size);

WEB_EXPORT(berth_start) int berth_start(struct web_vm *vm);

// Runs the guest for about `budget_us`; returns enum machine_state.
// A module that jit_install put off has been instantiated, or was refused.
WEB_EXPORT(berth_jit_arrived) void berth_jit_arrived(struct web_vm *vm, u32 token, u32 ok);
WEB_EXPORT(berth_run) int berth_run(struct web_vm *vm, u32 budget_us);
WEB_EXPORT(berth_wake) double berth_wake(struct web_vm *vm); // ms as now(); <0: only an event wakes
WEB_EXPORT(berth_exit_code) int berth_exit_code(struct web_vm *vm);
WEB_EXPORT(berth_failure) const char *berth_failure(struct web_vm *vm);
WEB_EXPORT(berth_insns) double berth_insns(struct web_vm *vm); // guest instructions retired
// Lines "name=value", the figures of struct cpu_stats; valid until the next call.
WEB_EXPORT(berth_stats) const char *berth_stats(struct web_vm *vm);
// The profile of the guest's kernel as it is translated now (exec/cpu.h), empty while it does not
// run, or of its programs; valid until the next call.
WEB_EXPORT(berth_profile) const char *berth_profile(struct web_vm *vm, u32 programs);

// Sessions. berth_spawn returns the session's number; options as settings.h's process records.
WEB_EXPORT(berth_spawn) int berth_spawn(struct web_vm *vm, const char *options, u32 len);
WEB_EXPORT(berth_stdin) u32 berth_stdin(struct web_vm *vm, u32 session, const u8 *p, u32 len);
WEB_EXPORT(berth_stdin_eof) void berth_stdin_eof(struct web_vm *vm, u32 session);
WEB_EXPORT(berth_resize) void berth_resize(struct web_vm *vm, u32 session, u32 cols, u32 rows);
WEB_EXPORT(berth_signal) void berth_signal(struct web_vm *vm, u32 session, u32 signo);
WEB_EXPORT(berth_output_done) void berth_output_done(struct web_vm *vm, u32 session, u32 len);
WEB_EXPORT(berth_shutdown) void berth_shutdown(struct web_vm *vm);

// Remote file systems; `volume` counts the volume= options from 0.
WEB_EXPORT(berth_fs_done)
void berth_fs_done(struct web_vm *vm, u32 volume, u32 id, const u8 *p, u32 len);
WEB_EXPORT(berth_fs_fail) // `code`: a vscode.FileSystemError code
void berth_fs_fail(struct web_vm *vm, u32 volume, u32 id, const char *code, u32 len);
WEB_EXPORT(berth_fs_tick) void berth_fs_tick(struct web_vm *vm, u32 volume);
WEB_EXPORT(berth_fs_changed)
void berth_fs_changed(struct web_vm *vm, u32 volume, const char *path, u32 len);
WEB_EXPORT(berth_fs_flush) void berth_fs_flush(struct web_vm *vm, u32 volume); // -> fs_flushed
WEB_EXPORT(berth_fs_dirty) double berth_fs_dirty(struct web_vm *vm, u32 volume);

#endif
