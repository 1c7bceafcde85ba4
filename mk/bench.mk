# make bench: writes build/bench.json and prints the table; make bench ROW=coremark runs one row.
# A row needs what its BENCH_NEEDS_ line says; without ROW everything is built.
BENCH_ARCH := riscv64
BENCH_DIR := $(B)/bench/$(BENCH_ARCH)
BENCH_PROGRAMS := $(BENCH_DIR)/programs/coremark
BENCH_ROOT := $(BENCH_DIR)/root/debian-gcc.stamp

BENCH_BROWSER := web vscode-bed
BENCH_MACHINES := $(B)/berth guest images $(BENCH_ROOT) $(BENCH_BROWSER)
BENCH_NEEDS_engine-size := wasm
BENCH_NEEDS_boot := $(BENCH_MACHINES) $(BENCH_DIR)/init.cpio
BENCH_NEEDS_coremark := $(BENCH_MACHINES) $(BENCH_PROGRAMS)
BENCH_NEEDS_gcc-hello := $(BENCH_MACHINES)
BENCH_NEEDS_prompt := extension images vscode-bed
BENCH_ROWS := engine-size boot coremark gcc-hello prompt

.PHONY: bench bench-build bench-doc
ROW ?= $(BENCH_ROWS)
ifneq ($(filter bench bench-build bench-doc,$(MAKECMDGOALS)),)
ifneq ($(filter-out $(BENCH_ROWS),$(ROW)),)
$(error ROW: there are $(BENCH_ROWS))
endif
endif
bench: bench-build ## measure, against qemu-system-riscv64 where it applies; ROW="coremark ..." ROUNDS=5
	node bench/run.mjs $(ROW:%=--row %) $(if $(ROUNDS),--rounds $(ROUNDS))
bench-doc: bench ## make bench, and its table into docs/performance.md
	node bench/run.mjs --doc docs/performance.md
bench-build: $(sort $(foreach r,$(ROW),$(BENCH_NEEDS_$r)))

$(BENCH_DIR)/programs/%: bench/guest/%.c bench/guest/instret.h
	@mkdir -p $(@D)
	$(GUEST_CC_$(BENCH_ARCH)) -std=gnu11 -O2 $(WARN) -static -s -Wl,--build-id=none $< -o $@
$(BENCH_DIR)/init.cpio: $(BENCH_DIR)/programs/init guest/init/initramfs.sh | $(B)/guest/$(BENCH_ARCH)/Image
	guest/init/initramfs.sh $(B)/guest/$(BENCH_ARCH)/gen_init_cpio $< $@
# The image as a directory, for QEMU. Owners only where we may set them.
$(BENCH_DIR)/root/%.stamp: $(B)/images/$(BENCH_ARCH)/%/index.json
	@mkdir -p $(@D)
	rm -rf $(@D)/$*
	umoci --log=warn unpack $(if $(filter 0,$(shell id -u)),,--rootless) --image $(B)/images/$(BENCH_ARCH)/$*:latest $(@D)/$*
	@touch $@

# That measuring works, not how fast anything is.
TEST_SCRIPTS += bench/smoke_test.sh
TEST_NEEDS += $(BENCH_NEEDS_engine-size) $(B)/berth guest-kernel $(BENCH_DIR)/init.cpio
.PRECIOUS: $(BENCH_DIR)/programs/%
