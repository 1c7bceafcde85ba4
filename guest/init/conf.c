// Reads /berth.conf, the records that the host put into the initramfs (format: berth/ctl.h).
// Depends on util. The host is trusted, but a wrong record must be named, not guessed at.
#include "init.h"

#include <stdlib.h>
#include <string.h>

// "TAG:rw|ro:GUESTPATH"; the path may hold colons.
static bool parse_mount(char *v, struct conf_mount *m) {
    char *mode = strchr(v, ':');
    char *path = mode ? strchr(mode + 1, ':') : NULL;
    if (!path || mode == v) return false;
    *mode++ = 0;
    *path++ = 0;
    if ((strcmp(mode, "rw") != 0 && strcmp(mode, "ro") != 0) || path[0] != '/') return false;
    m->tag = v;
    m->guest = path;
    m->readonly = mode[1] == 'o';
    return true;
}

static bool parse_time(const char *v, struct conf *c) {
    char *end;
    c->time_s = strtoull(v, &end, 10);
    if (end == v) return false;
    // A fraction of any length up to nanoseconds: ".5" is half a second.
    u32 ns = 0, unit = 100000000;
    if (*end == '.')
        for (end++; *end >= '0' && *end <= '9'; end++, unit /= 10) ns += (u32)(*end - '0') * unit;
    c->time_ns = ns;
    c->has_time = *end == 0;
    return c->has_time;
}

static bool parse_record(char *key, struct conf *c) {
    char *v = strchr(key, '=');
    if (!v) return false;
    *v++ = 0;
    if (strcmp(key, "hostname") == 0) {
        c->hostname = v;
        return *v != 0;
    }
    if (strcmp(key, "root") == 0) {
        c->root_tag = v + 3;
        return strncmp(v, "9p:", 3) == 0 && v[3] != 0;
    }
    if (strcmp(key, "mount") == 0) {
        struct conf_mount *more = realloc(c->mounts, (c->nmounts + 1) * sizeof *more);
        if (!more || strncmp(v, "9p:", 3) != 0) return false;
        c->mounts = more;
        return parse_mount(v + 3, &c->mounts[c->nmounts++]);
    }
    if (strcmp(key, "time") == 0) return parse_time(v, c);
    init_log(4, "unknown record '%s' in %s ignored", key, CTL_CONF_FILE);
    return true;
}

void conf_read(struct conf *c) {
    *c = (struct conf){.hostname = "berth"};
    size_t len = 0;
    // Kept: the strings of `c` point into it.
    char *text = file_read(CTL_CONF_FILE, 1 << 20, &len);
    if (!text)
        init_fatal("%s is missing from the initramfs; the host must append it", CTL_CONF_FILE);
    for (char *p = text; p < text + len;) {
        size_t n = strlen(p);
        if (n && !parse_record(p, c))
            init_fatal("record '%s' of %s is not understood", p, CTL_CONF_FILE);
        p += n + 1;
    }
    if (!c->root_tag) init_fatal("%s names no root; it needs a record root=9p:TAG", CTL_CONF_FILE);
}
