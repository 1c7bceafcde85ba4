# make bench: measures, writes build/bench.json and prints the table. ROW="sha256 boot" some rows, SET=hot or
# SET=cold a set, ENGINE=interp another engine of the browser, WHERE=native our native command, ARCH the guest.
# A row needs what its BENCH_NEEDS_ line says; without ROW everything is built.
ARCH ?= riscv64
BENCH_ARCH := $(ARCH)
BENCH_DIR := $(B)/bench/$(BENCH_ARCH)
BENCH_HOST := $(B)/bench/host

BENCH_HOT := coremark sort-chase sha256 strings fib bytecode mandelbrot matrix
BENCH_HOT_PROGRAMS := $(BENCH_HOT:%=$(BENCH_DIR)/programs/%) $(BENCH_HOT:%=$(BENCH_HOST)/%)
BENCH_COLD := gcc-hello gcc-hello-warm python-start find-usr python-loop calls-2000 cold-50000 fork-exec-static \
	fork-exec-dynamic syscalls pipe-ping-pong page-faults gzip sort-lines
BENCH_COLD_PROGRAMS := $(addprefix $(BENCH_DIR)/programs/,pyloop.py calls-2000 cold-50000 fork-exec nothing-static \
	nothing-dynamic syscalls pipe-ping-pong page-faults gentext)
BENCH_IMAGES := busybox debian-bench

BENCH_BROWSER := $(WASM) $(B)/wasm/package/.stamp $(GUEST_FILES) vscode-bed
BENCH_MACHINES := $(B)/berth guest $(BENCH_BROWSER)
BENCH_NEEDS_HOT := $(BENCH_MACHINES) $(BENCH_DIR)/root/busybox.stamp $(BENCH_HOT_PROGRAMS)
$(foreach r,$(BENCH_HOT) tab-memory interpreter-mips,$(eval BENCH_NEEDS_$r := $(BENCH_NEEDS_HOT)))
BENCH_NEEDS_COLD := $(BENCH_MACHINES) $(BENCH_DIR)/root/debian-bench.stamp $(BENCH_COLD_PROGRAMS)
$(foreach r,$(BENCH_COLD),$(eval BENCH_NEEDS_$r := $(BENCH_NEEDS_COLD)))
BENCH_NEEDS_engine-size := wasm
BENCH_NEEDS_boot := $(BENCH_MACHINES) $(B)/images/$(BENCH_ARCH)/scratch-test/index.json $(BENCH_DIR)/init.cpio
BENCH_NEEDS_prompt := extension images vscode-bed
BENCH_ROWS := engine-size $(BENCH_HOT) tab-memory $(BENCH_COLD) boot interpreter-mips prompt
BENCH_SET_hot := $(BENCH_HOT) tab-memory
BENCH_SET_cold := $(BENCH_COLD) boot

.PHONY: bench bench-build bench-doc
ROW ?= $(if $(SET),$(foreach s,$(SET),$(BENCH_SET_$s)),$(BENCH_ROWS))
ifneq ($(filter bench bench-build bench-doc,$(MAKECMDGOALS)),)
ifneq ($(filter-out $(BENCH_ROWS),$(ROW)),)
$(error ROW: there are $(BENCH_ROWS))
endif
ifneq ($(filter-out hot cold,$(SET)),)
$(error SET: there are hot and cold)
endif
endif
BENCH_RUN := BENCH_ARCH=$(BENCH_ARCH) node bench/run.mjs
bench: bench-build ## measure, against QEMU where it applies; SET=hot ROW="sha256 ..." ROUNDS=1 ENGINE=interp
	$(BENCH_RUN) $(ROW:%=--row %) $(WHERE:%=--where %) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(ENGINE),--engine $(ENGINE))
bench-doc: bench ## make bench, and its table into docs/performance.md
	$(BENCH_RUN) --doc docs/performance.md
