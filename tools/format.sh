#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# usage: tools/format.sh [FILE...]       all C sources without a FILE
set -eu
cd "$(dirname "$0")/.."
tools/setup.sh lint
[ $# -gt 0 ] || {
	# shellcheck disable=SC2046 # names without blanks
	set -- $(tools/c-files.sh src tests fuzz bench)
}
printf '%s\n' "$@" | xargs -n 20 -P "$(nproc)" clang-format-19 -i
