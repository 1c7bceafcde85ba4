# The engines compared in wasm, where there is a translator too: test/unit/test_engines.c as a WASI
# program, run by test/wasm/engines.mjs. All its memory is there from the start: Node 20 can crash in a
# garbage collection that growing a large memory sets off.
ENGINES_SRC := test/unit/test_engines.c $(wildcard src/exec/*.c src/ir/*.c src/emit/wasm/*.c src/mem/*.c \
	src/base/*.c) test/wasm/support/host.c
TEST_NEEDS += $(B)/test/bin/engines.wasm
$(B)/test/bin/engines.wasm: $(ENGINES_SRC) $(wildcard src/exec/*.h src/ir/*.h src/ir/*.def src/emit/wasm/*)
	@mkdir -p $(@D)
	$(WCC) $(WFLAGS) --no-wasm-opt -D_GNU_SOURCE -Itest/wasm/support $(ENGINES_SRC) \
	  -Wl,-z,stack-size=1048576 -Wl,--initial-memory=536870912 -Wl,--export-table \
	  -Wl,--growable-table -o $@
