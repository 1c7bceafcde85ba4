#!/bin/bash
# Builds the guest kernel: build.sh ARCH [CONFIG-ONLY]. Installs build/guest/ARCH/Image (and the
# kernel's gen_init_cpio, which makes our initramfs) from $CACHE/kernel/<key>, building it there when
# the key is new: the key covers fragments, patches, source package, compiler and how it is built.
# The source is Debian's linux-source package; nothing is downloaded. Takes 7-25 minutes with 2 jobs.
# With a second argument it stops after the configuration, to try out a fragment.
set -euo pipefail

arch=${1:?usage: build.sh ARCH [config]}
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
cache=${CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/berth}/kernel
series=6.12
tarball=/usr/src/linux-source-$series.tar.xz
jobs=${KERNEL_JOBS:-2}

# Variables on an outer make's command line (make bench ARCH=x86_64) would go before ours.
unset MAKEFLAGS MAKEOVERRIDES MFLAGS

die() { echo "guest/kernel/build.sh: $*" >&2; exit 1; }

case $arch in
riscv64) karch=riscv cross=riscv64-linux-gnu- target=Image image=arch/riscv/boot/Image ;;
# The ELF file: what is compressed the guest would have to unpack, at its speed.
x86_64) karch=x86_64 cross=x86_64-linux-gnu- target=vmlinux image=vmlinux ;;
# For v86, which only the bench uses.
i386) karch=i386 cross=x86_64-linux-gnu- target=bzImage image=arch/x86/boot/bzImage ;;
*) die "no kernel for '$arch'; there is: riscv64, x86_64, i386" ;;
esac
fragments=("$here/common.config" "$here/$arch.config" "$here/oci.config")
[ $arch != i386 ] || fragments=("$here/i386.config")

[ -r "$tarball" ] || die "$tarball is missing: apt-get install linux-source-$series (bookworm-backports)"
command -v ${cross}gcc >/dev/null || die "no ${cross}gcc: tools/deps.sh installs it"
version=$(dpkg-query -W -f '${Version}' linux-source-$series)

# A line of a fragment that is not in the final configuration means a wrong name or a missing
# dependency; `# CONFIG_X is not set` also holds when X cannot exist.
check_config() {
    local config=$1 line name bad=0
    while IFS= read -r line; do
        case $line in
        CONFIG_*=*) grep -qxF -- "$line" "$config" || { echo "  did not stick: $line" >&2; bad=1; } ;;
        '# CONFIG_'*' is not set')
            name=${line#\# }; name=${name% is not set}
            ! grep -q "^$name=" "$config" || { echo "  is set: $name" >&2; bad=1; } ;;
        esac
    done < <(cat "${fragments[@]}")
    [ $bad = 0 ] || die "the lines above are not in the final configuration $config"
}

unpack() {
    local patch
    src=$cache/src-$version-$(cat "$here"/patches/* | sha256sum | cut -c1-8)
    if [ ! -d "$src" ]; then
        echo "unpacking $tarball"
        rm -rf "$src.new" && mkdir "$src.new"
        tar xf "$tarball" -C "$src.new" --strip-components=1
        for patch in "$here"/patches/*.patch; do
            patch -s -d "$src.new" -p1 <"$patch" || die "$patch does not apply to $version"
        done
        mv "$src.new" "$src"
    fi
}

build() {
    local src obj=$cache/obj-$arch-$key
    unpack
    # The same bytes wherever and whenever it is built.
    export KBUILD_BUILD_USER=berth KBUILD_BUILD_HOST=berth KBUILD_BUILD_VERSION=1
    export KBUILD_BUILD_TIMESTAMP='Thu Jan  1 00:00:00 UTC 2026' SOURCE_DATE_EPOCH=1767225600
    export LC_ALL=C ARCH=$karch CROSS_COMPILE=$cross
    mkdir -p "$obj"
    local make=(make -s -C "$src" O="$obj")
    "${make[@]}" tinyconfig
    (cd "$src" && scripts/kconfig/merge_config.sh -m -O "$obj" "$obj/.config" "${fragments[@]}") \
        >"$obj/merge.log"
    "${make[@]}" olddefconfig
    check_config "$obj/.config"
    [ "${1:-}" = "" ] || { echo "$obj/.config"; exit 0; }
    echo "building the $arch kernel in $obj ($jobs jobs); log: $obj/build.log"
    nice "${make[@]}" -j"$jobs" $target >"$obj/build.log" 2>&1 ||
        { tail -30 "$obj/build.log" >&2; die "the kernel did not build; log: $obj/build.log"; }
    rm -rf "$out.new" && mkdir "$out.new"
    cp "$obj/.config" "$obj/System.map" "$obj/usr/gen_init_cpio" "$out.new/"
    case $target in
    vmlinux) ${cross}strip -o "$out.new/Image" "$obj/$image" ;;
    *) cp "$obj/$image" "$out.new/Image" ;;
    esac
    mv "$out.new" "$out"
    # Three gigabytes that only a change of the configuration would need again.
    [ "${KEEP_KERNEL_OBJ:-}" != "" ] || rm -rf "$obj" "$src"
}

# Comments and what only finds or installs a finished kernel are not in it.
inputs() {
    echo "$arch $version $karch $target $image"
    ${cross}gcc --version | head -1
    ${cross}ld --version | head -1
    cat "${fragments[@]}" "$here"/patches/*
    declare -f unpack build
}
key=$(inputs | sha256sum | cut -c1-16)
out=$cache/$arch-$key

mkdir -p "$cache"
if [ ! -f "$out/Image" ] || [ "${2:-}" != "" ]; then
    exec 9>"$cache/lock" && flock 9 # a second make waits for the first one's build
    [ -f "$out/Image" ] && [ "${2:-}" = "" ] || build "${2:-}"
fi
dest=$top/build/guest/$arch
mkdir -p "$dest"
for f in Image System.map gen_init_cpio; do
    cmp -s "$out/$f" "$dest/$f" || cp "$out/$f" "$dest/$f"
done
cp "$out/.config" "$dest/kernel.config"
