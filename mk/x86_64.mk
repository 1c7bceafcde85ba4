# The x86_64 guest's longer tests; the short ones are in make check.
X86_CASES ?= 20000
X86_SEED ?= 1000
.PHONY: fuzz-x86_64
fuzz-x86_64: $(B)/test/bin/diff_x86_64 ## random instructions against this CPU (X86_CASES=20000 a row, X86_SEED=...)
	$< $(X86_CASES) $(X86_SEED)
