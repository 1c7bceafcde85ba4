#!/usr/bin/env python3
"""Tests of guest/init over the control channel, under qemu-system-riscv64 and -x86_64.

usage: ctl_test.py [ARCH...] [TEST...]      after `make guest images`; runs all tests or those named

The image is unpacked from its layer into a directory that QEMU serves over 9p; some tests add files
to it (passwd, scripts), others run it bare. Prints one line a failed test and a sum at the end.
"""

import json
import os
import shutil
import signal
import struct
import sys
import tarfile
import tempfile
import time
import traceback

import guestvm
from guestvm import Guest

TOP = os.environ.get("BUILD", os.path.join(os.path.dirname(__file__), "../../build"))
ARCHS = [a for a in sys.argv[1:] if a in guestvm.MACHINES] or list(guestvm.MACHINES)
ONLY = [t for t in sys.argv[1:] if t not in guestvm.MACHINES]
arch = ARCHS[0]
tests = []


def test(f):
    tests.append(f)
    return f


def eq(got, want):
    assert got == want, "got %r, want %r" % (got, want)


def has(text, part):
    assert part in text, "%r is not in %r" % (part, text)


def unpack(image, to):
    def blob(d):
        return os.path.join(image, "blobs", *d["digest"].split(":"))

    with open(os.path.join(image, "index.json")) as f:
        manifest = json.load(open(blob(json.load(f)["manifests"][0])))
    for layer in manifest["layers"]:
        with tarfile.open(blob(layer)) as t:
            t.extractall(to)


class Case:
    """A root directory, volumes and a guest, gone at the end."""

    def __init__(self, files=(), volumes=(), **kw):
        self.tmp = tempfile.mkdtemp(prefix="ctl-test-")
        self.root = self.tmp + "/root"
        os.mkdir(self.root)
        unpack("%s/images/%s/scratch-test" % (TOP, arch), self.root)
        for name, text in dict(files).items():
            path = self.root + "/" + name
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w") as f:
                f.write(text)
            os.chmod(path, 0o755 if text.startswith("#!") else 0o644)
        vols = []
        for guest, mode in volumes:
            os.makedirs(self.vol(guest), exist_ok=True)
            vols.append((self.vol(guest), guest, mode))
        self.guest = Guest("%s/guest/%s" % (TOP, arch), self.root, vols, **kw)

    def vol(self, guest):
        return self.tmp + "/vol" + guest.replace("/", "_")

    def __enter__(self):
        self.guest.wait_ready()
        return self.guest

    def __exit__(self, *exc):
        if exc and exc[0]:
            print(self.guest.console_text()[-6000:])
        self.guest.close()
        shutil.rmtree(self.tmp)


def text(b):
    return bytes(b).decode()


def u32(v):
    return struct.pack("<I", v)


PASSWD = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nann:x:1000:1000:Ann:/home/ann:/bin/sh\n"
                  "bob:x:1001:100::/home/bob:\n",
    "etc/group": "root:x:0:\nusers:x:100:\nann:x:1000:\nwheel:x:10:root,ann\nextra:x:77:bob,ann\n",
}


@test
def scratch_image_defaults():
    with Case() as g:
        eq(g.ready, 2)
        s = g.run(1, ["/probe", "show"], env=["A=1", "B=two words"])
        out = text(s.out).splitlines()
        eq(out[:4], ["machine=" + arch, "hostname=testhost", "cwd=/", "pid=1 uid=0 gid=0 groups="])
        eq(out[4:], ["tty=000", "env A=1", "env B=two words", "env HOME=/"])
        eq((s.status, text(s.err), s.error), (0, "", ""))
        g.wait_off()


@test
def exit_status_and_streams():
    with Case() as g:
        s = g.run(1, ["/probe", "err", "to stderr", ",", "args", "a b", "", "c", ",", "nothing"],
                  cwd="/")
        eq(text(s.out), "arg a b\narg \narg c\narg ,\narg nothing\n")
        eq(text(s.err), "to stderr\n")
        eq(s.status, 0)
        g.wait_off()
    with Case() as g:
        eq(g.run(1, ["/probe", "exit", "42"]).status, 42)
        g.wait_off()


