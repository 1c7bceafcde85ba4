"""A guest under qemu-system-riscv64 or -x86_64 with our kernel and init, and the host's end of the
control channel (include/berth/ctl.h). What the tests of this folder drive; prints nothing."""

import os
import select
import shutil
import socket
import struct
import subprocess
import tempfile
import time

SPAWN, STDIN, STDIN_EOF, RESIZE, SIGNAL, SHUTDOWN, PRELOAD = range(1, 8)
READY, STDOUT, STDERR, EXIT, ERROR, PRELOADED = range(64, 70)
CREDIT = 96
TTY = 1
WINDOW = 65536


# QEMU's machine, and what our kernel needs there. microvm with the old chips: QEMU's translator has neither
# deadlines in its APIC timer nor KVM's clock. Init's power-off register is there as a debug exit.
MACHINES = {
    "riscv64": (["qemu-system-riscv64", "-M", "virt"], ""),
    "x86_64": (
        ["qemu-system-x86_64", "-M",
         "microvm,x-option-roms=off,pit=on,pic=on,rtc=on,isa-serial=on,acpi=off",
         "-accel", "tcg,thread=single", "-cpu", "max", "-nodefaults",
         "-device", "isa-debug-exit,iobase=0x604,iosize=2"],
        " reboot=t tsc_early_khz=2000000 tsc=reliable"),
}


class Timeout(Exception):
    pass


def newc(name, data):
    """A newc cpio archive holding one file: the second archive of the initramfs."""

    def entry(path, body, mode):
        head = "070701" + "".join(
            "%08X" % v
            for v in (1, mode, 0, 0, 1, 0, len(body), 0, 0, 0, 0, len(path) + 1, 0)
        )
        out = head.encode() + path.encode() + b"\0"
        out += b"\0" * (-len(out) % 4) + body
        return out + b"\0" * (-len(out) % 4)

    return entry(name, data, 0o100644) + entry("TRAILER!!!", b"", 0)


class Session:
    def __init__(self):
        self.out, self.err, self.error = bytearray(), bytearray(), ""
        self.status = None
        self.credit = WINDOW  # what we may still send
        self.held = 0  # bytes received that we have not given credit for
        self.auto = True


