# The riscv64 guest's longer tests; the short ones are in make check.
RV_BATCHES ?= 500
RV_SEED ?= 100000
.PHONY: fuzz-riscv64
fuzz-riscv64: $(B)/test/bin/diff_riscv64 ## random programs against qemu-riscv64 (RV_BATCHES=500 RV_SEED=...)
	$< $(RV_BATCHES) $(RV_SEED)
