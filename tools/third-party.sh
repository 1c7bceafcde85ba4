#!/bin/bash
# Third-party C libraries, pinned.
#
#   tools/third-party.sh native|wasm
#
# native  Debian's -dev packages (zlib, libzstd, cJSON, libfdt, mbedcrypto) plus Berkeley SoftFloat 3e
# wasm    the same libraries from Debian's source packages, built with clang for wasm32-wasip1
#
# Sources come from the Debian mirror this machine is configured with, through a private apt directory,
# and every file must have the sha256 of tools/pins.txt. Results live in $CACHE/third-party/<hash>, the
# hash being over this script, the pins and the compiler's version; build/third-party/<kind>.mk then
# names their flags for the Makefile. Nothing is downloaded when the cache has it.
set -euo pipefail
export LC_ALL=C

kind=${1:-}
[[ $kind == native || $kind == wasm ]] || { echo "usage: tools/third-party.sh native|wasm" >&2; exit 2; }
top=$(cd "$(dirname "$0")/.." && pwd)
cache=${CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/berth}
pins=$top/tools/pins.txt
out_mk=${BUILD:-$top/build}/third-party/$kind.mk

die() { echo "third-party: $*" >&2; exit 1; }
need() { command -v "$1" >/dev/null || die "$1 is missing; run 'make deps' to install what the build needs"; }

if [[ $kind == native ]]; then
    cc=(gcc) ar=ar
else
    cc=(clang-22 --target=wasm32-wasip1 --no-wasm-opt) ar=llvm-ar-22
fi
need "${cc[0]}"
need $ar
hash=$({ cat "$0" "$pins"; "${cc[0]}" --version | head -1; dpkg-query -W wasi-libc 2>/dev/null || true; } |
    sha256sum | cut -c1-16)
dest=$cache/third-party/$hash/$kind

# --- sources ---------------------------------------------------------------------------------------

# A private apt directory with deb-src entries for the mirrors already configured for this release, so
# that neither /etc/apt nor root is needed. The signed indexes are checked as usual.
apt_dir=
apt_private() {
    apt-get -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$apt_dir/etc" \
        -o Dir::State::lists="$apt_dir/lists" -o Dir::Cache="$apt_dir/cache" \
        -o APT::Sandbox::User=root -o Acquire::Retries=3 -qq "$@"
}
apt_open() {
    [[ -z $apt_dir ]] || return 0
    need apt-get
    apt_dir=$work/apt
    mkdir -p "$apt_dir"/{etc,lists/partial,cache/archives/partial}
    local code uri suite keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    code=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    [[ $code == bookworm ]] || die "sources are pinned for Debian 12 (bookworm); this is '${code:-not Debian}'"
    apt-get indextargets --format '$(REPO_URI) $(CODENAME)' 'Created-By: Packages' 2>/dev/null |
        sort -u | while read -r uri suite; do
        case $suite in
        "$code" | "$code-updates") # not -security: mirrors of it may list sources they do not hold
            printf 'Types: deb-src\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: %s\n\n' \
                "$uri" "$suite" "$keyring" ;;
        esac
    done >"$apt_dir/etc/src.sources"
    [[ -s $apt_dir/etc/src.sources ]] || die "apt has no $code entry to take a mirror from"
    apt_private update || die "cannot read the source index of the configured Debian mirror"
}

# fetch PACKAGE: its pinned files into $cache/sources, each checked.
fetch() {
    local pkg=$1 version file sum missing=
    mkdir -p "$cache/sources"
    while read -r _ version file sum; do
        echo "$sum  $cache/sources/$file" | sha256sum --check --status 2>/dev/null || missing=$version
    done < <(grep "^$pkg " "$pins")
    [[ -n $missing ]] || return 0
    apt_open
    mkdir -p "$work/dl"
    local only=()
    grep -q "^$pkg .*\.dsc " "$pins" || only=(--tar-only)
    echo "third-party: fetching the source of $pkg" >&2
    (cd "$work/dl" && { apt_private source --only-source --download-only "${only[@]}" "$pkg=$missing" ||
        apt_private source --only-source --download-only "${only[@]}" "$pkg"; }) >/dev/null ||
        die "the mirror does not have the source of $pkg"
    while read -r _ version file sum; do
        [[ -f $work/dl/$file ]] ||
            die "the mirror no longer has $file ($pkg $version); choose its successor in tools/pins.txt"
        echo "$sum  $work/dl/$file" | sha256sum --check --status || die "$file does not have the pinned sha256"
        mv "$work/dl/$file" "$cache/sources/$file"
    done < <(grep "^$pkg " "$pins")
}

