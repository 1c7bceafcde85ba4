# Berth. `make help` lists the targets. Sources are found by folder; a new file needs no edit here.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
B := build
# Expensive outputs (third-party sources, kernels, images, the VS Code bed), keyed by content hash.
CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/berth
export CACHE
# A newer Node.js than the system's, where tools/node.sh had to get one.
export PATH := $(CACHE)/node/bin:$(PATH)

WARN := -Wall -Wextra -Wshadow -Wundef -Wstrict-prototypes -Wmissing-prototypes -Werror
COMMON := -std=gnu11 -O2 -g $(WARN) -Isrc -Iinclude -ffunction-sections -fdata-sections
# Goals that run before anything is installed must not need the libraries.
ifneq ($(filter-out help deps clean demo test,$(or $(MAKECMDGOALS),all)),)
-include $(B)/third-party/native.mk # THIRD_CFLAGS, THIRD_LIBS: written by tools/third-party.sh
-include $(B)/third-party/wasm.mk   # WTHIRD_CFLAGS, WTHIRD_LIBS
endif
CC := gcc
WCC := clang-22
WFLAGS := --target=wasm32-wasip1 -std=gnu11 -O2 $(WARN) -Isrc -Iinclude \
	-ffunction-sections -fdata-sections -DBERTH_WASM=1 -fno-strict-aliasing

# The libraries: everything below src/ but the hosts.
LIB_SRC := $(filter-out src/host/%,$(shell find src -name '*.c' | LC_ALL=C sort))
POSIX_SRC := $(wildcard src/host/posix/*.c)
WEB_SRC := $(wildcard src/host/web/*.c)
CLI_SRC := $(wildcard cli/*.c)
# Files that need an OS and stay out of the wasm build.
POSIX_ONLY := src/p9/fs_posix.c
WLIB_SRC := $(filter-out $(POSIX_ONLY),$(LIB_SRC))

NOBJ := $(patsubst %.c,$(B)/native/%.o,$(LIB_SRC) $(POSIX_SRC))
WOBJ := $(patsubst %.c,$(B)/wasm/%.o,$(WLIB_SRC) $(WEB_SRC))
CLIOBJ := $(patsubst %.c,$(B)/native/%.o,$(CLI_SRC))

.PHONY: all help deps clean
all: $(B)/berth
help: ## this list
	@grep -hE '^[a-z][a-z-]*:.*##' Makefile mk/*.mk | sed -E 's/:.*## /\t/' | expand -t 16
deps: ## install the missing Debian packages (root or sudo)
	tools/deps.sh
clean: ## remove build/ (the cache in $$CACHE stays)
	rm -rf $(B)

$(B)/third-party/native.mk: tools/third-party.sh tools/pins.txt
	tools/third-party.sh native
$(B)/third-party/wasm.mk: tools/third-party.sh tools/pins.txt
	tools/third-party.sh wasm

$(B)/native/%.o: %.c | $(B)/third-party/native.mk
	@mkdir -p $(@D)
	$(CC) $(COMMON) -fno-strict-aliasing -D_GNU_SOURCE -MMD -MP $(THIRD_CFLAGS) -c $< -o $@
$(B)/wasm/%.o: %.c | $(B)/third-party/wasm.mk
	@mkdir -p $(@D)
	$(WCC) $(WFLAGS) -D_GNU_SOURCE -MMD -MP $(WTHIRD_CFLAGS) -c $< -o $@

$(B)/libberth.a: $(NOBJ)
	rm -f $@ && ar rcs $@ $^
$(B)/berth: $(CLIOBJ) $(B)/libberth.a
	$(CC) -Wl,--gc-sections $(CLIOBJ) $(B)/libberth.a $(THIRD_LIBS) -lm -o $@

-include mk/*.mk
-include $(shell find $(B)/native $(B)/wasm $(B)/asan -name '*.d' 2>/dev/null)
