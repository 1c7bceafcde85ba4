#!/bin/bash
# Guest code to IR to WebAssembly, held against what was accepted: NAME.s is assembled, lifted and compared with
# NAME.ir; as a region it becomes a module, compared with NAME.wat (its size in the first line). x86_64's are in a folder
# of their own; a line "# mode N" there is the code mode (src/guest/x86_64/state.h).
# `check.sh --accept` (make golden-accept) takes what comes out now; look at the difference before it is committed.
set -uo pipefail
cd "$(dirname "$0")/../.."
build=${BUILD:-build} accept=${1:-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0
# Code mode 1 of riscv64: floating point on, rounding to nearest.
assemble() { # SOURCE
    if [[ $1 == */x86_64/* ]]; then
        guest=x86_64 mode=$(sed -n 's/^# mode //p' "$1")
        { echo .intel_syntax noprefix && cat "$1"; } | x86_64-linux-gnu-as --64 -o "$work/o" - &&
            x86_64-linux-gnu-objcopy -O binary -j .text "$work/o" "$work/bin"
    else
        guest=riscv64 mode=1
        riscv64-linux-gnu-as -march=rv64imafd -mno-relax "$1" -o "$work/o" &&
            riscv64-linux-gnu-objcopy -O binary -j .text "$work/o" "$work/bin"
    fi
}
for s in test/golden/*.s test/golden/x86_64/*.s; do
    want=${s%.s}
    assemble "$s" &&
        "$build/test/bin/golden" $guest "${mode:-0}" "$work/bin" "$work/wasm" >"$work/ir" &&
        { echo ";; $(stat -c %s "$work/wasm") bytes"; wasm2wat --enable-all "$work/wasm"; } >"$work/wat" || echo "cannot be made" >>"$work/ir"
    good=1
    ! grep -q "^cannot be made" "$work/ir" || good=0
    [[ $accept != --accept || $good == 0 ]] || { cp "$work/ir" "$want.ir" && cp "$work/wat" "$want.wat"; }
    if [[ $good == 1 ]] && diff -u "$want.ir" "$work/ir" && diff -u "$want.wat" "$work/wat" | head -60; then
        passed=$((passed + 1))
    else
        echo "$s differs; if that is meant: make golden-accept"
        failed=$((failed + 1))
    fi
done
echo "$passed passed, $failed failed"
[[ $failed -eq 0 && $passed -gt 0 ]]
