#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Line coverage of the unit tests and the fuzz corpora: a table, and build/cover/index.html.
set -eu
cd "$(dirname "$0")/.."
tools/build.sh cover tests
find build/cover -name '*.gcda' -delete
build/cover/weir-test
for replay in build/cover/replay_*; do
	[ ! -x "$replay" ] || "$replay" "fuzz/corpus/${replay#build/cover/replay_}" >/dev/null
done
gcovr --root . --filter 'src/' --exclude '.*_test\.c' --exclude-throw-branches \
	--html-details build/cover/index.html --txt --print-summary build/cover
echo 'line by line: build/cover/index.html'
