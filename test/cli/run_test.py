#!/usr/bin/env python3
"""End-to-end tests of the native command: `berth run` on the images that `make guest` and `make images`
build. Needs build/berth, build/guest/ARCH and build/images/ARCH/{scratch-test,debian-gcc}; nothing else,
no network, no root.

    test/cli/run_test.py [NAME-PART...]     only the tests whose name has one of the parts

Each test runs for each architecture, but for those that no guest has a part in. ARCHS="x86_64" chooses.

The last line is "N passed, N failed".
"""
import fcntl
import hashlib
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
import traceback

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("BUILD", "build"))
BERTH = os.path.join(BUILD, "berth")
ARCHS = os.environ.get("ARCHS", "x86_64 riscv64").split()
# A machine that does other things meanwhile is slow; a hang is still a hang.
TIMEOUT = float(os.environ.get("BERTH_TEST_TIMEOUT", "120"))

tests = []
once = set()


def use(arch):
    """The architecture that the tests from here on are for."""
    global ARCH, IMAGES, DEBIAN, SCRATCH
    ARCH = arch
    IMAGES = os.path.join(BUILD, "images", arch)
    DEBIAN = "oci:" + os.path.join(IMAGES, "debian-gcc") + ":latest"
    SCRATCH = "oci:" + os.path.join(IMAGES, "scratch-test") + ":latest"


def test(f):
    tests.append(f)
    return f


def test_once(f):
    """A test that is the same whatever the guest is."""
    once.add(f)
    return test(f)


class Failed(Exception):
    pass


def check(cond, what):
    if not cond:
        raise Failed(what)


def equal(got, want, what="value"):
    if got != want:
        raise Failed(f"{what}: got {got!r}, expected {want!r}")


