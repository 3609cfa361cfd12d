#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# usage: tools/fault.sh [--short] [--verbose] [--seed N] [--only 'GROUP CASE'] [GROUP...]
#
# The fault suite of tests/fault on the release build: every file operation that a small scenario reaches
# fails, or is where weir is killed; damaged files; a full disk; kill -9 in a loop. After each the data is
# compared with a ledger of what was acknowledged. Without --short it takes about an hour. Without any argument the
# store's own tests come first, and scenarios that try things at random, with all that they have.
set -eu
cd "$(dirname "$0")/.."

if [ $# = 0 ]; then
	tools/build.sh debug tests
	TEST_THOROUGH=1 build/debug/weir-test duck
fi
tools/build.sh debug weir-fault
tools/build.sh release weir
export WEIR_BIN="${WEIR_BIN:-$PWD/build/release/weir}"
if [ $# = 0 ]; then
	# shellcheck disable=SC2046 # names of ours
	TEST_THOROUGH=1 node --test --test-concurrency=1 $(grep -l thorough tests/scenario/*.test.mjs)
fi
exec node tests/fault/main.mjs "$@"
