# The machine's devices under Linux: `make test` runs test/machine/boot.sh with our kernel.
$(B)/test/machine/init: test/machine/init.c
	@mkdir -p $(@D)
	riscv64-linux-gnu-gcc -std=gnu11 -O2 $(WARN) -static $< -o $@
$(B)/test/machine/exit: test/machine/exit.S
	@mkdir -p $(@D)
	riscv64-linux-gnu-gcc -nostdlib -static -Wl,--nmagic -Wl,-Ttext=0x80000000 -Wl,--build-id=none $< -o $@
MACHINE_TEST_NEEDS := $(B)/berth guest-kernel $(B)/test/machine/init $(B)/test/machine/exit
TEST_SCRIPTS += test/machine/boot.sh
TEST_NEEDS += $(MACHINE_TEST_NEEDS)

.PHONY: test-machine
test-machine: $(MACHINE_TEST_NEEDS) ## boot Linux with every device of the machine
	test/machine/boot.sh
