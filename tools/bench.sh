#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# usage: tools/bench.sh
#
# Builds weir and measures it: for each case a fresh server with an empty data folder, loaded by
# `weir bench` on the same machine, then stopped and started again on what it holds. Prints a page in Markdown
# with the goals beside the figures; the page and all figures as JSON are left in build/bench. Takes about
# eight minutes; BENCH_MILLIONS=10 some minutes more.
#
#   BENCH_CASES       which: "load rate visible steady fair millions agents" (all of them)
#   BENCH_SECONDS     of load in each case of full speed (4)
#   BENCH_PAYLOADS    "sdk", "jaeger" or "sdk jaeger" (both)
#   BENCH_SPANS       spans a request at full speed: "1 64 512" (512)
#   BENCH_ENCODINGS   "plain gzip" (plain)
#   BENCH_RATE        spans/s of the fixed rate (100000), for BENCH_RATE_SECONDS (10)
#   BENCH_VISIBLE     seconds of each case that measures ack to visible (10)
#   BENCH_STEADY      seconds of 10,000 spans/s of a server that is told to be small (30)
#   BENCH_SMALL       the options of `weir serve` that make it small
#   BENCH_FAIR        pairs of rounds (4) in which one tenant is alone, and beside one that sends ten times what it may,
#   BENCH_FAIR_LIMIT  so many spans/s (10000); of BENCH_FAIR_SECONDS each (8)
#   BENCH_MILLIONS    million spans that are loaded, and then asked for (2)
#   BENCH_LOGS        log records beside them (a tenth of the spans; 0: none)
#   BENCH_QUERIES     questions of each kind (200), for at most BENCH_QUERY_TIME (120s)
#   BENCH_LIVE        spans/s that are sent while all is asked once more (10000; 0: that is left out)
#   BENCH_AGENT_SPANS spans of the case "agents" (1000000): tools/bench-agents.mjs
#   BENCH_SERVE       more options for `weir serve`
#   WEIR              the binary, instead of building one
set -eu
cd "$(dirname "$0")/.."
export LC_ALL=C

cases=${BENCH_CASES:-load rate visible steady fair millions agents}
seconds=${BENCH_SECONDS:-4}
payloads=${BENCH_PAYLOADS:-sdk jaeger}
sizes=${BENCH_SPANS:-512}
encodings=${BENCH_ENCODINGS:-plain}
rate=${BENCH_RATE:-100000}
rate_seconds=${BENCH_RATE_SECONDS:-10}
visible=${BENCH_VISIBLE:-10}
steady=${BENCH_STEADY:-30}
small=${BENCH_SMALL:---hot-bytes 16m --seal-rows 20480 --duckdb-memory 64m --duckdb-threads 1 --readers 2 --loops 1}
fair=${BENCH_FAIR:-4}
fair_limit=${BENCH_FAIR_LIMIT:-10000}
fair_seconds=${BENCH_FAIR_SECONDS:-8}
millions=${BENCH_MILLIONS:-2}
queries=${BENCH_QUERIES:-200}
logs=${BENCH_LOGS:-$((millions * 100000))}
query_time=${BENCH_QUERY_TIME:-120s}
live=${BENCH_LIVE:-10000}
weir=${WEIR:-}
out=build/bench
ready_seconds=120
stop_seconds=120
# 512 spans a request: the fewest requests that make a million.
million_requests=1954
serve=
load=
failed=
names=

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

# ---- clocks

now_us() {
	echo "${EPOCHREALTIME/./}"
}

# Milliseconds of processor time that others than this script's ended children may have taken (all there is),
# and that the machine below took away: "BUSY STOLEN".
machine_ms() {
	local hz
	hz=$(getconf CLK_TCK)
	awk -v hz="$hz" '$1 == "cpu" { print int(($2 + $3 + $4 + $7 + $8) * 1000 / hz), int($9 * 1000 / hz) }' /proc/stat
}

# Milliseconds that this script and its ended children took. `times` must not run in a subshell.
own_ms() {
	times >"$out/times"
	awk '{ for (i = 1; i <= 2; i++) { split($i, t, /[ms]/); n += t[1] * 60000 + t[2] * 1000 } } END { print int(n) }' "$out/times"
}

# Milliseconds the server has taken until now.
server_ms() {
	awk -v hz="$(getconf CLK_TCK)" '{ sub(/.*\) /, ""); print int(($12 + $13) * 1000 / hz) }' "/proc/$serve/stat"
}

# ---- the server

# address_of WHAT: where the server's log says it listens
address_of() {
	sed -n "s|.*listening for $1 on ||p" "$out/serve.log"
}

# get PATH: an answer of the API, with its head
get() {
	local api
	api=$(address_of 'the API')
	(
		exec 3<>"/dev/tcp/${api%:*}/${api##*:}"
		printf 'GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n' "$1" "$api" >&3
		timeout 10 cat <&3
	) 2>/dev/null || :
}