class Guest:
    """`build`: of an architecture. `root`: directory that is the image. `volumes`: (directory, guest path,
    "rw"|"ro")."""

    def __init__(self, build, root, volumes=(), memory="256M", conf_extra=(), conf=None):
        self.dir = tempfile.mkdtemp(prefix="guestvm-")
        self.sessions, self.errors, self.ready = {}, [], False
        self.preloaded = None  # of the last PRELOAD
        self.pending = b""
        self.frames = []
        records = ["hostname=testhost", "root=9p:root"]
        args = []
        for i, (path, guest, mode) in enumerate([(root, None, None)] + list(volumes)):
            tag = "root" if i == 0 else "vol%d" % i
            args += ["-fsdev", "local,id=fs%d,path=%s,security_model=none,multidevs=remap%s"
                     % (i, path, ",readonly=on" if i == 0 else "")]
            args += ["-device", "virtio-9p-device,fsdev=fs%d,mount_tag=%s" % (i, tag)]
            if i:
                records.append("mount=9p:%s:%s:%s" % (tag, mode, guest))
        records += list(conf_extra)
        if conf is not None:
            records = conf
        with open(os.path.join(build, "initramfs.cpio"), "rb") as f:
            initrd = f.read()
        initrd += b"\0" * (-len(initrd) % 4)
        initrd += newc("berth.conf", b"".join(r.encode() + b"\0" for r in records))
        with open(self.dir + "/initrd", "wb") as f:
            f.write(initrd)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(self.dir + "/ctl")
        listener.listen(1)
        self.console = open(self.dir + "/console", "w+b")
        machine, append = MACHINES[os.path.basename(build)]
        self.qemu = subprocess.Popen(
            machine +
            ["-m", memory, "-nographic", "-no-reboot",
             "-monitor", "none", "-serial", "stdio",
             "-kernel", os.path.join(build, "Image"), "-initrd", self.dir + "/initrd",
             "-append", "console=ttyS0 loglevel=5" + append,
             "-device", "virtio-serial-device",
             "-chardev", "socket,id=ctl,path=%s/ctl" % self.dir,
             "-device", "virtserialport,chardev=ctl,name=berth.ctl",
             "-device", "virtio-rng-device"] + args,
            stdin=subprocess.DEVNULL, stdout=self.console, stderr=subprocess.STDOUT)
        listener.settimeout(20)
        self.sock, _ = listener.accept()
        listener.close()

    def close(self):
        if self.qemu.poll() is None:
            self.qemu.kill()
        self.qemu.wait()
        self.sock.close()
        self.console.close()
        shutil.rmtree(self.dir)

    def console_text(self):
        with open(self.dir + "/console", "rb") as f:
            return f.read().decode(errors="replace")

    # ---- frames ----

    def send(self, kind, session=0, payload=b""):
        try:
            self.sock.sendall(struct.pack("<BBHI", kind, 0, session, len(payload)) + payload)
        except (ConnectionResetError, BrokenPipeError):
            pass  # the guest may go at any time; whoever waits for it notices

    def _frame(self, kind, session, data):
        self.frames.append((kind, session, len(data)))
        s = self.sessions.get(session)
        if kind == READY:
            self.ready = struct.unpack("<I", data)[0]
        elif kind == ERROR and (session == 0 or not s):
            self.errors.append(data.decode())
        elif kind == ERROR:
            s.error += data.decode()
        elif kind in (STDOUT, STDERR):
            (s.out if kind == STDOUT else s.err).extend(data)
            s.held += len(data)
            assert s.held <= WINDOW, "the guest overran the window"
            if s.auto and s.held >= WINDOW // 4:
                self.give_credit(session)
        elif kind == PRELOADED:
            self.preloaded = struct.unpack("<I", data)[0]
        elif kind == EXIT:
            assert s.status is None, "a second EXIT"
            s.status = struct.unpack("<I", data)[0]
        elif kind == CREDIT:
            s.credit += struct.unpack("<I", data)[0]
            assert s.credit <= WINDOW, "more credit than input"
        else:
            raise AssertionError("unknown frame %d" % kind)

    def give_credit(self, session):
        s = self.sessions[session]
        if s.held:
            self.send(CREDIT, session, struct.pack("<I", s.held))
        s.held = 0

    def pump(self, timeout):
        """Handles what arrives within `timeout`; False when the guest has gone."""
        ready, _, _ = select.select([self.sock], [], [], timeout)
        if ready:
            try:
                data = self.sock.recv(262144)
            except ConnectionResetError:  # it went without reading our last frames
                return False
            if not data:
                return False
            self.pending += data
            while len(self.pending) >= 8:
                kind, _, session, n = struct.unpack("<BBHI", self.pending[:8])
                assert n <= 65536, "frame too long"
                if len(self.pending) < 8 + n:
                    break
                body, self.pending = self.pending[8:8 + n], self.pending[8 + n:]
                self._frame(kind, session, body)
        return True

    def wait(self, condition, timeout=30, what=""):
        end = time.monotonic() + timeout
        while not condition():
            left = end - time.monotonic()
            if left <= 0:
                raise Timeout("timeout: %s; %r" % (what, {
                    k: (bytes(s.out[-300:]), bytes(s.err[-300:]), s.error, s.status)
                    for k, s in self.sessions.items()}))
            if not self.pump(min(left, 0.5)):
                if condition():
                    return
                raise Timeout("the guest has gone: %s; %r; %s"
                              % (what, self.errors, self.console_text()[-1500:]))

    # ---- sessions ----

    def wait_ready(self):
        self.wait(lambda: self.ready, what="READY")

    def spawn(self, session, argv, env=(), cwd=None, user=None, tty=None):
        """`tty`: None for pipes, or (cols, rows)."""
        self.sessions[session] = Session()
        cols, rows = tty or (0, 0)
        records = ["arg=" + a for a in argv] + ["env=" + e for e in env]
        if cwd is not None:
            records.append("cwd=" + cwd)
        if user is not None:
            records.append("user=" + user)
        self.send(SPAWN, session, struct.pack("<IHH", TTY if tty else 0, cols, rows)
                  + b"".join(r.encode() + b"\0" for r in records))
        return self.sessions[session]

    def stdin(self, session, data):
        s = self.sessions[session]
        data = bytes(data)
        while data:
            self.wait(lambda: s.credit > 0, what="credit for input")
            n = min(s.credit, len(data), 16384)
            self.send(STDIN, session, data[:n])
            s.credit -= n
            data = data[n:]
            self.pump(0)

    def wait_exit(self, session, timeout=30):
        s = self.sessions[session]
        self.wait(lambda: s.status is not None, timeout, "exit of session %d" % session)
        return s

    def run(self, session, argv, stdin=b"", **kw):
        s = self.spawn(session, argv, **kw)
        if stdin:
            self.stdin(session, stdin)
        self.send(STDIN_EOF, session)
        return self.wait_exit(session)

    def wait_out(self, session, text, timeout=30):
        s = self.sessions[session]
        self.wait(lambda: text in s.out, timeout, "output %r" % text)

    def wait_off(self, timeout=15):
        end = time.monotonic() + timeout
        while self.qemu.poll() is None:
            if time.monotonic() > end:
                raise Timeout("the guest did not power off: " + self.console_text()[-1500:])
            if not self.pump(0.1):
                time.sleep(0.02)
        while self.pump(0.05) and select.select([self.sock], [], [], 0)[0]:
            pass
