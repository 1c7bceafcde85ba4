# A program in Go: goroutines, garbage collection, preemption by signals, its own floating-point printing.
echo '[1,2,3,{"a":[4.5,"x"]}]' | gojq -c '[.. | numbers] | add, length'
gojq -n '[range(20000)] | map(. * .) | add'
gojq -nc '[range(300)] | map(tostring) | join(",") | [length, test("17[0-9],"), (explode | add)]'
gojq -nc '[1e300, 0.1 + 0.2, 1/3, (2 | sqrt), (10 | log), ([1, 2] | @json), (100000000000000000000 * 3), ("grüße" | ascii_downcase | @base64)]'
gojq -nc 'reduce range(1000) as $i ({}; .[$i % 100 | tostring] += $i) | [length, .["7"]]'
gojq -n 'def f: if . < 2 then . else (. - 1 | f) + (. - 2 | f) end; 17 | f'
gojq . /nonexistent 2>&1; echo $?
