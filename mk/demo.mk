# make demo: from a fresh Debian machine to VS Code with our extension in the browser.
PORT ?= 8170
# The architecture of the demo's image.
DEMO_ARCH ?= x86_64

.PHONY: demo demo-build vscode-bed
# What is to be installed comes first: the build's own includes need it (see the top of the Makefile).
demo: ## install, build and serve VS Code with the demo; PORT=8170 DEMO_ARCH=riscv64
	@tools/deps.sh
	@$(MAKE) --no-print-directory $(submake_jobs) demo-build
	@exec node test/vscode-bed/server.mjs --port $(PORT) --arch $(DEMO_ARCH)

demo-build: $(B)/berth web extension images prepared-images vscode-bed

vscode-bed: $(B)/vscode-bed.stamp ## the VS Code web workbench from npm, in the cache
$(B)/vscode-bed.stamp: test/vscode-bed/build.mjs test/vscode-bed/package.json test/vscode-bed/package-lock.json
	@mkdir -p $(@D)
	node test/vscode-bed/build.mjs
	@touch $@
