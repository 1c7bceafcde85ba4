#!/bin/bash
# Runs the self-checking bare-metal tests of test/diff/x86_64 on every engine of ours that is native and, when it is
# installed, on qemu-system-x86_64, where they must pass as well. Output: failures, then the sum. The translator runs
# them in test/wasm/lockstep.mjs.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${BUILD:-build}
elf=$build/test/x86_64-system.elf
passed=0 failed=0
add() { # NAME OUTPUT
    local counts
    echo "$1:"
    grep -v '^[0-9]* passed' <<<"$2" || true
    counts=$(grep -oE '^[0-9]+ passed, [0-9]+ failed' <<<"$2" | tail -1) || counts="0 passed, 1 failed"
    echo "    $counts"
    passed=$((passed + ${counts%% *})) failed=$((failed + $(cut -d' ' -f3 <<<"$counts")))
}
ours() { timeout 60 "$build/berth" machine --arch x86_64 --kernel "$elf" "$@" 2>&1 </dev/null || true; }
add interp "$(ours --engine interp)"
add "interp, one instruction a block, four translations" "$(ours --engine interp --torture=insn,tlb)"
add "interp, looking at every exit" "$(ours --engine interp --torture=exits --icount)"
add "interp, from the code's bytes" "$(ours --engine interp --torture=first)"
add eval "$(ours --engine eval)"
if command -v qemu-system-x86_64 >/dev/null; then
    add qemu "$(timeout 60 qemu-system-x86_64 -M microvm -cpu max -accel tcg -m 64M -nodefaults -nographic -no-reboot \
        -serial stdio -device isa-debug-exit,iobase=0xf4,iosize=4 -kernel "$elf" 2>&1 </dev/null || true)"
fi
echo "$passed passed, $failed failed"
[[ $failed == 0 ]]
