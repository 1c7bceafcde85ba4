#!/bin/bash
# Lock-step runs that need no WebAssembly: the interpreter against the evaluator on random programs and on the saved
# cases, and against itself by single instructions; code executed from its bytes against the evaluator. LOCKSTEP_COUNT
# programs each, from LOCKSTEP_SEED on.
set -uo pipefail
cd "$(dirname "$0")/../.."
build=${BUILD:-build}
count=${LOCKSTEP_COUNT:-150} seed=${LOCKSTEP_SEED:-1}
passed=0 failed=0
run() {
    local out p f
    out=$("$build/test/bin/lockstep" "$@" 2>&1)
    read -r p f <<<"$(sed -nE '$s/^([0-9]+) passed, ([0-9]+) failed$/\1 \2/p' <<<"$out")"
    [[ -n ${f:-} ]] || p=0 f=1
    passed=$((passed + p)) failed=$((failed + f))
    [[ $f -eq 0 ]] || printf '%s\n' "lockstep $*" "$out"
}
for guest in riscv64 x86_64; do
    run random --guest $guest --seed "$seed" --count "$count" --out "$build/test"
    run random --guest $guest --seed $((seed + 10000)) --count $((count / 2)) --ref interp --out "$build/test"
done
for torture in first first,exits; do
    run random --guest x86_64 --seed $((seed + 20000)) --count $((count / 2)) --torture $torture --out "$build/test"
done
run case test/lockstep/cases/*.case
echo "$passed passed, $failed failed"
[[ $failed -eq 0 ]]
