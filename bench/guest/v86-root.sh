#!/bin/bash
# v86-root.sh ROOTFS PROGRAMS OUT: the initramfs that v86 gets, busybox's tree with the programs at /bench and an
# init that puts a shell on the serial port. As lib/chromium.mjs does for ours: no terminal to speak of.
set -euo pipefail
rootfs=$1 programs=$2 out=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -a "$rootfs/." "$work"
mkdir -p "$work"/{bench,proc,sys,dev,tmp}
cp "$programs"/* "$work/bench"
cat >"$work/init" <<'END'
#!/bin/sh
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t tmpfs tmp /tmp
stty raw -echo && echo '@@0 0' && sh 2>&1 | cat
END
chmod 755 "$work/init"
(cd "$work" && find . -print0 | LC_ALL=C sort -z | cpio --quiet -0 -o -H newc -R 0:0) >"$out"
