#!/bin/bash
# build.sh ARCH NAME: makes build/images/ARCH/NAME, an ordinary OCI image layout (tag latest).
#   debian-gcc    Debian with gcc, make, less, vi: the demo; from Debian packages (needs the mirror)
#   scratch-test  one static binary and nothing else: probe.c, which tests drive
#   busybox       Debian's static busybox: the smallest thing with a shell; what `make bench` runs its hot rows in
#   debian-bench  Debian with gcc and python3, for the other rows of `make bench`
#   debian-programs  debuggers, interpreters, compiled languages, self-tests of CPUs and i386 libraries, for
#                 test/cli/programs_test.py (x86_64 only)
# Kept in $CACHE/images/<key>, the key covering what decides the content; a new key means a new download.
# Runs as root, or as a user with a range in /etc/subuid (and the package uidmap).
set -euo pipefail

usage='usage: build.sh ARCH debian-gcc|scratch-test|busybox|debian-bench|debian-programs'
arch=${1:?$usage} name=${2:?$usage}
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
cache=${CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/berth}/images
dest=$top/build/images/$arch/$name
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
# Times in the images; also stands for the day of the build.
export SOURCE_DATE_EPOCH=1767225600 LC_ALL=C
created=$(date -u -d @$SOURCE_DATE_EPOCH +%FT%TZ)

die() { echo "guest/image/build.sh: $*" >&2; exit 1; }
need() { command -v "$1" >/dev/null || die "no $1: apt-get install $2"; }

case $arch in
riscv64)
    suite=trixie gcc=riscv64-linux-gnu-gcc qemu=qemu-riscv64-static
    # As the ELF header says: class, byte order, machine 243; the mask leaves the OS ABI open.
    magic='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xf3\x00'
    mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff' ;;
x86_64 | amd64)
    # Debian and OCI call it amd64; so does uname from here on, where its programs run as they are.
    [ "$(uname -m)" != x86_64 ] || uname() { echo amd64; }
    arch=amd64 suite=trixie gcc=x86_64-linux-gnu-gcc qemu=qemu-x86_64-static
    magic='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x3e\x00'
    mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff' ;;
# Unpacked only, for the bench.
i386) suite=trixie gcc=i686-linux-gnu-gcc qemu=qemu-i386-static magic= mask= ;;
*) die "no images for '$arch'; there is: riscv64, x86_64, i386" ;;
esac

# Runs a script of ours with uids 0-65535 in a private user and mount namespace where programs of
# $arch run through qemu: the machine's own binfmt_misc is neither needed nor changed (Linux 6.7).
in_namespace() {
    local dir pid child
    if [ "$(id -u)" != 0 ]; then
        need newuidmap uidmap
        unshare --map-root-user --map-auto --mount --kill-child --fork "$BASH" "$@"
        return
    fi
    dir=$(mktemp -d)
    mkfifo "$dir/pid" "$dir/go"
    unshare --user --mount --kill-child --fork "$BASH" -c \
        'echo $PPID >"$0/pid"; read -r _ <"$0/go"; exec "$BASH" "$@"' "$dir" "$@" &
    child=$!
    read -r pid <"$dir/pid"
    echo '0 0 65536' >"/proc/$pid/uid_map"
    echo '0 0 65536' >"/proc/$pid/gid_map"
    echo >"$dir/go"
    rm -rf "$dir"
    wait $child
}

# The part of debian_tar inside the namespace. Only the suite itself, which changes with point
# releases: the same packages for a long time, and no mirror caught between two of its updates.
bootstrap() {
    if [ "$(uname -m)" != "$arch" ]; then
        mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
        echo ":berth-$arch:M::$magic:$mask:/usr/bin/$qemu:OCF" >/proc/sys/fs/binfmt_misc/register
    fi
    local exclude keep=()
    for exclude in /usr/share/man /usr/share/info /usr/share/lintian /usr/share/locale \
        /usr/share/doc/*; do
        keep+=(--dpkgopt="path-exclude=$exclude/*")
    done
    # A debugger of gcc itself, and the static twins of the sanitizers: a third of the image.
    keep+=(--dpkgopt='path-exclude=/usr/bin/*lto-dump*'
        --dpkgopt='path-exclude=/usr/lib/gcc/*/lib[altu]*san.a'
        --dpkgopt='path-exclude=/usr/share/vim/*/doc/*')
    # Licences stay; C.UTF-8 is part of libc-bin and not below /usr/share.
    keep+=(--dpkgopt='path-include=/usr/share/doc/*/copyright')
    mmdebstrap --variant=minbase --architectures="$arch" --mode=root --skip=check/qemu \
        --include=ca-certificates,gcc,less,libc6-dev,make,procps,vim-tiny \
        --aptopt='APT::Install-Recommends "false"' "${keep[@]}" \
        --customize-hook='rm -f "$1/etc/hostname" "$1/etc/resolv.conf"' \
        "$suite" "$1" \
        "deb [signed-by=$keyring] $mirror $suite main"
}

