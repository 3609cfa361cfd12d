#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# usage: tools/lint-symbols.sh OBJECT-FOLDER [FILE.h...]      (from the root of the tree)
#
# Every name that src/<module>/ exports begins with the name of the module or of one of its headers
# (src/sys/queue.h: sys_ or queue_), or as tools/prefixes.txt says. Looks at the symbols of the
# objects (.../src/<module>/x.c.o) below OBJECT-FOLDER, and at the inline functions of the headers.
set -eu

prefixes=$(dirname "$0")/prefixes.txt
objects=$1
shift
{
	find "$objects" -path '*/src/*/*.c.o' ! -name '*_test.c.o' -exec nm -A -g --defined-only {} + |
		sed -n 's|^.*/src/\([^/]*\)/\([^:]*\)\.o:[^ ]* *[A-Za-z] \(.*\)|\1 src/\1/\2 \3|p'
	[ $# -eq 0 ] || awk '/^[a-z_][A-Za-z0-9_]*\(/ {
		name = $0; sub(/\(.*/, "", name)
		module = FILENAME; sub(/^src\//, "", module); sub(/\/.*/, "", module)
		print module, FILENAME, name }' "$@"
} | awk -v header_list="$*" '
	function exists(path,    line, ok) {
		ok = (getline line < path) >= 0
		close(path)
		return ok
	}
	BEGIN {
		n = split(header_list, header, " ")
		for (i = 1; i <= n; i++) {
			split(header[i], part, /[\/.]/) # src/module/name.h
			sub(/_priv$/, "", part[3])
			headers[part[2]] = headers[part[2]] " " part[3] "_"
		}
	}
	FILENAME != "-" {
		sub(/#.*/, "")
		if (split($0, part, ":") == 2)
			prefixes[part[1]] = part[2]
		next
	}
	!exists($2) { next } # the object of a source that is gone
	{
		allow = $1 "_ " prefixes[$1] headers[$1]
		n = split(allow, allowed, " ")
		for (i = 1; i <= n; i++)
			if (index($3, allowed[i]) == 1)
				next
		printf "%s: %s must begin with %s_ (or a prefix of tools/prefixes.txt)\n", $2, $3, $1
		problems++
	}
	END { exit problems > 0 }' "$prefixes" -
