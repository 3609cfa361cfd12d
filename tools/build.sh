#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# usage: tools/build.sh PRESET [TARGET...]
#
# Builds a preset of CMakePresets.json in build/PRESET, after setting up what it needs.
# Without a TARGET: weir itself, and for `fuzz` every fuzzer.
set -eu
cd "$(dirname "$0")/.."

preset=$1
shift
case $preset in
fuzz) levels="build fuzz" ;;
cover) levels="build test cover" ;;
*) levels=build ;;
esac
case " $* " in
*" tests "*) levels="$levels test" ;;
esac
# shellcheck disable=SC2086 # a list of words
tools/setup.sh $levels

mkdir -p build
exec 9>"build/$preset.lock"
flock 9

# quiet when it works, unless somebody is watching
log=build/$preset-build.log
run() {
	"$@" >"$log" 2>&1 || {
		cat "$log" >&2
		exit 1
	}
}

# CMake does not forget where it was first used: a checkout that was moved or copied starts anew.
cache=build/$preset/CMakeCache.txt
[ ! -f "$cache" ] || grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$PWD" "$cache" || rm -rf "build/$preset"

run cmake --preset "$preset"
set -- ${1+--target "$@"}
if [ -t 1 ]; then
	cmake --build "build/$preset" "$@"
else
	run cmake --build "build/$preset" "$@" -- --quiet
fi

# Where people look for them.
for link in release/weir debug/weir-test; do
	[ ! -e "build/$link" ] || ln -sfn "$link" "build/${link#*/}"
done
