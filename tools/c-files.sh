#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# usage: tools/c-files.sh FOLDER...      lists the C files below the folders that exist
set -eu
for folder; do
	[ ! -d "$folder" ] || find "$folder" -name node_modules -prune -o -name '*.[ch]' -print
done | LC_ALL=C sort