# unpack PACKAGE DIR: with Debian's patches where the .dsc is pinned.
unpack() {
    local dsc
    dsc=$(awk -v p="$1" '$1 == p && $3 ~ /\.dsc$/ { print $3 }' "$pins")
    need dpkg-source
    dpkg-source --no-check -x "$cache/sources/$dsc" "$2" >/dev/null 2>"$work/dpkg.log" ||
        { cat "$work/dpkg.log" >&2; die "cannot unpack $dsc"; }
}

# --- compiling -------------------------------------------------------------------------------------

# archive NAME FLAGS... -- FILES...: lib/libNAME.a. Warnings are the libraries' own business.
archive() {
    local name=$1 flags=() f o objs=()
    shift
    while [[ $1 != -- ]]; do flags+=("$1"); shift; done
    shift
    mkdir -p "$work/o/$name" "$stage/lib"
    for f in "$@"; do
        o=$work/o/$name/$(basename "$f" .c).o
        "${cc[@]}" -std=gnu11 -O2 -w -ffunction-sections -fdata-sections "${flags[@]}" -c "$f" -o "$o" ||
            die "$name: $f does not compile"
        objs+=("$o")
    done
    $ar rcs "$stage/lib/lib$name.a" "${objs[@]}"
}

# Berkeley SoftFloat 3e, RISC-V's NaN rules. The state (rounding mode, flags) is per thread, so two VMs
# can run in two threads: SOFTFLOAT_FLAGS must be the same for the library and its users.
softfloat_flags=(-DTHREAD_LOCAL=_Thread_local)
build_softfloat() {
    fetch qemu
    mkdir -p "$work/qemu"
    tar xJf "$cache/sources/$(awk '$1 == "qemu" { print $3 }' "$pins")" -C "$work/qemu" --strip-components=1 \
        --wildcards '*/tests/fp/berkeley-softfloat-3/*' '*/roms/opensbi/lib/utils/libfdt/*' 2>/dev/null ||
        true # tar complains when a pattern is missing; the checks below say it better
    local src=$work/qemu/tests/fp/berkeley-softfloat-3/source files=() f
    [[ -d $src/RISCV ]] || die "the qemu source holds no SoftFloat with a RISCV specialisation"
    mkdir -p "$stage/include" "$work/sfcfg"
    cat >"$work/sfcfg/platform.h" <<'H'
#define LITTLEENDIAN 1
#define INLINE_LEVEL 5
#define INLINE static inline
#define SOFTFLOAT_BUILTIN_CLZ 1
#define SOFTFLOAT_INTRINSIC_INT128 1
#include "opts-GCC.h"
H
    # Files named ...M.c are for machines without 64-bit integers; they exclude SOFTFLOAT_FAST_INT64.
    for f in "$src"/*.c "$src"/RISCV/*.c; do
        case $f in *M.c | *M_*.c) ;; *) files+=("$f") ;; esac
    done
    # A second specialisation (8086-SSE) would define the same symbols: it will need them renamed.
    archive softfloat-riscv -I"$work/sfcfg" -I"$src/RISCV" -I"$src/include" "${softfloat_flags[@]}" \
        -DSOFTFLOAT_ROUND_ODD -DSOFTFLOAT_FAST_DIV32TO16 -DSOFTFLOAT_FAST_DIV64TO32 \
        -DSOFTFLOAT_FAST_INT64 -- "${files[@]}"
    cp "$src"/include/softfloat{,_types}.h "$stage/include/"
}

build_wasm() {
    local p d
    for p in zlib libzstd mbedtls cjson; do
        fetch $p
        unpack $p "$work/$p"
    done
    mkdir -p "$stage/include"/{cjson,mbedtls}

    d=$work/zlib
    archive z -I"$d" -DHAVE_UNISTD_H -- \
        "$d"/{adler32,crc32,deflate,infback,inffast,inflate,inftrees,trees,zutil,compress,uncompr}.c
    cp "$d"/{zlib,zconf}.h "$stage/include/"

    d=$work/libzstd/lib # the decoder only
    archive zstd -I"$d" -DZSTD_DISABLE_ASM -DZSTD_LEGACY_SUPPORT=0 -DXXH_NAMESPACE=ZSTD_ -- \
        "$d"/common/*.c "$d"/decompress/*.c
    cp "$d"/{zstd,zstd_errors}.h "$stage/include/"

    d=$work/cjson
    archive cjson -I"$d" -- "$d"/cJSON.c
    cp "$d"/cJSON.h "$stage/include/cjson/"

    # SHA-256 and nothing else; the configuration is ours so that users need no define.
    d=$work/mbedtls
    cp "$d"/include/mbedtls/{sha256,platform_util}.h "$stage/include/mbedtls/"
    cat >"$stage/include/mbedtls/config.h" <<'H'
#ifndef MBEDTLS_CONFIG_H
#define MBEDTLS_CONFIG_H
#define MBEDTLS_SHA256_C
#endif
H
    archive mbedcrypto -I"$stage/include" -I"$d/include" -I"$d/library" -- \
        "$d"/library/{sha256,platform_util}.c

    build_softfloat # unpacks libfdt as well
    d=$work/qemu/roms/opensbi/lib/utils/libfdt
    [[ -f $d/fdt_sw.c ]] || die "the qemu source holds no libfdt"
    # This copy of libfdt runs inside OpenSBI without a libc; its environment header is the part that
    # every embedder writes for itself.
    cat >"$d/libfdt_env.h" <<'H'
#ifndef LIBFDT_ENV_H
#define LIBFDT_ENV_H
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
typedef uint16_t fdt16_t;
typedef uint32_t fdt32_t;
typedef uint64_t fdt64_t;
static inline uint16_t fdt16_to_cpu(fdt16_t x) { return __builtin_bswap16(x); }
static inline uint32_t fdt32_to_cpu(fdt32_t x) { return __builtin_bswap32(x); }
static inline uint64_t fdt64_to_cpu(fdt64_t x) { return __builtin_bswap64(x); }
static inline fdt16_t cpu_to_fdt16(uint16_t x) { return __builtin_bswap16(x); }
static inline fdt32_t cpu_to_fdt32(uint32_t x) { return __builtin_bswap32(x); }
static inline fdt64_t cpu_to_fdt64(uint64_t x) { return __builtin_bswap64(x); }
#endif
H
    archive fdt -I"$d" -- "$d"/fdt*.c
    cp "$d"/{fdt,libfdt,libfdt_env}.h "$stage/include/"
}

# --- a program that uses every library once --------------------------------------------------------

smoke_test() {
    cat >"$work/smoke.c" <<'C'
#include <cjson/cJSON.h>
#include <libfdt.h>
#include <mbedtls/sha256.h>
#include <softfloat.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#define CHECK(what, cond)                                                                                    \
    do {                                                                                                     \
        if (!(cond)) {                                                                                       \
            printf("smoke test: %s gives a wrong answer\n", what);                                           \
            return 1;                                                                                        \
        }                                                                                                    \
    } while (0)

int main(void) {
    unsigned char packed[256], text[64] = {0}, sum[32];
    uLongf plen = sizeof packed, tlen = sizeof text;
    CHECK("zlib", compress(packed, &plen, (const Bytef *)"hello hello hello", 18) == Z_OK &&
                      uncompress(text, &tlen, packed, plen) == Z_OK && !strcmp((char *)text, "hello hello hello"));
    // A zstd frame with one raw block "hi\n".
    static const unsigned char frame[] = {0x28, 0xb5, 0x2f, 0xfd, 0x20, 0x03, 0x19, 0, 0, 'h', 'i', '\n'};
    CHECK("zstd", ZSTD_decompress(text, sizeof text, frame, sizeof frame) == 3 && !memcmp(text, "hi\n", 3));
    cJSON *j = cJSON_Parse("{\"size\": 12345}");
    cJSON *size = cJSON_GetObjectItem(j, "size");
    CHECK("cJSON", size && size->valuedouble == 12345);
    cJSON_Delete(j);
    CHECK("mbedtls sha256", mbedtls_sha256_ret((const unsigned char *)"abc", 3, sum, 0) == 0 &&
                                sum[0] == 0xba && sum[1] == 0x78 && sum[31] == 0xad);
    static char tree[1024];
    CHECK("libfdt", fdt_create_empty_tree(tree, sizeof tree) == 0 &&
                        fdt_setprop_string(tree, 0, "model", "berth") == 0 && fdt_pack(tree) == 0 &&
                        !strcmp(fdt_getprop(tree, 0, "model", 0), "berth"));
    // 1.5^3 + rounding; and RISC-V: 0/0 is the canonical positive quiet NaN and sets NV.
    float64_t x = {0x3ff8000000000000ull}, zero = {0};
    CHECK("softfloat fma", f64_mulAdd(x, x, x).v == 0x400e000000000000ull);
    softfloat_exceptionFlags = 0;
    CHECK("softfloat NaN", f64_div(zero, zero).v == 0x7ff8000000000000ull);
    CHECK("softfloat flags", softfloat_exceptionFlags == softfloat_flag_invalid);
    CHECK("softfloat to int", f64_to_ui64((float64_t){0xbff0000000000000ull}, softfloat_round_minMag, 1) == 0);
    return 0;
}
C
    "${cc[@]}" -std=gnu11 -Wall -Wextra -Wshadow -Wundef -Wstrict-prototypes -Werror "${cflags[@]}" \
        "$work/smoke.c" "${libs[@]}" -o "$work/smoke" || die "a program using the libraries does not link"
    if [[ $kind == native ]]; then
        "$work/smoke" || die "the libraries do not work"
    elif command -v node >/dev/null; then
        cat >"$work/smoke.mjs" <<'J'
import { readFileSync } from 'node:fs';
import { WASI } from 'node:wasi';
const wasi = new WASI({ version: 'preview1', args: ['smoke'], returnOnExit: true });
const module = await WebAssembly.compile(readFileSync(process.argv[2]));
process.exitCode = wasi.start(await WebAssembly.instantiate(module, wasi.getImportObject()));
J
        node --no-warnings "$work/smoke.mjs" "$work/smoke" || die "the libraries do not work"
    fi
}

set_flags() { # of the tree at $1
    cflags=(-isystem "$1/include" "${softfloat_flags[@]}")
    if [[ $kind == native ]]; then
        libs=("$1/lib/libsoftfloat-riscv.a" -lzstd -lz -lcjson -lfdt -lmbedcrypto)
    else
        libs=("$1"/lib/lib{softfloat-riscv,zstd,z,cjson,fdt,mbedcrypto}.a)
    fi
}

if [[ ! -f $dest/ok ]]; then
    work=$(mktemp -d "${TMPDIR:-/tmp}/berth-third-party.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    stage=$work/stage
    mkdir -p "$stage"
    if [[ $kind == native ]]; then build_softfloat; else build_wasm; fi
    set_flags "$stage"
    smoke_test
    touch "$stage/ok"
    mkdir -p "$(dirname "$dest")"
    # Two builds may race; the loser's copy is the same.
    mv -T "$stage" "$dest" 2>/dev/null || [[ -f $dest/ok ]] || die "cannot write $dest"
fi

set_flags "$dest"
prefix=
[[ $kind == native ]] || prefix=W
mkdir -p "$(dirname "$out_mk")"
{
    echo "# Written by tools/third-party.sh."
    echo "${prefix}THIRD_CFLAGS := ${cflags[*]}"
    echo "${prefix}THIRD_LIBS := ${libs[*]}"
} >"$out_mk.tmp"
if cmp -s "$out_mk.tmp" "$out_mk"; then rm "$out_mk.tmp"; touch "$out_mk"; else mv "$out_mk.tmp" "$out_mk"; fi
