#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# usage: tools/bench.sh
#
# Builds weir and measures it: for each case a fresh server with an empty data folder, loaded by
# `weir bench` on the same machine. Prints a page in Markdown; the page and all figures as JSON are
# left in build/bench. Takes about three minutes.
#
#   BENCH_SECONDS     of load in each case (4); more than 10 and the server's loader lags behind so far
#                     that it may refuse some, which the page then says
#   BENCH_PAYLOADS    "sdk", "jaeger" or "sdk jaeger" (sdk)
#   BENCH_SPANS       spans a request ("1 64 512")
#   BENCH_ENCODINGS   "plain gzip"
#   BENCH_VISIBLE     seconds of the case that measures ack to visible at 1,000 spans/s (15; 0: none)
#   BENCH_SERVE       more options for `weir serve`
set -eu
cd "$(dirname "$0")/.."

seconds=${BENCH_SECONDS:-4}
payloads=${BENCH_PAYLOADS:-sdk}
sizes=${BENCH_SPANS:-1 64 512}
encodings=${BENCH_ENCODINGS:-plain gzip}
visible=${BENCH_VISIBLE:-15}
weir=${WEIR:-}
out=build/bench
ready_seconds=30
stop_seconds=60
serve=
load=
failed=

say() {
	echo "bench: $*" >&2
}

# Before the trap: what is there belongs to the one that runs.
mkdir -p build
exec 8>build/bench.lock
flock -n 8 || {
	say "another one is running in this checkout"
	exit 1
}

alive() {
	[ -n "$1" ] && kill -0 "$1" 2>/dev/null
}

# What ends this script ends both and leaves no data behind; should it be killed, the kernel ends them and
# the next run deletes the data.
clean_up() {
	trap - EXIT
	trap '' HUP INT QUIT TERM
	for process in $load $serve; do
		kill -KILL "$process" 2>/dev/null || :
	done
	wait
	rm -rf "$out"/data.*
	exit "$1"
}
trap 'clean_up $?' EXIT
trap 'clean_up 130' INT
trap 'clean_up 143' HUP QUIT TERM

# address_of WHAT: where the server's log says it listens
address_of() {
	sed -n "s|.*listening for $1 on ||p" "$out/serve.log"
}

start_serve() {
	rm -rf "$data"
	: >"$out/serve.log" # not the last server's: the new one is a moment behind
	# shellcheck disable=SC2086 # a list of options
	setpriv --pdeathsig KILL "$weir" serve --data-dir "$data" --grpc 127.0.0.1:0 --http 127.0.0.1:0 \
		--api 127.0.0.1:0 --log-format text --log-level info ${BENCH_SERVE:-} \
		</dev/null >>"$out/serve.log" 2>&1 &
	serve=$!
	SECONDS=0
	while [ -z "$(address_of 'the API')" ]; do
		if ! alive "$serve" || [ $SECONDS -ge $ready_seconds ]; then
			say "weir serve does not listen; it said:"
			cat "$out/serve.log" >&2
			exit 1
		fi
		sleep 0.05
	done
}

# stop_serve NAME: ends the server, which writes its last checkpoint, and notes what is then in its store
stop_serve() {
	local tenths=0
	kill -TERM "$serve" 2>/dev/null || :
	while alive "$serve" && [ $tenths -lt $((stop_seconds * 10)) ]; do
		sleep 0.1
		tenths=$((tenths + 1))
	done
	if alive "$serve"; then
		say "weir serve did not end within $stop_seconds seconds and is killed"
		kill -KILL "$serve"
		wait "$serve" || :
	elif wait "$serve"; then
		# The sizes of the database's own files.
		find "$data" -maxdepth 1 -name 'weir.duckdb*' -printf '%s\n' |
			awk '{ n += $1 } END { print n }' >"$out/$1.rest"
	fi
	serve=
	rm -rf "$data"
}

# run_case NAME OPTIONS...: one line of JSON in NAME.json, or the reason in NAME.err
run_case() {
	local name=$1
	shift
	data=$out/data.$name
	say "$name"
	start_serve
	setpriv --pdeathsig KILL "$weir" bench --name "$name" --grpc "$(address_of OTLP/gRPC)" \
		--api "$(address_of 'the API')" --server-pid "$serve" --data-dir "$data" --warm-up 500ms \
		-o json "$@" >"$out/$name.json" 2>"$out/$name.err" </dev/null &
	load=$!
	wait "$load" || {
		failed=1
		cat "$out/$name.err" >&2
	}
	load=
	stop_serve "$name"
}

# Calls in flight on each of four connections: about what keeps two processors busy, no more.
inflight_of() {
	if [ "$1" -lt 16 ]; then
		echo 64
	elif [ "$1" -lt 256 ]; then
		echo 8
	else
		echo 2
	fi
}

[ -n "$weir" ] || {
	tools/build.sh release weir
	weir=build/weir
}
load_before=$(cut -d' ' -f1 /proc/loadavg)
rm -rf "$out"
mkdir -p "$out"
names=
for payload in $payloads; do
	for spans in $sizes; do
		for encoding in $encodings; do
			gzip=
			[ "$encoding" != gzip ] || gzip=--gzip
			name=$payload-$spans-$encoding
			# shellcheck disable=SC2086 # an option or nothing
			run_case "$name" --payload "$payload" --spans "$spans" $gzip --connections 4 \
				--inflight "$(inflight_of "$spans")" --seconds "${seconds}s"
			names="$names $name"
		done
	done
	[ "$visible" = 0 ] || {
		run_case "$payload-visible" --payload "$payload" --visible --rate 1000 --spans 10 \
			--connections 4 --inflight 16 --seconds "${visible}s"
		names="$names $payload-visible"
	}
done
# shellcheck disable=SC2086 # a list of names
BENCH_LOAD_BEFORE=$load_before node tools/bench-page.mjs "$out" $names
[ -z "$failed" ]
