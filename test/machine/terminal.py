#!/usr/bin/env python3
"""The terminal of `berth machine`: raw mode, echo of Ctrl-A Ctrl-A, leaving with Ctrl-A x, settings restored."""
import os, pty, select, subprocess, sys, termios, time

berth, kernel = sys.argv[1:3]
master, slave = pty.openpty()
before = termios.tcgetattr(slave)
p = subprocess.Popen([berth, "machine", "--kernel", kernel, "--append", "console=ttyS0"],
                     stdin=slave, stdout=slave, stderr=slave)
seen, deadline = b"", time.time() + 60
while b"Linux version" not in seen and time.time() < deadline:
    if select.select([master], [], [], 1)[0]:
        seen += os.read(master, 65536)
raw = not termios.tcgetattr(slave)[3] & termios.ICANON
os.write(master, b"\x01\x01\x01x")
while p.poll() is None and time.time() < deadline:
    if select.select([master], [], [], 0.1)[0]:
        os.read(master, 65536)
checks = {"boots": b"Linux version" in seen, "raw while it runs": raw, "exit status 0": p.poll() == 0,
          "terminal restored": termios.tcgetattr(slave) == before}
if p.poll() is None:
    p.kill()
for what, good in checks.items():
    if not good:
        print("# failed:", what)
sys.exit(not all(checks.values()))