@test
def killed_by_signal_is_128_plus():
    with Case() as g:
        g.spawn(1, ["/probe", "cat"])
        s = g.spawn(2, ["/probe", "sleep", "100"])
        time.sleep(0.3)
        g.send(guestvm.SIGNAL, 2, u32(signal.SIGKILL))
        eq(g.wait_exit(2).status, 137)
        s = g.spawn(3, ["/probe", "await"])
        g.wait_out(3, b"ready\n")
        g.send(guestvm.SIGNAL, 3, u32(signal.SIGUSR1))
        eq((g.wait_exit(3).status, text(s.out)), (0, "ready\nsignal 10\n"))
        g.send(guestvm.STDIN_EOF, 1)
        eq(g.wait_exit(1).status, 0)
        g.wait_off()


@test
def preload_reads_files():
    def part(path, *ranges):
        return u32(len(ranges)) + b"".join(u32(a) + u32(n) for a, n in ranges) + path.encode() + b"\0"

    with Case({"some/file": "x" * 100000}) as g:
        g.spawn(1, ["/probe", "cat"])
        for payload, files in [
            (part("/probe", (0, 3), (20, 1000)) + part("/some/file", (24, 1), (7, 2)), 2),
            (part("/not/there", (0, 1)) + part("/probe"), 1),
            (part("/some", (0, 1)), 0),
            (part("/probe", (0xffffffff, 0xffffffff)), 1),
            (b"", 0),
            (u32(1), 0),
            (u32(0xffffffff) + b"/probe\0", 0),
            (part("/probe", (0, 1))[:-1], 0),
        ]:
            g.preloaded = None
            g.send(guestvm.PRELOAD, 0, payload)
            g.wait(lambda: g.preloaded is not None, what="PRELOADED")
            eq((payload, g.preloaded), (payload, files))
        g.send(guestvm.STDIN_EOF, 1)
        eq(g.wait_exit(1).status, 0)
        g.wait_off()


@test
def stdin_and_eof():
    data = bytes(range(256)) * 1024  # four windows
    with Case() as g:
        s = g.run(1, ["/probe", "cat"], stdin=data)
        eq(bytes(s.out), data)
        eq(text(s.err), "eof %d\n" % len(data))
        eq(s.status, 0)
        g.wait_off()


@test
def stdin_nobody_reads():
    with Case() as g:
        s = g.spawn(1, ["/probe", "close", "0", ",", "await"])
        g.stdin(1, b"x" * 300000)  # credit goes on although nobody takes it
        g.wait(lambda: s.credit == guestvm.WINDOW, what="all credit back")
        g.wait_out(1, b"ready\n")  # a container's process 1 that has no handler yet ignores signals
        g.send(guestvm.SIGNAL, 1, u32(signal.SIGTERM))
        eq(g.wait_exit(1).status, 0)
        g.wait_off()


