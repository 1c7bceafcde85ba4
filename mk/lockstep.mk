# Engines in lock step (test/lockstep): natively the interpreter against the evaluator, in make check; in wasm the
# translator too, run by test/wasm/lockstep.mjs.
LOCKSTEP_SRC := $(wildcard test/lockstep/*.c) test/diff/support/rv_case.c
LOCKSTEP_H := $(wildcard test/lockstep/*.h test/diff/support/*.h)
check-build: $(B)/test/bin/lockstep
$(B)/test/bin/lockstep: $(LOCKSTEP_SRC) test/lockstep/native/jit.c $(LOCKSTEP_H) $(B)/libberth.a
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) -Itest/lockstep -Itest/diff -Wl,--gc-sections $(FAKES) $(filter %.c,$^) $(B)/libberth.a $(TEST_LIBS) -o $@
CHECK_SCRIPTS += test/lockstep/check.sh
.PHONY: lockstep
lockstep: $(B)/test/bin/lockstep ## random programs in lock step (LOCKSTEP_COUNT=5000 LOCKSTEP_SEED=1)
	test/lockstep/check.sh

# Linux in lock step: our kernel with an init of its own.
LOCKSTEP_GUEST := $(B)/test/lockstep/initramfs
TEST_NEEDS += guest-kernel images $(LOCKSTEP_GUEST)
$(B)/test/lockstep/init: test/lockstep/guest/init.c
	@mkdir -p $(@D)
	$(GUEST_CC_riscv64) -std=gnu11 -O2 $(WARN) -static -s -Wl,--build-id=none $< -o $@
$(LOCKSTEP_GUEST): $(B)/test/lockstep/init guest/init/initramfs.sh | $(B)/guest/riscv64/Image
	guest/init/initramfs.sh $(B)/guest/riscv64/gen_init_cpio $< $@
TEST_SCRIPTS += test/lockstep/boot.sh
