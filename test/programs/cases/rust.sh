# A program in Rust: SIMD searches chosen by CPUID, threads, PCRE2's own JIT.
cd /usr/include
rg --sort path -c 'define' stdio.h stdlib.h math.h
rg -n '\bint\s+f[a-z]+ \(FILE' stdio.h | head -3
rg -P -o '(?<=#define )EX_\w+(?=.*\b64\b)' sysexits.h
rg -j4 --no-messages -l 'pthread_mutex_t' . | sort | head -5
rg -i -c 'INT(?:8|16)_t' stdint.h
rg --pre-glob '*.none' -U 'typedef struct\n +\{\n[^}]*quot' stdlib.h | head -4
seq 1 200000 | rg -c '9{2}'
seq 1 200000 | rg '^1(9|8)+$' | tail -2
printf 'gr\303\274\303\237e\n' | rg -o '\p{L}{4}'
