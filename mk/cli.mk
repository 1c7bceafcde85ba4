# End-to-end tests of the native command: `make test` runs them, `make test-cli` them alone.
TEST_SCRIPTS += test/cli/run_test.py
TEST_NEEDS += guest images

.PHONY: test-cli
test-cli: $(B)/berth guest images ## `berth run` end to end; TESTS="part of a name..." chooses
	BUILD=$(B) test/cli/run_test.py $(TESTS)
