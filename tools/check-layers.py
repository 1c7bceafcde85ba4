#!/usr/bin/python3
"""The tree is the dependency graph: a file under src/ includes only what its layer may depend on.

Also: libraries use no operating system headers and neither print nor exit; only src/host/ does.
Prints one line a finding and "N passed, N failed"; a layer counts as one test.
"""
import os
import re
import sys

# Layer: what it may include besides itself. A name stands for a whole layer, "x/y.h" for one header,
# "x/*.h" for the headers directly in a folder. A layer of a subfolder (guest/riscv64) never includes a
# sibling. host/host.h is a seam that everyone may call.
ALLOWED = {
    "base": "",
    "ir": "base",
    "guest": "base ir mem exec/cpu.h",
    "guest/*": "base ir mem exec/cpu.h guest/*.h",
    "emit": "base ir",
    "emit/*": "base ir emit/*.h",
    "exec": "base ir guest/*.h emit mem",
    "mem": "base",
    "hw": "base mem",
    "virtio": "base mem p9",
    "p9": "base oci/imgtree.h",
    "net": "base",
    "oci": "base",
    "pack": "base ir emit oci",
    "machine": "base ir guest emit exec mem hw virtio p9 net oci",
    "container": "base mem virtio p9 net oci machine berth",
    "host": "base",
    "host/*": "base ir guest emit exec mem hw virtio p9 net oci pack machine container berth host/*.h",
}
NESTED = ("guest", "emit", "host")
# Files that need an operating system although they lie outside host/; the Makefile keeps them out of wasm.
POSIX_ONLY = ("src/p9/fs_posix.c", "src/p9/fs_posix.h")

OS_HEADER = re.compile(
    r"\s*#\s*include\s*<(unistd|fcntl|dirent|poll|signal|termios|pthread|time|dlfcn|netdb|sys/\w+|net/\w+"
    r"|netinet/\w+|arpa/\w+|linux/\w+)\.h>")
OUTPUT = re.compile(r"(^|[^\w.>])(printf|fprintf|puts|putchar|perror|exit|_exit|abort|longjmp|getenv)\s*\(")
INCLUDE = re.compile(r'\s*#\s*include\s*"([^"]+)"')


def layer_of(path):
    """Layer of a path relative to src/ (or to include/)."""
    parts = path.split("/")
    if parts[0] in NESTED and len(parts) > 2:
        return "/".join(parts[:2])
    return parts[0]


def rules(layer):
    if layer in ALLOWED:
        return ALLOWED[layer]
    return ALLOWED.get(layer.split("/")[0] + "/*") if "/" in layer else None


def may_include(layer, allowed, path):
    if path == "host/host.h" or layer_of(path) == layer:
        return True
    for rule in allowed.split():
        if rule.endswith("/*.h"):
            if os.path.dirname(path) == rule[:-4]:
                return True
        elif rule.endswith(".h"):
            if path == rule:
                return True
        elif path.split("/")[0] == rule:
            return True
    return False


def resolve(file, name):
    """The included file relative to src/ or include/, or None."""
    beside = os.path.normpath(os.path.join(os.path.dirname(file), name))
    if os.path.exists(beside):
        return os.path.relpath(beside, "src")
    if os.path.exists("src/" + name) or os.path.exists("include/" + name):
        return name
    return None


def code_of(line):
    """A line without its comment and its strings."""
    line = re.sub(r'"(\\.|[^"\\])*"', '""', line)
    return "" if re.match(r"\s*\*", line) else line.split("//")[0]


def check_file(file, seen, bad):
    layer = layer_of(os.path.relpath(file, "src"))
    allowed = rules(layer)
    seen.add(layer)
    if allowed is None:
        print(f"{file}: there is no layer '{layer}'; add it to tools/check-layers.py or move the file")
        bad.add(layer)
        return
    host = layer.startswith("host/") or file in POSIX_ONLY
    with open(file, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            at = f"{file}:{number}"
            if m := INCLUDE.match(line):
                path = resolve(file, m[1])
                if path is None:
                    print(f'{at}: includes "{m[1]}", which is neither below src/ nor include/')
                    bad.add(layer)
                elif not may_include(layer, allowed, path):
                    print(f'{at}: layer {layer} must not include "{path}"')
                    bad.add(layer)
            elif not host and OS_HEADER.match(line):
                print(f"{at}: only src/host/ may use the operating system: {line.strip()}")
                bad.add("operating system")
            elif not host and OUTPUT.search(code_of(line)):
                print(f"{at}: libraries never print, exit or longjmp: {line.strip()}")
                bad.add("output")


def main():
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
    seen, bad = {"operating system", "output"}, set()
    for folder, _, names in sorted(os.walk("src")):
        for name in sorted(names):
            if name.endswith((".c", ".h", ".def")):
                check_file(os.path.join(folder, name), seen, bad)
    print(f"{len(seen - bad)} passed, {len(bad)} failed")
    return 1 if bad else 0


sys.exit(main())
