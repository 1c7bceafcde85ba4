#!/bin/bash
# The short programs in the interpreter.
exec node "$(dirname "$0")/run.mjs" --engine interp
