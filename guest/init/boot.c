// From the initramfs to the container's root: file systems, device nodes, the files that a
// container engine provides. Depends on util and conf. After boot_container the process's / is the
// overlay of the image (9p, read-only) and a tmpfs; the initramfs stays hidden beneath it.
//
// Laid out as the OCI runtime spec's default mounts (config-linux.md, "Default Filesystems" and
// "Default Devices") and docker's choices of size and mode.
#define _GNU_SOURCE
#include "init.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef __x86_64__
#include <sys/io.h>
#endif
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

// The largest message of the kernel's virtio transport: 125 pages.
#define MSIZE "msize=512000"
// The image never changes under us: cache everything, and do not ask the server about versions.
#define ROOT_OPTIONS "trans=virtio,version=9p2000.L,cache=loose,ignoreqv,access=any," MSIZE
// Volumes change on the host's side at any time. cache=mmap keeps no names, attributes or file
// pages beyond their use but allows shared mappings; directio makes read and write go to the
// server, so that growth of an open file is seen (tail -f). access=user tells the server who
// creates a file.
#define VOLUME_OPTIONS  "trans=virtio,version=9p2000.L,cache=mmap,directio,access=user," MSIZE
#define OVERLAY_OPTIONS "lowerdir=/lower,upperdir=/rw/upper,workdir=/rw/work,redirect_dir=on"
#define NAMESERVER      "192.168.127.1" // the in-VM network's gateway

static void mount_or_die(const char *what, const char *where, const char *type, unsigned long flags,
                         const char *options) {
    if (mount(what, where, type, flags, options) < 0)
        init_fatal("cannot mount %s on %s: %s", type, where, strerror(errno));
}

void boot_early(void) {
    umask(022);
    reboot(RB_DISABLE_CAD);
    mkdir("/dev", 0755);
    mkdir("/sys", 0755);
    mkdir("/proc", 0755);
    mount_or_die("dev", "/dev", "devtmpfs", 0, NULL);
    mount_or_die("sys", "/sys", "sysfs", 0, NULL);
    mount_or_die("proc", "/proc", "proc", 0, NULL);
    log_open();
    // An open console keeps its driver polling for input; messages go through /dev/kmsg.
    int fd = open("/dev/null", O_RDWR);
    for (int i = 0; i < 3 && fd >= 0; i++) dup2(fd, i);
    if (fd > 2) close(fd);
}

static void mount_root(const struct conf *c) {
    static const char *const dirs[] = {"/lower", "/rw", "/root"};
    for (size_t i = 0; i < ARRAY_LEN(dirs); i++) mkdir(dirs[i], 0755);
    if (mount(c->root_tag, "/lower", "9p", MS_RDONLY, ROOT_OPTIONS) < 0)
        init_fatal("cannot mount the image: 9p tag '%s': %s", c->root_tag, strerror(errno));
    // Files written to / live in memory; the rest of it must stay for processes.
    mount_or_die("rw", "/rw", "tmpfs", 0, "mode=0755,size=60%");
    mkdir("/rw/upper", 0755);
    mkdir("/rw/work", 0755);
    struct stat st;
    if (stat("/lower", &st) == 0) {
        // The top directory of the overlay is the upper one: it must look like the image's.
        chmod("/rw/upper", st.st_mode & 07777);
        if (chown("/rw/upper", st.st_uid, st.st_gid) < 0)
            init_log(4, "owner of /: %s", strerror(errno));
    }
    mount_or_die("overlay", "/root", "overlay", 0, OVERLAY_OPTIONS);
}

// Not pivot_root, which the initramfs does not allow: the new root is moved over the old one.
static void switch_root(void) {
    // The memory of the initramfs's files comes back when the last user is gone.
    unlink("/init");
    unlink(CTL_CONF_FILE);
    if (chdir("/root") < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 ||
        chdir("/") < 0)
        init_fatal("cannot switch to the container's root: %s", strerror(errno));
}

