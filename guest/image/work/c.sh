# A C programmer's work: compile, mend mistakes, make, run, look at what came out.
set -e
has() { command -v "$1" >/dev/null; }
has gcc || exit 0
rm -rf /tmp/c
cp -r /work/c /tmp/c
cd /tmp/c

# Mistakes, and their messages.
sed 's/;$//' list.c >wrong.c
gcc -Wall -c wrong.c 2>messages && exit 1
wc -l messages
printf 'int f(int x) { int unused; if (x = 1) return; char *s = 3; }\n' >warn.c
gcc -Wall -Wextra -fpermissive -c warn.c 2>messages || :

if has make; then
    make -s
    touch parse.c
    make
    make check
    make -s clean
fi
for options in -O0 '-O2 -Wall'; do
    for f in list words parse matrix; do gcc $options -c $f.c -o $f.o; done
    gcc $options main.c list.o words.o parse.o matrix.o -lm -o tool
    ./tool words <parse.c | head -n 3
    ./tool calc '(1 + 2) * 3 - 4 / (5 - 3)' '2 * (3 + 4) * 5' '1 / 0' || :
    ./tool sort 5000; ./tool solve 60
done
gcc -O2 -x c - -o one <<'END'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ctype.h>
#include <errno.h>

int main(int argc, char **argv) {
    char line[256];
    long total = 0;
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        for (char *p = line; *p; p++) *p = (char)toupper((unsigned char)*p);
        errno = 0;
        total += strtol(line, NULL, 10) + (long)strlen(line);
    }
    printf("%s %ld %5.2f\n", argc > 1 ? argv[1] : "total", total, (double)total / 3);
    return 0;
}
END
for i in 1 2 3 4 5; do ./one "$i" <list.c; done
gcc -Og -g words.c parse.c -c
gcc -S list.c; wc -l list.s
gcc -E list.c | tail -n 1
gcc -shared -fPIC -O2 list.c -o liblist.so
if has objdump; then objdump -d list.o | tail -n 2; nm one | head -n 2; size one; strip one; ar rc lib.a list.o words.o; fi
cd /
rm -rf /tmp/c
echo done
