#!/bin/bash
# initramfs.sh GEN_INIT_CPIO INIT OUT: our part of the initramfs, a newc archive with /init and the
# console's device node. The host appends a second archive with /berth.conf. The kernel's own
# gen_init_cpio writes it, because making device nodes otherwise needs root. Same input, same bytes.
set -euo pipefail
gen=$1 init=$2 out=$3
"$gen" -t 0 - >"$out.new" <<LIST
dir /dev 0755 0 0
nod /dev/console 0600 0 0 c 5 1
file /init $init 0755 0 0
LIST
mv "$out.new" "$out"