bench-build: $(sort $(foreach r,$(ROW),$(BENCH_NEEDS_$r)))

# As distributions compile: no options for the architecture, and whatever -O2 means.
BENCH_CFLAGS := -std=gnu11 -O2 $(WARN)
$(BENCH_DIR)/programs/%: bench/guest/%.c bench/guest/bench.h
	@mkdir -p $(@D)
	$(GUEST_CC_$(BENCH_ARCH)) $(BENCH_CFLAGS) -static -s -Wl,--build-id=none $< -o $@
$(BENCH_DIR)/programs/nothing-static: bench/guest/nothing.c
	@mkdir -p $(@D)
	$(GUEST_CC_$(BENCH_ARCH)) $(BENCH_CFLAGS) -static -s $< -o $@
$(BENCH_DIR)/programs/nothing-dynamic: bench/guest/nothing.c
	@mkdir -p $(@D)
	$(GUEST_CC_$(BENCH_ARCH)) $(BENCH_CFLAGS) -s $< -o $@
$(BENCH_DIR)/programs/pyloop.py: bench/guest/pyloop.py
	@mkdir -p $(@D)
	cp $< $@
# Generated functions; with little optimisation, because there are many: it takes a minute, once.
$(BENCH_DIR)/programs/calls-2000: bench/guest/generate.mjs bench/guest/bench.h
	@mkdir -p $(@D) $(BENCH_DIR)/generated
	node $< calls >$(BENCH_DIR)/generated/calls-2000.c
	$(GUEST_CC_$(BENCH_ARCH)) -std=gnu11 -O1 -static -s -Ibench/guest $(BENCH_DIR)/generated/calls-2000.c -o $@
$(BENCH_DIR)/programs/cold-50000: bench/guest/generate.mjs bench/guest/bench.h
	@mkdir -p $(@D)
	node $< cold $(BENCH_DIR)/generated/cold
	printf '%s\0' $(BENCH_DIR)/generated/cold/*.c | xargs -0 -P2 -I{} \
		$(GUEST_CC_$(BENCH_ARCH)) -std=gnu11 -Og -Ibench/guest -c {} -o {}.o
	$(GUEST_CC_$(BENCH_ARCH)) -static -s $(BENCH_DIR)/generated/cold/*.o -o $@
$(BENCH_HOST)/%: bench/guest/%.c bench/guest/bench.h
	@mkdir -p $(@D)
	$(CC) $(BENCH_CFLAGS) $< -o $@
$(BENCH_DIR)/init.cpio: $(BENCH_DIR)/programs/init guest/init/initramfs.sh | $(B)/guest/$(BENCH_ARCH)/Image
	guest/init/initramfs.sh $(B)/guest/$(BENCH_ARCH)/gen_init_cpio $< $@
$(BENCH_IMAGES:%=$(B)/images/$(BENCH_ARCH)/%/index.json): $(B)/images/$(BENCH_ARCH)/%/index.json: guest/image/build.sh
	@mkdir -p $(CACHE)/images
	flock $(CACHE)/images/lock guest/image/build.sh $(BENCH_ARCH) $*
	touch $@
# The image as a directory, for QEMU. Owners only where we may set them.
$(BENCH_DIR)/root/%.stamp: $(B)/images/$(BENCH_ARCH)/%/index.json
	@mkdir -p $(@D)
	rm -rf $(@D)/$*
	umoci --log=warn unpack $(if $(filter 0,$(shell id -u)),,--rootless) --image $(B)/images/$(BENCH_ARCH)/$*:latest $(@D)/$*
	@touch $@

# That measuring works, not how fast anything is.
TEST_SCRIPTS += bench/smoke_test.sh
TEST_NEEDS += $(BENCH_NEEDS_engine-size) $(B)/berth guest-kernel $(BENCH_DIR)/init.cpio
.PRECIOUS: $(BENCH_DIR)/programs/% $(BENCH_HOST)/%
