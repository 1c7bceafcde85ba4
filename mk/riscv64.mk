# The riscv64 guest's longer tests; the short ones are in make check.
RV_BATCHES ?= 500
RV_SEED ?= 100000
.PHONY: fuzz-riscv64
fuzz-riscv64: $(B)/test/bin/diff_riscv64 ## random programs against qemu-riscv64 (RV_BATCHES=500 RV_SEED=...)
	$< $(RV_BATCHES) $(RV_SEED)

# The same floating-point operations natively and in wasm, compared by test/wasm/riscv64_fp.mjs.
RV_FP := test/wasm/riscv64_fp.c src/guest/riscv64/fp.c
TEST_NEEDS += $(B)/test/bin/riscv64_fp $(B)/test/bin/riscv64_fp.wasm
$(B)/test/bin/riscv64_fp: $(RV_FP) $(wildcard src/guest/riscv64/*.h src/guest/riscv64/*.def)
	@mkdir -p $(@D)
	$(CC) $(COMMON) -D_GNU_SOURCE $(THIRD_CFLAGS) $(RV_FP) $(THIRD_LIBS) -lm -o $@
$(B)/test/bin/riscv64_fp.wasm: $(RV_FP) $(wildcard src/guest/riscv64/*.h src/guest/riscv64/*.def)
	@mkdir -p $(@D)
	$(WCC) $(WFLAGS) -D_GNU_SOURCE $(WTHIRD_CFLAGS) $(RV_FP) $(WTHIRD_LIBS) -o $@
