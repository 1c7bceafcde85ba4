# gdb: breakpoints, single steps, a watchpoint and a breakpoint in debug registers, registers of all kinds.
# seconds 200
cat >g.c <<'C'
#include <stdio.h>
volatile int counter;
double scale = 1.5;
__attribute__((noinline)) int add(int a, int b) { counter += a; return a + b; }
int main(void)
{
    long double l = scale;
    double d = scale * 2;
    int s = 0;
    for (int i = 0; i < 5; i++)
        s = add(i, s);
    __asm__ volatile("vbroadcastsd %0, %%ymm3\n\tfldt %1" : : "m"(d), "m"(l) : "xmm3");
    puts("before");
    __asm__ volatile("fstp %st(0)");
    printf("%d %g %d\n", s, d, counter);
    return 7;
}
C
gcc -g -O0 -no-pie g.c -o g
cat >cmd <<'G'
set pagination off
set confirm off
set debuginfod enabled off
set breakpoint pending on
break add
run
bt
p $rip == (long)&add + 10 || $rip
stepi
stepi
p/x $eflags & 0x100
finish
watch counter
continue
continue
delete
hbreak puts
continue
up
p $ymm3.v4_double
p $xmm3.v4_int32
p $st0
p $ftag
p/x $mxcsr
p/x $fctrl
p $cs
p/x $fs_base != 0
set var s = 100
p s
p scale * s
p add(3, 4)
stepi
info watchpoints
delete
break 17
continue
p $_siginfo.si_signo
next
kill
quit
G
gdb -nx -q -batch -x cmd ./g 2>&1 | sed -E 's/process [0-9]+/process N/; s/0x00007f[0-9a-f]+|0x7f[0-9a-f]+/LIBC/g' | grep -vE 'libthread_db|^Using host|^$'
