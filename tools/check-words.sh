#!/bin/bash
# Things that must not be committed: paths of a developer's machine, unfinished-work markers, conflict
# markers, names of tools that wrote the text. Prints findings and "N passed, N failed".
set -euo pipefail
export LC_ALL=C
cd "$(dirname "$0")/.."

# Each pattern is written so that it does not match itself.
patterns=(
    '(^|[^A-Za-z0-9_.])/wor[k]/(main|shared|[.])'
    '(^|[^A-Za-z0-9_.])/roo[t]/[.](cache|config|npm)'
    '/hom[e]/[a-z]+/[.](cache|config|npm)'
    '\b(TO[D]O|FI[X]ME)\b'
    '^(<{7}|>{7}) '
    '[Cc]laud[e]|[Aa]nthropi[c]|[Cc]hatGP[T]|[Oo]penA[I]\b|LL[M][- ](agent|session)'
)

if git rev-parse --git-dir >/dev/null 2>&1; then
    list=(git ls-files -z --cached --others --exclude-standard)
else
    list=(find . -type f -not -path './build/*' -not -path '*/node_modules/*' -not -path './.git/*' -print0)
fi
mapfile -d '' files < <("${list[@]}" | grep -zvE '(package-lock\.json|\.(png|wasm|tar|gz|zst|bin))$')

failed=0
for p in "${patterns[@]}"; do
    if printf '%s\0' "${files[@]}" | xargs -0 grep -nIE -e "$p" -- 2>/dev/null; then
        echo "^ matches the forbidden pattern $p"
        failed=$((failed + 1))
    fi
done
echo "$((${#patterns[@]} - failed)) passed, $failed failed"
[[ $failed -eq 0 ]]
