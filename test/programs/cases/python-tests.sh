# Python's own tests of numbers, whole.
# long
# seconds 1500
for t in test_float test_decimal test_struct test_math test_long test_complex test_cmath; do
    python3 -m test -q $t >log 2>&1; status=$?
    [ $status = 0 ] || tail -30 log
    echo $t $(sed -n 's/^Result: //p' log)
done
