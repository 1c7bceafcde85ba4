# Python's own tests of numbers, the parts that do not take minutes.
python3 -m unittest -q test.test_float test.test_augassign test.test_pow test.test_numeric_tower test.test_math.FMATests test.test_math.IsCloseTests \
    test.test_struct.StructTest.test_705836 test.test_struct.StructTest.test_nN_code \
    test.test_struct.StructTest.test_bool test.test_struct.StructTest.test_p_code test.test_struct.StructTest.test_unpack_from \
    test.test_math.MathTests.testSqrt test.test_math.MathTests.testFrexp test.test_math.MathTests.testLdexp test.test_math.MathTests.testLog2 \
    test.test_math.MathTests.test_mtestfile test.test_math.MathTests.testRemainder test.test_math.MathTests.test_ulp \
    test.test_long.LongTest.test_conversion test.test_long.LongTest.test_float_conversion test.test_long.LongTest.test_bit_count \
    test.test_long.LongTest.test_mixed_compares test.test_long.LongTest.test_shift_bool test.test_struct.UnpackIteratorTest \
    test.test_decimal.CExplicitConstructionTest test.test_decimal.CArithmeticOperatorsTest test.test_decimal.CFormatTest \
    test.test_ctypes.test_callbacks test.test_ctypes.test_functions 2>&1 | sed 's/ in [0-9.]*s$//'
python3 -c 'import decimal as d; d.getcontext().prec = 60; print(d.Decimal(2).sqrt(), (d.Decimal(1) / 7).exp())
import math; print(math.pi.hex(), math.sin(1e22), math.exp(-745), math.fma(0.1, 10, -1), sum([0.1] * 10), hash(1.5), float("1e400"))
print(pow(3, 10**4, 10**40 + 7), int("9" * 500) % 998244353, round(2.675, 2), divmod(-7.5, 2), (1 << 300).bit_length())'