# launch OPTIONS...: starts a server on $data, as it is; returns when it listens, or does not (1)
launch() {
	local deadline
	: >"$out/serve.log" # not the last server's: the new one is a moment behind
	launched_us=$(now_us)
	deadline=$((launched_us + ready_seconds * 1000000))
	# shellcheck disable=SC2086 # a list of options
	setpriv --pdeathsig KILL "$weir" serve --data-dir "$data" --grpc 127.0.0.1:0 --http 127.0.0.1:0 \
		--api 127.0.0.1:0 --log-format text --log-level info "$@" ${BENCH_SERVE:-} \
		</dev/null >>"$out/serve.log" 2>&1 &
	serve=$!
	while [ -z "$(address_of 'the API')" ]; do
		if ! alive "$serve" || [ "$(now_us)" -ge $deadline ]; then
			say "weir serve does not listen; it said:"
			cat "$out/serve.log" >&2
			return 1
		fi
		sleep 0.005
	done
	listen_ms=$((($(now_us) - launched_us) / 1000))
}

# metric NAME: the sum of all samples of that name; nothing when there is none
metric() {
	awk -v name="$1" '{ n = $1; sub(/\{.*/, "", n) } n == name { sum += $2; found = 1 } END { if (found) printf "%.0f\n", sum }' "$out/metrics"
}

# relaunch OPTIONS...: starts a server on $data again. Sets restarted: how long that took and what it is like
# then, as members of a JSON object.
relaunch() {
	local ready_ms='' loaded_ms='' deadline hot rss
	launch "$@" || {
		failed=1
		restarted='"listen_ms":null'
		return
	}
	deadline=$((launched_us + ready_seconds * 1000000))
	while [ -z "$loaded_ms" ] && alive "$serve" && [ "$(now_us)" -lt $deadline ]; do
		if [ -z "$ready_ms" ]; then
			case $(get /readyz) in
			'HTTP/1.1 200'*) ready_ms=$((($(now_us) - launched_us) / 1000)) ;;
			esac
		fi
		get /metrics >"$out/metrics"
		if [ "$(metric weir_lag_bytes)" = 0 ] && [ -n "$ready_ms" ]; then
			loaded_ms=$((($(now_us) - launched_us) / 1000))
		fi
		sleep 0.01
	done
	hot=$(metric weir_hot_rows)
	sleep 1
	rss=$(awk '$1 == "VmRSS:" { print $2 }' "/proc/$serve/status" 2>/dev/null || :)
	restarted="\"listen_ms\":$listen_ms,\"ready_ms\":${ready_ms:-null},\"loaded_ms\":${loaded_ms:-null},\"unsealed_rows\":${hot:-null},\"rss_kib\":${rss:-null}"
}

kill_serve() {
	kill -KILL "$serve" 2>/dev/null || :
	wait "$serve" 2>/dev/null || :
	serve=
}

# Ends the server, which writes its last checkpoint. Sets stopped: what that took, as members of a JSON object;
# empty when it did not end by itself.
stop_serve() {
	local before_own before_serve start
	stopped=
	own_ms >"$out/own"
	before_own=$(cat "$out/own")
	before_serve=$(server_ms)
	start=$(now_us)
	kill -TERM "$serve" 2>/dev/null || :
	while alive "$serve" && [ $(($(now_us) - start)) -lt $((stop_seconds * 1000000)) ]; do
		sleep 0.1
	done
	if alive "$serve"; then
		say "weir serve did not end within $stop_seconds seconds and is killed"
		kill_serve
		return
	fi
	if wait "$serve"; then
		own_ms >"$out/own"
		stopped="\"stop_ms\":$((($(now_us) - start) / 1000)),\"stop_cpu_ms\":$(($(cat "$out/own") - before_own - before_serve)),\"store_bytes\":$(
			# The sizes of the database's own files.
			find "$data" -maxdepth 1 -name 'weir.duckdb*' -printf '%s\n' | awk '{ n += $1 } END { printf "%.0f\n", n }'
		)"
	fi
	serve=
}

# ---- cases

