# Golden files: guest code, the IR and the WebAssembly it becomes (test/golden).
CHECK_SCRIPTS += test/golden/check.sh
check-build: $(B)/test/bin/golden
$(B)/test/bin/golden: test/golden/golden.c $(B)/libberth.a
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) -Wl,--gc-sections $(filter %.c,$^) $(B)/libberth.a $(TEST_LIBS) -o $@
.PHONY: golden-accept
golden-accept: $(B)/test/bin/golden ## take what guest code becomes now as right (test/golden)
	test/golden/check.sh --accept