@test
def a_mebibyte_with_credits():
    n = 1 << 20
    want = bytes(ord("a") + i * 7 % 26 for i in range(26)) * (n // 26 + 1)
    with Case() as g:
        s = g.run(1, ["/probe", "out", str(n)])
        eq((len(s.out), s.status), (n, 0))
        assert bytes(s.out) == want[:n], "content differs"
        g.wait_off()


@test
def window_stops_the_guest():
    with Case() as g:
        s = g.spawn(1, ["/probe", "out", "200000"])
        s.auto = False
        g.wait(lambda: len(s.out) == guestvm.WINDOW, what="a window of output")
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            g.pump(0.1)
        eq((len(s.out), s.status), (guestvm.WINDOW, None))
        # Another session is not held up by the first one's window.
        eq(text(g.run(2, ["/probe", "args", "free"]).out), "arg free\n")
        while s.status is None:
            g.give_credit(1)
            g.pump(0.2)
        eq((len(s.out), s.status), (200000, 0))
        g.wait_off()


@test
def terminal():
    with Case() as g:
        s = g.run(1, ["/probe", "show", ",", "size"], tty=(132, 43), env=["TERM=xterm-256color"])
        has(text(s.out), "tty=111\r\n")
        has(text(s.out), "size 132x43\r\n")
        eq((bytes(s.err), s.status), (b"", 0))
        g.wait_off()


@test
def terminal_resize():
    with Case() as g:
        s = g.spawn(1, ["/probe", "size", ",", "await", ",", "size"], tty=(80, 24))
        g.wait_out(1, b"ready\r\n")
        g.send(guestvm.RESIZE, 1, struct.pack("<HH", 200, 50))
        eq(g.wait_exit(1).status, 0)
        eq(text(s.out), "size 80x24\r\nready\r\nsignal 28\r\nsize 200x50\r\n")
        g.wait_off()


@test
def terminal_input_and_eof():
    with Case() as g:
        s = g.spawn(1, ["/probe", "cat"], tty=(80, 24))
        g.stdin(1, "grüße\n".encode())
        g.wait_out(1, "grüße\r\ngrüße\r\n".encode())
        g.send(guestvm.STDIN_EOF, 1)
        eq(g.wait_exit(1).status, 0)
        has(text(s.out), "eof 8")
        g.wait(lambda: s.credit == guestvm.WINDOW, what="all credit back")
        g.wait_off()


@test
def terminal_interrupt_and_signal():
    with Case() as g:
        g.spawn(1, ["/probe", "child", "await", ",", "child", "sleep", "100"], tty=(80, 24))
        g.wait_out(1, b"ready\r\n")
        g.stdin(1, b"\x03")
        s = g.sessions[1]
        # The probe is process 1 with default actions: the interrupt reaches the child only.
        g.wait_out(1, b"signal 2\r\n")
        g.send(guestvm.SIGNAL, 1, u32(signal.SIGTERM))
        time.sleep(0.2)
        g.send(guestvm.SIGNAL, 1, u32(signal.SIGKILL))
        eq(g.wait_exit(1).status, 137)
        g.wait_off()
        has(text(s.out), "^C")


@test
def much_terminal_output_then_exit():
    with Case() as g:
        s = g.run(1, ["/probe", "out", "500000", ",", "err", "end", ",", "exit", "7"],
                  tty=(80, 24))
        eq(s.status, 7)
        assert len(s.out) > 500000, "got %d" % len(s.out)
        g.wait_off()
    with Case() as g:
        s = g.run(1, ["/probe", "out", "3000", ",", "exit", "3"], tty=(80, 24))
        eq((len(s.out), s.status), (3000, 3))
        g.wait_off()


@test
def paste_into_a_raw_terminal():
    data = bytes(b"0123456789abcdef" * 4096)
    with Case() as g:
        s = g.spawn(1, ["/probe", "raw", ",", "err", "raw", ",", "cat"], tty=(80, 24))
        g.wait_out(1, b"raw\n")
        n = len(s.out)
        g.stdin(1, data)
        g.wait(lambda: len(s.out) >= n + len(data), what="the echo of cat")
        eq(bytes(s.out[n:]), data)
        g.send(guestvm.SIGNAL, 1, u32(signal.SIGKILL))
        g.wait_exit(1)


@test
def sessions_share_the_container():
    with Case() as g:
        g.spawn(1, ["/probe", "cat"], tty=(80, 24))
        eq(g.run(2, ["/probe", "write", "/shared", "hello"]).status, 0)
        eq(text(g.run(3, ["/probe", "read", "/shared"]).out), "hello")
        many = [g.spawn(i, ["/probe", "sleep", "0.3", ",", "env", "N"], env=["N=%d" % i])
                for i in range(10, 20)]
        for i in range(10, 20):
            eq(g.wait_exit(i).status, 0)
        eq([text(s.out) for s in many], ["%d\n" % i for i in range(10, 20)])
        # Numbers can be used again; the container ends with session 1 whatever else runs.
        g.spawn(10, ["/probe", "await"])
        g.wait_out(10, b"ready\n")
        g.spawn(11, ["/probe", "haunt"])
        eq(g.wait_exit(11).status, 0)
        g.send(guestvm.STDIN_EOF, 1)
        eq(g.wait_exit(1).status, 0)
        g.wait_exit(10)
        g.wait_off()


@test
def a_left_over_process_does_not_hold_the_exit():
    with Case() as g:
        eq(g.run(1, ["/probe", "haunt", ",", "exit", "5"], tty=(80, 24)).status, 5)
        g.wait_off()


@test
def spawn_before_the_first_is_refused():
    with Case() as g:
        s = g.run(2, ["/probe", "show"])
        eq(s.status, 126)
        has(s.error, "main process is not running")
        eq(g.run(1, ["/probe", "exit", "0"]).status, 0)
        g.wait_off()


@test
def not_found_and_not_runnable():
    files = {"bin/plain": "no program\n", "bin/noint": "#!/no/such/interpreter\n",
             "bin/other": "\x7fELF\x01\x01garbage"}
    with Case(files) as g:
        os.chmod(g_root(g) + "/bin/other", 0o755)
        g.spawn(1, ["/probe", "cat"])
        env = ["PATH=/bin:/nowhere"]
        for i, (name, code, message) in enumerate([
                ("nosuch", 127, "executable file not found in $PATH"),
                ("/nosuch", 127, "no such file or directory"),
                ("/probe/x", 127, "not a directory"),
                ("plain", 126, "permission denied"),
                ("/bin", 126, "it is a directory"),
                ("noint", 127, "interpreter"),
                ("/bin/other", 126, "architecture"),
        ]):
            s = g.run(10 + i, [name], env=env)
            eq((name, s.status), (name, code))
            has(s.error, message)
            has(s.error, name)
            eq(bytes(s.out + s.err), b"")
        eq(text(g.run(30, ["probe", "args", "x"], env=["PATH=/nowhere:/"]).out), "arg x\n")
        eq(text(g.run(31, ["probe", "args", "x"], env=["PATH="], cwd="/").out), "arg x\n")
        g.send(guestvm.SHUTDOWN)
        g.wait_off()
    with Case() as g:
        s = g.run(1, ["nosuch"])
        eq(s.status, 127)
        has(s.error, "nosuch")
        g.wait_off()


def g_root(g):
    return [a for a in g.qemu.args if "id=fs0" in a][0].split("path=")[1].split(",")[0]


@test
def users():
    with Case(PASSWD) as g:
        g.spawn(1, ["/probe", "cat"])
        want = {
            None: ("uid=0 gid=0 groups=10", "/root"),
            "": ("uid=0 gid=0 groups=10", "/root"),
            "ann": ("uid=1000 gid=1000 groups=10,77", "/home/ann"),
            "1000": ("uid=1000 gid=1000 groups=10,77", "/home/ann"),
            "bob:wheel": ("uid=1001 gid=10 groups=", "/home/bob"),
            "1001:55": ("uid=1001 gid=55 groups=", "/home/bob"),
            "4242": ("uid=4242 gid=0 groups=", "/"),
            "4242:4343": ("uid=4242 gid=4343 groups=", "/"),
        }
        for i, (user, (ids, home)) in enumerate(want.items()):
            out = text(g.run(10 + i, ["/probe", "show"], user=user).out)
            has(out, " " + ids + "\n")
            has(out, "env HOME=%s\n" % home)
        has(text(g.run(30, ["/probe", "show"], user="ann", env=["HOME=/x"]).out), "env HOME=/x\n")
        s = g.run(31, ["/probe", "show"], user="carl")
        eq(s.status, 126)
        has(s.error, "unable to find user carl")
        s = g.run(32, ["/probe", "show"], user="ann:nogroup")
        eq(s.status, 126)
        has(s.error, "unable to find group nogroup")
        # A terminal and the streams belong to the user.
        s = g.run(33, ["/probe", "write", "/dev/stdout", "x", ",", "write", "/dev/tty", "y"],
                  user="ann", tty=(80, 24))
        eq((text(s.out), s.status), ("xy", 0))
        eq(text(g.run(34, ["/probe", "write", "/dev/stdout", "x"], user="ann").out), "x")
        g.send(guestvm.SHUTDOWN)
        g.wait_off()


@test
def working_directory():
    with Case() as g:
        g.spawn(1, ["/probe", "cat"])
        has(text(g.run(2, ["/probe", "show"], cwd="/a/b c/d").out), "cwd=/a/b c/d\n")
        has(text(g.run(3, ["probe", "show"], cwd="/", env=["PATH=."]).out), "cwd=/\n")
        s = g.run(4, ["/probe", "show"], cwd="/probe")
        eq(s.status, 126)
        has(s.error, "working directory /probe")
        g.send(guestvm.SHUTDOWN)
        g.wait_off()


@test
def container_files():
    files = {"etc/hosts": "old\n", "etc/resolv.conf": "old\n"}
    with Case(files) as g:
        g.spawn(1, ["/probe", "cat"])
        eq(text(g.run(2, ["/probe", "read", "/etc/hostname"]).out), "testhost\n")
        hosts = text(g.run(3, ["/probe", "read", "/etc/hosts"]).out)
        has(hosts, "127.0.0.1\tlocalhost\n")
        has(hosts, "testhost")
        has(text(g.run(4, ["/probe", "read", "/etc/resolv.conf"]).out), "nameserver ")
        dev = text(g.run(5, ["/probe", "ls", "/dev"]).out).split()
        for name in ("null zero full random urandom tty ptmx pts shm mqueue fd stdin stdout stderr "
                     "core fuse net loop-control").split():
            assert name in dev, name
        assert not [d for d in dev if "vport" in d or "hvc" in d], dev
        out = text(g.run(6, ["/probe", "stat", "/dev/shm", ",", "stat", "/dev/null", ",", "stat",
                             "/sys/fs/cgroup", ",", "stat", "/proc", ",", "stat", "/"]).out)
        has(out, "/dev/shm mode=41777 uid=0")
        has(out, "/dev/null mode=20666")
        has(out, "fs=63677270")  # cgroup2
        has(out, "fs=9fa0")  # proc
        has(out, "fs=794c7630")  # overlayfs
        mounts = text(g.run(7, ["/probe", "read", "/proc/mounts"]).out)
        assert "devtmpfs" not in mounts and "/lower" not in mounts.split("overlay / ")[0], mounts
        pids = [p for p in text(g.run(8, ["/probe", "ls", "/proc"]).out).split() if p.isdigit()]
        eq(len(pids), 2)
        g.send(guestvm.SHUTDOWN)
        g.wait_off()
    # What was written stayed in the guest.
    with Case(files) as g:
        c_root = g_root(g)
        eq(g.run(1, ["/probe", "rm", "/etc/hosts", ",", "write", "/new", "x"]).status, 0)
        g.wait_off()
        eq(open(c_root + "/etc/hosts").read(), "old\n")
        assert not os.path.exists(c_root + "/new")


@test
def clock():
    with Case(conf_extra=["time=2000000000.500000000"]) as g:
        out = text(g.run(1, ["/probe", "time"]).out)
        assert 2000000000 <= int(out.split()[1]) < 2000000030, out
        g.wait_off()


@test
def console_is_the_terminal():
    with Case() as g:
        s = g.run(1, ["/probe", "write", "/dev/console", "to console"], tty=(80, 24))
        eq((text(s.out), s.status), ("to console", 0))
        g.wait_off()


@test
def volume_round_trip():
    with Case(volumes=[("/workspace", "rw"), ("/data/read only", "ro")]) as g:
        vol = [a for a in g.qemu.args if "id=fs1" in a][0].split("path=")[1].split(",")[0]
        ro = [a for a in g.qemu.args if "id=fs2" in a][0].split("path=")[1].split(",")[0]
        os.chmod(vol, 0o777)
        with open(vol + "/host.txt", "w") as f:
            f.write("one")
        shutil.copy(os.path.join(g_root(g), "probe"), vol + "/tool")
        g.spawn(1, ["/probe", "cat"])
        n = iter(range(2, 1000))

        def run(*argv, **kw):
            s = g.run(next(n), list(argv), **kw)
            eq((argv, s.status, text(s.err), s.error), (argv, 0, "", ""))
            return text(s.out)

        eq(run("/probe", "read", "/workspace/host.txt"), "one")
        with open(vol + "/host.txt", "w") as f:
            f.write("two, longer")
        eq(run("/probe", "read", "/workspace/host.txt"), "two, longer")
        with open(vol + "/new", "w") as f:
            f.write("n")
        eq(run("/probe", "ls", "/workspace"), "host.txt\nnew\ntool\n")
        os.remove(vol + "/new")
        eq(run("/probe", "ls", "/workspace"), "host.txt\ntool\n")
        # Programs run from the volume, also right after they changed.
        eq(run("/workspace/tool", "args", "ran"), "arg ran\n")
        run("/probe", "write", "/workspace/g", "guest")
        eq(open(vol + "/g").read(), "guest")
        run("/probe", "append", "/workspace/g", "+more")
        eq(open(vol + "/g").read(), "guest+more")
        run("/probe", "mv", "/workspace/g", "/workspace/host.txt")
        eq(open(vol + "/host.txt").read(), "guest+more")
        run("/probe", "mkdir", "/workspace/d", ",", "ln", "../host.txt", "/workspace/d/link",
            ",", "chmod", "700", "/workspace/host.txt")
        eq(os.readlink(vol + "/d/link"), "../host.txt")
        eq(os.stat(vol + "/host.txt").st_mode & 0o777, 0o700)
        run("/probe", "rm", "/workspace/d/link", ",", "rm", "/workspace/d")
        assert not os.path.exists(vol + "/d")
        eq(run("/probe", "map", "/workspace/mapped"), "map coherent\n")
        data = open(vol + "/mapped", "rb").read()
        eq((len(data), data[100:106], data[5000:5007]), (8192, b"mapped", b"written"))
        # A file kept open in the guest sees what the host appends.
        s = g.spawn(500, ["/probe", "follow", "/workspace/host.txt", "marker"])
        g.wait_out(500, b"following\n")
        time.sleep(0.3)
        with open(vol + "/host.txt", "a") as f:
            f.write(" and the marker")
        eq(g.wait_exit(500).status, 0)
        s = g.run(501, ["/probe", "write", "/data/read only/x", "x"])
        eq(s.status, 1)
        has(text(s.err), "Read-only file system")
        run("/probe", "write", "/workspace/by-ann", "x", user="1000:1000")
        g.send(guestvm.SHUTDOWN)
        g.wait_off()


@test
def random_file_operations():
    with Case(volumes=[("/workspace", "rw")]) as g:
        g.spawn(1, ["/probe", "cat"])
        for i, path in enumerate(["/workspace/f", "/tmpfile"] * 4):
            s = g.run(10 + i, ["/probe", "fsx", path, str(i + 1), "2000"])
            eq((text(s.err), s.status), ("", 0))
        g.send(guestvm.SHUTDOWN)
        g.wait_off()


@test
def a_mapping_sees_the_file_grow():
    with Case(volumes=[("/workspace", "rw")]) as g:
        vol = [a for a in g.qemu.args if "id=fs1" in a][0].split("path=")[1].split(",")[0]
        with open(vol + "/f", "w") as f:
            f.write("x" * 4096)
        s = g.spawn(1, ["/probe", "follow-map", "/workspace/f", "marker"])
        g.wait_out(1, b"following\n")
        with open(vol + "/f", "a") as f:
            f.write("the marker")
        eq((g.wait_exit(1).status, text(s.err)), (0, ""))
        g.wait_off()


@test
def shutdown():
    with Case() as g:
        s = g.spawn(1, ["/probe", "await", ",", "sleep", "0.5"])  # its end is the end of the others
        g.spawn(2, ["/probe", "await"], tty=(80, 24))
        g.wait_out(1, b"ready\n")
        g.wait_out(2, b"ready\r\n")
        g.send(guestvm.SHUTDOWN)
        g.wait_off()
        eq((s.status, text(s.out)), (0, "ready\nsignal 15\n"))
        has(text(g.sessions[2].out), "signal ")
    with Case() as g:  # process 1 without a handler does not die of TERM
        s = g.spawn(1, ["/probe", "sleep", "100"])
        time.sleep(0.3)
        g.send(guestvm.SHUTDOWN)
        g.wait_off()
        eq(s.status, 137)


@test
def out_of_memory_is_explained():
    with Case(memory="128M") as g:
        g.spawn(1, ["/probe", "cat"])
        s = g.run(2, ["/probe", "child", "hog"])
        eq((s.status, text(s.out)), (0, "child signal 9\n"))
        s = g.run(3, ["/probe", "hog"])
        eq((s.status, s.error[:6]), (137, "killed"))
        has(s.error, "memory is used up")
        g.spawn(4, ["/probe", "await"])
        g.wait_out(4, b"ready\n")
        g.send(guestvm.SIGNAL, 4, u32(signal.SIGKILL))
        s = g.wait_exit(4)  # not every kill is one of those
        eq((s.status, s.error), (137, ""))
        g.send(guestvm.STDIN_EOF, 1)
        eq(g.wait_exit(1).status, 0)
        g.wait_off()


@test
def wrong_configuration_is_named():
    for conf, message in (
            (["hostname=x"], "root=9p:TAG"),
            (["root=9p:absent"], "'absent'"),
            (["root=9p:root", "mount=9p:gone:rw:/x"], "'gone'"),
            (["root=9p:root", "mount=9p:gone:rx:/x"], "mount"),
            (["root=nfs:root"], "root"),
    ):
        case = Case(conf=conf)
        try:
            case.guest.wait_off()
            has(" ".join(case.guest.errors), message)
            has(case.guest.console_text(), message)
            assert not case.guest.ready
        finally:
            case.__exit__()


@test
def broken_frames():
    with Case() as g:
        s = g.spawn(1, ["/probe", "cat"])
        g.send(guestvm.RESIZE, 1, b"xx")  # wrong length: ignored
        g.send(guestvm.SIGNAL, 1, u32(9999))
        g.send(guestvm.CREDIT, 1, u32(0xFFFFFFFF))
        g.send(guestvm.STDIN, 77, b"nobody")
        g.send(99, 1, b"?")
        g.send(guestvm.SPAWN, 5, b"short")
        g.sessions[5] = guestvm.Session()
        eq(g.wait_exit(5).status, 126)
        g.stdin(1, b"still here\n")
        g.wait_out(1, b"still here\n")
        g.sock.sendall(struct.pack("<BBHI", 2, 0, 1, 1 << 30))
        g.wait_off()
        has(" ".join(g.errors), "broken control channel")


def run(t):
    start = time.monotonic()
    try:
        t()
        print("ok   %-8s %-45s %.1f s" % (arch, t.__name__, time.monotonic() - start), flush=True)
        return True
    except Exception as e:
        where = traceback.extract_tb(e.__traceback__)[1]
        print("FAIL %s %s line %d: %s" % (arch, t.__name__, where.lineno, e), flush=True)
        return False


def main():
    global arch
    results = []
    for arch in ARCHS:
        results += [run(t) for t in tests if not ONLY or t.__name__ in ONLY]
    print("%d passed, %d failed" % (results.count(True), results.count(False)))
    return not all(results)


sys.exit(main())