def berth(*args, stdin=b"", env=None, cwd=None):
    """Runs berth with these arguments; (status, stdout, stderr)."""
    e = dict(os.environ, **(env or {}))
    p = subprocess.Popen([BERTH, *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, env=e, cwd=cwd)
    try:
        out, err = p.communicate(stdin, timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        p.kill()
        out, err = p.communicate()
        raise Failed(f"no end after {TIMEOUT:.0f} s; stdout {out[-500:]!r} stderr {err[-500:]!r}")
    return p.returncode, out, err.decode(errors="replace")


def run(*args, **kw):
    return berth("run", *args, **kw)


def sh(script, *options, **kw):
    """A shell script in the Debian image."""
    return run(*options, DEBIAN, "sh", "-c", script, **kw)


def fine(result, out=None):
    status, stdout, stderr = result
    if status != 0 or stderr:
        raise Failed(f"status {status}, stdout {stdout[-500:]!r}, stderr {stderr[-1000:]!r}")
    if out is not None:
        equal(stdout, out, "stdout")
    return stdout


def refused(result, *parts, status=125):
    """An error of ours: status, nothing on stdout, one sentence that names the thing."""
    equal(result[0], status, f"status (stderr {result[2]!r})")
    equal(result[1], b"", "stdout")
    for part in parts:
        check(part in result[2], f"{part!r} is not in the message {result[2]!r}")
    check(result[2].startswith("berth: "), f"message {result[2]!r}")


# ---- exit status


@test
def exit_status():
    fine(sh("exit 0"), b"")
    equal(sh("exit 3"), (3, b"", ""))
    equal(sh("exit 255")[0], 255)


@test
def status_of_a_signal():
    equal(sh("sh -c 'kill -9 $$'; exit $?")[0], 137)
    # The main process is number 1 of its namespace and is killed only by what it has a handler for,
    # or from outside.
    equal(sh("sh -c 'kill -TERM $$'; exit $?")[0], 143)


@test
def command_not_found():
    status, out, err = run(DEBIAN, "no-such-command", "x")
    equal(status, 127)
    equal(out, b"")
    check("no-such-command" in err, err)


@test
def command_not_executable():
    status, out, err = run(DEBIAN, "/etc/passwd")
    equal(status, 126)
    check("/etc/passwd" in err, err)
    equal(run(DEBIAN, "/etc")[0], 126)


# ---- standard streams


@test
def stdin_through_cat():
    fine(run(DEBIAN, "cat", stdin=b"one\ntwo\n"), b"one\ntwo\n")


@test
def empty_stdin():
    fine(sh("wc -c; echo end"), b"0\nend\n")


@test
def stderr_is_separate():
    status, out, err = sh("echo out; echo err >&2; echo out2")
    equal((status, out, err), (0, b"out\nout2\n", "err\n"))


@test
def no_terminal_on_pipes():
    fine(sh("test -t 0 || test -t 1 || test -t 2 || echo none; echo ${TERM-unset}"),
         b"none\nunset\n")


@test
def megabyte_round_trip():
    data = os.urandom(1 << 20)
    out = fine(run(DEBIAN, "cat", stdin=data))
    equal(hashlib.sha256(out).hexdigest(), hashlib.sha256(data).hexdigest(), "digest")


@test
def much_input_then_silence():
    """Input beyond the window goes on when the guest gives credit, not when more is typed."""
    p = subprocess.Popen([BERTH, "run", DEBIAN, "sh", "-c", "head -c 300000 | wc -c"],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    p.stdin.write(bytes(300000))
    p.stdin.flush()
    check(select.select([p.stdout], [], [], TIMEOUT)[0], "no answer while stdin is open")
    equal(p.stdout.read(), b"300000\n")
    p.stdin.close()
    equal(p.wait(timeout=TIMEOUT), 0)


@test
def megabytes_on_both_outputs():
    script = "head -c 1500000 /dev/zero | tr '\\0' a & head -c 1500000 /dev/zero | tr '\\0' b >&2; wait"
    status, out, err = sh(script)
    equal(status, 0)
    check(out == b"a" * 1500000, f"{len(out)} bytes of stdout")
    check(err == "b" * 1500000, f"{len(err)} bytes of stderr")


@test
def slow_reader():
    """The reader takes nothing for a while: the guest waits, and nothing is lost."""
    p = subprocess.Popen([BERTH, "run", DEBIAN, "sh", "-c", "seq 1 200000"],
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    select.select([p.stdout], [], [], TIMEOUT)
    time.sleep(2)
    out, err = p.communicate(timeout=TIMEOUT)
    equal(p.returncode, 0)
    equal(err, b"")
    check(out == b"".join(b"%d\n" % i for i in range(1, 200001)), f"{len(out)} bytes")


@test
def closed_stdout():
    """`berth run ... yes | head`: the end of the reader is the end of the container."""
    p = subprocess.Popen([BERTH, "run", DEBIAN, "yes"], stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    equal(p.stdout.read(4), b"y\ny\n")
    p.stdout.close()
    p.wait(timeout=TIMEOUT)
    equal(p.returncode, 128 + signal.SIGPIPE)
    equal(p.stderr.read(), b"")


@test
def output_into_a_file_keeps_its_order():
    with tempfile.TemporaryFile() as f:
        p = subprocess.run([BERTH, "run", DEBIAN, "sh", "-c",
                            "echo 1; sleep 0.2; echo 2 >&2; sleep 0.2; echo 3"],
                           stdin=subprocess.DEVNULL, stdout=f, stderr=f, timeout=TIMEOUT)
        equal(p.returncode, 0)
        f.seek(0)
        equal(f.read(), b"1\n2\n3\n")


@test
def stdin_kept_open_does_not_hold_the_end():
    r, w = os.pipe()
    p = subprocess.Popen([BERTH, "run", DEBIAN, "echo", "done"], stdin=r, stdout=subprocess.PIPE)
    out, _ = p.communicate(timeout=TIMEOUT)
    os.close(r)
    os.close(w)
    equal((p.returncode, out), (0, b"done\n"))


# ---- the process


@test
def machine_and_system():
    out = fine(sh("uname -m; . /etc/os-release; echo $ID; hostname")).decode().split()
    equal(out, [ARCH, "debian", "berth"])
    check(re.fullmatch(rb"Linux berth \d[^ ]* #1 .* %s GNU/Linux\n" % ARCH.encode(), fine(sh("uname -a"))),
          "uname -a")


@test
def environment():
    out = fine(sh("env", "-e", "A=1 2", "--env", "B=", "-e", "FROM_HERE", "-h", "box",
                  env={"FROM_HERE": "x=y"})).decode().splitlines()
    for want in ["A=1 2", "B=", "FROM_HERE=x=y", "HOSTNAME=box", "HOME=/root"]:
        check(want in out, f"{want} is not in {out}")
    check(any(v.startswith("PATH=") and "/usr/bin" in v for v in out), f"no PATH in {out}")


@test
def user_and_directory():
    fine(sh("id -u; id -g; pwd; echo $HOME", "-u", "1000:1001", "-w", "/tmp"),
         b"1000\n1001\n/tmp\n/\n")
    fine(sh("id -un; id -gn; pwd", "--user=www-data", "--workdir=/var/../usr/lib"),
         b"www-data\nwww-data\n/usr/lib\n")


@test
def directory_is_made():
    fine(sh("pwd", "-w", "/not/there/yet"), b"/not/there/yet\n")


@test
def unknown_user():
    status, out, err = sh("id", "-u", "nobody-knows")
    check(status in (125, 126), f"status {status}")
    check("nobody-knows" in err, err)


@test
def entrypoint():
    fine(run("--entrypoint", "/bin/echo", DEBIAN, "a", "b c"), b"a b c\n")
    fine(run("--entrypoint", "", DEBIAN, "echo", "x"), b"x\n")
    refused(run("--entrypoint=", DEBIAN), "no command specified")


@test
def root_is_writable_and_forgets():
    fine(sh("echo x > /etc/new && mv /etc/new /usr/n && rm -r /usr/share/doc && ls /usr/n"),
         b"/usr/n\n")
    fine(sh("ls /usr/n 2>/dev/null; ls -d /usr/share/doc"), b"/usr/share/doc\n")


@test
def usual_file_systems():
    fine(sh("set -e; test -c /dev/null; test -e /dev/pts/ptmx; test -d /proc/1; test -d /sys/kernel;"
            "echo x >/dev/shm/a; echo y >/tmp/b; ls -l /dev/stdin /dev/fd >/dev/null; echo ok"),
         b"ok\n")


@test
def clock_is_right():
    now = float(fine(sh("date +%s")))
    check(abs(now - time.time()) < 60, f"the guest's clock says {now}")


@test
def random_numbers_differ():
    a = fine(sh("head -c 16 /dev/urandom | od -An -tx1"))
    b = fine(sh("head -c 16 /dev/urandom | od -An -tx1"))
    check(a != b and len(a) > 30, f"{a} {b}")


WORKSPACE = os.path.join(ROOT, "test/e2e/workspace")
SUMS = rb"""#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
struct pair { uint32_t key; double value; };
static int by_key(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;
    return x->key < y->key ? -1 : x->key > y->key;
}
static uint64_t fib(unsigned n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
int main(void)
{
    static struct pair pairs[5000];
    uint32_t seed = 1, hash = 2166136261u;
    double sum = 0;
    long double wide = 1;
    char text[64];
    for (int i = 0; i < 5000; i++) {
        seed = seed * 1664525u + 1013904223u;
        pairs[i] = (struct pair){seed, sqrt(i) / 3 - i % 7};
    }
    qsort(pairs, 5000, sizeof pairs[0], by_key);
    for (int i = 0; i < 5000; i++) {
        sum += pairs[i].value;
        for (int j = 0; j < 4; j++)
            hash = (hash ^ (pairs[i].key >> j * 8 & 255)) * 16777619u;
    }
    for (int i = 1; i < 20; i++)
        wide = wide * i + 1 / (long double)i;
    snprintf(text, sizeof text, "%08x %.6f %.9Le %llu %lld", (unsigned)hash, sum, wide,
             (unsigned long long)fib(18), (long long)(-1000000007LL * 998244353LL % 1000003));
    puts(text);
    return (int)strlen(text);
}
"""


@test
def compile_and_run():
    """What comes out at either level is what the same program prints here."""
    with tempfile.TemporaryDirectory() as d:
        with open(d + "/sums.c", "wb") as f:
            f.write(SUMS)
        subprocess.run(["gcc", "-O1", d + "/sums.c", "-lm", "-o", d + "/sums"], check=True)
        here = subprocess.run([d + "/sums"], stdout=subprocess.PIPE)
    for level in "-O0", "-O2":
        equal(sh(f"cat >/tmp/a.c && gcc {level} /tmp/a.c -lm -o /tmp/a && /tmp/a", stdin=SUMS),
              (here.returncode, here.stdout, ""), level)


@test
def compile_in_the_workspace():
    fine(sh("gcc -Wall -Werror /workspace/hello.c -o /tmp/hello && /tmp/hello", "-v", WORKSPACE + ":/workspace:ro"),
         b"Hello from a container in your browser\n")


@test
def perl():
    script = r"""my %h; $h{lc $_}++ for "The quick brown fox and the lazy dog and the cat" =~ /\w+/g;
        print join(",", map {"$_=$h{$_}"} sort keys %h), "\n";
        printf "%.15g %s %s\n", atan2(1, 1) * 4, 2**53 + 1, 0.1 + 0.2;
        print unpack("%32C*", "x" x 1000), " ", sprintf("%b", 1234567), "\n";"""
    fine(run(DEBIAN, "perl", "-e", script),
         b"and=2,brown=1,cat=1,dog=1,fox=1,lazy=1,quick=1,the=3\n"
         b"3.14159265358979 9.00719925474099e+15 0.3\n"
         b"120000 100101101011010000111\n")


@test
def scratch_image():
    """An image of one static binary: nothing of a distribution is needed."""
    status, out, err = run(SCRATCH)
    equal((status, err), (0, ""))
    check(out, "it printed nothing")


# ---- volumes


@test
def volume():
    with tempfile.TemporaryDirectory() as d:
        with open(os.path.join(d, "in"), "w") as f:
            f.write("from the host\n")
        fine(sh("set -e; cat /w/in; cd /w; echo hello >out; mkdir sub; ln -s out link; mv in in2;"
                "printf '#!/bin/sh\\necho script\\n' >s; chmod +x s; ./s; cat link", "-v", d + ":/w"),
             b"from the host\nscript\nhello\n")
        equal(open(os.path.join(d, "out")).read(), "hello\n")
        equal(sorted(os.listdir(d)), ["in2", "link", "out", "s", "sub"])
        equal(os.readlink(os.path.join(d, "link")), "out")
        check(os.stat(os.path.join(d, "s")).st_mode & 0o111, "the script is not executable")


@test
def volume_read_only():
    with tempfile.TemporaryDirectory() as d:
        with open(os.path.join(d, "f"), "w") as f:
            f.write("x\n")
        status, out, err = sh("cat /w/f; echo y >/w/f || echo refused; rm -f /w/f; ls /w",
                              f"--volume={d}:/w:ro")
        equal(out, b"x\nrefused\nf\n")
        check("ead-only" in err, err)
        equal(open(os.path.join(d, "f")).read(), "x\n")


@test
def two_volumes():
    with tempfile.TemporaryDirectory() as a, tempfile.TemporaryDirectory() as b:
        fine(sh("set -e; head -c 300000 /dev/urandom >/a/x; cp /a/x /b/deep/y; cmp /a/x /b/deep/y",
                "-v", a + ":/a", "-v", b + ":/b/deep"), b"")
        equal(open(a + "/x", "rb").read(), open(b + "/y", "rb").read())


# ---- signals


def started(*args):
    p = subprocess.Popen([BERTH, "run", DEBIAN, *args], stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    check(select.select([p.stdout], [], [], TIMEOUT)[0], "no output")
    equal(os.read(p.stdout.fileno(), 100), b"ready\n")
    return p


@test
def signals_are_passed_on():
    for sig, status in [(signal.SIGTERM, 7), (signal.SIGINT, 8), (signal.SIGUSR1, 9)]:
        p = started("sh", "-c", "trap 'exit 7' TERM; trap 'exit 8' INT; trap 'exit 9' USR1; echo ready;"
                    "while :; do sleep 0.1; done")
        p.send_signal(sig)
        out, err = p.communicate(timeout=TIMEOUT)
        equal((p.returncode, out, err), (status, b"", b""), sig.name)


@test
def third_sigint_ends_it():
    p = started("sh", "-c", "trap '' INT; echo ready; while :; do sleep 0.1; done")
    for _ in range(3):
        time.sleep(0.3)
        equal(p.poll(), None)
        p.send_signal(signal.SIGINT)
    p.communicate(timeout=20)
    equal(p.returncode, 130)


@test
def sigint_while_booting():
    # The slow engine, so that it is still booting however late this process is.
    p = subprocess.Popen([BERTH, "run", "--engine", "eval", "--verbose", DEBIAN, "sleep", "100"],
                         stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    for line in p.stderr:
        if b"Linux version" in line:
            break
    p.send_signal(signal.SIGINT)
    p.communicate(timeout=TIMEOUT)
    equal(p.returncode, 130)


@test
def idle_costs_nothing():
    """A sleeping guest leaves the host's CPU alone."""
    p = started("sh", "-c", "echo ready; sleep 6")
    time.sleep(1)

    def cpu():
        f = open(f"/proc/{p.pid}/stat").read().rsplit(")", 1)[1].split()
        return (int(f[11]) + int(f[12])) / os.sysconf("SC_CLK_TCK")

    before = cpu()
    time.sleep(3)
    used = cpu() - before
    p.communicate(timeout=TIMEOUT)
    equal(p.returncode, 0)
    check(used < 0.3, f"{used:.2f} s of CPU in 3 s of sleep")


# ---- a terminal


class Terminal:
    """berth on a pseudo terminal of its own."""

    def __init__(self, *args, cols=80, rows=24):
        self.master, slave = pty.openpty()
        self.resize(cols, rows, tell=False)
        self.before = termios.tcgetattr(slave)
        self.slave = slave

        def own_terminal():
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.p = subprocess.Popen([BERTH, "run", *args], stdin=slave, stdout=slave, stderr=slave,
                                  preexec_fn=own_terminal)
        self.seen = ""

    def resize(self, cols, rows, tell=True):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))
        if tell:
            self.p.send_signal(signal.SIGWINCH)

    def type(self, text):
        os.write(self.master, text.encode())

    def expect(self, pattern):
        """Reads until the pattern is there; returns the match and forgets what was up to it."""
        end = time.time() + TIMEOUT
        while True:
            m = re.search(pattern, self.seen)
            if m:
                self.seen = self.seen[m.end():]
                return m
            if time.time() > end:
                raise Failed(f"{pattern!r} did not appear in {self.seen[-1000:]!r}")
            if select.select([self.master], [], [], 0.5)[0]:
                try:
                    self.seen += os.read(self.master, 65536).decode(errors="replace")
                except OSError:
                    raise Failed(f"ended before {pattern!r}; saw {self.seen[-1000:]!r}")

    def end(self):
        status = self.p.wait(timeout=TIMEOUT)
        after = termios.tcgetattr(self.slave)
        equal(after[:4], self.before[:4], "terminal settings afterwards")
        os.close(self.slave)
        os.close(self.master)
        return status


PROMPT = r"[#$] $"


@test
def terminal_session():
    t = Terminal("-w", "/root", DEBIAN, "bash", "--norc", cols=100, rows=30)
    t.expect(PROMPT)
    t.type("tty; stty size; echo $TERM; id -u\r")
    t.expect(r"/dev/pts/\d+\r\n30 100\r\nxterm\r\n0\r\n")
    t.expect(PROMPT)
    t.resize(133, 44)
    t.type("sleep 0.5; stty size\r")
    # A shell that draws its line anew for the new size may do so after the line's end.
    t.expect(r"(?<!\d)44 133\r\n")
    t.expect(PROMPT)
    t.type("sleep 100\r")
    time.sleep(1)
    begin = time.time()
    t.type("\x03")
    t.expect(r"\^C")
    t.expect(PROMPT)
    check(time.time() - begin < 30, "Ctrl-C took long")
    t.type("echo $?\r")
    t.expect(r"[\r\n]130\r\n")
    t.expect(PROMPT)
    t.type("echo gr\u00fc\u00df \u65e5\u672c | od -An -tx1\r")
    t.expect("67 72 c3 bc c3 9f 20 e6 97 a5 e6 9c ac 0a")
    t.expect(PROMPT)
    t.type("sleep 50 | cat &\r")
    t.expect(PROMPT)
    t.type("jobs; exit 3\r")
    t.expect("Running")
    equal(t.end(), 3)


@test
def terminal_end_of_file():
    t = Terminal(DEBIAN, "cat")
    time.sleep(0.2)
    t.type("hello\r")
    t.expect("hello\r\nhello\r\n")
    t.type("\x04")
    equal(t.end(), 0)


@test
def terminal_ctrl_c_while_booting():
    """Ends the run; once it runs, `sleep` as the main process would ignore it, as under docker run."""
    # The slow engine, so that it is still booting however late this process is.
    t = Terminal("--engine", "eval", "--verbose", DEBIAN, "sleep", "100")
    t.expect("Linux version")
    t.type("\x03")
    equal(t.end(), 130)


@test
def terminal_killed():
    """SIGTERM to the command: the container ends and the terminal is as before."""
    t = Terminal(DEBIAN, "bash", "--norc")
    t.expect(PROMPT)
    t.p.send_signal(signal.SIGTERM)
    check(t.end() in (129, 137, 143), "status")


@test
def terminal_hung_up():
    t = Terminal(DEBIAN, "bash", "--norc")
    t.expect(PROMPT)
    os.close(t.slave)
    os.close(t.master)
    t.p.wait(timeout=TIMEOUT)
    check(t.p.returncode != 0, t.p.returncode)


@test
def no_terminal_when_only_interactive():
    t = Terminal("-i", DEBIAN, "sh", "-c", "test -t 0 || echo none")
    t.expect("none\r\n")
    equal(t.end(), 0)


@test
def terminal_on_pipes_when_asked_for():
    status, out, err = sh("test -t 1 && stty size", "-t")
    equal((status, out, err), (0, b"24 80\r\n", ""))


# ---- what can go wrong


@test_once
def usage_errors():
    equal(berth()[0], 2)
    check("Usage" in berth()[2], "no usage")
    refused(berth("frobnicate"), '"frobnicate"', status=2)
    refused(run("--frobnicate", DEBIAN), '"--frobnicate"')
    refused(run(), "no image given")
    refused(run("--memory", "lots", DEBIAN), '"lots"')
    refused(run("-v", "nonsense", DEBIAN), '"nonsense"')
    refused(run("-w", "tmp", DEBIAN, "true"), '"tmp"', "absolute")
    refused(run("-e", "=x", DEBIAN, "true"), '"=x"')
    refused(run("--hostname", "a b", DEBIAN), '"a b"')


@test_once
def help_and_version():
    status, out, err = berth("--help")
    equal((status, err), (0, ""))
    for name in [b"run", b"machine", b"inspect"]:
        check(name in out, f"{name} is not in the help")
    status, out, err = run("--help")
    equal((status, err), (0, ""))
    check(b"--volume" in out, out)
    check(re.fullmatch(rb"berth \d+\.\d+\.\d+\n", berth("--version")[1]), "version")


@test_once
def missing_image():
    refused(run("oci:/no/such/image"), "/no/such/image")
    refused(run("oci-archive:/no/such/file.tar"), "/no/such/file.tar")
    refused(run("debian:12"), "debian:12")
    with tempfile.TemporaryDirectory() as d:
        refused(run("oci:" + d), d)
        refused(run("oci:" + os.path.join(IMAGES, "debian-gcc") + ":nonesuch"), "nonesuch")


@test_once
def damaged_image():
    """A byte of a blob changed: refused by its digest, whatever the blob is."""
    with tempfile.TemporaryDirectory() as d:
        copy = os.path.join(d, "image")
        shutil.copytree(os.path.join(IMAGES, "scratch-test"), copy)
        blobs = os.path.join(copy, "blobs", "sha256")
        names = os.listdir(blobs)
        check(names, "no blobs")
        for name in names:
            path = os.path.join(blobs, name)
            good = open(path, "rb").read()
            for bad in [good[:-1] + bytes([good[-1] ^ 1]), good[:len(good) // 2], b""]:
                with open(path, "wb") as f:
                    f.write(bad)
                refused(run("oci:" + copy, env={"BERTH_NO_CACHE": "1"}), name[:12])
            os.unlink(path)
            refused(run("oci:" + copy, env={"BERTH_NO_CACHE": "1"}), name[:12])
            with open(path, "wb") as f:
                f.write(good)
        equal(run("oci:" + copy, env={"BERTH_NO_CACHE": "1"})[0], 0)


@test_once
def wrong_architecture():
    import json
    with tempfile.TemporaryDirectory() as d:
        blobs = os.path.join(d, "blobs", "sha256")
        os.makedirs(blobs)

        def blob(data, kind):
            digest = hashlib.sha256(data).hexdigest()
            with open(os.path.join(blobs, digest), "wb") as f:
                f.write(data)
            return {"mediaType": "application/vnd.oci.image." + kind, "size": len(data),
                    "digest": "sha256:" + digest}

        config = blob(json.dumps({"architecture": "s390x", "os": "linux", "config": {},
                                  "rootfs": {"type": "layers", "diff_ids": []}}).encode(),
                      "config.v1+json")
        manifest = blob(json.dumps({"schemaVersion": 2, "config": config, "layers": [],
                                    "mediaType": "application/vnd.oci.image.manifest.v1+json"
                                    }).encode(), "manifest.v1+json")
        with open(os.path.join(d, "oci-layout"), "w") as f:
            f.write('{"imageLayoutVersion": "1.0.0"}')
        with open(os.path.join(d, "index.json"), "w") as f:
            json.dump({"schemaVersion": 2, "manifests": [manifest]}, f)
        refused(run("oci:" + d), "s390x", "linux/riscv64 or linux/amd64")


@test
def bad_volume():
    refused(run("-v", "/no/such/dir:/w", DEBIAN, "true"), "/no/such/dir")
    refused(run("-v", BERTH + ":/w", DEBIAN, "true"), "not a directory")
    with tempfile.TemporaryDirectory() as d:
        refused(run("-v", d + ":/", DEBIAN, "true"), '"/"')


@test
def bad_guest():
    refused(run("--kernel", "/no/such/kernel", DEBIAN), "/no/such/kernel")
    refused(run("--initrd", "/no/such/initrd", DEBIAN), "/no/such/initrd")
    refused(run("--kernel", os.path.abspath(__file__), DEBIAN, "true"), "kernel")
    with tempfile.TemporaryDirectory() as d:
        refused(run(DEBIAN, "true", env={"BERTH_GUEST_DIR": d}), d, "Image")
        # A kernel that runs but finds no init.
        with open(os.path.join(d, "not-cpio"), "wb") as f:
            f.write(b"this is no archive\n" * 100)
        refused(run("--initrd", f.name, DEBIAN, "true"), "/init")


@test
def too_little_memory():
    refused(run("-m", "4M", DEBIAN, "true"), "memory", "at least")


@test
def little_memory_is_enough():
    fine(sh("echo ok", "-m", "96M"), b"ok\n")


@test
def out_of_memory():
    """A process that eats all memory is killed, and the user is told."""
    status, out, err = run("-m", "128M", DEBIAN, "sh", "-c", "tail /dev/zero; echo status $?")
    equal((status, out), (0, b"status 137\n"))
    check("out of memory" in err and "tail" in err, err)


@test
def kernel_panic():
    status, out, err = run("-m", "128M", "--append", "sysctl.vm.panic_on_oom=1", DEBIAN, "tail", "/dev/zero")
    equal((status, out), (125, b""))
    check("out of memory" in err.lower(), err)
    status, out, err = run("--append", "rdinit=/nonesuch init=/nonesuch", DEBIAN, "true")
    equal((status, out), (125, b""))
    check("panic" in err or "no /init" in err, err)


@test
def verbose_and_stats():
    status, out, err = sh("echo out", "--verbose", "--stats")
    equal((status, out), (0, b"out\n"))
    check("Linux version" in err and "MIPS" in err, err[-500:])


def run_one(t):
    begin = time.time()
    try:
        note = t() or ""
        word = "ok"
    except Exception as e:
        word = "not ok"
        note = str(e) if isinstance(e, Failed) else traceback.format_exc()
    where = "" if t in once else ARCH + " "
    print(f"{word} - {where}{t.__name__} ({time.time() - begin:.1f} s) {note}", flush=True)
    return word == "ok"


def main():
    chosen = [t for t in tests
              if len(sys.argv) < 2 or any(part in t.__name__ for part in sys.argv[1:])]
    results = []
    for arch in ARCHS:
        use(arch)
        for need in [BERTH, os.path.join(IMAGES, "debian-gcc"), os.path.join(IMAGES, "scratch-test")]:
            if not os.path.exists(need):
                print(f"{need} is missing: run \"make all guest images\"")
                print("0 passed, 1 failed")
                return 1
        results += [run_one(t) for t in chosen if arch == ARCHS[0] or t not in once]
    print(f"{results.count(True)} passed, {results.count(False)} failed")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
