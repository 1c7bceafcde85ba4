#!/bin/bash
# Guest code to IR to WebAssembly, held against what was accepted: NAME.s is assembled, lifted and compared with
# NAME.ir; as a region it becomes a module, compared with NAME.wat (its size in the first line).
# `check.sh --accept` (make golden-accept) takes what comes out now; look at the difference before it is committed.
set -uo pipefail
cd "$(dirname "$0")/../.."
build=${BUILD:-build} accept=${1:-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0
for s in test/golden/*.s; do
    want=${s%.s}
    riscv64-linux-gnu-as -march=rv64imafd -mno-relax "$s" -o "$work/o" &&
        riscv64-linux-gnu-objcopy -O binary -j .text "$work/o" "$work/bin" &&
        "$build/test/bin/golden" "$work/bin" "$work/wasm" >"$work/ir" &&
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
