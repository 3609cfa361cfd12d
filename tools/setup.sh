#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# usage: tools/setup.sh LEVEL...       LEVEL: build, test, lint, fuzz, cover, deb
#
# Makes this machine able to do what the levels name: Debian packages, DuckDB, the Node packages of
# the tests. Says nothing and needs no network when all is there. Everything but the Debian packages
# stays inside build/ and tests/sdk/node_modules.
#
#   DUCKDB_DIR=DIR       use the libduckdb.so and duckdb.h in DIR instead of fetching them
#   WEIR_NO_PACKAGES=1   do not look for Debian packages (another system, your own libraries)
set -eu
cd "$(dirname "$0")/.."

deps=$PWD/build/deps
log=$PWD/build/setup.log

say() { printf 'setup: %s\n' "$*" >&2; }
die() {
	say "$@"
	exit 1
}

# quiet when it works; shows the output when it does not
run() {
	"$@" >"$log" 2>&1 || {
		tail -n 40 "$log" >&2
		return 1
	}
}

# ---- Debian packages

missing_packages() {
	wanted=$(for level; do awk -v level="$level" '$1 == level { print $2 }' tools/packages.txt; done)
	command -v node >/dev/null || wanted="$wanted nodejs"
	command -v npm >/dev/null || wanted="$wanted npm"
	command -v gcc >/dev/null || wanted="$wanted gcc libc6-dev"
	[ -n "$wanted" ] || return 0
	# shellcheck disable=SC2086 # a list of names
	dpkg-query -W -f '${db:Status-Status} ${Package}\n' $wanted 2>/dev/null |
		awk -v wanted="$wanted" '
			$1 == "installed" { have[$2] = 1 }
			END { n = split(wanted, w); for (i = 1; i <= n; i++) if (!have[w[i]]++) printf " %s", w[i] }'
}

as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	else
		sudo "$@"
	fi
}

can_be_root() {
	[ "$(id -u)" = 0 ] && return 0
	command -v sudo >/dev/null || return 1
	[ -t 0 ] || sudo -n true 2>/dev/null
}

apt() {
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=600 "$@"
}

# install_packages NAME...: with apt's lists as they are, and if that fails, which it does when they
# were never fetched or are old, with new ones
install_packages() {
	apt install -y --no-install-recommends "$@" >"$log" 2>&1 && return 0
	run apt update && run apt install -y --no-install-recommends "$@"
}

setup_packages() {
	[ "${WEIR_NO_PACKAGES:-}" = 1 ] && return 0
	command -v apt-get >/dev/null ||
		die "this is not a Debian system: install what tools/packages.txt names in your system's way, then set WEIR_NO_PACKAGES=1."
	missing=$(missing_packages "$@")
	[ -n "$missing" ] || return 0
	line="apt-get install --no-install-recommends$missing"
	can_be_root ||
		die "these Debian packages are missing, and only root can install them. Run this and try again:
    $line"
	say "installing Debian packages:$missing"
	# shellcheck disable=SC2086 # a list of names
	install_packages $missing || die "that did not work (see above). The command was: $line"
}

# ---- DuckDB: build/deps/duckdb is a link to a folder with libduckdb.so and duckdb.h

# npm with nothing of its own outside the checkout
quiet_npm() {
	npm_config_cache=$deps/npm-cache npm_config_update_notifier=false npm_config_fund=false \
		npm_config_audit=false npm_config_ignore_scripts=true npm_config_loglevel=error npm "$@"
}

integrity_of() {
	node -e '
		const hash = require("crypto").createHash("sha512");
		console.log("sha512-" + hash.update(require("fs").readFileSync(process.argv[1])).digest("base64"));
	' "$1"
}

# fetch_pinned PACKAGE@VERSION INTEGRITY FILE FOLDER
fetch_pinned() {
	mkdir -p "$deps/packed"
	say "fetching $1 from npm"
	run quiet_npm pack --pack-destination "$deps/packed" "$1" ||
		die "npm could not fetch $1 (see above). With a DuckDB of your own, set DUCKDB_DIR to the folder of its libduckdb.so and duckdb.h."
	packed=$(find "$deps/packed" -name '*.tgz')
	got=$(integrity_of "$packed")
	[ "$got" = "$2" ] ||
		die "$1 is not the file that was pinned, and is not used.
    pinned in tools/npm-pins.txt: $2
    fetched from npm:             $got"
	tar -xzf "$packed" -C "$deps/packed" "$3"
	mv "$deps/packed/$3" "$4/"
	rm -rf "$deps/packed"
}

fetch_duckdb() {
	part=$1.part
	rm -rf "$deps"/duckdb-* "$deps/packed"
	mkdir -p "$part"
	awk -v here="$(uname -s)/$(uname -m)" '$1 == here || $1 == "any" { print $2, $3, $4 }' tools/npm-pins.txt >"$part/pins"
	while read -r package integrity file; do
		fetch_pinned "$package" "$integrity" "$file" "$part" </dev/null
	done <"$part/pins"
	[ -f "$part/libduckdb.so" ] ||
		die "tools/npm-pins.txt has no libduckdb.so for $(uname -s)/$(uname -m). Set DUCKDB_DIR to a folder with libduckdb.so and duckdb.h."
	rm "$part/pins"
	mv "$part" "$1"
}

setup_duckdb() {
	if [ -n "${DUCKDB_DIR:-}" ]; then
		for file in libduckdb.so duckdb.h; do
			[ -f "$DUCKDB_DIR/$file" ] || die "DUCKDB_DIR is $DUCKDB_DIR, but there is no $file in it."
		done
		folder=$(cd "$DUCKDB_DIR" && pwd)
	else
		# Named after the pins, so that a changed pin is fetched anew.
		folder=$deps/duckdb-$(cksum <tools/npm-pins.txt | cut -d' ' -f1)
		[ -d "$folder" ] || fetch_duckdb "$folder"
	fi
	[ "$(readlink "$deps/duckdb" || :)" = "$folder" ] || ln -sfn "$folder" "$deps/duckdb"
}

# ---- the Node packages of the tests

setup_node_packages() {
	stamp=$deps/node-packages.stamp
	[ -d tests/sdk/node_modules ] && cmp -s tests/sdk/package-lock.json "$stamp" && return 0
	say "installing the Node packages of tests/sdk from npm"
	rm -f "$stamp"
	(cd tests/sdk && run quiet_npm ci --ignore-scripts --no-audit --no-fund) ||
		die "npm could not install what tests/sdk/package-lock.json names (see above)."
	cp tests/sdk/package-lock.json "$stamp"
}

# ----

[ $# -gt 0 ] || {
	sed -n '4,12s/^# \{0,1\}//p' "$0" >&2
	exit 2
}
for level; do
	case $level in
	build | test | lint | fuzz | cover | deb) ;;
	*) die "there is no level '$level'; the levels are build, test, lint, fuzz, cover and deb." ;;
	esac
done
mkdir -p "$deps"
# One at a time: two makes in one checkout would step on each other.
exec 9>"$deps/lock"
flock 9
trap 'rm -rf "$deps/packed" "$deps/npm-cache"' EXIT
setup_packages build "$@"
setup_duckdb
for level; do
	[ "$level" != test ] || setup_node_packages
done
