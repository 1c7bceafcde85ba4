// What JavaScript provides to the module: import module "berth". Strings and buffers are only valid
// during the call; `vm` is the pointer that berth_new returned.
#ifndef BERTH_HOST_WEB_IMPORTS_H
#define BERTH_HOST_WEB_IMPORTS_H

#include "base/types.h"

#define WEB_IMPORT(name) __attribute__((import_module("berth"), import_name(#name)))

WEB_IMPORT(now) double web_now(void);           // ms, monotonic, origin arbitrary
WEB_IMPORT(realtime) double web_realtime(void); // ms since 1970-01-01 UTC
WEB_IMPORT(random) void web_random(u8 *dst, u32 len);
WEB_IMPORT(log) void web_log(u32 level, const char *msg, u32 len);

// Append-only bytes (struct blob_store). Offsets are exact below 2^53; <0: it failed.
WEB_IMPORT(store_append) double web_store_append(void *vm, const u8 *p, u32 len);
WEB_IMPORT(store_read) int web_store_read(void *vm, double off, u8 *dst, u32 len); // 1: done

WEB_IMPORT(output)
void web_output(void *vm, u32 session, u32 stream, const u8 *p, u32 len);
WEB_IMPORT(exited) void web_exited(void *vm, u32 session, u32 status);
WEB_IMPORT(message) void web_message(void *vm, u32 session, const char *msg, u32 len);
WEB_IMPORT(console) void web_console(void *vm, const u8 *p, u32 len);

// One request of a remote file system (p9/fs_remote.h), answered by berth_fs_done or berth_fs_fail.
WEB_IMPORT(fs_request)
void web_fs_request(void *vm, u32 volume, u32 id, u32 op, const char *path, u32 path_len,
                    const char *path2, u32 path2_len, const u8 *data, u32 len);
WEB_IMPORT(fs_timer) void web_fs_timer(void *vm, u32 volume, u32 delay_ms); // then berth_fs_tick
WEB_IMPORT(fs_flushed) void web_fs_flushed(void *vm, u32 volume, u32 err);  // 0 or a Linux errno

// Translated code (exec/cpu.h, struct jit_host). jit_install: enum jit_result; JIT_LATER is
// followed by berth_jit_arrived.
WEB_IMPORT(jit_install)
int web_jit_install(void *vm, const u8 *module, u32 len, u32 token, u32 later);
WEB_IMPORT(jit_grow)
u32 web_jit_grow(u32 slots, u32 from); // the first new slot, 0: the table is full
WEB_IMPORT(jit_set) void web_jit_set(u32 slot, u32 from);

#endif
