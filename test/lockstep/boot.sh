#!/bin/bash
# Linux booted to power-off in lock step: the interpreter against the evaluator, and tortured against itself by single
# instructions; then by each engine alone, with the same output. TAP.
set -uo pipefail
cd "$(dirname "$0")/../.."
B=${BUILD:-build}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
n=0 append="console=ttyS0 loglevel=4"
t() { # description, command...
    local what=$1
    shift
    n=$((n + 1))
    if "$@" >"$work/out" 2>&1; then echo "ok $n - $what"; else
        echo "not ok $n - $what"
        tail -n 60 "$work/out" | sed 's/^/# /'
    fi
}
lockstep() {
    timeout 400 "$B/test/bin/lockstep" boot --guest $guest --append "$append" "$@" "$B/guest/$guest/Image" \
        "$B/test/lockstep/$guest/initramfs"
}
boot() { # engine
    timeout 200 "$B/berth" machine --arch $guest --engine "$1" --icount --memory 64M --append "$append" \
        --kernel "$B/guest/$guest/Image" --initrd "$B/test/lockstep/$guest/initramfs" 2>&1 | grep '^lockstep ' >"$work/$1"
}
same() {
    boot interp && boot eval && grep -q "lockstep end" "$work/interp" && diff "$work/interp" "$work/eval"
}
for guest in riscv64 x86_64; do
    t "$guest: interpreter against evaluator" lockstep
    t "$guest: interpreter in runs of a few instructions, four translations" \
        lockstep --ref interp --torture tlb --chunk 1-200
    t "$guest: interpreter that forgets all code" lockstep --ref interp --torture flush --chunk 3000-90000
    t "$guest: both engines, each alone, print the same" same
done
# The whole way: image, kernel, init, a command of the container, by the slow reference.
t "a container on the evaluator" timeout 300 "$B/berth" run --engine eval "oci:$B/images/riscv64/debian-gcc" \
    sh -c 'test "$(uname -m)" = riscv64'
echo "1..$n"