debian_tar() {
    need mmdebstrap mmdebstrap
    need $qemu qemu-user-static
    in_namespace "$here/build.sh" "$arch" --bootstrap "$1"
}

# The like of bootstrap for debian-bench. Not one function with it: a change to the text of bootstrap is
# a new demo image for everybody.
bootstrap_bench() {
    if [ "$(uname -m)" != "$arch" ]; then
        mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
        echo ":berth-$arch:M::$magic:$mask:/usr/bin/$qemu:OCF" >/proc/sys/fs/binfmt_misc/register
    fi
    mmdebstrap --variant=minbase --architectures="$arch" --mode=root --skip=check/qemu \
        --include=gcc,libc6-dev,python3 \
        --aptopt='APT::Install-Recommends "false"' \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        --dpkgopt='path-exclude=/usr/bin/*lto-dump*' \
        --dpkgopt='path-exclude=/usr/lib/gcc/*/lib[altu]*san.a' \
        --customize-hook='rm -f "$1/etc/hostname" "$1/etc/resolv.conf"' \
        "$suite" "$1" \
        "deb [signed-by=$keyring] $mirror $suite main"
}

debian_bench_tar() {
    need mmdebstrap mmdebstrap
    need $qemu qemu-user-static
    in_namespace "$here/build.sh" "$arch" --bootstrap-bench "$1"
}

# The like of bootstrap for debian-programs. gojq is written in Go, ripgrep in Rust; jq:i386 is there for the
# libraries. stress-ng brings graphics libraries of which it needs a few symbols to start.
bootstrap_programs() {
    mmdebstrap --variant=minbase --architectures=amd64,i386 --mode=root --skip=check/qemu \
        --include=gcc-multilib,libc6-dev,gdb,gojq,jq:i386,libpython3.13-testsuite,nodejs,openssl,perl \
        --include=python3,ripgrep,strace,stress-ng \
        --aptopt='APT::Install-Recommends "false"' \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
        --dpkgopt='path-exclude=/usr/bin/*lto-dump*' \
        --dpkgopt='path-exclude=/usr/lib/gcc/*san.a' --dpkgopt='path-exclude=/usr/lib/gcc/*san.so*' \
        --dpkgopt='path-exclude=/usr/libx32/*' --dpkgopt='path-exclude=/usr/lib/gcc/*/x32/*' \
        --dpkgopt='path-exclude=/usr/lib/*/libLLVM*' --dpkgopt='path-exclude=/usr/lib/*/libgallium*' \
        --dpkgopt='path-exclude=/usr/lib/*/libz3*' \
        --customize-hook='rm -f "$1/etc/hostname" "$1/etc/resolv.conf"' \
        "$suite" "$1" \
        "deb [signed-by=$keyring] $mirror $suite main"
}

debian_programs_tar() {
    need mmdebstrap mmdebstrap
    [ "$arch" = amd64 ] && [ "$(uname -m)" = amd64 ] || die "debian-programs is made for x86_64 on x86_64 only"
    in_namespace "$here/build.sh" "$arch" --bootstrap-programs "$1"
}

