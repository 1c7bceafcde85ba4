// Who a process runs as: docker's --user and an image's User against the image's /etc/passwd and
// /etc/group, both of which may be missing. No NSS: the files are the image's. Depends on util.
//
// Rules (as docker and the other engines have them): a user that is in passwd by name or number
// takes uid, gid, home from there; an unlisted number is uid N, gid 0, home /. A group is a name or
// number; supplementary groups come from /etc/group only when no group was asked for.
#include "init.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX (4u << 20)

static bool parse_id(const char *s, u32 *id) {
    if (*s < '0' || *s > '9') return false;
    char *end;
    errno = 0;
    unsigned long v = strtoul(s, &end, 10);
    // 2^31 up is refused, as docker does: (uid_t)-1 means "unchanged" to the kernel.
    if (errno || *end || v > INT_MAX) return false;
    *id = (u32)v;
    return true;
}

// Splits "a:b:c" in place; missing fields are "".
static void split(char *line, char **field, size_t n) {
    for (size_t i = 0; i < n; i++) {
        field[i] = line;
        line += strcspn(line, ":");
        if (*line) *line++ = 0;
    }
}

static bool list_has(const char *list, const char *name) {
    size_t n = strlen(name);
    for (const char *p = list; *p;) {
        size_t len = strcspn(p, ",");
        if (len == n && memcmp(p, name, n) == 0) return true;
        p += len + (p[len] == ',');
    }
    return false;
}

// The passwd line whose name or number is `who`; its fields in f[7].
static bool find_passwd(char *text, const char *who, char **f) {
    u32 want = 0, uid;
    bool numeric = parse_id(who, &want);
    for (char *save, *line = strtok_r(text, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save)) {
        split(line, f, 7);
        if (strcmp(f[0], who) == 0 || (numeric && parse_id(f[2], &uid) && uid == want)) return true;
    }
    return false;
}

static void add_group(struct user *u, gid_t gid) {
    gid_t *more = realloc(u->groups, (u->ngroups + 1) * sizeof *more);
    if (!more) return;
    u->groups = more;
    u->groups[u->ngroups++] = gid;
}

// One pass over /etc/group: the group asked for, or the groups that list `name`.
static bool scan_groups(struct user *u, const char *group, const char *name) {
    char *text = file_read("/etc/group", FILE_MAX, NULL);
    u32 want = 0, gid;
    bool found = group && parse_id(group, &want);
    if (found) u->gid = want;
    char *save = NULL;
    for (char *line = text ? strtok_r(text, "\n", &save) : NULL; line;
         line = strtok_r(NULL, "\n", &save)) {
        char *f[4];
        split(line, f, 4);
        if (!parse_id(f[2], &gid)) continue;
        if (group && !found && strcmp(f[0], group) == 0) {
            u->gid = gid;
            found = true;
        }
        if (!group && name && list_has(f[3], name)) add_group(u, gid);
    }
    free(text);
    return found;
}

bool user_resolve(const char *spec, struct user *u, char *why, size_t why_len) {
    char who[256] = "0";
    const char *colon = spec ? strchr(spec, ':') : NULL;
    const char *group = colon && colon[1] ? colon + 1 : NULL;
    size_t n = spec ? (colon ? (size_t)(colon - spec) : strlen(spec)) : 0;
    if (n >= sizeof who) {
        snprintf(why, why_len, "the user name is longer than %zu bytes", sizeof who - 1);
        return false;
    }
    if (n) {
        memcpy(who, spec, n);
        who[n] = 0;
    }
    *u = (struct user){.home = "/"};
    // Kept: `home` points into it. The caller is about to exec.
    char *passwd = file_read("/etc/passwd", FILE_MAX, NULL);
    char *f[7], *name = NULL;
    u32 id = 0;
    if (passwd && find_passwd(passwd, who, f)) {
        name = f[0];
        if (!parse_id(f[2], &u->uid) || !parse_id(f[3], &u->gid)) {
            snprintf(why, why_len, "the line of user %s in /etc/passwd is broken", who);
            return false;
        }
        u->home = f[5][0] ? f[5] : "/";
    } else if (parse_id(who, &id)) {
        u->uid = id;
    } else {
        snprintf(why, why_len, "unable to find user %s: no matching entries in passwd file", who);
        return false;
    }
    if (!scan_groups(u, group, name) && group) {
        snprintf(why, why_len, "unable to find group %s: no matching entries in group file", group);
        return false;
    }
    return true;
}
