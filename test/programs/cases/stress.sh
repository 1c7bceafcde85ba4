# stress-ng checks what it computes: a little of each class.
one() { stress-ng --verify --no-rand-seed -t 100 "$@" 2>&1 | grep -v 'no CPUs' | sed -nE 's/.*(fail:|error:)/\1/p; s/.*\] (passed|failed): (.*)/\1 \2/p' | tr '\n' ' '; echo "$1"; }
for m in ackermann bitops callfunc complex crc16 decimal128 dither div64 double explog factorial fibonacci float128 gcd gray hamming \
    hash int128 int32float int64double int8 jenkin ln2 longdouble loop matrixprod nsqrt omega parity phi pi pjw psi queens rgb sdbm \
    sieve sqrt trig union zeta; do
    stress-ng --verify --no-rand-seed -t 100 --cpu 1 --cpu-method $m --cpu-ops 1 2>&1 | grep -E 'fail:|error:|unsucc' | grep -v 'no CPUs' | sed "s/^/$m: /"
done
for c in vecmath vecfp vecshuf vecwide memcpy bitonicsort qsort str wcs matrix prime; do
    one --$c 1 --$c-ops 1
done
