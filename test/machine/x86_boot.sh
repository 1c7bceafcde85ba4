#!/bin/bash
# The x86_64 board with kernels of three formats, and the ways in which a machine can end. Where
# qemu-system-x86_64 is there, the multiboot and PVH kernels are held against it. TAP.
set -euo pipefail
export LC_ALL=C
cd "$(dirname "$0")/../.."
B=${BUILD:-build}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
n=0
t() { # description, command...
    local what=$1
    shift
    n=$((n + 1))
    if "$@"; then echo "ok $n - $what"; else echo "not ok $n - $what"; fi
}
# Output, status and what is said on stderr.
run() { # format, last word of the command line, text, status, [message]
    local rc=0
    timeout 20 "$B/berth" machine --arch x86_64 --kernel "$B/test/machine/x86_$1" --append "ends by $2" \
        >"$work/out" 2>"$work/err" </dev/null || rc=$?
    [[ $rc = "$4" && $(<"$work/out") == "$3" && $(<"$work/err") == *"${5:-}"* ]] ||
        { echo "# status $rc, $(<"$work/out"), $(<"$work/err")"; false; }
}
in_qemu() { # format, text
    local rc=0
    timeout 20 qemu-system-x86_64 -M microvm -nodefaults -nographic -no-reboot -serial stdio \
        -device isa-debug-exit,iobase=0xf4,iosize=4 -kernel "$B/test/machine/x86_$1" \
        -append "ends by e" >"$work/out" 2>"$work/err" </dev/null || rc=$?
    [[ $rc = 43 && $(<"$work/out") == *"$2" ]] || { echo "# status $rc, $(<"$work/out"), $(<"$work/err")"; false; }
}

t "multiboot" run multiboot e "kernel ends by e" 43
t "PVH" run pvh e "ends by e virtio_mmio.device=4K@0xfed00000:16" 43
t "64-bit ELF" run elf64 e "ends by e virtio_mmio.device=4K@0xfed00000:16" 43
t "power-off register" run multiboot o "kernel ends by o" 0
t "hlt without interrupts" run multiboot h "kernel ends by h" 0
t "triple fault" run multiboot t "kernel ends by t" 0 reboot
t "reset by the keyboard controller" run multiboot k "kernel ends by k" 0 reboot
if command -v qemu-system-x86_64 >/dev/null; then
    t "multiboot in QEMU" in_qemu multiboot "ends by e"
    t "PVH in QEMU" in_qemu pvh "ends by e"
else
    echo "ok $((++n)) - QEMU # SKIP no qemu-system-x86_64"
fi
echo "1..$n"
