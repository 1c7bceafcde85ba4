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

# Linux in lock step: our kernels with an init of its own.
TEST_NEEDS += guest-kernel images
define LOCKSTEP_GUEST
TEST_NEEDS += $(B)/test/lockstep/$1/initramfs
$(B)/test/lockstep/$1/init: test/lockstep/guest/init.c
	@mkdir -p $$(@D)
	$$(GUEST_CC_$1) -std=gnu11 -O2 $$(WARN) -static -s -Wl,--build-id=none $$< -o $$@
$(B)/test/lockstep/$1/initramfs: $(B)/test/lockstep/$1/init guest/init/initramfs.sh | $(B)/guest/$1/Image
	guest/init/initramfs.sh $(B)/guest/$1/gen_init_cpio $$< $$@
endef
$(foreach a,riscv64 x86_64,$(eval $(call LOCKSTEP_GUEST,$a)))
TEST_SCRIPTS += test/lockstep/boot.sh
