# A Python programmer's work: scripts, one-liners, tools of the standard library.
set -e
command -v python3 >/dev/null || exit 0
mkdir -p /tmp/python
cp /work/python.py /tmp/python/
cd /tmp/python

python3 -c 'import sys; print(sys.version)'
python3 -V
for round in 1 2 3; do python3 python.py; done
echo '{"b": [1, 2.5, null, true, "text"], "a": {"nested": {}}}' | python3 -m json.tool --sort-keys
python3 -m timeit -n 2000 -r 2 -s 'l = list(range(200))' 'sorted(l, key=lambda v: -v); [v * 2 for v in l if v % 3]'
python3 -m calendar 2026 6
printf 'name,size\nx,1\ny,2\n' | python3 -c 'import csv, sys; print(sum(int(r["size"]) for r in csv.DictReader(sys.stdin)))'
printf 'x = 2\nfor i in range(3):\n    x *= x\nprint(x)\n1 / 0\n' | python3 - 2>&1 | tail -n 2
printf 'print(sum(range(10)))\ndef f(a):\n    return a * 2\n\nf(21)\nimport os; len(os.listdir("/"))\nexit()\n' | python3 -i 2>&1 | tail -n 3
rm -rf /tmp/python
echo done
