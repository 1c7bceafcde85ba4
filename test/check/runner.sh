#!/bin/bash
# tools/run-tests.sh itself: how it counts, and that nothing that failed is lost.
set -uo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0

expect() { # what, expected, got
    if [[ $2 == "$3" ]]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "$1: expected '$2', got '$3'"
    fi
}
counts() { printf '%s\n' "$@" >"$work/log" && tools/run-tests.sh --count "$work/log"; }

expect 'own line' '12 3' "$(counts 'x' '12 passed, 3 failed')"
expect 'the last own line' '5 0' "$(counts '1 passed, 1 failed' '5 passed, 0 failed')"
expect 'cmocka, two groups' '5 1' "$(counts '[  PASSED  ] 2 test(s).' '[  PASSED  ] 3 test(s).' '[  FAILED  ] 1 test(s), listed below:' '[  FAILED  ] t')"
expect 'node:test' '7 2' "$(counts 'ok 1 - x' '# pass 7' '# fail 1' '# cancelled 1')"
expect 'TAP' '2 1' "$(counts 'ok 1 - a' 'not ok 2 - b' 'ok 3 # SKIP no' 'ok 4')"
expect 'no counts' '' "$(counts 'hello')"

# One list with everything that can happen.
{
    printf 'good\t10\tpar\techo "2 passed, 0 failed"\n'
    printf 'silent\t10\tpar\ttrue\n'
    printf 'bad\t10\tpar\techo "1 passed, 1 failed"; exit 1\n'
    printf 'crash\t10\tser\techo "3 passed, 0 failed"; kill -SEGV $$\n'
    printf 'empty\t10\tser\techo "0 passed, 0 failed"\n'
    printf 'slow\t1\tpar\tsleep 20\n'
    printf 'missing\t10\tpar\t./no-such-program\n'
    printf 'early\t10\tpar\techo "FAIL the first"; seq 99; echo "1 passed, 1 failed"; exit 1\n'
} >"$work/list"
out=$(BUILD=$work/build JOBS=2 tools/run-tests.sh "$work/list" 2>&1)
expect 'exit status' 1 $?
# good 2+0, silent 1+0, bad 1+1, crash 3+1, empty 0+1, slow 0+1, missing 0+1, early 1+1
expect 'the last line' '8 passed, 6 failed' "$(tail -n 1 <<<"$out")"
expect 'what failed far above the end' 1 "$(grep -c '| FAIL the first' <<<"$out")"
expect 'a log each' 8 "$(find "$work/build/test" -name '*.log' | wc -l)"

printf 'good\t10\tpar\techo "2 passed, 0 failed"\n' >"$work/list"
out=$(BUILD=$work/build tools/run-tests.sh "$work/list" 2>&1)
expect 'exit status when all is well' 0 $?
expect 'the last line when all is well' '2 passed, 0 failed' "$(tail -n 1 <<<"$out")"

echo "$passed passed, $failed failed"
[[ $failed -eq 0 ]]
