#!/bin/bash
# bench/run.mjs measures a plain row and one with a peer, and writes what docs/performance.md says.
# Nothing here depends on how long anything takes.
set -euo pipefail
cd "$(dirname "$0")/.."
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

node bench/run.mjs --row engine-size --out "$out/bench.json" >"$out/table"
node bench/run.mjs --row boot --where native --rounds 1 --out "$out/bench.json" >>"$out/table"
jq -e '
    map(.name) == ["engine-size", "engine-size-gzip", "boot"]
    and all(.[]; has("where") and has("peer") and has("peer_name") and has("unit") and .ours > 0)
    and (.[2] | .peer_name == "qemu-system-riscv64" and .ratio == .ours / .peer)
' "$out/bench.json" >/dev/null || { echo "unexpected rows:"; cat "$out/bench.json"; exit 1; }
grep -q '^boot  *native  *s ' "$out/table"
if node bench/run.mjs --row no-such-row --out "$out/bench.json" 2>"$out/errors"; then
    echo "an unknown row was accepted"
    exit 1
fi
grep -q 'no-such-row.*there are engine-size' "$out/errors"
