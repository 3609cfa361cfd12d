#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# usage: tools/manual.sh WEIR >weir.1
#
# The manual page: doc/weir.1, and in its place what the program WEIR says of the options of its commands.
set -eu
[ $# = 1 ] || {
	sed -n '4,6s/^# \{0,1\}//p' "$0" >&2
	exit 2
}
page=$(dirname "$0")/../doc/weir.1
options=$("$1" help --mdoc)
printf '%s\n' "$options" | sed -e '/^\.\\" The options of each command/r /dev/stdin' "$page"
