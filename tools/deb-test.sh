#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# usage: WEIR_THROW_AWAY=1 tools/deb-test.sh
#
# Installs the Debian package, uses it, upgrades, removes and purges it, on this machine, which afterwards is another
# one: for a container or a chroot that is thrown away. The last line is "N passed, N failed".
set -u
cd "$(dirname "$0")/.." || exit 2

if [ "${WEIR_THROW_AWAY:-}" != 1 ] || [ "$(id -u)" != 0 ]; then
	sed -n '4,7s/^# \{0,1\}//p' "$0" >&2
	exit 2
fi
export DEBIAN_FRONTEND=noninteractive
passed=0
failed=0
log=$(mktemp)

# check WHAT COMMAND...
check() {
	what=$1
	shift
	if "$@" >"$log" 2>&1; then
		passed=$((passed + 1))
		echo "ok    $what"
	else
		failed=$((failed + 1))
		echo "FAIL  $what"
		tail -n 30 "$log"
	fi
}
as_weir() { setpriv --reuid weir --regid weir --clear-groups "$@"; }
not() { ! "$@"; }
is() { [ "$1" = "$2" ] || {
	echo "is \"$1\", not \"$2\""
	return 1
}; }
serve() {
	setpriv --reuid weir --regid weir --clear-groups weir serve --config /etc/weir/weir.conf 2>/tmp/weir.log &
	server=$!
	for _ in $(seq 300); do
		! grep -q 'is ready' /tmp/weir.log || return 0
		sleep 0.1
	done
	cat /tmp/weir.log
	return 1
}
stop() {
	kill -TERM "$server"
	wait "$server"
	grep -q 'stopped$' /tmp/weir.log
}
spans() { as_weir weir services -o json | tr ',' '\n' | sed -n 's/.*"span_count":\([0-9]*\).*/\1/p' | paste -sd+ | bc; }
install_deb() { apt-get install -y --allow-downgrades "$PWD/$1"; }

apt-get install -y -qq bc systemd >/dev/null 2>&1
first=$(tools/deb.sh) || exit 1
cp "$first" build/first.deb
second=$(WEIR_DEB_VERSION=99.0 tools/deb.sh) || exit 1
# Nothing of the build may be what makes it run.
mv build/release build/release.away

check 'it installs' install_deb build/first.deb
check 'the program runs' weir --version
check 'it needs nothing from the checkout' sh -c '! ldd /usr/bin/weir | grep -E "not found|/build/"'
check 'the folder of the data is its alone' is "$(stat -c '%a %U %G' /var/lib/weir)" '700 weir weir'
check 'there is a man page' sh -c 'dpkg -L weir | grep -qx /usr/share/man/man1/weir.1.gz'
check 'there are options in it' sh -c 'zgrep -q "Fl -min-duration-ms" /usr/share/man/man1/weir.1.gz'
check 'bash completes it' is "$(bash -c 'source /usr/share/bash-completion/completions/weir
	COMP_WORDS=(weir tra) COMP_CWORD=1 COMP_LINE="weir tra" COMP_POINT=8; _weir; echo ${COMPREPLY[*]}')" 'traces trace'
check 'zsh and fish find theirs' test -e /usr/share/zsh/vendor-completions/_weir -a -e /usr/share/fish/vendor_completions.d/weir.fish
check 'the unit is one' systemd-analyze verify --man=no /usr/lib/systemd/system/weir.service
systemd-analyze security --offline=true /usr/lib/systemd/system/weir.service | tail -n 1
check 'the unit is exposed at 2.0 at most' systemd-analyze security --offline=true --threshold=20 /usr/lib/systemd/system/weir.service

check 'it serves as its user with its configuration' serve
check 'it takes telemetry' sh -c 'timeout 5 weir demo; [ $? = 124 ]'
sleep 2
before=$(spans)
check 'it answers' [ "${before:-0}" -gt 0 ]
key=$(weir keys create --data-dir /var/lib/weir --tenant '*' --right read -o json 2>/dev/null | sed -n 's/.*"key":"\([^"]*\)".*/\1/p')
sleep 1
check 'a key that root makes is in force' not weir services
export WEIR_TOKEN="$key"
check 'and opens' is "$(spans)" "$before"
check 'it stops' stop

echo '# mine' >>/etc/weir/weir.conf
check 'it is upgraded' install_deb "$second"
check 'to the new version' is "$(dpkg-query -W -f '${Version}' weir)" 99.0
check 'the configuration stays' grep -qx '# mine' /etc/weir/weir.conf
check 'it serves again' serve
check 'what came in before is there' is "$(spans)" "$before"
check 'it stops again' stop

# The first connection starts it.
activate() {
	setpriv --reuid weir --regid weir --clear-groups systemd-socket-activate -l 127.0.0.1:17700 --fdname=api weir serve --data-dir /var/lib/weir 2>/tmp/weir.log &
	server=$!
	for _ in $(seq 100); do
		! WEIR_URL=127.0.0.1:17700 weir services || return 0
		sleep 0.1
	done
	cat /tmp/weir.log
	return 1
}
check 'sockets may be handed over' activate
check 'it stops there too' stop

check 'it is removed' apt-get remove -y weir
check 'the program has gone' [ ! -e /usr/bin/weir ]
check 'the data stays' [ -e /var/lib/weir/weir.duckdb ]
check 'it is installed again' install_deb build/first.deb
check 'and enabled' [ -e /etc/systemd/system/multi-user.target.wants/weir.service ]
check 'with its data' serve
check 'all of it' is "$(spans)" "$before"
check 'and stops' stop
check 'it is purged' apt-get purge -y weir
check 'the data has gone' [ ! -e /var/lib/weir ]
check 'the configuration too' [ ! -e /etc/weir ]

mv build/release.away build/release
rm -f "$log" build/first.deb "$second"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
