# The engines compared in wasm, where there is a translator too. WASI programs, run by test/wasm/*.mjs through
# test/wasm/support/run.mjs. All their memory is there from the start: Node 20 can crash in a garbage
# collection that growing a large memory sets off.
WASM_TESTS := $(sort $(wildcard test/wasm/*.mjs))
WASI_TEST_LD := --no-wasm-opt -Wl,-z,stack-size=1048576 -Wl,--initial-memory=1073741824 -Wl,--export-table \
	-Wl,--growable-table -Wl,--gc-sections
WASI_TEST_H := $(wildcard test/wasm/support/*.[ch] src/*/*.h src/*/*/*.h src/*/*.def src/*/*/*.def)
WASI_TEST_HOST := test/wasm/support/host.c test/wasm/support/jit_host.c
# The library as wasm, without the web host.
WASI_LIB_OBJ := $(patsubst %.c,$(B)/wasm/%.o,$(WLIB_SRC))

# test/unit/test_engines.c: random IR on a toy guest.
TEST_NEEDS += $(B)/test/bin/engines.wasm
$(B)/test/bin/engines.wasm: test/unit/test_engines.c $(WASI_TEST_HOST) $(WASI_LIB_OBJ) $(WASI_TEST_H)
	@mkdir -p $(@D)
	$(WCC) $(WFLAGS) -D_GNU_SOURCE -Itest/wasm/support $(WASI_TEST_LD) $(filter %.c %.o,$^) $(WTHIRD_LIBS) -o $@

# test/lockstep: programs of both guests.
TEST_NEEDS += $(B)/test/bin/lockstep.wasm
$(B)/test/bin/lockstep.wasm: $(wildcard test/lockstep/*.c) test/diff/support/rv_case.c test/lockstep/wasm/jit.c \
		$(WASI_TEST_HOST) $(WASI_LIB_OBJ) $(WASI_TEST_H) $(wildcard test/lockstep/*.h test/diff/support/*.h)
	@mkdir -p $(@D)
	$(WCC) $(WFLAGS) -D_GNU_SOURCE -I. -Itest/lockstep -Itest/diff $(WASI_TEST_LD) $(filter %.c %.o,$^) \
	  $(WTHIRD_LIBS) -o $@