# Unpacked only, so nothing of $arch has to run.
busybox_tar() {
    need mmdebstrap mmdebstrap
    local applet
    mkdir -p "$work/root"/{bin,dev,proc,sys,tmp,root,etc}
    chmod 1777 "$work/root/tmp"
    in_namespace "$here/build.sh" "$arch" --extract-busybox "$work/extracted.tar"
    tar --extract --file "$work/extracted.tar" --to-stdout ./usr/bin/busybox >"$work/root/bin/busybox"
    chmod 755 "$work/root/bin/busybox"
    for applet in cat chmod cp echo free ls mkdir printf ps rm sh stty true; do
        ln -s busybox "$work/root/bin/$applet"
    done
    echo root:x:0:0:root:/root:/bin/sh >"$work/root/etc/passwd"
    tar --create --file "$1" --directory "$work/root" --owner=0 --group=0 --numeric-owner \
        --mtime="@$SOURCE_DATE_EPOCH" --sort=name .
}

extract_busybox() {
    mmdebstrap --quiet --variant=extract --architectures="$arch" --mode=root --skip=check/qemu \
        --include=busybox-static "$suite" "$1" \
        "deb [signed-by=$keyring] $mirror $suite main"
}

probe_tar() {
    need $gcc gcc-riscv64-linux-gnu
    mkdir "$work/root"
    $gcc -std=gnu11 -Os -Wall -Wextra -Werror -static -s -Wl,--build-id=none \
        -o "$work/root/probe" "$here/probe.c"
    tar --create --file "$1" --directory "$work/root" --owner=0 --group=0 --numeric-owner \
        --mtime="@$SOURCE_DATE_EPOCH" --sort=name probe
}

# Wraps one layer into a layout. $1 layer tar, $2 layout, the rest: options of umoci config.
layout() {
    local tar=$1 dir=$2
    shift 2
    umoci init --layout "$dir"
    umoci new --image "$dir:latest"
    umoci raw add-layer --image "$dir:latest" --history.created "$created" "$tar"
    umoci config --image "$dir:latest" --architecture "$arch" --os linux --no-history \
        --created "$created" \
        --config.env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"
    umoci gc --layout "$dir"
}

case $name in
--bootstrap) bootstrap "$3"; exit ;;
--bootstrap-bench) bootstrap_bench "$3"; exit ;;
--bootstrap-programs) bootstrap_programs "$3"; exit ;;
--extract-busybox) extract_busybox "$3"; exit ;;
esac

# Only what decides the content: making the demo image takes minutes.
inputs() {
    echo "$suite $mirror $SOURCE_DATE_EPOCH"
    case $name in
    debian-gcc) declare -f bootstrap debian_tar layout ;;
    scratch-test) declare -f probe_tar layout && cat "$here/probe.c" && $gcc --version ;;
    busybox) declare -f busybox_tar extract_busybox layout ;;
    debian-bench) declare -f bootstrap_bench debian_bench_tar layout ;;
    debian-programs) declare -f bootstrap_programs debian_programs_tar layout ;;
    esac
}
key=$(inputs | sha256sum | cut -c1-16)
out=$cache/$arch-$name-$key
if [ ! -f "$out/index.json" ]; then
    need umoci umoci
    mkdir -p "$cache"
    work=$(mktemp -d "$cache/work-XXXXXX")
    trap 'rm -rf "$work"' EXIT
    case $name in
    debian-gcc)
        debian_tar "$work/layer.tar"
        layout "$work/layer.tar" "$work/oci" --config.cmd bash --config.env LANG=C.UTF-8 \
            --config.workingdir /root ;;
    scratch-test)
        probe_tar "$work/layer.tar"
        layout "$work/layer.tar" "$work/oci" --config.entrypoint /probe --config.cmd show ;;
    busybox)
        busybox_tar "$work/layer.tar"
        layout "$work/layer.tar" "$work/oci" --config.cmd sh --config.workingdir /root ;;
    debian-bench | debian-programs)
        "${name/-/_}_tar" "$work/layer.tar"
        layout "$work/layer.tar" "$work/oci" --config.cmd bash --config.env LANG=C.UTF-8 \
            --config.workingdir /root ;;
    *) die "no image '$name'; $usage" ;;
    esac
    rm -rf "$out" && mv "$work/oci" "$out"
fi
cmp -s "$out/index.json" "$dest/index.json" && exit
mkdir -p "$(dirname "$dest")"
rm -rf "$dest.new" && cp -a "$out" "$dest.new"
chmod -R a+rX "$dest.new"
rm -rf "$dest" && mv "$dest.new" "$dest"
