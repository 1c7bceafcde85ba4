# Image tests: layouts made with standard tools at test time, compared with other unpackers.
CHECK_SCRIPTS += test/oci/run.py
check-build: $(B)/test/bin/oci_dump
$(B)/test/bin/oci_dump: test/oci/oci_dump.c $(B)/libberth.a
	@mkdir -p $(@D)
	$(CC) $(COMMON) -fno-strict-aliasing -D_GNU_SOURCE -MMD -MP $(THIRD_CFLAGS) -Wl,--gc-sections \
		$(filter %.c,$^) $(B)/libberth.a $(THIRD_LIBS) -o $@

.PHONY: check-oci
check-oci: $(B)/test/bin/oci_dump ## image tests alone
	test/oci/run.py
