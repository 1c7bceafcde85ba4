# make check, make test. Tests are found by folder:
#
#   test/unit/test_*.c      cmocka programs, linked with libberth.a       (native; again with sanitizers)
#   test/fuzz/fuzz_*.c      libFuzzer targets; seeds in test/fuzz/corpus/<name>/, words in <name>.dict
#   test/diff/*.sh          differential tests; test/diff/diff_*.c are built first (build/test/bin/diff_*)
#   test/check/*.sh         any other quick, offline check that needs only the native build
#   test/web/*.test.mjs     node:test files for the wasm build, the worker and the loader (make test)
#   test/wasm/*.mjs         node:test files that run WASI test programs (make test)
#   test/e2e/*.test.mjs     node:test files in Chromium (make test)
#
# Another fragment may add to CHECK_SCRIPTS and TEST_SCRIPTS (executables without arguments), and give
# check-build and test-build more prerequisites: what those need to be built.
# Sources in a folder test/<kind>/support/ are linked into every program of that kind.

TEST_BIN := $(B)/test/bin
JOBS ?= $(shell nproc)
FUZZ_SECONDS ?= 2

UNIT := $(patsubst test/unit/%.c,%,$(wildcard test/unit/test_*.c))
FUZZ := $(patsubst test/fuzz/%.c,%,$(wildcard test/fuzz/fuzz_*.c))
DIFF := $(patsubst test/diff/%.c,%,$(wildcard test/diff/diff_*.c))
DIFF_SH := $(wildcard test/diff/*.sh)
CHECK_SCRIPTS += $(wildcard test/check/*.sh)
E2E_TESTS := $(wildcard test/e2e/*.test.mjs)

# gcc guesses that a formatted name in a test might not fit; there it does.
TEST_CFLAGS = $(COMMON) -Wno-format-truncation -fno-strict-aliasing -D_GNU_SOURCE -MMD -MP -I. $(THIRD_CFLAGS)
# A unit test may put its own function in the place of another module's.
TEST_LIBS = $(THIRD_LIBS) -lm
FAKES := -Wl,--allow-multiple-definition
support = $(wildcard test/$(1)/support/*.c)

$(TEST_BIN)/test_%: test/unit/test_%.c $(call support,unit) $(B)/libberth.a
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) -Itest/unit -Wl,--gc-sections $(FAKES) $(filter %.c,$^) $(B)/libberth.a -lcmocka $(TEST_LIBS) -o $@
$(TEST_BIN)/diff_%: test/diff/diff_%.c $(call support,diff) $(B)/libberth.a
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) -Itest/diff -Wl,--gc-sections $(filter %.c,$^) $(B)/libberth.a $(TEST_LIBS) -o $@

# The library once more with sanitizers, for the fuzz targets and the sanitizer run of the unit tests.
# Frame pointers for readable reports; -O1 keeps the build and the runs short.
ACC := clang-22
ASAN := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
AFLAGS = $(filter-out -O2,$(COMMON)) -O1 -fno-strict-aliasing -D_GNU_SOURCE -MMD -MP $(ASAN) $(THIRD_CFLAGS)
AOBJ := $(patsubst %.c,$(B)/asan/%.o,$(LIB_SRC) $(POSIX_SRC))
$(B)/asan/%.o: %.c | $(B)/third-party/native.mk
	@mkdir -p $(@D)
	$(ACC) $(AFLAGS) -fsanitize=fuzzer-no-link -c $< -o $@
$(B)/asan/libberth.a: $(AOBJ)
	rm -f $@ && ar rcs $@ $^
$(B)/asan/bin/fuzz_%: test/fuzz/fuzz_%.c $(call support,fuzz) $(B)/asan/libberth.a
	@mkdir -p $(@D)
	$(ACC) $(AFLAGS) -I. -Itest/fuzz -fsanitize=fuzzer -Wno-missing-prototypes $(filter %.c,$^) \
		$(B)/asan/libberth.a $(TEST_LIBS) -o $@
$(B)/asan/bin/test_%: test/unit/test_%.c $(call support,unit) $(B)/asan/libberth.a
	@mkdir -p $(@D)
	$(ACC) $(AFLAGS) -I. -Itest/unit $(FAKES) $(filter %.c,$^) $(B)/asan/libberth.a -lcmocka $(TEST_LIBS) -o $@

-include $(wildcard $(TEST_BIN)/*.d $(B)/asan/bin/*.d)

# The lists of tests that tools/run-tests.sh reads: name, seconds, par or ser, command.
define line
$(1)	$(2)	$(3)	$(4)

endef
fuzz_command = mkdir -p $(B)/test/corpus/$(1) && $(B)/asan/bin/$(1) -seed=1 -max_total_time=$(FUZZ_SECONDS) \
	-timeout=10 -rss_limit_mb=2048 -print_final_stats=1 -artifact_prefix=$(B)/test/$(1)- \
	$(addprefix -dict=,$(wildcard test/fuzz/$(1).dict)) \
	$(B)/test/corpus/$(1) $(wildcard test/fuzz/corpus/$(1))
name_of = $(subst /,-,$(basename $(1)))

CHECK_PROGRAMS := $(UNIT:%=$(TEST_BIN)/%) $(DIFF:%=$(TEST_BIN)/%) $(FUZZ:%=$(B)/asan/bin/%)

check_list = \
	$(call line,check-layers,60,par,tools/check-layers.py) \
	$(call line,check-headers,120,par,tools/check-headers.sh) \
	$(call line,check-words,60,par,tools/check-words.sh) \
	$(foreach t,$(UNIT),$(call line,unit/$(t),60,par,$(TEST_BIN)/$(t))) \
	$(foreach t,$(DIFF),$(call line,diff/$(t),120,par,$(TEST_BIN)/$(t))) \
	$(foreach t,$(DIFF_SH),$(call line,diff/$(notdir $(basename $(t))),120,par,$(t))) \
	$(foreach t,$(sort $(CHECK_SCRIPTS)),$(call line,check/$(call name_of,$(t)),120,par,$(t))) \
	$(foreach t,$(FUZZ),$(call line,fuzz/$(t),60,par,$(call fuzz_command,$(t))))
# The rest of TEST_SCRIPTS keep one CPU busy each and share the machine.
ALONE_SCRIPTS := bench/smoke_test.sh test/programs/jit.sh
script = $(call line,test/$(call name_of,$(2)),600,$(1),$(2))
test_list = $(check_list) \
	$(foreach t,$(UNIT),$(call line,asan/$(t),300,par,$(B)/asan/bin/$(t))) \
	$(foreach t,$(WEB_TESTS),$(call line,web/$(notdir $(basename $(basename $(t)))),300,ser,node --test --test-reporter=tap $(t))) \
	$(foreach t,$(WASM_TESTS),$(call line,wasm/$(notdir $(basename $(t))),600,par,node --test --test-reporter=tap $(t))) \
	$(foreach t,$(sort $(filter-out $(ALONE_SCRIPTS),$(TEST_SCRIPTS))),$(call script,par,$(t))) \
	$(foreach t,$(filter $(ALONE_SCRIPTS),$(TEST_SCRIPTS)),$(call script,ser,$(t))) \
	$(foreach t,$(E2E_TESTS),$(call line,e2e/$(notdir $(basename $(basename $(t)))),900,ser,node --test --test-reporter=tap $(t)))

# Everything is built first, going on after errors; that it all built is the first test.
export BUILD := $(B)
submake_jobs = $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(JOBS))
define run_tests
	@mkdir -p $(B)/test && rm -f $(B)/test/built
	@$(MAKE) $(submake_jobs) -k --no-print-directory $(1) >$(B)/test/make.log 2>&1 && touch $(B)/test/built || true
	@printf '%s\n' "$$TEST_LIST" | sed 's/^ *//' >$(B)/test/list
	@JOBS=$(JOBS) tools/run-tests.sh $(B)/test/list
endef
build_line = $(call line,build,10,par,test -f $(B)/test/built || { grep -E ' error: |undefined (reference|symbol)|[*][*][*]' $(B)/test/make.log; exit 1; })

.PHONY: check check-build test test-build asan-check fuzz
check-build: $(B)/berth $(CHECK_PROGRAMS)
check: export TEST_LIST = $(build_line)$(check_list)
test: export TEST_LIST = $(build_line)$(test_list)
check: ## unit, differential, fuzz smoke, layers, headers: offline, under a minute
	$(call run_tests,check-build)

test-build: check-build $(UNIT:%=$(B)/asan/bin/%) wasm web extension guest images prepared-images vscode-bed $(B)/wasm/test/.stamp $(TEST_NEEDS)
# What is to be installed comes first: the build's own includes need it (see the top of the Makefile).
test: ## install what is missing; check + sanitizers + wasm + end-to-end in Chromium
	@tools/deps.sh
	$(call run_tests,test-build)

fuzz: $(FUZZ:%=$(B)/asan/bin/%) ## each fuzz target for FUZZ_SECONDS (make fuzz FUZZ_SECONDS=600)
	$(foreach t,$(FUZZ),$(call fuzz_command,$(t))$(newline))

define newline


endef
