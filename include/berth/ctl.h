// The control channel between the host and the guest's init: a byte stream each way over the virtio
// console port "berth.ctl", carrying frames. Shared by both ends; plain C, no dependency.
//
//   frame: u8 type | u8 0 | u16 session | u32 length | length bytes      (little endian)
//
// A session is one process with its terminal or pipes; numbers are the host's, 1..65535. Session 1 is
// the container's main process: when it ends the guest powers off after EXIT was sent.
//
// Flow control: each direction of each session has a window of CTL_WINDOW bytes. The receiver of
// STDIN (guest) or STDOUT/STDERR (host) gives CREDIT back as it passes bytes on.
#ifndef BERTH_CTL_H
#define BERTH_CTL_H

#define CTL_PORT_NAME "berth.ctl"
#define CTL_HEADER_SIZE 8
#define CTL_MAX_PAYLOAD 65536
#define CTL_WINDOW 65536

enum ctl_type {
    // host -> guest
    CTL_SPAWN = 1,     // start a process: strings, see below
    CTL_STDIN = 2,     // bytes
    CTL_STDIN_EOF = 3, // pipes: close; terminal: the VEOF character
    CTL_RESIZE = 4,    // u16 cols, u16 rows
    CTL_SIGNAL = 5,    // u32 Linux signal number, to the session's foreground process group
    CTL_SHUTDOWN = 6,  // TERM to everything, then power off
    CTL_PRELOAD = 7,   // read parts of files, see below; answered by PRELOADED
    // guest -> host
    CTL_READY = 64,  // init is up and waits for SPAWN; payload: u32 protocol version
    CTL_STDOUT = 65, // bytes (terminal: everything)
    CTL_STDERR = 66, // bytes
    CTL_EXIT = 67,   // u32 status: exit code, or 128 + signal
    CTL_ERROR = 68,  // text: the session could not start, 126/127 follow in EXIT; or a warning (session 0)
    CTL_PRELOADED = 69, // u32: how many of the files could be read
    // both ways
    CTL_CREDIT = 96, // u32 bytes; guest gives credit for STDIN, host for STDOUT+STDERR together
};

#define CTL_VERSION 2

// SPAWN payload: u32 flags, u16 cols, u16 rows, then NUL-terminated records "key=value":
//   arg=...   (repeated, argv)      env=NAME=VALUE (repeated)      cwd=DIR      user=USER[:GROUP]
#define CTL_SPAWN_TTY 1u

// PRELOAD payload, for each file: u32 number of parts, for each part u32 first page and u32 number of
// pages (of 4096 bytes), then the path in the container, NUL-terminated. One PRELOAD at a time.

// Init's own configuration, NUL-terminated "key=value" records in the initramfs file /berth.conf:
//   hostname=NAME
//   root=9p:TAG                    lower layer of /: a 9p tag (more kinds may follow)
//   mount=9p:TAG:rw|ro:GUESTPATH   further mounts, in order, made inside the container
//   time=SECONDS.NANOSECONDS       realtime at start
#define CTL_CONF_FILE "/berth.conf"

#endif
