# The web side: the wasm module, the npm-style package, the demo page, the extension.
#
#   build/wasm/berth.debug.wasm   with names and debug information, for profilers
#   build/wasm/berth.wasm         stripped: what is shipped
#   build/wasm/package/           worker.js, index.js: the package's bundles
#   build/web/                    the demo page as static files (image beside it, or ?image=URL)
#   build/wasm/images/ARCH/NAME   images with a profile of their programs, for the translator
#   build/extension/              the unpacked extension;  build/berth.vsix the same, packed

.PHONY: wasm web extension prepared-images test-web check-web web-types

WASM := $(B)/wasm/berth.wasm
# A reactor: no main, functions called from JavaScript. The stack is for deep C calls, not for guests.
WLDFLAGS := --target=wasm32-wasip1 --no-wasm-opt -O2 -mexec-model=reactor -Wl,--gc-sections \
	-Wl,-z,stack-size=1048576 -Wl,--stack-first \
	-Wl,--export-table -Wl,--growable-table

$(B)/wasm/berth.debug.wasm: $(WOBJ)
	$(WCC) $(WLDFLAGS) $(WOBJ) $(WTHIRD_LIBS) -o $@
$(WASM): $(B)/wasm/berth.debug.wasm
	llvm-strip-22 $< -o $@
wasm: $(WASM) ## build/wasm/berth.wasm, the engine for browsers
	@ls -l $<

# npm packages, at the versions of the lock files.
NPM_CI := npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
web/node_modules/.stamp: web/package.json web/package-lock.json
	cd web && $(NPM_CI)
	@touch $@
vscode/node_modules/.stamp: vscode/package.json vscode/package-lock.json
	cd vscode && $(NPM_CI)
	@touch $@

