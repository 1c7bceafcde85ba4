// A file system kept by somebody who can only be asked asynchronously and only for whole files: the
// VS Code workspace (vscode.workspace.fs), which has no modes, owners, links or ranged writes. What
// it cannot store (mode, uid, gid, times set by the guest, symlinks) lives in a table beside it,
// for the life of the `struct fs`.
//
// The host carries out `struct remote_host.request` and answers with fs_remote_complete, in any
// order. Paths are UTF-8, relative to the root, components joined with '/', no leading or trailing
// '/'; "" is the root itself.
#ifndef BERTH_P9_FS_REMOTE_H
#define BERTH_P9_FS_REMOTE_H

#include "base/err.h"
#include "base/log.h"
#include "base/types.h"
#include "p9/fs.h"

// What is asked, what vscode.workspace.fs call serves it, and the payload of a successful answer.
// All integers little-endian.
enum remote_op {
    REMOTE_STAT = 0,    // stat(path)        -> struct below, REMOTE_STAT_LEN bytes
    REMOTE_READDIR = 1, // readDirectory     -> per entry: u8 type, u16 length, name (no NUL)
    REMOTE_READ = 2,    // readFile          -> the file's bytes
    REMOTE_WRITE =
        3, // writeFile: creates or replaces the whole content with data[0..len) -> nothing
    REMOTE_MKDIR = 4,  // createDirectory   -> nothing
    REMOTE_DELETE = 5, // delete {recursive: false, useTrash: false}  -> nothing
    REMOTE_RENAME = 6, // rename(path, path2, {overwrite: true})      -> nothing
};

// REMOTE_STAT's payload: u32 type, u32 flags, u64 size, u64 mtime_ms, u64 ctime_ms.
#define REMOTE_STAT_LEN 32
// Types: the bits of vscode.FileType.
enum { REMOTE_FILE = 1, REMOTE_DIR = 2, REMOTE_SYMLINK = 64 };
// Flags: the bits of vscode.FilePermission.
enum { REMOTE_READONLY = 1 };

struct remote_host {
    void *arg;
    // Starts one request. `id` is never 0 and is unique among the requests in flight. The strings
    // and the data are valid during the call only (copy what is kept). `path2` is NULL but for
    // REMOTE_RENAME, `data` is NULL but for REMOTE_WRITE. Must not call fs_remote_complete before
    // it returns. Every request must be completed once, unless the fs is destroyed first.
    void (*request)(void *arg, u32 id, enum remote_op op, const char *path, const char *path2,
                    const u8 *data, size_t len);
    // Wants fs_remote_tick called once in `delay_ms`; a later call replaces an earlier one.
    void (*timer)(void *arg, u32 delay_ms);
    // The current real time, nanoseconds since 1970.
    u64 (*now_ns)(void *arg);
};

struct fs_remote_settings {
    struct remote_host host; // copied
    bool readonly;           // EROFS to what modifies
    u32 uid, gid;            // owner shown for files that the guest did not chown
    u64 max_file;            // largest file served, EFBIG above; 0: 256 MiB
    u64 max_cache;           // bytes of content held at most; 0: 512 MiB
    u32 write_delay_ms;      // how long written content may wait for the next write; 0: 300
    const struct log *log;
};

struct fs *fs_remote_create(const struct fs_remote_settings *set, struct err *err);

// The answer to request `id`: err 0, or a Linux errno (fs_remote_errno). The payload is copied.
// An unknown id is ignored.
void fs_remote_complete(struct fs *fs, u32 id, int err, const u8 *payload, size_t len);

// The time asked for with `timer` has come. Harmless at any other time.
void fs_remote_tick(struct fs *fs);

// A watcher saw `path` created, changed or deleted by somebody (also by us: that is recognised).
// "" : anything may have changed.
void fs_remote_changed(struct fs *fs, const char *path);

// Starts writing everything that is not yet written. `done` (may be NULL) is called once when
// nothing is left to write, with the first error in res->err.
void fs_remote_flush(struct fs *fs, fs_done done, void *arg);

// Bytes of files that are changed but not yet stored by the host.
u64 fs_remote_dirty(const struct fs *fs);

// Linux errno for a vscode.FileSystemError code ("FileNotFound", "FileExists", "NoPermissions",
// ...; anything unknown: EIO).
int fs_remote_errno(const char *code);

#endif
