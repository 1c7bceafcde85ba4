#!/bin/bash
# The tree is the dependency graph: a file under src/ includes only what its layer may depend on.
# Also: libraries use no operating system headers and neither print nor exit (src/host/ does).
# Prints one line a finding and "N passed, N failed"; a layer counts as one test.
set -euo pipefail
export LC_ALL=C
cd "$(dirname "$0")/.."

# layer: what it may include besides itself. host/host.h is a seam everyone may call.
allowed() {
    case $1 in
    base) echo "" ;;
    ir) echo "base" ;;
    guest) echo "base ir mem exec/cpu.h guest/guest.h" ;;
    guest/*) echo "base ir mem exec/cpu.h guest/*.h" ;;
    emit | emit/*) echo "base ir" ;;
    exec) echo "base ir guest emit mem" ;;
    mem) echo "base" ;;
    hw) echo "base mem" ;;
    virtio) echo "base mem p9" ;;
    p9) echo "base oci/imgtree.h" ;;
    net) echo "base" ;;
    oci) echo "base" ;;
    pack) echo "base ir emit oci" ;;
    machine) echo "base ir guest emit exec mem hw virtio p9 net oci" ;;
    container) echo "base mem virtio p9 net oci machine berth" ;;
    host/*) echo "base ir guest emit exec mem hw virtio p9 net oci pack machine container berth host/*.h" ;;
    *) return 1 ;;
    esac
}

# Directories with layers of their own inside.
layer_of() { # path below src/
    case $1 in
    guest/*/* | emit/*/* | host/*/*) echo "${1%/*}" | cut -d/ -f1,2 ;;
    host/*) echo seam ;;
    */*) echo "${1%%/*}" ;;
    *) echo "" ;;
    esac
}

# Files that need an operating system although they live below host/ (the Makefile keeps them out of wasm).
posix_only() { [[ $1 == src/p9/fs_posix.c || $1 == src/p9/fs_posix.h ]]; }

findings=()
found() { findings+=("$1"); }

may_include() { # layer, included path
    local inc=$2 to pattern
    [[ $inc == host/host.h ]] && return 0
    to=$(layer_of "$inc")
    [[ $to == "$1" ]] && return 0
    set -f
    for pattern in $(allowed "$1"); do
        case $pattern in
        *'/*.h') [[ $inc == "${pattern%/*}"/*.h && $inc != "${pattern%/*}"/*/* ]] && { set +f; return 0; } ;;
        *.h) [[ $inc == "$pattern" ]] && { set +f; return 0; } ;;
        berth) [[ $inc == berth/* ]] && { set +f; return 0; } ;;
        *) [[ $inc == "$pattern"/* ]] && { set +f; return 0; } ;;
        esac
    done
    set +f
    return 1
}

declare -A seen=() bad=()
while IFS=: read -r file line text; do
    rel=${file#src/}
    layer=$(layer_of "$rel")
    [[ $layer != seam ]] || layer=base
    seen[$layer]=1
    if ! allowed "$layer" >/dev/null; then
        found "$file: there is no layer '$layer'; add it to tools/check-layers.sh or move the file"
        bad[$layer]=1
        continue
    fi
    inc=$(sed -E 's/^#[ \t]*include[ \t]*"([^"]+)".*/\1/' <<<"$text")
    # A bare name is relative to the file.
    if [[ -e $(dirname "$file")/$inc ]]; then
        inc=$(realpath --relative-to=src "$(dirname "$file")/$inc")
    elif [[ ! -e src/$inc && ! -e include/$inc ]]; then
        found "$file:$line: includes \"$inc\", which is neither below src/ nor include/"
        bad[$layer]=1
        continue
    fi
    if ! may_include "$layer" "$inc"; then
        found "$file:$line: layer $layer must not include \"$inc\""
        bad[$layer]=1
    fi
done < <(grep -rnE '^#[ \t]*include[ \t]*"' src --include='*.c' --include='*.h' --include='*.def' | sort)

# Operating system headers and output belong to the hosts.
while IFS=: read -r file line text; do
    posix_only "$file" && continue
    found "$file:$line: only src/host/ may use the operating system: ${text}"
    bad[os]=1
done < <(grep -rnE '^#[ \t]*include[ \t]*<(unistd|fcntl|dirent|poll|signal|termios|pthread|time|dlfcn|netdb|sys/[^>]*|net/[^>]*|netinet/[^>]*|arpa/[^>]*|linux/[^>]*)\.h>' \
    src --include='*.c' --include='*.h' | grep -v '^src/host/' || true)
seen[os]=1
while IFS=: read -r file line text; do
    found "$file:$line: libraries never print, exit or longjmp: ${text}"
    bad[print]=1
done < <(grep -rnE '(^|[^A-Za-z0-9_.>])(printf|puts|putchar|perror|exit|_exit|abort|longjmp|getenv|fprintf)[ ]*\(' \
    src --include='*.c' --include='*.h' | grep -v '^src/host/' |
    grep -vE '^[^:]*:[0-9]+:[ \t]*(//|\*)|^[^:]*:[0-9]+:.*//.*(printf|puts|exit|abort|longjmp|getenv)[ ]*\(' || true)
seen[print]=1

for f in "${findings[@]}"; do echo "$f"; done
failed=${#bad[@]}
echo "$((${#seen[@]} - failed)) passed, $failed failed"
[[ $failed -eq 0 ]]
