# ptrace: system calls, children, signals.
strace -f -o t sh -c 'cat /etc/passwd | wc -l >/dev/null; kill -USR1 $$' 2>/dev/null
grep -cE ' (clone|clone3|vfork|fork)\(' t | sed 's/^/children /'
grep -oE 'execve\("[^"]*"' t
grep -oE 'SIGUSR1 \{si_signo=[A-Z0-9]*' t | sort | uniq -c | tr -s ' '
sed -n 's/^[0-9]* *//; /+++/p' t
strace -e trace=write -e inject=write:error=ENOSPC:when=1 echo x 2>&1 | grep -o 'write(1.*' | head -1
strace -c -o c ls / >/dev/null && awk '$NF == "total" { print ($4 > 20) }' c
