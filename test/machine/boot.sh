#!/bin/bash
# Boots Linux with every device of the machine and lets a program inside use them (init.c), on the UART
# and on the virtio console, in host time and in instruction time; then the ways to end. TAP.
set -euo pipefail
export LC_ALL=C
cd "$(dirname "$0")/../.."
B=${BUILD:-build}
kernel=$B/guest/riscv64/Image
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
n=0
t() { # description, command...
    local what=$1
    shift
    n=$((n + 1))
    if "$@"; then echo "ok $n - $what"; else echo "not ok $n - $what"; fi
}

# A newc archive of one file is simple enough to write by hand.
cpio_entry() { # name, mode, file
    local size=0
    [[ -z $3 ]] || size=$(stat -c %s "$3")
    printf '070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%s\0' 1 "$2" 0 0 1 0 "$size" 0 0 \
        $((${4:-0})) $((${5:-0})) $((${#1} + 1)) 0 "$1"
    head -c $(((4 - (110 + ${#1} + 1) % 4) % 4)) /dev/zero
    [[ -z $3 ]] || { cat "$3" && head -c $(((4 - size % 4) % 4)) /dev/zero; }
}
{
    cpio_entry dev $((0040755)) ""
    cpio_entry dev/console $((0020600)) "" 5 1
    cpio_entry init $((0100755)) "$B/test/machine/init"
    cpio_entry TRAILER!!! 0 ""
} >"$work/initrd"

boot() { # log, more arguments; input from stdin
    local log=$1
    shift
    timeout 100 "$B/berth" machine --kernel "$kernel" --initrd "$work/initrd" --memory 128M "$@" \
        >"$log" 2>"$log.err"
}

devices() { # name, console, arguments...
    local name=$1 console=$2 log=$work/$1
    shift 2
    rm -rf "$work/share" && mkdir "$work/share"
    echo "from the host" >"$work/share/hello"
    printf 'first sector' >"$work/disk" && truncate -s 8M "$work/disk"
    cp "$work/disk" "$work/disk2"
    # Typed when asked for, as a person would.
    mkfifo "$work/in.$name"
    boot "$log" --blk "$work/disk" --blk "$work/disk2,ro" --9p "data=$work/share" \
        --append "console=$console quiet panic=-1" "$@" <"$work/in.$name" &
    local pid=$! rc=0
    exec 5>"$work/in.$name"
    while kill -0 $pid 2>/dev/null && ! grep -q 'type a line' "$log" 2>/dev/null; do sleep 0.1; done
    printf 'a line of input\r' >&5
    wait $pid || rc=$?
    exec 5>&-
    tr -d '\r' <"$log" >"$log.txt"
    t "$name: exit status 0" test $rc -eq 0
    t "$name: all tests inside pass" inside_passed "$log.txt"
    t "$name: long output is complete" test "$(grep -c '^# [0-9]\{4\} 0123456789abc.*xyz$' "$log.txt")" -eq 3000
    t "$name: the file is on the host" test "$(stat -c %s "$work/share/written" 2>/dev/null)" = 4194304
    t "$name: the disk was written" test "$(od -An -tx4 -N4 -j2097152 "$work/disk" | tr -d ' ')" = 3c88596c
    t "$name: nothing on stderr" test ! -s "$log.err"
    grep -E '^(not )?ok ' "$log.txt" | sed "s/^/# $name: /"
    [[ ! -s $log.err ]] || sed "s/^/# $name: stderr: /" "$log.err"
}
inside_passed() { # log
    local plan
    plan=$(sed -n 's/^1\.\.\([0-9]*\)$/\1/p' "$1")
    [[ -n $plan && $(grep -c '^ok ' "$1") -eq $plan ]] && ! grep -q '^not ok' "$1"
}

devices uart ttyS0
devices virtio hvc1 --virtio-console # hvc0 is the SBI console
devices sbi hvc0
devices icount ttyS0 --icount

rc=0
boot "$work/reboot" --append "console=ttyS0 end=reboot" </dev/null || rc=$?
t "reboot: exit status 0" test $rc -eq 0
t "reboot: a note on stderr" grep -q 'asked for a reboot' "$work/reboot.err"
rc=0
boot "$work/panic" --append "console=ttyS0 panic=-1 end=panic" </dev/null || rc=$?
t "panic: the machine ends" grep -q 'Attempted to kill init' "$work/panic"
rc=0
timeout 60 "$B/berth" machine --kernel "$B/test/machine/exit" --memory 2M </dev/null >"$work/exit" 2>&1 || rc=$?
t "bare program: its exit code" test $rc -eq 42
t "bare program: its output and nothing else" test "$(cat "$work/exit")" = "bare metal"
t "terminal" python3 test/machine/terminal.py "$B/berth" "$kernel"
rc=0
"$B/berth" machine --kernel "$work/initrd" </dev/null >"$work/bad" 2>&1 || rc=$?
t "not a kernel: exit status 125" test $rc -eq 125
t "not a kernel: says so" grep -q 'not a riscv64 kernel image' "$work/bad"
rc=0
"$B/berth" machine --kernel "$kernel" --memory 4M </dev/null >"$work/small" 2>&1 || rc=$?
t "too little memory: says how much" grep -q 'needs [0-9]* MiB of memory' "$work/small"
rc=0
"$B/berth" machine --kernel "$kernel" --frobnicate </dev/null >"$work/usage" 2>&1 || rc=$?
t "bad option: exit status 2" test $rc -eq 2
echo "1..$n"
