// Random reads, writes, truncates, renames, removals and reopens compared with a model, as fsx
// does: for the host directory, and for the remote back end with a host that answers in any order,
// fails now and then and whose files the editor changes. The seed of a failing run is printed;
// FSX_SEED repeats it.
#include "test/p9/client.c"
#include "test/p9/fake_host.c"

#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

enum { FILES = 6, MAX_SIZE = 40000, STEPS = 1500 };

struct model {
    bool exists, open;
    u8 data[MAX_SIZE];
    u32 size, fid;
};

struct fsx {
    struct p9c *c;
    struct fake_host *host; // NULL: the host directory
    u32 rng, seed;
    struct model *m; // FILES of them
    unsigned step, failed;
};

static u32 rnd_of(struct fsx *x, u32 below) {
    x->rng ^= x->rng << 13;
    x->rng ^= x->rng >> 17;
    x->rng ^= x->rng << 5;
    return x->rng % below;
}

#define CHECK(x, cond)                                                                             \
    do {                                                                                           \
        if (!(cond))                                                                               \
            fail_msg("seed %u step %u line %d: %s", (x)->seed, (x)->step, __LINE__, #cond);        \
    } while (0)

// A failure that the host was told to make: nothing may have changed.
static bool injected(struct fsx *x, int err) {
    if (err >= 0) return false;
    if (err != -LX_EIO || !x->host || !x->host->fail_percent)
        fail_msg("seed %u step %u: errno %d", x->seed, x->step, -err);
    x->failed++;
    return true;
}

static const char *name_of(unsigned i) {
    static const char *const names[FILES] = {"a.txt", "b", "c.sh", "d/e", "d/f.txt", "d/g"};
    return names[i];
}

static void close_file(struct fsx *x, struct model *m) {
    if (m->open) CHECK(x, !p9c_clunk(x->c, m->fid));
    m->open = false;
}

// Opens the file if it is not; false: it does not exist, or the host failed.
static bool opened(struct fsx *x, unsigned i) {
    struct model *m = &x->m[i];
    if (m->open) return true;
    int err = p9c_open(x->c, name_of(i), LX_O_RDWR, 0, &m->fid);
    if (!m->exists) {
        CHECK(x, err == -LX_ENOENT || injected(x, err));
        return false;
    }
    if (injected(x, err)) return false;
    m->open = true;
    return true;
}

static void fsx_create(struct fsx *x, unsigned i) {
    struct model *m = &x->m[i];
    u32 flags = LX_O_RDWR | LX_O_CREAT | (rnd_of(x, 2) ? LX_O_EXCL : 0);
    if (m->open) return;
    int err = p9c_open(x->c, name_of(i), flags, 0644, &m->fid);
    if (m->exists && (flags & LX_O_EXCL)) {
        CHECK(x, err == -LX_EEXIST || injected(x, err));
        return;
    }
    if (injected(x, err)) return;
    if (!m->exists) m->size = 0;
    m->exists = m->open = true;
}

static void fsx_write(struct fsx *x, unsigned i) {
    struct model *m = &x->m[i];
    u8 buf[9000];
    u32 off = rnd_of(x, MAX_SIZE - sizeof buf), len = rnd_of(x, sizeof buf);
    if (rnd_of(x, 3) == 0) off = m->size < MAX_SIZE - sizeof buf ? m->size : off; // append
    if (!opened(x, i)) return;
    for (u32 k = 0; k < len; k++) buf[k] = (u8)rnd_of(x, 256);
    int n = p9c_write(x->c, m->fid, off, buf, len);
    if (injected(x, n)) return;
    CHECK(x, n == (int)len);
    if (!len) return;
    if (off > m->size) memset(m->data + m->size, 0, off - m->size);
    memcpy(m->data + off, buf, len);
    if (off + len > m->size) m->size = off + len;
}

static void fsx_read(struct fsx *x, unsigned i) {
    struct model *m = &x->m[i];
    static u8 buf[MAX_SIZE];
    u32 off = rnd_of(x, MAX_SIZE), len = rnd_of(x, MAX_SIZE);
    if (!opened(x, i)) return;
    int n = p9c_read(x->c, m->fid, off, buf, len);
    if (injected(x, n)) return;
    u32 want = off >= m->size ? 0 : m->size - off < len ? m->size - off : len;
    CHECK(x, n == (int)want);
    CHECK(x, !want || !memcmp(buf, m->data + off, want));
}

static void fsx_truncate(struct fsx *x, unsigned i) {
    struct model *m = &x->m[i];
    u32 size = rnd_of(x, 3) ? rnd_of(x, MAX_SIZE) : 0;
    struct fs_setattr set = {.valid = FS_SET_SIZE, .size = size};
    int err = m->open ? p9c_fsetattr(x->c, m->fid, &set) : p9c_truncate(x->c, name_of(i), size);
    if (!m->exists && !m->open) {
        CHECK(x, err == -LX_ENOENT || injected(x, err));
        return;
    }
    if (injected(x, err)) return;
    if (size > m->size) memset(m->data + m->size, 0, size - m->size);
    m->size = size;
}

static void fsx_stat(struct fsx *x, unsigned i) {
    struct model *m = &x->m[i];
    struct p9_Rgetattr st;
    int err = p9c_stat(x->c, name_of(i), &st);
    if (!m->exists)
        CHECK(x, err == -LX_ENOENT || injected(x, err));
    else if (!injected(x, err))
        CHECK(x, st.size == m->size);
}

static void fsx_rename(struct fsx *x, unsigned i) {
    unsigned k = rnd_of(x, FILES);
    int err = p9c_rename(x->c, name_of(i), name_of(k));
    if (!x->m[i].exists) {
        CHECK(x, err == -LX_ENOENT || injected(x, err));
        return;
    }
    if (injected(x, err) || i == k) return;
    CHECK(x, !err);
    close_file(x, &x->m[k]); // the one replaced
    x->m[k] = x->m[i];
    x->m[i].exists = x->m[i].open = false;
}

static void fsx_unlink(struct fsx *x, unsigned i) {
    struct model *m = &x->m[i];
    int err = p9c_unlink(x->c, name_of(i));
    if (!m->exists) {
        CHECK(x, err == -LX_ENOENT || injected(x, err));
        return;
    }
    if (injected(x, err)) return;
    CHECK(x, !err);
    if (m->open) { // still readable
        m->exists = false;
        fsx_read(x, i);
    }
    close_file(x, m);
    m->exists = false;
}

static void fsx_fsync(struct fsx *x, unsigned i) {
    struct model *m = &x->m[i];
    if (!opened(x, i)) return;
    int err = p9c_fsync(x->c, m->fid);
    if (injected(x, err) || !x->host) return;
    struct fake_file *f = fake_find(x->host, name_of(i));
    CHECK(x, f && f->len == m->size && !memcmp(f->data, m->data, m->size));
}

struct names {
    struct fsx *x;
    unsigned found;
};

static void count_name(void *arg, const char *name, u8 dtype, u64 ino) {
    struct names *l = arg;
    (void)ino;
    for (unsigned i = 3; i < FILES; i++)
        if (!strcmp(name, name_of(i) + 2)) {
            CHECK(l->x, l->x->m[i].exists && dtype == LX_DT_REG);
            l->found++;
        }
}

static void fsx_readdir(struct fsx *x, unsigned i) {
    struct names l = {x, 0};
    (void)i;
    int n = p9c_readdir(x->c, "d", 4096, count_name, &l);
    if (injected(x, n)) return;
    unsigned want = x->m[3].exists + x->m[4].exists + x->m[5].exists;
    CHECK(x, l.found == want && n == (int)want + 2);
}

// The editor saves a file that the guest has no unwritten changes to.
static void fsx_edit(struct fsx *x, unsigned i) {
    struct model *m = &x->m[i];
    if (!x->host || !m->exists) return;
    fake_settle(x->host);
    u32 len = rnd_of(x, 300);
    for (u32 k = 0; k < len; k++) m->data[k] = (u8)('a' + rnd_of(x, 26));
    m->data[len] = 0;
    m->size = len;
    fake_edit(x->host, name_of(i), (char *)m->data, false);
}

static void fsx_close(struct fsx *x, unsigned i) { close_file(x, &x->m[i]); }

static void run(struct fsx *x) {
    static void (*const ops[])(struct fsx *, unsigned) = {
        fsx_create, fsx_write, fsx_write,    fsx_write,   fsx_read,
        fsx_read,   fsx_read,  fsx_truncate, fsx_stat,    fsx_rename,
        fsx_unlink, fsx_fsync, fsx_close,    fsx_readdir, fsx_edit,
    };
    x->m = calloc(FILES, sizeof *x->m);
    assert_int_equal(p9c_mkdir(x->c, "d", 0755), 0);
    if (x->host) x->host->fail_percent = x->seed % 3 ? x->seed % 7 : 0;
    for (x->step = 0; x->step < STEPS; x->step++)
        ops[rnd_of(x, ARRAY_LEN(ops))](x, rnd_of(x, FILES));
    if (x->host) {
        x->host->fail_percent = 0;
        fake_settle(x->host);
    }
    for (unsigned i = 0; i < FILES; i++) {
        fsx_stat(x, i);
        fsx_read(x, i);
        close_file(x, &x->m[i]);
        struct fake_file *f = x->host ? fake_find(x->host, name_of(i)) : NULL;
        if (x->host)
            CHECK(x, x->m[i].exists
                         ? f && f->len == x->m[i].size && !memcmp(f->data, x->m[i].data, f->len)
                         : !f);
    }
    free(x->m);
}

static void fsx_posix(void **state) {
    (void)state;
    for (u32 seed = 1; seed <= 3; seed++) {
        char dir[] = "/tmp/berth-fsx-XXXXXX", cmd[64];
        assert_non_null(mkdtemp(dir));
        struct fs *fs = fs_posix_create(dir, false, NULL);
        assert_non_null(fs);
        struct p9c c;
        p9c_init(&c, fs, 8192, NULL, NULL);
        struct fsx x = {.c = &c, .rng = seed, .seed = seed};
        run(&x);
        p9c_end(&c);
        fs->ops->destroy(fs);
        snprintf(cmd, sizeof cmd, "rm -r %s", dir);
        assert_int_equal(system(cmd), 0);
    }
}

static void fsx_remote(void **state) {
    (void)state;
    const char *one = getenv("FSX_SEED");
    u32 first = one ? (u32)atoi(one) : 1, last = one ? first : 25; // (more: FSX_LAST)
    if (getenv("FSX_LAST")) last = (u32)atoi(getenv("FSX_LAST"));
    for (u32 seed = first; seed <= last; seed++) {
        struct fake_host h;
        struct p9c c;
        fake_init(&h, seed * 77, NULL);
        p9c_init(&c, h.fs, 8192, fake_pump, &h);
        struct fsx x = {.c = &c, .host = &h, .rng = seed, .seed = seed};
        run(&x);
        p9c_end(&c);
        fake_end(&h);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fsx_posix),
        cmocka_unit_test(fsx_remote),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
