# make bench: measures, writes build/bench.json and prints the table. ARCH="riscv64 x86_64" the guests, by
# default all; ROW="sha256 boot" some rows, SET="hot cold short x86 v86-hot v86-cold" sets, ENGINE=interp another engine of the
# browser, WHERE=native our native command. A row needs what its BENCH_NEEDS_ line says; without ROW and SET
# everything is built.
# (This file is read before guest.mk and web.mk: their variables are for recipes only.)
BENCH_ARCHS := riscv64 x86_64
ARCH ?= $(BENCH_ARCHS)
BENCH_DIR := $(B)/bench
BENCH_HOST := $(BENCH_DIR)/host

BENCH_HOT := coremark sort-chase sha256 strings fib bytecode mandelbrot matrix
BENCH_X86 := x87 sse2 avx2
BENCH_COLD := gcc-hello gcc-hello-warm python-start find-usr python-loop calls-2000 cold-50000 fork-exec-static \
	fork-exec-dynamic syscalls pipe-ping-pong page-faults gzip sort-lines
BENCH_COLD_PROGRAMS := pyloop.py calls-2000 cold-50000 fork-exec nothing-static nothing-dynamic syscalls pipe-ping-pong \
	page-faults gentext
BENCH_SET_hot := $(BENCH_HOT) tab-memory
BENCH_SET_short := $(BENCH_HOT:%=%-short)
BENCH_SET_x86 := $(BENCH_X86)
BENCH_SET_cold := $(BENCH_COLD) boot
BENCH_SET_v86-hot := $(BENCH_HOT:%=v86-%)
BENCH_SET_v86-cold := $(addprefix v86-,calls-2000 cold-50000 fork-exec-static fork-exec-dynamic syscalls pipe-ping-pong page-faults \
	gzip sort-lines boot)
BENCH_SETS := hot short x86 cold v86-hot v86-cold
BENCH_ROWS := engine-size $(foreach s,$(BENCH_SETS),$(BENCH_SET_$s)) interpreter-mips prompt
BENCH_ONLY_X86 := $(foreach s,x86 v86-hot v86-cold,$(BENCH_SET_$s))

BENCH_TSC := $(if $(filter x86_64,$(ARCH)),$(BENCH_HOST)/tsc-khz)
BENCH_MACHINES := $(B)/berth $(BENCH_TSC) guest wasm $(B)/wasm/package/.stamp vscode-bed \
	$(foreach a,$(ARCH),$(B)/wasm/guest/$a/Image.gz $(B)/wasm/guest/$a/initramfs.gz)
bench-of = $(foreach a,$(ARCH),$(1:%=$(BENCH_DIR)/$a/%))
BENCH_NEEDS_HOT := $(BENCH_MACHINES) $(call bench-of,root/busybox.stamp $(BENCH_HOT:%=programs/%)) $(BENCH_HOT:%=$(BENCH_HOST)/%)
$(foreach r,$(BENCH_SET_hot) $(BENCH_SET_short) interpreter-mips,$(eval BENCH_NEEDS_$r := $(BENCH_NEEDS_HOT)))
BENCH_NEEDS_X86 := $(BENCH_MACHINES) $(BENCH_DIR)/x86_64/root/busybox.stamp $(BENCH_X86:%=$(BENCH_DIR)/x86_64/programs/%) \
	$(BENCH_X86:%=$(BENCH_HOST)/%)
$(foreach r,$(BENCH_X86),$(eval BENCH_NEEDS_$r := $(BENCH_NEEDS_X86)))
BENCH_NEEDS_COLD := $(BENCH_MACHINES) $(call bench-of,root/debian-bench.stamp $(BENCH_COLD_PROGRAMS:%=programs/%)) \
	$(ARCH:%=$(B)/wasm/images/%/debian-bench/index.json)
