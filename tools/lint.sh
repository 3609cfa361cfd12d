#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# usage: tools/lint.sh [CHECK...]      all checks, or: format includes text symbols headers scripts manual tidy
#
# The rules of the house that a machine can check. Prints file:line: what is wrong.
set -eu
cd "$(dirname "$0")/.."

jobs=$(nproc)
tools/setup.sh lint test

# A batch of files at a time, whose findings come out in one piece.
check_format() {
	# shellcheck disable=SC2016 # the inner shell expands it
	tools/c-files.sh src tests fuzz bench | xargs -r -n 20 -P "$jobs" sh -c '
		clang-format-19 --dry-run -Werror "$@" 2>&1 | awk -F: "
			/: error: / { places[\$1]++ }
			END { for (file in places) { bad = 1; print file \": \" places[file] \" places are not formatted (make format)\" }; exit bad }"
	' sh
}

check_includes() {
	# shellcheck disable=SC2046 # names without blanks
	awk -f tools/lint-includes.awk tools/layers.txt tools/headers.txt $(tools/c-files.sh src fuzz)
}

check_text() {
	# shellcheck disable=SC2046
	awk -f tools/lint-text.awk $(tools/c-files.sh src tests fuzz bench)
}

check_symbols() {
	tools/build.sh debug weir-core || return
	# shellcheck disable=SC2046
	tools/lint-symbols.sh build/debug/CMakeFiles $(tools/c-files.sh src | grep '\.h$')
}

check_headers() {
	tools/c-files.sh src | grep '\.h$' | xargs -r -n 8 -P "$jobs" tools/lint-header.sh
}

check_tidy() {
	cmake --preset lint >build/lint-configure.log 2>&1 || {
		cat build/lint-configure.log
		return 1
	}
	tools/c-files.sh src fuzz | grep '\.c$' | xargs -r -n 1 -P "$jobs" tools/lint-tidy.sh
}

check_scripts() {
	bad=0
	for script in tools/*.sh packaging/debian/p* .ci/run; do
		head -n 3 "$script" | grep -q SPDX-License-Identifier || {
			echo "$script:1: there is no SPDX-License-Identifier in the first lines"
			bad=1
		}
		shellcheck "$script" || bad=1
	done
	shellcheck src/cli/shells/bash.sh || bad=1
	for shell in zsh fish; do # where they are
		! command -v $shell >/dev/null || $shell -n src/cli/shells/$shell.sh || bad=1
	done
	for script in tests/*.mjs tests/sdk/*.mjs tests/scenario/*.mjs tests/fault/*.mjs; do
		[ ! -e "$script" ] || node --check "$script" || bad=1
	done
	return $bad
}

# The page as it is installed, with the options that the program knows.
check_manual() {
	tools/build.sh debug weir >build/lint-manual.log 2>&1 || {
		cat build/lint-manual.log
		return 1
	}
	tools/manual.sh build/debug/weir >build/weir.1 && mandoc -T lint -W warning build/weir.1
}

failed=
[ $# -gt 0 ] || set -- format includes text symbols headers scripts manual tidy
for check; do
	start=$(date +%s)
	if "check_$check"; then
		printf 'lint  %-10s ok  (%d s)\n' "$check" $(($(date +%s) - start))
	else
		printf 'lint  %-10s FAILED\n' "$check"
		failed="$failed $check"
	fi
done
[ -z "$failed" ] || {
	echo "lint failed:$failed"
	exit 1
}
