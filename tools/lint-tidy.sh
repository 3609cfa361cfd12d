#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# usage: tools/lint-tidy.sh FILE.c
#
# clang-tidy on one source, unless it passed before with the same text: the key is a hash of the
# preprocessed source with its comments, the settings and the compile commands.
set -eu

file=$1
cache=build/lint/passed
mkdir -p "$cache"
case $file in
src/duck/*) include="-isystem build/deps/duckdb" ;;
*) include= ;;
esac
# shellcheck disable=SC2086 # two words or none
key=$({
	clang-19 -std=c11 -D_GNU_SOURCE -DWEIR_VERSION= -DTEST_SOURCE_DIR= -DTEST_BUILD_DIR= -Isrc -I. $include -E -C "$file"
	cat .clang-tidy CMakeLists.txt "$0"
} 2>/dev/null | sha256sum | cut -d' ' -f1)
[ ! -e "$cache/$key" ] || exit 0

# The analyzer follows a test past assertions that it does not understand.
case $file in
*_test.c) checks="-clang-analyzer-*" ;;
*) checks= ;;
esac
log=$(mktemp build/lint/tidy.XXXXXX)
if clang-tidy-19 --quiet --checks="$checks" -p build/lint "$file" >"$log" 2>&1; then
	rm "$log"
	touch "$cache/$key"
else
	grep -v -e 'warnings\{0,1\} generated' -e '^Suppressed ' -e 'warnings treated as errors' "$log" || :
	rm "$log"
	exit 1
fi