TSC := web/node_modules/.bin/tsc
WEB_TS := $(shell find web/src web/scripts -type f) web/tsconfig.base.json
VSCODE_TS := $(shell find vscode/src vscode/scripts -type f) vscode/tsconfig.json
DEMO_TS := $(wildcard web/demo/*)

# The compiler checks each folder with the libraries it may use; esbuild only bundles.
$(B)/wasm/web-types.stamp: web/node_modules/.stamp $(WEB_TS) $(DEMO_TS)
	for p in src/common src/worker src/page demo; do $(TSC) -p web/$$p; done
	@mkdir -p $(@D) && touch $@
$(B)/wasm/vscode-types.stamp: web/node_modules/.stamp vscode/node_modules/.stamp $(WEB_TS) $(VSCODE_TS)
	$(TSC) -p vscode
	@mkdir -p $(@D) && touch $@
web-types: $(B)/wasm/web-types.stamp $(B)/wasm/vscode-types.stamp ## type-check all TypeScript

$(B)/wasm/package/.stamp: $(B)/wasm/web-types.stamp
	node web/scripts/build.mjs package $(B)/wasm/package
	@touch $@

# The kernel with a profile of it, for the translator: half a minute of work in a container, kept in the cache. It says
# which code is hot, so it is made anew for another kernel or another form of profile, not for another engine.
PROFILE_FROM := guest/kernel/profile.mjs guest/profile.mjs src/exec/jit_profile_make.c
$(B)/wasm/guest/%/Image: $(B)/guest/%/Image $(PROFILE_FROM) | $(WASM) $(B)/wasm/package/.stamp $(B)/wasm/test/.stamp \
		$(B)/guest/%/initramfs.cpio $(B)/images/%/debian-gcc/index.json
	@mkdir -p $(@D) $(CACHE)/profile
	@key=$$(cat $< $(PROFILE_FROM) | sha256sum | cut -c1-16); kept=$(CACHE)/profile/$*-$$key; \
	if [ ! -f $$kept ]; then \
		echo "profile of the $* kernel: half a minute of work in a container"; \
		node --no-warnings guest/kernel/profile.mjs $* $< $(B)/images/$*/debian-gcc $$kept.$$$$; mv $$kept.$$$$ $$kept; \
	fi; cp $$kept $@
# gzip -n: no name, no date, so that the same input gives the same bytes.
$(B)/wasm/guest/%/Image.gz: $(B)/wasm/guest/%/Image
	gzip -9nc $< >$@
$(B)/wasm/guest/%/initramfs.gz: $(B)/guest/%/initramfs.cpio
	@mkdir -p $(@D)
	gzip -9nc $< >$@
.PRECIOUS: $(B)/wasm/guest/%/Image
# Images with a profile of their programs as one more layer. A minute or two of work in each, kept in the cache as the kernel's.
IMAGE_PROFILE_FROM := guest/image/profile.mjs guest/image/pages.mjs guest/profile.mjs src/exec/jit_profile_make.c \
	$(sort $(wildcard guest/image/work/*.* guest/image/work/c/*))
define PREPARED_RULES
$(B)/wasm/images/$1/%/index.json: $(B)/images/$1/%/index.json guest/image/prepare.sh $(IMAGE_PROFILE_FROM) \
		| $(WASM) $(B)/wasm/package/.stamp $(B)/wasm/test/.stamp $(B)/guest/$1/Image $(B)/guest/$1/initramfs.cpio
	@mkdir -p $(B)/wasm/images/$1 $(CACHE)/profile
	@key=$$$$(cat $$< $(IMAGE_PROFILE_FROM) | sha256sum | cut -c1-16); kept=$(CACHE)/profile/image-$1-$$*-$$$$key; \
	if [ ! -f $$$$kept ]; then \
		echo "profile of the programs in $$* for $1: a minute or two of work in containers"; \
		node --no-warnings guest/image/profile.mjs $1 $(B)/images/$1/$$* $$$$kept.$$$$$$$$; mv $$$$kept.$$$$$$$$ $$$$kept; \
	fi; guest/image/prepare.sh $(B)/images/$1/$$* $$$$kept $$(@D)
	@touch $$@
endef
$(foreach a,$(GUEST_ARCHS),$(eval $(call PREPARED_RULES,$a)))
# Those that people start; debian-bench only for make bench.
PREPARED_IMAGES := $(foreach a,$(GUEST_ARCHS),$(B)/wasm/images/$a/debian-gcc/index.json)
prepared-images: $(PREPARED_IMAGES) ## demo images with a profile of their programs
GUEST_FILES := $(foreach a,$(GUEST_ARCHS),$(B)/wasm/guest/$a/Image.gz $(B)/wasm/guest/$a/initramfs.gz)

web: $(WASM) $(B)/wasm/package/.stamp $(GUEST_FILES) ## build/web/, the demo page as static files
	@mkdir -p $(GUEST_ARCHS:%=$(B)/web/%)
	node web/scripts/build.mjs demo $(B)/web
	cp web/demo/index.html $(B)/wasm/package/worker.js $(WASM) $(B)/web/
	for a in $(GUEST_ARCHS); do cp $(B)/wasm/guest/$$a/*.gz $(B)/web/$$a/; done
	@ls -l $(B)/web

$(B)/berth.vsix: $(B)/wasm/extension.stamp vscode/scripts/vsix.mjs
	rm -f $@
	node vscode/scripts/vsix.mjs $(B)/extension $@
$(B)/wasm/extension.stamp: $(WASM) $(B)/wasm/package/.stamp $(B)/wasm/vscode-types.stamp $(GUEST_FILES) \
		$(wildcard vscode/media/*) vscode/README.md vscode/package.json $(wildcard LICENSE)
	rm -rf $(B)/extension
	mkdir -p $(GUEST_ARCHS:%=$(B)/extension/dist/%) $(B)/extension/media
	node vscode/scripts/build.mjs $(B)/extension/dist/extension.js
	cp $(B)/wasm/package/worker.js $(WASM) $(B)/extension/dist/
	for a in $(GUEST_ARCHS); do cp $(B)/wasm/guest/$$a/*.gz $(B)/extension/dist/$$a/; done
	cp vscode/media/icon.png $(B)/extension/media/
	cp vscode/README.md $(B)/extension/
	jq 'del(.devDependencies)' vscode/package.json >$(B)/extension/package.json
	if [ -e LICENSE ]; then cp LICENSE $(B)/extension/LICENSE.txt; fi
	@touch $@
extension: $(B)/wasm/extension.stamp $(B)/berth.vsix ## build/extension/ and build/berth.vsix
	@ls -l $(B)/berth.vsix $(B)/extension/dist

# Node tests; those with a guest use the image that `make images` builds.
$(B)/wasm/test/.stamp: $(B)/wasm/package/.stamp test/web/support/internals.ts
	node web/scripts/build.mjs tests $(B)/wasm/test
	@touch $@
WEB_TESTS := $(sort $(wildcard test/web/*.test.mjs))
test-web: $(WASM) $(B)/wasm/test/.stamp $(GUEST_FILES) $(B)/images/riscv64/scratch-test/index.json \
		$(B)/wasm/images/x86_64/debian-gcc/index.json \
		$(B)/wasm/extension.stamp $(B)/berth.vsix ## node tests of the worker, the loader, the wasm and the .vsix
	node --test $(WEB_TESTS)
