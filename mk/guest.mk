# What runs inside the VM: kernel, init, initramfs, demo images. GUEST_ARCHS grows with the machines.
GUEST_ARCHS := riscv64 x86_64
GUEST_CC_riscv64 := riscv64-linux-gnu-gcc
GUEST_CC_x86_64 := x86_64-linux-gnu-gcc
GUEST_INIT_SRC := $(wildcard guest/init/*.c)
GUEST_KERNEL_SRC := $(wildcard guest/kernel/* guest/kernel/patches/*)
GUEST_CFLAGS := -std=gnu11 -Os $(WARN) -Iinclude -static -ffunction-sections -fdata-sections \
	-Wl,--gc-sections -Wl,--build-id=none -s
IMAGES := debian-gcc scratch-test

.PHONY: guest guest-kernel images test-guest guest-kernel-config
guest: $(foreach a,$(GUEST_ARCHS),$(B)/guest/$a/Image $(B)/guest/$a/initramfs.cpio) ## guest kernel and initramfs
guest-kernel: $(foreach a,$(GUEST_ARCHS),$(B)/guest/$a/Image)
guest-kernel-config: ## configure the guest kernel only, to try out a fragment
	$(foreach a,$(GUEST_ARCHS),guest/kernel/build.sh $a config$(newline))

define GUEST_RULES
# The kernel's script finds a finished build in the cache by its inputs' hash.
$(B)/guest/$1/Image: $(GUEST_KERNEL_SRC)
	guest/kernel/build.sh $1
	touch $$@
$(B)/guest/$1/init: $(GUEST_INIT_SRC) guest/init/init.h include/berth/ctl.h
	@mkdir -p $$(@D)
	$(GUEST_CC_$1) $(GUEST_CFLAGS) $(GUEST_INIT_SRC) -o $$@
$(B)/guest/$1/initramfs.cpio: $(B)/guest/$1/init guest/init/initramfs.sh | $(B)/guest/$1/Image
	guest/init/initramfs.sh $(B)/guest/$1/gen_init_cpio $(B)/guest/$1/init $$@
$(foreach i,$(IMAGES),$(B)/images/$1/$i/index.json): $(B)/images/$1/%/index.json: guest/image/build.sh guest/image/probe.c
	@mkdir -p $(CACHE)/images
	flock $(CACHE)/images/lock guest/image/build.sh $1 $$*
	touch $$@
endef
$(foreach a,$(GUEST_ARCHS),$(eval $(call GUEST_RULES,$a)))

images: $(foreach a,$(GUEST_ARCHS),$(foreach i,$(IMAGES),$(B)/images/$a/$i/index.json)) ## demo and test images
test-guest: guest $(foreach a,$(GUEST_ARCHS),$(B)/images/$a/scratch-test/index.json) ## init's protocol, under qemu-system-*
	$(foreach a,$(GUEST_ARCHS),test/guest/ctl_test.py $a$(newline))
TEST_SCRIPTS += test/guest/ctl_test.py