static void mount_volume(const struct conf_mount *m) {
    if (!make_dirs(m->guest, 0755))
        init_fatal("cannot make the mount point %s: %s", m->guest, strerror(errno));
    unsigned long flags = m->readonly ? MS_RDONLY : 0;
    if (mount(m->tag, m->guest, "9p", flags, VOLUME_OPTIONS) < 0)
        init_fatal("cannot mount the volume on %s: 9p tag '%s': %s", m->guest, m->tag,
                   strerror(errno));
}

static void make_devices(void) {
    static const struct {
        const char *name;
        unsigned char major, minor;
        mode_t mode;
    } nodes[] = {
        {"null", 1, 3, 0666},       {"zero", 1, 5, 0666},
        {"full", 1, 7, 0666},       {"random", 1, 8, 0666},
        {"urandom", 1, 9, 0666},    {"tty", 5, 0, 0666},
        {"kmsg", 1, 11, 0600},      {"fuse", 10, 229, 0666},
        {"net/tun", 10, 200, 0666}, {"loop-control", 10, 237, 0600},
    };
    static const char *const links[][2] = {
        {"/proc/self/fd", "/dev/fd"},       {"/proc/self/fd/0", "/dev/stdin"},
        {"/proc/self/fd/1", "/dev/stdout"}, {"/proc/self/fd/2", "/dev/stderr"},
        {"/proc/kcore", "/dev/core"},       {"pts/ptmx", "/dev/ptmx"},
    };
    char path[64];
    mkdir("/dev/net", 0755);
    for (size_t i = 0; i < ARRAY_LEN(nodes); i++) {
        snprintf(path, sizeof path, "/dev/%s", nodes[i].name);
        if (mknod(path, S_IFCHR | nodes[i].mode, makedev(nodes[i].major, nodes[i].minor)) == 0)
            chmod(path, nodes[i].mode); // whatever the umask is
        else
            init_log(4, "%s: %s", path, strerror(errno));
    }
    for (unsigned i = 0; i < 8; i++) {
        snprintf(path, sizeof path, "/dev/loop%u", i);
        mknod(path, S_IFBLK | 0660, makedev(7, i));
    }
    for (size_t i = 0; i < ARRAY_LEN(links); i++)
        if (symlink(links[i][0], links[i][1]) < 0)
            init_log(4, "%s: %s", links[i][1], strerror(errno));
}

static void mount_virtual(void) {
    static const struct {
        const char *type, *where, *options;
        unsigned long flags;
    } list[] = {
        {"tmpfs", "/dev", "mode=0755,size=64k", MS_NOSUID | MS_STRICTATIME},
        {"devpts", "/dev/pts", "newinstance,ptmxmode=0666,mode=0620,gid=5", MS_NOSUID | MS_NOEXEC},
        {"tmpfs", "/dev/shm", "mode=1777,size=64m", MS_NOSUID | MS_NODEV | MS_NOEXEC},
        {"mqueue", "/dev/mqueue", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC},
        {"sysfs", "/sys", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC},
        {"cgroup2", "/sys/fs/cgroup", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC},
    };
    // /proc comes with process 1 of the container: it shows that process's PID namespace.
    if (!make_dirs("/proc", 0555)) init_fatal("cannot make /proc: %s", strerror(errno));
    for (size_t i = 0; i < ARRAY_LEN(list); i++) {
        if (!make_dirs(list[i].where, 0755))
            init_fatal("cannot make %s: %s", list[i].where, strerror(errno));
        mount_or_die(list[i].type, list[i].where, list[i].type, list[i].flags, list[i].options);
    }
}

// As docker's: the image's own file, often empty or a dangling link, is replaced.
static void etc_file(const char *path, const char *text) {
    struct stat st;
    if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode)) unlink(path);
    if (!file_write(path, text)) init_log(4, "cannot write %s: %s", path, strerror(errno));
}

