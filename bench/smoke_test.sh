#!/bin/bash
# bench/run.mjs measures a plain row and one with a peer for each guest, and writes what docs/performance.md says.
# Nothing here depends on how long anything takes.
set -euo pipefail
cd "$(dirname "$0")/.."
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

node bench/run.mjs --row engine-size --out "$out/bench.json" >"$out/table"
for arch in riscv64 x86_64; do
    BENCH_ARCH=$arch node bench/run.mjs --row boot --where native --rounds 1 --out "$out/bench.json" >>"$out/table"
done
jq -e '
    map(.name) == ["engine-size", "engine-size-gzip", "boot", "boot"]
    and all(.[]; has("where") and has("peer") and has("peer_name") and has("unit") and .ours > 0)
    and (.[2:] | map(.peer_name) == ["qemu-system-riscv64", "qemu-system-x86_64"] and all(.[]; .ratio == .ours / .peer))
' "$out/bench.json" >/dev/null || { echo "unexpected rows:"; cat "$out/bench.json"; exit 1; }
[ "$(grep -c '^boot  *native-[a-z0-9_]*  *s ' "$out/table")" = 2 ]
if node bench/run.mjs --row no-such-row --out "$out/bench.json" 2>"$out/errors"; then
    echo "an unknown row was accepted"
    exit 1
fi
grep -q 'no-such-row.*there are engine-size' "$out/errors"
