#!/bin/bash
# Linux's 9p client in a real guest against the writable back ends: test/p9/guest.sh in a directory of the host
# served as it is, and served through fs_remote. Then what the guest left is looked at from this side.
set -eu -o pipefail
B=${BUILD:-build}
export BERTH_GUEST_DIR=${BERTH_GUEST_DIR:-$PWD/$B/guest}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
status=0
for kind in posix remote; do
    dir=$work/$kind
    mkdir "$dir"
    cp test/p9/guest.sh "$dir/guest.sh"
    run=$B/berth
    [ $kind = posix ] || run=$B/test/bin/p9_remote_run
    echo "$kind:"
    timeout -s KILL 240 "$run" run --volume "$dir:/vol" "oci:$B/images/riscv64/debian-gcc" \
        bash /vol/guest.sh $kind </dev/null || status=1
    # What the host has in the end.
    [ "$(cat "$dir/r2")" = one ] || { echo "FAIL $kind: r2 on the host"; status=1; }
    [ "$(stat -c %s "$dir/big")" = 20000000 ] || { echo "FAIL $kind: big on the host"; status=1; }
    [ ! -e "$dir/gone" ] || { echo "FAIL $kind: an unlinked file came back"; status=1; }
    diff -r "$dir/tree" "$dir/u/tree" || status=1
    [ "$(cat "$dir"/parallel* | wc -l)" = 20 ] || { echo "FAIL $kind: parallel"; status=1; }
done
exit $status
