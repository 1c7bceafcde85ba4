#!/bin/bash
# Every header compiles alone. CC, WCC (for headers of the wasm hosts) and BUILD come from the Makefile.
# Prints the compiler's messages and "N passed, N failed".
set -euo pipefail
export LC_ALL=C
cd "$(dirname "$0")/.."
cc=${CC:-gcc}
third=$(sed -n 's/^THIRD_CFLAGS := //p' "${BUILD:-build}/third-party/native.mk") # the libraries' headers
read -ra flags <<<"-std=gnu11 -Wall -Wextra -Werror -Isrc -Iinclude -D_GNU_SOURCE $third"
wcc=${WCC:-clang-22}
read -ra wflags <<<"--target=wasm32-wasip1 -std=gnu11 -Wall -Wextra -Werror -Isrc -Iinclude -D_GNU_SOURCE"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

one() { # header: empty file when it compiles
    local name compile=("$cc" "${flags[@]}")
    name=$(tr / _ <<<"$1")
    case $1 in src/host/web/* | src/host/wasi/*) compile=("$wcc" "${wflags[@]}") ;; esac
    # From a file, not with -x c HEADER: a header as main file would be warned about.
    if printf '#include "%s"\n' "$PWD/$1" | "${compile[@]}" -fsyntax-only -x c - 2>"$work/$name.log"; then
        : >"$work/$name.ok"
    else
        : >"$work/$name.bad"
    fi
}

n=0
while read -r h; do
    one "$h" &
    n=$((n + 1))
    [[ $((n % $(nproc))) -ne 0 ]] || wait
done < <(find src include -name '*.h' | sort)
wait
cat "$work"/*.log 2>/dev/null || true
passed=$(find "$work" -name '*.ok' | wc -l)
failed=$(find "$work" -name '*.bad' | wc -l)
echo "$passed passed, $failed failed"
[[ $failed -eq 0 && $passed -eq $n ]]
