// Linux's numbers as 9P2000.L carries them (asm-generic values, whatever the host's libc says): the
// constants of fs.h's errors, modes, open flags and directory entry types. Checked against the host
// by test_p9_codec.c where the host is Linux.
#ifndef BERTH_P9_LINUX_H
#define BERTH_P9_LINUX_H

enum {
    LX_EPERM = 1,
    LX_ENOENT = 2,
    LX_EINTR = 4,
    LX_EIO = 5,
    LX_ENXIO = 6,
    LX_E2BIG = 7,
    LX_EBADF = 9,
    LX_EAGAIN = 11,
    LX_ENOMEM = 12,
    LX_EACCES = 13,
    LX_EBUSY = 16,
    LX_EEXIST = 17,
    LX_EXDEV = 18,
    LX_ENODEV = 19,
    LX_ENOTDIR = 20,
    LX_EISDIR = 21,
    LX_EINVAL = 22,
    LX_ENFILE = 23,
    LX_EMFILE = 24,
    LX_ETXTBSY = 26,
    LX_EFBIG = 27,
    LX_ENOSPC = 28,
    LX_ESPIPE = 29,
    LX_EROFS = 30,
    LX_EMLINK = 31,
    LX_ERANGE = 34,
    LX_EDEADLK = 35,
    LX_ENAMETOOLONG = 36,
    LX_ENOLCK = 37,
    LX_ENOSYS = 38,
    LX_ENOTEMPTY = 39,
    LX_ELOOP = 40,
    LX_ENODATA = 61,
    LX_EPROTO = 71,
    LX_EOVERFLOW = 75,
    LX_EILSEQ = 84,
    LX_EMSGSIZE = 90,
    LX_EOPNOTSUPP = 95,
    LX_ESTALE = 116,
    LX_EDQUOT = 122,
};

enum {
    LX_S_IFMT = 0170000,
    LX_S_IFSOCK = 0140000,
    LX_S_IFLNK = 0120000,
    LX_S_IFREG = 0100000,
    LX_S_IFBLK = 0060000,
    LX_S_IFDIR = 0040000,
    LX_S_IFCHR = 0020000,
    LX_S_IFIFO = 0010000,
    LX_S_ISUID = 04000,
    LX_S_ISGID = 02000,
    LX_S_ISVTX = 01000,
    LX_S_PERM = 07777,
};

enum {
    LX_O_ACCMODE = 03,
    LX_O_RDONLY = 0,
    LX_O_WRONLY = 01,
    LX_O_RDWR = 02,
    LX_O_CREAT = 0100,
    LX_O_EXCL = 0200,
    LX_O_NOCTTY = 0400,
    LX_O_TRUNC = 01000,
    LX_O_APPEND = 02000,
    LX_O_NONBLOCK = 04000,
    LX_O_DSYNC = 010000,
    LX_O_DIRECT = 040000,
    LX_O_LARGEFILE = 0100000,
    LX_O_DIRECTORY = 0200000,
    LX_O_NOFOLLOW = 0400000,
    LX_O_NOATIME = 01000000,
    LX_O_SYNC = 04000000,
};

enum {
    LX_DT_UNKNOWN = 0,
    LX_DT_FIFO = 1,
    LX_DT_CHR = 2,
    LX_DT_DIR = 4,
    LX_DT_BLK = 6,
    LX_DT_REG = 8,
    LX_DT_LNK = 10,
    LX_DT_SOCK = 12,
};

enum { LX_XATTR_CREATE = 1, LX_XATTR_REPLACE = 2 };

enum { LX_NAME_MAX = 255, LX_PATH_MAX = 4096, LX_XATTR_SIZE_MAX = 65536 };

// st_mode's type bits <-> d_type.
#define LX_DT_OF_MODE(mode) (((mode)&LX_S_IFMT) >> 12)

#endif