# run_case KIND NAME SERVE-OPTIONS OPTIONS...: one line of JSON in NAME.json, or the reason in NAME.err; what
# this script saw in NAME.case. KIND is what the page makes of it.
run_case() {
	local kind=$1 name=$2 options=$3 begin busy stolen own members
	shift 3
	data=$out/data.$name
	say "$name"
	rm -rf "$data"
	# What others have left to write, and the blocks that were just freed, would be written and discarded meanwhile.
	sync
	sleep 1
	begin=$(now_us)
	read -r busy stolen <<<"$(machine_ms)"
	own_ms >"$out/own"
	own=$(cat "$out/own")
	# shellcheck disable=SC2086 # a list of options
	launch $options || exit 1
	setpriv --pdeathsig KILL "$weir" bench --name "$name" --grpc "$(address_of OTLP/gRPC)" \
		--api "$(address_of 'the API')" --server-pid "$serve" --data-dir "$data" -o json "$@" \
		>"$out/$name.json" 2>"$out/$name.err" </dev/null &
	load=$!
	wait "$load" || {
		failed=1
		cat "$out/$name.err" >&2
	}
	load=
	stopped=
	members="\"kind\":\"$kind\",\"serve_options\":\"$options\""
	if [ "$kind" = millions ] && alive "$serve"; then
		kill_serve
		# shellcheck disable=SC2086 # a list of options
		relaunch $options
		members="$members,\"killed\":{$restarted}"
	fi
	if alive "$serve"; then
		stop_serve
		members="$members${stopped:+,}$stopped"
	fi
	if [ -n "$stopped" ]; then
		# shellcheck disable=SC2086 # a list of options
		relaunch $options
		members="$members,\"restart\":{$restarted}"
		kill_serve
	fi
	rm -rf "$data"
	own_ms >"$out/own"
	read -r busy stolen <<<"$(machine_ms | awk -v b="$busy" -v s="$stolen" '{ print $1 - b, $2 - s }')"
	echo "{$members,\"wall_ms\":$((($(now_us) - begin) / 1000)),\"others_ms\":$((busy - $(cat "$out/own") + own)),\"stolen_ms\":$stolen}" \
		>"$out/$name.case"
	names="$names $name"
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

run_loads() {
	local spans encoding gzip
	for spans in $sizes; do
		for encoding in $encodings; do
			gzip=
			[ "$encoding" != gzip ] || gzip=--gzip
			# shellcheck disable=SC2086 # an option or nothing
			run_case load "$1-$spans-$encoding" "" --payload "$1" --spans "$spans" $gzip --connections 4 \
				--inflight "$(inflight_of "$spans")" --warm-up 500ms --seconds "${seconds}s"
		done
	done
}

run_payload() {
	case " $cases " in *" load "*) run_loads "$1" ;; esac
	case " $cases " in
	*" rate "*)
		run_case rate "$1-rate" "" --payload "$1" --spans 512 --rate "$rate" --connections 4 \
			--inflight 32 --warm-up 500ms --seconds "${rate_seconds}s"
		;;
	esac
	case " $cases " in
	*" visible "*)
		# Whole traces: not 512 spans a request. Few looks: they take the server's time.
		run_case visible "$1-visible-20000" "" --payload "$1" --visible --rate 20000 --spans 500 --looks 3 \
			--samples 200 --poll 10ms --connections 4 --inflight 16 --warm-up 500ms --seconds "${visible}s"
		run_case visible "$1-visible-1000" "" --payload "$1" --visible --rate 1000 --spans 10 \
			--connections 4 --inflight 16 --warm-up 500ms --seconds "${visible}s"
		;;
	esac
}

run_steady() {
	run_case steady jaeger-steady "$small" --payload jaeger --spans 512 --rate 10000 --connections 4 \
		--inflight 4 --warm-up 0 --seconds "${steady}s"
}

run_fair() {
	run_case fair jaeger-fair "--tenant-limits greedy:items=$fair_limit" --payload jaeger --greedy "$fair_limit" \
		--rounds "$fair" --seconds "${fair_seconds}s" --connections 2 --inflight 16
}

run_millions() {
	local more=
	[ "$logs" = 0 ] || more="--logs $logs"
	[ "$live" = 0 ] || more="$more --live $live"
	# shellcheck disable=SC2086 # options
	run_case millions jaeger-millions "" --payload jaeger --spans 512 --connections 4 --inflight 2 --warm-up 0 \
		--requests $million_requests --rounds "$millions" --queries "$queries" --query-time "$query_time" $more
}

[ -n "$weir" ] || {
	tools/build.sh release weir
	weir=build/weir
}
load_before=$(cut -d' ' -f1-3 /proc/loadavg)
read -r busy_before _ <<<"$(machine_ms)"
sleep 2
read -r busy_after _ <<<"$(machine_ms)"
rm -rf "$out"
mkdir -p "$out"
for payload in $payloads; do
	run_payload "$payload"
done
case " $cases " in *" steady "*) run_steady ;; esac
case " $cases " in *" fair "*) run_fair ;; esac
case " $cases " in *" millions "*) run_millions ;; esac
agents=
case " $cases " in
*" agents "*)
	agents=$out/agents.md
	BENCH_QUERIES=$queries node tools/bench-agents.mjs "$weir" >"$agents" || failed=1
	;;
esac
# shellcheck disable=SC2086 # a list of names
[ -z "$names" ] || BENCH_LOAD_BEFORE=$load_before BENCH_BUSY_BEFORE=$(((busy_after - busy_before) / 20)) \
	node tools/bench-page.mjs "$out" $names
[ -z "$agents" ] || cat "$agents"
[ -z "$failed" ]
