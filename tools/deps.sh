#!/bin/bash
# Installs the Debian packages that building and testing need; does nothing when all are there.
#
#   tools/deps.sh          install what is missing (as root, or through sudo)
#   tools/deps.sh --list   print the packages and what each is for
#
# For Debian 12 (bookworm), amd64. bookworm-backports is added in a sources file of its own when no entry
# for it exists, with the mirror that the machine already uses. Nothing that is installed is upgraded,
# except wasi-libc when it is older than the one needed.
set -euo pipefail
export LC_ALL=C DEBIAN_FRONTEND=noninteractive

# A package name may carry the oldest version that will do.
packages() {
    cat <<'END'
build-essential                      gcc 12 and make for the native build; dpkg-source for pinned sources
clang-22                             the wasm compiler; sanitizers and libFuzzer natively
lld-22                               the wasm linker
llvm-22                              llvm-ar, llvm-strip
libclang-rt-22-dev                   sanitizer and fuzzer run-times
libclang-rt-22-dev-wasm32            compiler run-time for wasm
wasi-libc>=0.0~git20240708           C library for wasm (from bookworm-backports)
zlib1g-dev                           gzip layers
libzstd-dev                          zstd layers
libcjson-dev                         image indexes, manifests, configurations
libfdt-dev                           the guest's device tree
libmbedtls-dev                       SHA-256
libcmocka-dev                        unit tests
gcc-riscv64-linux-gnu                the guest's kernel and init
libc6-dev-riscv64-cross              the guest's init
linux-source-6.12                    the guest's kernel (from bookworm-backports)
bc                                   kernel build
bison                                kernel build
flex                                 kernel build
kmod                                 kernel build
libelf-dev                           kernel build
libssl-dev                           kernel build
rsync                                kernel build
cpio                                 the guest's initramfs
xz-utils                             unpacking sources
zstd                                 zstd layers of test images
mmdebstrap                           the demo image's root tree
qemu-user-static                     running the demo image's package scripts
uidmap                               making the demo image without being root
umoci                                making OCI image layouts
skopeo                               copying images between layouts and tars
attr                                 image tests: extended attributes
jq                                   reading image indexes in scripts
python3                              generators of test data
chromium                             end-to-end tests
firefox-esr                          end-to-end tests
fonts-dejavu-core                    end-to-end tests: a monospace font for the terminal
qemu-system-misc                     make bench: the peer; kernel tests
qemu-system-x86                      make bench: the peer; kernel tests
gcc-i686-linux-gnu                   make bench: programs for v86
libc6-dev-i386-cross                 make bench: programs for v86
lz4                                  make bench: v86's kernel
seabios                              make bench: v86's BIOS
device-tree-compiler                 tests: reading the generated device tree
wabt                                 tests: validating emitted wasm
ca-certificates                      npm
git                                  the version string
END
}

if [[ ${1:-} == --list ]]; then
    packages
    exit 0
fi
[[ $# -eq 0 ]] || { echo "usage: tools/deps.sh [--list]" >&2; exit 2; }

die() { echo "deps: $*" >&2; exit 1; }

node_major() { node --version 2>/dev/null | sed -nE 's/^v([0-9]+)\..*/\1/p'; }

# Prints the packages that are missing or too old.
missing() {
    local name min have major
    declare -A installed
    while read -r name have; do
        installed[$name]=$have
    done <<<"$(dpkg-query -W -f='${db:Status-Abbrev} ${Package} ${Version}\n' | awk '$1 == "ii" { print $2, $3 }')"
    while read -r name _; do
        min=
        [[ $name != *">="* ]] || min=${name#*>=} name=${name%%>=*}
        have=${installed[$name]:-}
        if [[ -z $have ]] || { [[ -n $min ]] && dpkg --compare-versions "$have" lt "$min"; }; then
            echo "$name"
        fi
    done <<<"$(packages)"
    # Any node from 18 on will do to start with, wherever it came from; tools/node.sh gets a newer one.
    major=$(node_major || true)
    [[ ${major:-0} -ge 18 ]] || echo nodejs
    command -v npm >/dev/null || echo npm
}

[[ -r /etc/os-release ]] && . /etc/os-release
[[ ${VERSION_CODENAME:-} == bookworm ]] ||
    die "this script knows Debian 12 (bookworm); on ${PRETTY_NAME:-this system} install the equivalents of tools/deps.sh --list"

list=$(missing)
[[ -n $list ]] || exec "$(dirname "$0")/node.sh"
mapfile -t want <<<"$list"
echo "deps: installing ${want[*]}"

sudo=()
if [[ $(id -u) -ne 0 ]]; then
    command -v sudo >/dev/null || die "not root and no sudo; run this as root: tools/deps.sh"
    sudo=(sudo --preserve-env=DEBIAN_FRONTEND)
fi

# Mirrors configured for a suite.
suite_uris() {
    apt-get indextargets --format '$(REPO_URI) $(CODENAME)' 'Created-By: Packages' 2>/dev/null |
        awk -v s="$1" '$2 == s { print $1 }' | sort -u
}

# indextargets knows a suite only after its first update.
"${sudo[@]}" apt-get update -qq || die "apt-get update failed: see the messages above"
if [[ -z $(suite_uris bookworm-backports) ]]; then
    uri=$(suite_uris bookworm | head -1)
    [[ -n $uri ]] || die "apt has no entry for bookworm to take the mirror from; add one to /etc/apt/sources.list.d"
    "${sudo[@]}" tee /etc/apt/sources.list.d/berth.sources >/dev/null <<END
# Added by berth's tools/deps.sh: wasi-libc and linux-source-6.12 are newer there.
Types: deb
URIs: $uri
Suites: bookworm-backports
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
END
    "${sudo[@]}" apt-get update -qq || die "cannot read bookworm-backports at $uri"
fi

# Backports has the lower priority: it must be named where it is meant.
args=()
for p in "${want[@]}"; do
    case $p in
    wasi-libc | linux-source-6.12) args+=("$p/bookworm-backports") ;;
    *) args+=("$p") ;;
    esac
done
"${sudo[@]}" apt-get install -y --no-install-recommends "${args[@]}" ||
    die "apt could not install everything (clang-22 and chromium come from bookworm-security: is it configured?)"

list=$(missing)
[[ -z $list ]] || die "still missing after installation:" $list
exec "$(dirname "$0")/node.sh"
