#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# usage: tools/run.sh
#
# Builds weir, runs `weir serve` and, when it is ready, `weir demo` beside it. What ends this
# (Ctrl-C, TERM, a closed terminal, even KILL) ends both.
#
#   WEIR_GRPC, WEIR_HTTP, WEIR_API    ADDR:PORT to listen on (127.0.0.1:4317, :4318, :7700)
#   WEIR_DATA_DIR                     where the data goes (build/run-data)
set -eu
cd "$(dirname "$0")/.."

export WEIR_GRPC=${WEIR_GRPC:-127.0.0.1:4317}
export WEIR_HTTP=${WEIR_HTTP:-127.0.0.1:4318}
export WEIR_API=${WEIR_API:-127.0.0.1:7700}
export WEIR_DATA_DIR=${WEIR_DATA_DIR:-build/run-data}
ready_seconds=60
stop_seconds=40 # a little more than serve's own --drain-ms
serve=
demo=

say() {
	echo "$*" || : # nobody may be listening any more
}

alive() {
	[ -n "$1" ] && kill -0 "$1" 2>/dev/null
}

# Starts a program in a session of its own, so that a Ctrl-C reaches it through stop() alone, once;
# the kernel ends it should this script be killed.
start() {
	setpriv --pdeathsig TERM setsid build/weir "$@" </dev/null &
}

# end PID: asks it to end, and after a while makes it
end() {
	alive "$1" || return 0
	kill -TERM "$1" 2>/dev/null || :
	local tenths=0
	while alive "$1" && [ $tenths -lt $((stop_seconds * 10)) ]; do
		sleep 0.1
		tenths=$((tenths + 1))
	done
	! alive "$1" || {
		say "run: process $1 did not end within $stop_seconds seconds and is killed"
		kill -KILL "$1" 2>/dev/null || :
	}
}

# stop CODE: ends both; a server that ends badly decides the exit code
stop() {
	# A second Ctrl-C does not wait.
	trap 'kill -KILL $demo $serve 2>/dev/null; exit 130' INT
	trap '' HUP QUIT TERM
	trap - EXIT
	local code=$1 serve_code=0
	end "$demo"
	if [ -n "$serve" ]; then
		end "$serve"
		wait "$serve" || serve_code=$?
		[ "$serve_code" = 0 ] || code=$serve_code
		say "weir has stopped; its data is in $WEIR_DATA_DIR"
	fi
	exit "$code"
}
trap 'say; stop 0' INT
trap 'stop 0' TERM HUP QUIT
trap 'stop $?' EXIT

# A make that alone got an INT, QUIT or HUP (a terminal that has it as its first program is closed) waits
# for this script without telling it; one can see that it blocks the signal.
make_is_ending() {
	local key value
	[ "$(<"/proc/$PPID/comm")" = make ] || return 1
	while read -r key value; do
		[ "$key" != SigBlk: ] || return $(((0x$value & 7) == 0))
	done <"/proc/$PPID/status"
	return 1
}

# 127.0.0.1:7700 of 0.0.0.0:7700, :7700 and [::]:7700
reachable() {
	local host=${1%:*} port=${1##*:}
	case $host in
	'' | 0.0.0.0 | '[::]' | '*') host=127.0.0.1 ;;
	esac
	echo "$host:$port"
}

is_ready() {
	node -e 'fetch(process.argv[1], { signal: AbortSignal.timeout(2000) })
		.then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))' "$1/readyz"
}

serve_ended() {
	local code=0
	wait "$serve" || code=$?
	serve=
	say "run: weir serve ended with code $code; WEIR_GRPC, WEIR_HTTP and WEIR_API choose other ports" >&2
	stop "$((code > 0 ? code : 1))"
}

tools/build.sh release weir
api=http://$(reachable "$WEIR_API")

start serve --data-dir "$WEIR_DATA_DIR" --grpc "$WEIR_GRPC" --http "$WEIR_HTTP" --api "$WEIR_API"
serve=$!
SECONDS=0
until is_ready "$api"; do
	alive "$serve" || serve_ended
	[ "$SECONDS" -lt "$ready_seconds" ] || {
		say "run: weir serve does not answer $api/readyz after $ready_seconds seconds" >&2
		stop 1
	}
	sleep 0.1
done
alive "$serve" || serve_ended

WEIR_GRPC=$(reachable "$WEIR_GRPC") start demo
demo=$!
# One that failed, to show as a tree; the demo plays the last ten minutes first.
trace=
for _ in {1..50}; do
	trace=$(build/weir traces --url "$api" --roots --status error --limit 1 -o json 2>/dev/null |
		sed -n 's/.*"trace_id": *"\([0-9a-f]\{32\}\)".*/\1/p' | head -n 1) || :
	[ -z "$trace" ] || break
	sleep 0.2
done

at=
[ "$api" = http://127.0.0.1:7700 ] || at=" --url $api"

cat <<END

  weir listens on
    $WEIR_GRPC  OTLP/gRPC
    $WEIR_HTTP  OTLP/HTTP
    $WEIR_API  API ($api/api/v1/services)
  and a demo shop is sending to it. Try, in another terminal:

    build/weir services$at
    build/weir traces --roots --status error$at
    build/weir trace ${trace:-ID, one of that list,}$at

  Ctrl-C ends both.

END

exec {nothing}<> <(:) # a pipe that is never written to: reading it is a sleep without a process
while alive "$serve"; do
	if [ -n "$demo" ] && ! alive "$demo"; then
		code=0
		wait "$demo" || code=$?
		demo=
		say "run: the demo has ended with code $code; weir serves on"
	fi
	! make_is_ending || stop 0
	read -r -t 1 -u "$nothing" || :
done
serve_ended
