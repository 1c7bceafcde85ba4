# The machine's devices under Linux: `make test` runs test/machine/boot.sh with our kernel.
$(B)/test/machine/init: test/machine/init.c
	@mkdir -p $(@D)
	riscv64-linux-gnu-gcc -std=gnu11 -O2 $(WARN) -static $< -o $@
$(B)/test/machine/exit: test/machine/exit.S
	@mkdir -p $(@D)
	riscv64-linux-gnu-gcc -nostdlib -static -Wl,--nmagic -Wl,-Ttext=0x80000000 -Wl,--build-id=none $< -o $@
# Kernels of the x86_64 board in the formats that it loads.
X86_AS := x86_64-linux-gnu-gcc -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-Ttext=0x100000
$(B)/test/machine/x86_multiboot $(B)/test/machine/x86_pvh $(B)/test/machine/x86_elf64: test/machine/x86_boot.S
	@mkdir -p $(@D)
	$(X86_AS) $(if $(findstring elf64,$@),-m64,-m32 -D$(if $(findstring pvh,$@),PVH,MULTIBOOT)) $< -o $@
X86_BOOT_NEEDS := $(B)/berth $(addprefix $(B)/test/machine/x86_,multiboot pvh elf64)
TEST_SCRIPTS += test/machine/x86_boot.sh
TEST_NEEDS += $(X86_BOOT_NEEDS)

MACHINE_TEST_NEEDS := $(B)/berth guest-kernel $(B)/test/machine/init $(B)/test/machine/exit
TEST_SCRIPTS += test/machine/boot.sh
TEST_NEEDS += $(MACHINE_TEST_NEEDS)

.PHONY: test-machine
test-machine: $(MACHINE_TEST_NEEDS) $(X86_BOOT_NEEDS) ## boot Linux with every device of the machine; kernel formats
	test/machine/boot.sh
	test/machine/x86_boot.sh
