#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# usage: tools/test.sh
#
# Every test there is: the test of the lint checks, unit tests, fuzz corpora, scenarios (Node
# programs that run the whole of weir). The last line is "N passed, N failed"; the exit code says
# the same.
#
# SANITIZE=asan or tsan builds and runs all of it under a sanitizer. Without it, unit tests and
# corpora run in the debug build, and scenarios run the release binary, the one that is shipped.
set -eu
cd "$(dirname "$0")/.."

sanitize=${SANITIZE:-}
preset=${sanitize:-debug}
reports=$PWD/build/sanitizer-reports
totals=$PWD/build/test-totals
export WEIR_BIN="$PWD/build/${sanitize:-release}/weir"
passed=0
failed=0
child=

# What ends this, ends what it has started.
trap 'stop 129' HUP
trap 'stop 130' INT
trap 'stop 143' TERM
stop() {
	trap '' HUP INT TERM
	[ -z "$child" ] || kill -TERM "$child" 2>/dev/null || :
	wait
	exit "$1"
}

# run NAME SECONDS COMMAND...: in a process group of its own, none of which outlives it. The command
# appends "N passed, N failed" to the file $TEST_TOTALS; one that does not has failed.
run() {
	name=$1
	seconds=$2
	shift 2
	: >"$totals"
	# shellcheck disable=SC2086 # $wrap is nothing, or two words
	TEST_TOTALS=$totals $wrap timeout -k 20 "$seconds" "$@" &
	child=$!
	code=0
	wait "$child" || code=$?
	kill -KILL -- "-$child" 2>/dev/null || :
	child=
	read -r more_passed _ more_failed _ <"$totals" || {
		more_passed=0
		more_failed=0
	}
	if [ "$code" != 0 ] && [ "$more_failed" = 0 ]; then
		more_failed=1
		[ "$code" != 124 ] || code="$code, after more than $seconds seconds"
		echo "FAIL  $name ended with code $code"
	fi
	passed=$((passed + more_passed))
	failed=$((failed + more_failed))
}

one_passed() {
	passed=$((passed + 1))
}

one_failed() {
	failed=$((failed + 1))
	echo "FAIL  $1"
}

replay_corpora() {
	for source in fuzz/fuzz_*.c; do
		[ -e "$source" ] || continue
		name=$(basename "${source#fuzz/fuzz_}" .c)
		log=build/$preset/replay_$name.log
		# shellcheck disable=SC2086
		if $wrap timeout 300 "build/$preset/replay_$name" "fuzz/corpus/$name" >"$log" 2>&1; then
			echo "fuzz  $name: $(tail -n 1 "$log")"
			one_passed
		else
			tail -n 40 "$log"
			one_failed "the corpus of fuzz_$name: the input is the last one named above"
		fi
	done
}

run_scenarios() {
	set -- tests/scenario/*.test.mjs
	[ -e "$1" ] || {
		echo "there are no scenarios in tests/scenario"
		return 0
	}
	# A report of a server that a scenario has killed, or did not look at, counts all the same.
	rm -rf "$reports"
	mkdir -p "$reports"
	export ASAN_OPTIONS="$ASAN_OPTIONS:log_path=$reports/asan" TSAN_OPTIONS="$TSAN_OPTIONS:log_path=$reports/tsan"
	export UBSAN_OPTIONS="$UBSAN_OPTIONS:log_path=$reports/ubsan"
	run "the scenarios" "${SCENARIO_SECONDS:-3000}" node --test --test-concurrency="$(nproc)" \
		--test-reporter="$PWD/tools/reporter.mjs" --test-reporter-destination=stdout "$@"
	for report in "$reports"/*; do
		[ -s "$report" ] || continue
		head -n 60 "$report"
		one_failed "a sanitizer's report: $report"
	done
}

wrap=
export ASAN_OPTIONS="detect_stack_use_after_return=1:strict_string_checks=1:${ASAN_OPTIONS:-}"
export UBSAN_OPTIONS="print_stacktrace=1:${UBSAN_OPTIONS:-}"
export TSAN_OPTIONS="suppressions=$PWD/tools/tsan-suppressions.txt:second_deadlock_stack=1:${TSAN_OPTIONS:-}"
# The thread sanitizer cannot place its shadow where a kernel randomises addresses widely.
[ "$sanitize" != tsan ] || ! setarch -R true 2>/dev/null || wrap="setarch -R"

if [ -n "$sanitize" ]; then
	tools/build.sh "$preset" all tests
else
	tools/build.sh debug tests
	tools/build.sh release weir
	run "the test of the lint checks" 300 tools/lint-selftest.sh
fi
run "weir-test" "${UNIT_SECONDS:-1800}" "build/$preset/weir-test"
# What the servers promise they promise over TLS too.
run "weir-test over TLS" "${UNIT_SECONDS:-1800}" env WEIR_TEST_TLS=1 "build/$preset/weir-test" grpc/ http/
replay_corpora
run_scenarios

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
