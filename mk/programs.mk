# Programs of many kinds in an x86_64 container (test/programs): the short ones in make test, all in make test-long.
PROGRAMS_IMAGE := $(B)/images/x86_64/debian-programs/index.json
PROGRAMS_NEEDS := $(B)/berth $(WASM) $(B)/wasm/package/.stamp $(B)/wasm/test/.stamp $(GUEST_FILES) $(PROGRAMS_IMAGE)
TEST_SCRIPTS += test/programs/interp.sh test/programs/jit.sh
TEST_NEEDS += $(PROGRAMS_NEEDS)
$(PROGRAMS_IMAGE): guest/image/build.sh
	@mkdir -p $(CACHE)/images
	flock $(CACHE)/images/lock guest/image/build.sh x86_64 debian-programs
	touch $@

.PHONY: test-programs test-long
test-programs: $(PROGRAMS_NEEDS) ## gdb, node, Go, i386 ... in an x86_64 container; TESTS="gdb i386"
	node test/programs/run.mjs $(TESTS)
	node test/programs/run.mjs --engine jit $(TESTS)
test-long: $(PROGRAMS_NEEDS) ## as test-programs, with what takes long: Python's tests, stress-ng
	node test/programs/run.mjs --long $(TESTS)
	node test/programs/run.mjs --long --engine jit $(TESTS)
