# Image tests: layouts made with standard tools at test time, compared with other unpackers; and every
# allocation of a pull failing once (built with sanitizers).
CHECK_SCRIPTS += test/oci/run.py $(B)/asan/bin/oci_oom
check-build: $(B)/test/bin/oci_dump $(B)/asan/bin/oci_oom
$(B)/test/bin/oci_dump: test/oci/oci_dump.c $(B)/libberth.a
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) -Wl,--gc-sections $(filter %.c,$^) $(B)/libberth.a $(THIRD_LIBS) -o $@
$(B)/asan/bin/oci_oom: test/oci/oci_oom.c $(B)/asan/libberth.a
	@mkdir -p $(@D)
	$(ACC) $(AFLAGS) -I. -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=strdup $(filter %.c,$^) \
		$(B)/asan/libberth.a -lcmocka $(THIRD_LIBS) -o $@

.PHONY: check-oci
check-oci: $(B)/test/bin/oci_dump $(B)/berth ## image tests alone
	test/oci/run.py
