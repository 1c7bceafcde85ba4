# The machine's devices under Linux: `make test` runs test/machine/boot.sh with our kernel.
$(B)/test/machine/init: test/machine/init.c
	@mkdir -p $(@D)
	riscv64-linux-gnu-gcc -std=gnu11 -O2 $(WARN) -static $< -o $@
TEST_SCRIPTS += test/machine/boot.sh
TEST_NEEDS += $(B)/berth guest-kernel $(B)/test/machine/init

.PHONY: test-machine
test-machine: $(B)/berth guest-kernel $(B)/test/machine/init ## boot Linux with every device of the machine
	test/machine/boot.sh
