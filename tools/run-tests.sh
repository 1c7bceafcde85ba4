#!/bin/bash
# Runs test programs and adds up what they report.
#
#   tools/run-tests.sh LIST          LIST has one test a line: NAME <tab> SECONDS <tab> par|ser <tab> COMMAND
#   tools/run-tests.sh --count LOG   print "PASSED FAILED" found in one log (nothing if it has no counts)
#
# "par" tests share JOBS slots (default: the number of CPUs), "ser" tests run one at a time afterwards.
# Output goes to $BUILD/test/NAME.log. Counts are understood in these forms: a last line
# "N passed, N failed", cmocka's, node:test's ("# pass N"), TAP. A test that reports none counts
# as one by its exit status; one that exits with failure but reports none failed has one failure; one
# that reports counts but none at all is a failure too, for it tested nothing.
# The last line is "N passed, N failed", and the exit status says the same.
set -uo pipefail
export LC_ALL=C.UTF-8
cd "$(dirname "$0")/.." || exit 2

count_log() {
    awk '
    { sub(/\r$/, ""); gsub(/\033\[[0-9;]*m/, "") }
    /^[0-9]+ passed, [0-9]+ failed$/ { own = $1 " " $3 }
    /^\[  PASSED  \] [0-9]+ test/ { cm = 1; cp += $4 }
    /^\[  FAILED  \] [0-9]+ test/ { cm = 1; cf += $4 }
    /^(#|ℹ) pass [0-9]+$/ { nt = 1; np += $3 }
    /^(#|ℹ) (fail|cancelled) [0-9]+$/ { nt = 1; nf += $3 }
    /^ok( |$)/ { tap = 1; if ($0 !~ /# SKIP/) tp++ }
    /^not ok( |$)/ { tap = 1; if ($0 !~ /# TO[D]O/) tf++ }
    END {
        if (own != "") print own
        else if (cm) print cp + 0, cf + 0
        else if (nt) print np + 0, nf + 0
        else if (tap) print tp + 0, tf + 0
    }' "$1"
}

if [[ ${1:-} == --count ]]; then
    count_log "$2"
    exit
fi
[[ -f ${1:-} ]] || { echo "usage: tools/run-tests.sh LIST" >&2; exit 2; }

build=${BUILD:-build}
logs=$build/test
jobs=${JOBS:-$(nproc)}
mkdir -p "$logs"
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
trap 'exit 130' INT TERM

run_one() { # name, seconds, command
    local name=$1 log=$logs/$1.log rc=0 counts passed failed t0 t1
    mkdir -p "$(dirname "$log")" "$(dirname "$results/$name")"
    t0=${EPOCHREALTIME/./}
    timeout --kill-after=10 "$2" bash -c "$3" >"$log" 2>&1 </dev/null || rc=$?
    t1=${EPOCHREALTIME/./}
    [[ $rc -ne 124 && $rc -ne 137 ]] || echo "run-tests: stopped after $2 seconds" >>"$log"
    counts=$(count_log "$log")
    if [[ -z $counts ]]; then
        counts="$((rc == 0)) $((rc != 0))"
    fi
    read -r passed failed <<<"$counts"
    [[ $rc -eq 0 || $failed -gt 0 ]] || failed=1
    if [[ $((passed + failed)) -eq 0 ]]; then
        echo "run-tests: it ran no test" >>"$log"
        failed=1
    fi
    echo "$passed $failed" >"$results/$name"
    if [[ $failed -eq 0 ]]; then
        printf 'ok    %-40s %4d passed %22d.%d s\n' "$name" "$passed" $(((t1 - t0) / 1000000)) $(((t1 - t0) / 100000 % 10))
    else
        {
            printf 'FAIL  %-40s %4d passed, %d failed %10d.%d s   %s\n' "$name" "$passed" "$failed" \
                $(((t1 - t0) / 1000000)) $(((t1 - t0) / 100000 % 10)) "$log"
            # what failed far above the end, and the end
            { grep -aE "^(FAIL|not ok)|Error|[Tt]imeout" "$log" | head -n 10; tail -n 30 "$log"; } | cut -c1-300 | sed 's/^/    | /'
        } | cat # one write, so that parallel reports do not mix
    fi
}

running=0
while IFS=$'\t' read -r name secs class command; do
    [[ -n $name && $class == par ]] || continue
    if [[ $running -ge $jobs ]]; then
        wait -n || true
        running=$((running - 1))
    fi
    run_one "$name" "$secs" "$command" &
    running=$((running + 1))
done <"$1"
wait
while IFS=$'\t' read -r name secs class command <&3; do
    [[ -n $name && $class == ser ]] || continue
    run_one "$name" "$secs" "$command"
done 3<"$1"

# A test without a result (this script was interrupted, say) is a failure.
passed=0 failed=0
while IFS=$'\t' read -r name _; do
    [[ -n $name ]] || continue
    if read -r p f 2>/dev/null <"$results/$name"; then
        passed=$((passed + p)) failed=$((failed + f))
    else
        failed=$((failed + 1))
    fi
done <"$1"
echo "$passed passed, $failed failed"
[[ $failed -eq 0 ]]
