#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# usage: tools/lint-header.sh FILE.h...      (paths from the root of the tree)
#
# Each header compiles alone, and twice. Only those of src/duck find duckdb.h.
set -eu

bad=0
for header; do
	include=
	case $header in
	src/duck/*) include="-isystem build/deps/duckdb" ;;
	esac
	# shellcheck disable=SC2086 # two words or none
	printf '#include "%s"\n#include "%s"\n' "${header#src/}" "${header#src/}" |
		${CC:-gcc} -std=c11 -D_GNU_SOURCE -Wall -Wextra -Wpedantic -Wno-unused-function -Werror \
			-fsyntax-only -Isrc $include -I. -x c - || {
		echo "$header: does not compile alone"
		bad=1
	}
done
exit $bad