static void write_etc(const char *hostname) {
    char text[512];
    if (!make_dirs("/etc", 0755)) {
        init_log(4, "cannot make /etc: %s", strerror(errno));
        return;
    }
    snprintf(text, sizeof text, "%.64s\n", hostname);
    etc_file("/etc/hostname", text);
    snprintf(text, sizeof text,
             "127.0.0.1\tlocalhost\n"
             "::1\tlocalhost ip6-localhost ip6-loopback\n"
             "fe00::\tip6-localnet\n"
             "ff00::\tip6-mcastprefix\n"
             "ff02::1\tip6-allnodes\n"
             "ff02::2\tip6-allrouters\n"
             "127.0.1.1\t%.64s\n",
             hostname);
    etc_file("/etc/hosts", text);
    etc_file("/etc/resolv.conf", "nameserver " NAMESERVER "\n");
    if (symlink("/proc/mounts", "/etc/mtab") < 0 && errno != EEXIST)
        init_log(4, "/etc/mtab: %s", strerror(errno));
}

static void loopback_up(void) {
    struct ifreq r = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &r) < 0)
        init_log(4, "loopback interface: %s", strerror(errno));
    if (fd >= 0) close(fd);
}

static void set_system(const struct conf *c) {
    if (c->has_time) {
        struct timespec t = {.tv_sec = (time_t)c->time_s, .tv_nsec = (long)c->time_ns};
        if (clock_settime(CLOCK_REALTIME, &t) < 0)
            init_log(4, "cannot set the clock: %s", strerror(errno));
    }
    if (sethostname(c->hostname, strnlen(c->hostname, 64)) < 0)
        init_log(4, "cannot set the host name: %s", strerror(errno));
    loopback_up();
    // What docker allows every container: ping and low ports without privilege.
    file_write("/proc/sys/net/ipv4/ping_group_range", "0 2147483647");
    file_write("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0");
    // When pages in use cannot stay for this long, memory is used up: kill, do not thrash.
    if (!file_write("/sys/kernel/mm/lru_gen/min_ttl_ms", "500"))
        init_log(4, "min_ttl_ms: %s", strerror(errno));
    // Without walks of page tables: they hold the memory of the process that they walk when that is
    // killed, and while it is not free another one is killed.
    if (!file_write("/sys/kernel/mm/lru_gen/enabled", "1"))
        init_log(4, "lru_gen: %s", strerror(errno));
    // Memory in pieces of up to 16 pages where it can be had: fewer page faults, and what lies
    // together on the host is reached faster by translated code. A kernel without them does
    // without.
    file_write("/sys/kernel/mm/transparent_hugepage/hugepages-16kB/enabled", "always");
    file_write("/sys/kernel/mm/transparent_hugepage/hugepages-32kB/enabled", "always");
    file_write("/sys/kernel/mm/transparent_hugepage/hugepages-64kB/enabled", "always");
    // Many descriptors on demand, but a soft limit that loops closing all of them survive.
    struct rlimit files = {.rlim_cur = 1024, .rlim_max = 524288};
    setrlimit(RLIMIT_NOFILE, &files);
}

void boot_container(const struct conf *c) {
    set_system(c);
    mount_root(c);
    switch_root();
    mount_virtual();
    make_devices();
    write_etc(c->hostname); // before the volumes, which are the user's
    for (unsigned i = 0; i < c->nmounts; i++) mount_volume(&c->mounts[i]);
}

#ifdef __x86_64__
// This kernel has no ACPI, without which Linux knows no way to switch a PC off. The register is
// where QEMU's PCs have ACPI's.
static void power_port(void) {
    enum { PM1_CONTROL = 0x604, SLEEP_ENABLE = 1 << 13 };
    if (ioperm(PM1_CONTROL, 2, 1) == 0) outw(SLEEP_ENABLE, PM1_CONTROL);
}
#else
static void power_port(void) {}
#endif

void boot_machine_off(void) {
    power_port();
    reboot(RB_POWER_OFF);
    for (;;) pause();
}
