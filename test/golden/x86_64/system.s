cpuid
rdtsc
syscall
