# The x86_64 guest's longer tests; the short ones are in make check.
X86_CASES ?= 20000
X86_SEED ?= 1000
.PHONY: fuzz-x86_64
fuzz-x86_64: $(B)/test/bin/diff_x86_64 ## random instructions against this CPU (X86_CASES=20000 a row, X86_SEED=...)
	$< $(X86_CASES) $(X86_SEED)

# Self-checking tests of what user-level programs cannot see (test/diff/x86_64_system.sh).
X86_SYSTEM := test/diff/x86_64
X86_SYSTEM_CFLAGS := -std=gnu11 -O1 -g -Wall -Wextra -Werror -mgeneral-regs-only -mno-red-zone -ffreestanding -fno-builtin \
	-fno-pic -fno-stack-protector -fno-asynchronous-unwind-tables -fcf-protection=none -nostdlib -static -no-pie \
	-Wl,--build-id=none,-z,max-page-size=4096,-z,noexecstack,--no-warn-rwx-segments
check-build: $(B)/test/x86_64-system.elf
$(B)/test/x86_64-system.elf: $(wildcard $(X86_SYSTEM)/*)
	@mkdir -p $(@D)
	$(GUEST_CC_x86_64) $(X86_SYSTEM_CFLAGS) -T $(X86_SYSTEM)/link.ld $(filter %.S %.c,$^) -o $@