$(foreach r,$(BENCH_COLD),$(eval BENCH_NEEDS_$r := $(BENCH_NEEDS_COLD)))
BENCH_NEEDS_engine-size := wasm
BENCH_NEEDS_boot := $(BENCH_MACHINES) $(ARCH:%=$(B)/images/%/scratch-test/index.json) $(call bench-of,init.cpio)
# v86 and what it runs: all in its initramfs, for i386.
BENCH_I386 := $(BENCH_DIR)/i386
BENCH_V86_PROGRAMS := $(addprefix $(BENCH_I386)/programs/,$(BENCH_HOT) $(filter-out pyloop.py,$(BENCH_COLD_PROGRAMS)) busybox \
	ld-linux.so.2 libc.so.6)
BENCH_NEEDS_V86 := $(BENCH_MACHINES) bench/node_modules/.stamp $(B)/guest/i386/Image $(BENCH_I386)/bios.bin $(BENCH_V86_PROGRAMS) \
	$(BENCH_I386)/initramfs.cpio $(BENCH_I386)/init.cpio $(B)/images/x86_64/busybox/index.json \
	$(B)/images/x86_64/scratch-test/index.json $(BENCH_DIR)/x86_64/init.cpio
$(foreach r,$(BENCH_SET_v86-hot) $(BENCH_SET_v86-cold),$(eval BENCH_NEEDS_$r := $(BENCH_NEEDS_V86)))
BENCH_NEEDS_prompt := extension prepared-images vscode-bed

.PHONY: bench bench-build bench-doc
ROW ?= $(if $(SET),$(foreach s,$(SET),$(BENCH_SET_$s)),$(filter-out $(if $(filter x86_64,$(ARCH)),,$(BENCH_ONLY_X86)),$(BENCH_ROWS)))
ifneq ($(filter bench bench-build bench-doc,$(MAKECMDGOALS)),)
ifneq ($(filter-out $(BENCH_ROWS),$(ROW)),)
$(error ROW: there are $(BENCH_ROWS))
endif
ifneq ($(filter-out $(BENCH_SETS),$(SET)),)
$(error SET: there are $(BENCH_SETS))
endif
ifneq ($(filter-out $(BENCH_ARCHS),$(ARCH)),)
$(error ARCH: there are $(BENCH_ARCHS))
endif
endif
bench: bench-build ## measure, against QEMU where it applies; ARCH=x86_64 SET=hot ROW="sha256 ..." ROUNDS=1 ENGINE=interp
	for a in $(ARCH); do BENCH_ARCH=$$a node bench/run.mjs $(ROW:%=--row %) $(WHERE:%=--where %) \
		$(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(ENGINE),--engine $(ENGINE)); done
bench-doc: bench ## make bench, and its table into docs/performance.md
	node bench/run.mjs --doc docs/performance.md
bench-build: $(sort $(foreach r,$(ROW),$(BENCH_NEEDS_$r)))

# As distributions compile: no options for the architecture, and whatever -O2 means.
BENCH_CFLAGS := -std=gnu11 -O2 $(WARN)
BENCH_STATIC := -static -s -Wl,--build-id=none
define BENCH_RULES
$(BENCH_DIR)/$1/programs/%: bench/guest/%.c bench/guest/bench.h
	@mkdir -p $$(@D)
	$$(GUEST_CC_$1) $(BENCH_CFLAGS) $(BENCH_STATIC) $$< -o $$@
$(BENCH_DIR)/$1/programs/nothing-static: bench/guest/nothing.c
	@mkdir -p $$(@D)
	$$(GUEST_CC_$1) $(BENCH_CFLAGS) -static -s $$< -o $$@
$(BENCH_DIR)/$1/programs/nothing-dynamic: bench/guest/nothing.c
	@mkdir -p $$(@D)
	$$(GUEST_CC_$1) $(BENCH_CFLAGS) -s $$< -o $$@
$(BENCH_DIR)/$1/programs/pyloop.py: bench/guest/pyloop.py
	@mkdir -p $$(@D)
	cp $$< $$@
