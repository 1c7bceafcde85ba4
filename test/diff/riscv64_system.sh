#!/bin/bash
# Runs the self-checking bare-metal tests of test/diff/riscv64 on every engine of ours and, when it is
# installed, on qemu-system-riscv64, where they must pass as well. Output: failures, then the sum.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${BUILD:-build}
src=test/diff/riscv64
elf=$build/test/riscv64-system.elf
mkdir -p "$(dirname "$elf")"
command -v riscv64-linux-gnu-gcc >/dev/null || {
    echo "riscv64-linux-gnu-gcc is missing: run 'make deps' (package gcc-riscv64-linux-gnu)" >&2
    exit 1
}
riscv64-linux-gnu-gcc -O1 -g -Wall -Wextra -Werror -march=rv64gc -mabi=lp64 -mcmodel=medany -mno-relax \
    -msmall-data-limit=0 -ffreestanding -fno-builtin -fno-pic -fno-stack-protector -nostdlib -static -no-pie \
    -Wl,--build-id=none -T $src/link.ld $src/start.S $src/system.c -o "$elf"

passed=0 failed=0
add() { # NAME OUTPUT
    local counts
    echo "$1:"
    grep -v '^[0-9]* passed' <<<"$2" || true
    counts=$(grep -oE '^[0-9]+ passed, [0-9]+ failed' <<<"$2" | tail -1) || counts="0 passed, 1 failed"
    echo "    $counts"
    passed=$((passed + ${counts%% *})) failed=$((failed + $(cut -d' ' -f3 <<<"$counts")))
}
for engine in 0 1 2; do
    add "engine $engine" "$("$build/test/bin/diff_riscv64" system "$elf" $engine 2>&1 || true)"
done
if command -v qemu-system-riscv64 >/dev/null; then
    add qemu "$(timeout 60 qemu-system-riscv64 -M virt -m 256M -bios default -display none -serial stdio \
        -kernel "$elf" 2>&1 </dev/null | sed -n '/^Boot HART MEDELEG/,$p' | tail -n +2 || true)"
fi
echo "$passed passed, $failed failed"
[[ $failed == 0 ]]
