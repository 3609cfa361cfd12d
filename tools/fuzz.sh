#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# usage: tools/fuzz.sh [NAME...]      fuzzers fuzz/fuzz_NAME.c; all without a NAME
#
# Runs each for FUZZ_SECONDS (60), as many at a time as there are processors, starting from
# fuzz/corpus/NAME. New inputs go to build/fuzz/corpus/NAME, crashes to build/fuzz/crashes.
set -eu
cd "$(dirname "$0")/.."

seconds=${FUZZ_SECONDS:-60}
[ $# -gt 0 ] || {
	for source in fuzz/fuzz_*.c; do
		[ ! -e "$source" ] || set -- "$@" "$(basename "${source#fuzz/fuzz_}" .c)"
	done
}
[ $# -gt 0 ] || {
	echo "there are no fuzzers in fuzz/"
	exit 0
}
for name; do
	[ -e "fuzz/fuzz_$name.c" ] || {
		echo "there is no fuzz/fuzz_$name.c" >&2
		exit 2
	}
done
tools/build.sh fuzz
mkdir -p build/fuzz/crashes

# One fuzzer, as a script for xargs: its name is $1, the seconds are $0.
# shellcheck disable=SC2016 # the inner shell expands it
one='
	name=$1 log=build/fuzz/$1.log
	mkdir -p "build/fuzz/corpus/$name" "fuzz/corpus/$name"
	if build/fuzz/fuzz_"$name" -max_total_time="$0" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
		-artifact_prefix="build/fuzz/crashes/$name-" "build/fuzz/corpus/$name" "fuzz/corpus/$name" >"$log" 2>&1; then
		awk -v name="$name" "/number_of_executed_units/ { runs = \$2 } / cov: / { for (i = 1; i < NF; i++) if (\$i == \"cov:\") cov = \$(i + 1) }
			END { printf \"fuzz  %-20s ok  %d runs, %d edges covered\n\", name, runs, cov }" "$log"
	else
		tail -n 60 "$log"
		echo "fuzz  $name FAILED; the whole output is in $log"
		echo "      again, with a readable stack: tools/build.sh asan replay_$name && build/asan/replay_$name build/fuzz/crashes/$name-..."
		exit 1
	fi
'
printf '%s\n' "$@" | xargs -n 1 -P "$(nproc)" sh -c "$one" "$seconds"