# Generated functions; with little optimisation, because there are many: it takes a minute, once.
$(BENCH_DIR)/$1/programs/calls-2000: bench/guest/generate.mjs bench/guest/bench.h
	@mkdir -p $$(@D) $(BENCH_DIR)/$1/generated
	node $$< calls >$(BENCH_DIR)/$1/generated/calls-2000.c
	$$(GUEST_CC_$1) -std=gnu11 -O1 -static -s -Ibench/guest $(BENCH_DIR)/$1/generated/calls-2000.c -o $$@
$(BENCH_DIR)/$1/programs/cold-50000: bench/guest/generate.mjs bench/guest/bench.h
	@mkdir -p $$(@D)
	node $$< cold $(BENCH_DIR)/$1/generated/cold
	printf '%s\0' $(BENCH_DIR)/$1/generated/cold/*.c | xargs -0 -P2 -I{} \
		$$(GUEST_CC_$1) -std=gnu11 -Og -Ibench/guest -c {} -o {}.o
	$$(GUEST_CC_$1) -static -s $(BENCH_DIR)/$1/generated/cold/*.o -o $$@
$(BENCH_DIR)/$1/init.cpio: $(BENCH_DIR)/$1/programs/init guest/init/initramfs.sh | $(B)/guest/$1/Image
	guest/init/initramfs.sh $(B)/guest/$1/gen_init_cpio $$< $$@
$(B)/images/$1/busybox/index.json $(B)/images/$1/debian-bench/index.json: $(B)/images/$1/%/index.json: guest/image/build.sh
	@mkdir -p $(CACHE)/images
	flock $(CACHE)/images/lock guest/image/build.sh $1 $$*
	touch $$@
# The image as a directory, for QEMU. Owners only where we may set them.
$(BENCH_DIR)/$1/root/%.stamp: $(B)/images/$1/%/index.json
	@mkdir -p $$(@D)
	rm -rf $$(@D)/$$*
	umoci --log=warn unpack $(if $(filter 0,$(shell id -u)),,--rootless) --image $(B)/images/$1/$$*:latest $$(@D)/$$*
	@touch $$@
.PRECIOUS: $(BENCH_DIR)/$1/programs/%
endef
GUEST_CC_i386 := i686-linux-gnu-gcc
$(foreach a,$(BENCH_ARCHS) i386,$(eval $(call BENCH_RULES,$a)))
$(B)/guest/i386/Image: guest/kernel/i386.config guest/kernel/build.sh
	guest/kernel/build.sh i386
	touch $@
$(BENCH_I386)/bios.bin: /usr/share/seabios/bios.bin
	@mkdir -p $(@D)
	cp $< $@
$(BENCH_I386)/programs/busybox: $(BENCH_I386)/root/busybox.stamp
	@mkdir -p $(@D)
	cp $(BENCH_I386)/root/busybox/rootfs/bin/busybox $@
$(BENCH_I386)/programs/ld-linux.so.2 $(BENCH_I386)/programs/libc.so.6: $(BENCH_I386)/programs/%: /usr/i686-linux-gnu/lib/%
	@mkdir -p $(@D)
	cp $< $@
$(BENCH_I386)/initramfs.cpio: bench/guest/v86-root.sh $(BENCH_I386)/root/busybox.stamp $(BENCH_V86_PROGRAMS)
	$< $(BENCH_I386)/root/busybox/rootfs $(BENCH_I386)/programs $@
bench/node_modules/.stamp: bench/package.json bench/package-lock.json
	cd bench && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@
$(BENCH_HOST)/%: bench/guest/%.c bench/guest/bench.h
	@mkdir -p $(@D)
	$(CC) $(BENCH_CFLAGS) $< -o $@

# That measuring works, not how fast anything is.
TEST_SCRIPTS += bench/smoke_test.sh
TEST_NEEDS += $(BENCH_NEEDS_engine-size) $(B)/berth $(BENCH_HOST)/tsc-khz guest-kernel $(BENCH_ARCHS:%=$(BENCH_DIR)/%/init.cpio)
.PRECIOUS: $(BENCH_HOST)/%
