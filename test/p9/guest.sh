#!/bin/bash
# Runs in the guest, in a directory served over 9p: what programs do to files, through Linux's own client.
# Argument: the kind of back end, posix or remote. Prints one line a failure and "checked N, failed M".
kind=$1
cd "$(dirname "$0")" || exit 1
n=0 failed=0
is() { # name, wanted, got
    n=$((n + 1))
    [ "$2" = "$3" ] && return
    failed=$((failed + 1))
    echo "FAIL $1: wanted '$2', got '$3'"
}

echo a >a; is create a "$(cat a)"
echo b >>a; is append "a b" "$(echo $(cat a))"
mv a b; is rename "a b" "$(echo $(cat b))"
[ -e a ]; is "renamed away" 1 $?
echo one >r1; echo two >r2; mv r1 r2; is "rename over" one "$(cat r2)"
ln -s b link; is "through link" "a b" "$(echo $(cat link))"; is readlink b "$(readlink link)"
links=1; [ $kind = posix ] && links=0
ln b hard 2>/dev/null; is "hard link" $links $?
mkdir -p x/y/z; touch x/y/z/f; is tree "x x/y x/y/z x/y/z/f" "$(echo $(find x | sort))"
mv x/y w; is "move directory" "w w/z w/z/f" "$(echo $(find w | sort))"
rmdir w 2>/dev/null; is "not empty" 1 $?
rm -rf x w; ls -d x w >/dev/null 2>&1; is "rm -rf" 2 $?

printf '#!/bin/sh\necho ran\n' >script; chmod +x script; is script ran "$(./script)"
sed -i s/ran/run/ script; is "sed -i" run "$(./script)"
chown 1000:1000 script; is ownership "1000 1000 755" "$(stat -c '%u %g %a' script)"
touch -d '2001-02-03 04:05:06' b; is times 2001-02-03 "$(stat -c %y b | cut -d' ' -f1)"
truncate -s 10 b; is truncate 10 "$(stat -c %s b)"
yes 0123456789 | head -c 20000000 >big; is "large file" "$(yes 0123456789 | head -c 20000000 | md5sum)" "$(md5sum <big)"
dd if=big of=big2 bs=77777 conv=notrunc 2>/dev/null; cmp big big2; is "odd sizes" 0 $?
printf X | dd of=big bs=1 seek=12345678 conv=notrunc 2>/dev/null
is "write in the middle" "X 20000000" "$(dd if=big bs=1 skip=12345678 count=1 2>/dev/null) $(stat -c %s big)"

exec 8>gone; echo kept >&8; exec 7<gone; rm gone; is "read after unlink" kept "$(cat <&7)"
echo more >&8; exec 8>&- 7<&-
exec 9>lock; flock -n 9; is lock 0 $?
(exec 8>lock; flock -n 8); is "locked out" 1 $?
flock -u 9; (exec 8>lock; flock -n 8); is unlocked 0 $?
exec 9>&-
mkfifo pipe; (echo through >pipe &); is fifo through "$(cat pipe)"
mknod null c 1 3; echo x >null; is device "character special file" "$(stat -c %F null)"
rm pipe null

cat >mm.c <<'C'
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
int main(void) {
    char got[8] = "";
    int fd = open("mapped", O_RDWR | O_CREAT | O_TRUNC, 0644);
    if (ftruncate(fd, 8192)) return 1;
    char *p = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED) return 2;
    strcpy(p + 4096, "shared");
    msync(p, 8192, MS_SYNC);
    if (pread(fd, got, 7, 4096) != 7 || strcmp(got, "shared")) return 3;
    unlink("mapped");
    return pread(fd, got, 7, 4096) != 7 || strcmp(p + 4096, "shared");
}
C
gcc mm.c -o mm && ./mm; is "shared mapping" 0 $?

cp -a /usr/include/linux/netfilter tree; diff -r --no-dereference /usr/include/linux/netfilter tree; is "cp -a" 0 $?
tar cf t.tar tree; mkdir u; tar xf t.tar -C u; diff -r tree u/tree; is tar 0 $?
mkdir many; (cd many; touch $(seq 500)); is readdir 500 "$(ls many | wc -l)"
rm -rf many; [ -e many ]; is "remove while reading" 1 $?
name=$(printf %255s | tr ' ' n); echo long >$name; is "long name" long "$(cat $name)"
(: >n$name) 2>/dev/null; is "too long a name" 1 $?
echo ü >"ü ö"; is utf-8 ü "$(cat ü*)"
for i in $(seq 20); do echo $i >parallel$i & done; wait; is parallel 20 "$(cat parallel* | wc -l)"

sync
echo "checked $n, failed $failed"
[ $failed = 0 ]
