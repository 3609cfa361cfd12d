#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# usage: tools/lint-selftest.sh
#
# Shows that each check of ours can fail: gives it a small tree that is good, then the same with one
# thing wrong, and wants that thing to be named. The last line is "N passed, N failed" (appended to
# the file $TEST_TOTALS instead, if that is set).
set -eu
cd "$(dirname "$0")/.."

tools=$PWD/tools
tree=$PWD/build/lint-selftest
output=$tree/output
passed=0
failed=0

# A small good tree, with the real tables.
good_tree() {
	rm -rf "$tree"
	mkdir -p "$tree/src/base" "$tree/src/wal" "$tree/tests" "$tree/objects/src/wal"
	printf '%s\n' '/* SPDX-License-Identifier: Apache-2.0 */' '#ifndef BASE_ERR_H' '#define BASE_ERR_H' \
		'#include <stddef.h>' 'size_t err_len(void);' '#endif' >"$tree/src/base/err.h"
	printf '%s\n' '/* SPDX-License-Identifier: Apache-2.0 */' '#ifndef WAL_WAL_H' '#define WAL_WAL_H' \
		'#include "base/err.h"' 'size_t wal_len(void);' 'static inline int' 'wal_zero(void)' '{' '	return 0;' '}' \
		'#endif' >"$tree/src/wal/wal.h"
	printf '%s\n' '/* SPDX-License-Identifier: Apache-2.0 */' '#include "wal/wal.h"' '' '#include <string.h>' \
		'' 'size_t' 'wal_len(void)' '{' '	/* strcpy(a, b) in a comment */' '	return strlen("atoi(x)");' '}' \
		>"$tree/src/wal/wal.c"
	printf '%s\n' '/* SPDX-License-Identifier: Apache-2.0 */' '#include "tests/test.h"' '#include "sys/file.h"' \
		'#include <unistd.h>' >"$tree/src/wal/wal_test.c"
	cd "$tree"
}

check() {
	sources=$(find src -name '*.[ch]' | sort)
	# shellcheck disable=SC2086,SC2046 # names without blanks
	case $1 in
	includes) awk -f "$tools/lint-includes.awk" "$tools/layers.txt" "$tools/headers.txt" $sources ;;
	text) awk -f "$tools/lint-text.awk" $sources ;;
	headers) "$tools/lint-header.sh" $(find src -name '*.h') ;;
	symbols)
		gcc -Isrc -c src/wal/wal.c -o objects/src/wal/wal.c.o &&
			"$tools/lint-symbols.sh" objects $(find src -name '*.h')
		;;
	esac
}

verdict() {
	if [ "$1" = good ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAIL  lint-selftest: $2"
		cat "$output"
	fi
}

accepts() {
	good_tree
	if check "$1" >"$output" 2>&1; then verdict good; else verdict bad "$1 refuses a good tree"; fi
}

# refuses CHECK 'WHAT IT SAYS' FILE LINE...: with the lines added to the file
refuses() {
	which=$1
	says=$2
	file=$3
	shift 3
	good_tree
	mkdir -p "$(dirname "$file")"
	printf '%s\n' "$@" >>"$file"
	if check "$which" >"$output" 2>&1; then
		verdict bad "$which accepts what it should refuse: $says"
	elif grep -q -- "$says" "$output"; then
		verdict good
	else
		verdict bad "$which refuses, but does not say: $says"
	fi
}

many() {
	i=0
	while [ "$i" -lt "$1" ]; do
		i=$((i + 1))
		echo "$2"
	done
}

accepts includes
refuses includes 'wal may not include store' src/wal/wal.c '#include "store/store.h"'
refuses includes 'base may not include sys' src/base/err.h '#include "sys/clock.h"'
refuses includes 'wal may not include store' src/wal/wal_test.c '#include "store/store.h"'
refuses includes 'private to sys' src/wal/wal.c '#include "sys/file_priv.h"'
refuses includes '<unistd.h> is not for wal' src/wal/wal.c '#include <unistd.h>'
refuses includes '<pthread.h> is not for wal' src/wal/wal.c '#  include <pthread.h>'
refuses includes '<time.h> is not for wal' src/wal/wal.c '#include <time.h>'
refuses includes '<duckdb.h> is not for wal' src/wal/wal.c '#include <duckdb.h>'
refuses includes 'must be spelled from src/' src/wal/wal.c '#include "wal.h"'
refuses includes 'must be spelled from src/' src/wal/wal.c '#include "../base/err.h"'
refuses includes 'only \*_test.c may include' src/wal/wal.c '#include "tests/test.h"'
refuses includes 'spelled "tests/...' src/wal/wal_test.c '#include "test.h"'
refuses includes 'src/base/err.h must be included first' src/base/err.c '#include <stdio.h>' '#include "base/err.h"'
refuses includes 'magic is not in tools/layers.txt' src/magic/magic.c ''

accepts text
for call in strcpy strcat sprintf vsprintf gets atoi alloca strtok assert; do
	refuses text "$call() is banned" src/wal/wal.c "	$call(x);"
done
refuses text 'time(NULL) is banned' src/wal/wal.c '	t = time(NULL);'
refuses text 'no SPDX' src/wal/index.h '#ifndef X'
refuses text 'something is left to do' src/wal/wal.c '/* TODO later */'
refuses text 'the file has 1011 lines, at most 1000' src/wal/wal.c "$(many 1000 '/* */')"
refuses text 'at most 250' src/wal/wal.h "$(many 250 '/* */')"
refuses text 'wal_long() has 71 lines, at most 70' src/wal/wal.c 'void' 'wal_long(void)' '{' "$(many 71 '	;')" '}'

accepts headers
refuses headers 'does not compile alone' src/wal/index.h 'struct wal *wal_make(uint32_t n);'
refuses headers 'does not compile alone' src/wal/index.h 'struct not_guarded { int x; };'

accepts symbols
refuses symbols 'make_log must begin with wal_' src/wal/wal.c 'int make_log;'
refuses symbols 'open_log must begin with wal_' src/wal/wal.c 'int' 'open_log(void)' '{' '	return 0;' '}'
refuses symbols 'inline_log must begin with wal_' src/wal/index.h 'static inline int' 'inline_log(void)' '{}'

rm -rf "$tree"
closing="$passed passed, $failed failed"
echo "lint-selftest: $passed checks can fail"
if [ -n "${TEST_TOTALS:-}" ]; then echo "$closing" >>"$TEST_TOTALS"; else echo "$closing"; fi
[ "$failed" = 0 ]
