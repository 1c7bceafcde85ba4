# What people do in a shell: look at files, search and change text, loops, archives, an editor.
set -e
has() { command -v "$1" >/dev/null; }
mkdir -p /tmp/shell
cd /tmp/shell

ls -la / /etc /usr/bin >listing
ls -lRt /usr/lib | head -n 3000 >>listing
find /usr -name '*.h' -size +8k | sort >headers
find /etc -type f -exec cat {} + 2>/dev/null >text
du -s /usr/share /etc >/dev/null
df >/dev/null
stat -c '%n %s %y' /etc/* >/dev/null

grep -c . text listing
grep -rn 'include' /etc | head -n 50 >/dev/null
grep -Ei '^[a-z_]+ *= *("[^"]*"|[0-9]+)' text | wc -l
sort listing | uniq -c | sort -rn | head -n 40 >/dev/null
sort -k5,5n -k9 listing | tail -n 5
cut -d: -f1,7 /etc/passwd | tr a-z A-Z | paste - - | expand | fold -w 60 >/dev/null
sed -n -e 's/^\(-[rwx-]*\) *[0-9]* root/\1 ROOT/p' -e '/^d/d' listing | head -n 500 >changed
sed 's/[0-9][0-9]*/<&>/g; y/abc/xyz/' text | tail -n 20 >/dev/null
head -c 200000 text | od -An -tx1 | tail -n 2
wc text; cksum text; md5sum text; sha256sum text
cp text copy; echo one more >>copy
diff text copy || [ $? = 1 ]
cmp text copy || [ $? = 1 ]
comm -12 headers headers | join - headers | tee joined | tac | nl | tail -n 3
if has awk; then
    awk '{ n[$1]++; bytes += $5 } END { for (k in n) printf "%-12s %d\n", k, n[k]; print bytes / 1024 }' listing | sort | head -n 5
    awk -F: 'length($0) > 20 { gsub(/[aeiou]/, "-"); print toupper(substr($1, 1, 3)), NF }' text | sort | uniq -c | head -n 5
fi

# Loops, functions, arithmetic, quoting, pipes, here documents.
i=0 sum=0
while [ $i -lt 3000 ]; do
    i=$((i + 1))
    case $((i % 7)) in 0) sum=$((sum + i)) ;; [1-3]) sum=$((sum - 1)) ;; *) : ;; esac
done
echo "$sum"
join_words() { local out= w; for w in "$@"; do out=$out${out:+,}${w%.*}; done; echo "$out"; }
join_words /usr/include/*.h | head -c 300
for f in /usr/bin/*[a-m]; do [ -x "$f" ] && [ ! -L "$f" ] && echo "${f##*/}"; done | wc -l
while read -r user rest; do printf '%-20s|%5d\n' "$user" ${#rest}; done <listing | tail -n 2
for i in 1 2 3 4 5 6 7 8; do name=$(basename "/tmp/shell/$(date +%s)-$i.txt" .txt); echo "$name" >"$name"; done
expr "$(ls | wc -l)" \* 2
cat <<END | tr ' ' '\n' | sort -u | xargs -n 4 echo
the quick brown fox $(uname -m) jumps over $((6 * 7)) lazy dogs
END
mkdir -p a/b/c; touch a/b/c/file; mv a/b/c/file a/b/; ln -sf b/file a/link; readlink -f a/link; chmod 600 a/b/file; rm -r a
sleep 0.05; (exit 3) || echo "status $?"; kill -0 $$; true | false || env | sort | head -n 3
test -d /proc/self && cat /proc/self/status /proc/meminfo /proc/cpuinfo >/dev/null
if has ps; then ps aux; ps -ef >/dev/null; free >/dev/null; top -b -n 1 | head -n 8; fi

if has bash; then
    bash -c 'declare -A n; for ((i = 0; i < 2000; i++)); do k=x$((i % 40)); ((n[$k] += i)); s+=${k^^}; done
        echo ${#n[@]} ${n[x7]} ${s:10:20}; a=(${!n[@]}); printf "%s\n" "${a[@]/x/y-}" | sort -t- -k2n | head -n 3
        [[ "key = value" =~ ^([a-z]+)\ *=\ *(.*)$ ]] && echo "${BASH_REMATCH[2]}"; mapfile -t l </etc/passwd; echo ${#l[@]}
        f() { local d=$1; ((d > 0)) && f $((d - 1)) || echo deep; }; f 200; echo {a..f}{1..9} | wc -w'
fi
if has tar; then
    tar cf some.tar /usr/share/doc /etc 2>/dev/null || :
    tar tvf some.tar | tail -n 1
    mkdir -p out; tar xf some.tar -C out; rm -rf out
    gzip -kf some.tar; gzip -t some.tar.gz; zcat some.tar.gz | tail -c 2000 | cksum
fi
if has perl; then
    perl -ne '$n{lc $1}++ while /([A-Za-z]{4,})/g; END { print "$_ $n{$_}\n" for (sort { $n{$b} <=> $n{$a} || $a cmp $b } keys %n)[0..4] }' text
    perl -e 'my @l = map { { id => $_, name => "n" . $_ * 7 % 101 } } 1 .. 2000; my %h; push @{$h{$_->{name}}}, $_ for @l;
        print join(",", map { sprintf "%s:%d", $_, scalar @{$h{$_}} } (sort keys %h)[0..3]), "\n"'
fi
# On a terminal, so they draw. Who waits for a key ends after a while.
if has less; then
    head -n 5 listing | timeout --foreground 5 less -FX >/dev/tty || :
    timeout --foreground 3 less -E +G listing >/dev/tty </dev/tty || :
fi
if has vi; then
    cp listing edited
    TERM=xterm timeout --foreground 20 vi -u NONE -c 'set nocp nu' -c ':%s/root/ROOT/g' -c 'normal! Gokey word' -c 'normal! ggdd3jyyP' -c 'redraw!' -c '/bin' \
        -c 'g/^d/m0' -c 'redraw!' -c wq edited </dev/tty >/dev/tty || :
    wc -l edited
fi
rm -rf /tmp/shell
echo done
