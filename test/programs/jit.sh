#!/bin/bash
# Programs with the translator, in Node: those that it gets right (docs/status.md has the others; all of
# them: node test/programs/run.mjs --engine jit).
exec node "$(dirname "$0")/run.mjs" --engine jit gdb go
