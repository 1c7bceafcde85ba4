#!/bin/bash
# The short programs with the translator, in Node.
exec node "$(dirname "$0")/run.mjs" --engine jit
