# 9p in a real guest: Linux's own client against the writable back ends.
TEST_SCRIPTS += test/p9/guest_test.sh
TEST_NEEDS += $(B)/test/bin/p9_remote_run

$(B)/test/bin/p9_remote_run: test/p9/remote_run.c $(CLIOBJ) $(B)/libberth.a
	@mkdir -p $(@D)
	$(CC) $(COMMON) -fno-strict-aliasing -D_GNU_SOURCE $(THIRD_CFLAGS) \
		-Wl,--gc-sections,--wrap=machine_run,--wrap=fs_posix_create \
		test/p9/remote_run.c $(CLIOBJ) $(B)/libberth.a $(THIRD_LIBS) -lm -o $@

.PHONY: test-p9
test-p9: $(B)/berth $(B)/test/bin/p9_remote_run guest images ## the 9p back ends under Linux's client in a guest
	BUILD=$(B) test/p9/guest_test.sh
