#!/bin/bash
# prepare.sh LAYOUT PROFILE OUT: makes OUT, an OCI image layout: the image of LAYOUT (tag latest) and one more layer, with
# PROFILE (guest/image/profile.mjs) as /usr/lib/berth/profile. The same input gives the same bytes. Blobs are links where
# the file system can.
set -euo pipefail

usage='usage: prepare.sh LAYOUT PROFILE OUT'
layout=${1:?$usage} profile=${2:?$usage} out=${3:?$usage}
command -v umoci >/dev/null || { echo "guest/image/prepare.sh: no umoci: apt-get install umoci" >&2; exit 1; }
# Times in the layer, as in build.sh.
export SOURCE_DATE_EPOCH=1767225600 LC_ALL=C
work=$(mktemp -d)
trap 'rm -rf "$work" "$out.new"' EXIT

# Only the last folder: it may not take the place of an image's own /usr/lib, or of a link there.
mkdir -p "$work/usr/lib/berth"
cp "$profile" "$work/usr/lib/berth/profile"
tar --create --file "$work/layer.tar" --directory "$work" --owner=0 --group=0 --numeric-owner \
    --mtime="@$SOURCE_DATE_EPOCH" --mode='u=rwX,go=rX' --sort=name --format=gnu usr/lib/berth

rm -rf "$out.new"
mkdir -p "$out.new"
# Blobs are never changed, only added and removed; the rest is written anew.
cp -rl "$layout/blobs" "$out.new/" 2>/dev/null || { rm -rf "$out.new/blobs"; cp -r "$layout/blobs" "$out.new/"; }
cp "$layout/oci-layout" "$layout/index.json" "$out.new/"
umoci raw add-layer --image "$out.new:latest" --history.created "$(date -u -d @$SOURCE_DATE_EPOCH +%FT%TZ)" "$work/layer.tar"
umoci gc --layout "$out.new"
rm -rf "$out"
mv "$out.new" "$out"
