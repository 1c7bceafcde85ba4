# stress-ng: every method of its processor classes, checked.
# long
# seconds 1800
check() { stress-ng --verify --no-rand-seed -t 300 "$@" >log 2>&1 || { echo "$*"; grep -E 'fail|error|unsucc' log; }; }
methods() { stress-ng "--$1-method" none 2>&1 | sed 's/.*: //' | tr ' ' '\n' | grep -vxE "all|none|" ; }
echo "$(methods cpu | wc -l) methods"
for m in $(methods cpu); do check --cpu 1 --cpu-method $m --cpu-ops 2; done
for m in $(methods vecfp); do check --vecfp 1 --vecfp-method $m --vecfp-ops 1; done
for m in $(methods vecshuf); do check --vecshuf 1 --vecshuf-method $m --vecshuf-ops 1; done
for m in $(methods matrix); do check --matrix 1 --matrix-method $m --matrix-ops 2 --matrix-size 32; done
for c in vecmath vecwide memcpy; do check --$c 1 --$c-ops 3; done
echo done
