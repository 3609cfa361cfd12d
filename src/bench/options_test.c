/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/test.h"

#include "base/timefmt.h"
#include "bench/bench.h"
#include "bench/options.h"

#include <stdio.h>
#include <string.h>

enum { ARGS_MAX = 16 };

/* Options in one text, parted by blanks. */
static enum err_code
parse(const char *text, struct bench_options *out, struct err *err)
{
	static char copy[512];
	char *argv[ARGS_MAX + 1] = {"bench"};
	int argc = 1;
	snprintf(copy, sizeof(copy), "%s", text);
	for (char *at = copy; *at && argc < ARGS_MAX;) {
		argv[argc++] = at;
		at += strcspn(at, " ");
		if (*at)
			*at++ = '\0';
	}
	err_clear(err);
	return bench_options_parse(argc, argv, out, err);
}

TEST(bench_options, every_option_reaches_its_field)
{
	struct bench_options o;
	struct err err;
	const char *text = "--grpc 127.0.0.1:1 --api=127.0.0.1:2 --server-pid 77 --data-dir /tmp/d "
	                   "--payload jaeger --spans 64 --gzip --connections=3";
	assert_int_equal(parse(text, &o, &err), ERR_OK);
	assert_true(str_eq(o.grpc, STR("127.0.0.1:1")));
	assert_true(str_eq(o.api, STR("127.0.0.1:2")));
	assert_int_equal(o.server_pid, 77);
	assert_string_equal(o.data_dir, "/tmp/d");
	assert_int_equal(o.payload, PAYLOAD_JAEGER);
	assert_int_equal(o.spans, 64);
	assert_true(o.gzip);
	assert_int_equal(o.connections, 3);
	assert_int_equal(parse("--inflight 9 --seconds 2s --requests 5 --rate 2500.5 --warm-up 0 "
	                       "-o json --poll 1ms",
	                     &o, &err),
	    ERR_OK);
	assert_int_equal(o.inflight, 9);
	assert_int_equal(o.duration_ns, 2 * NS_PER_S);
	assert_int_equal(o.requests, 5);
	assert_true(o.rate > 2500.4 && o.rate < 2500.6);
	assert_int_equal(o.warmup_ns, 0);
	assert_int_equal(o.poll_ns, NS_PER_MS);
	assert_true(o.json);
	assert_false(o.gzip);
	assert_int_equal(o.rounds, 1);
	assert_int_equal(o.queries, 0);
	assert_int_equal(parse("--rounds 10 --queries 200 --query-time 3s --seal-wait 0 --api x:1 "
	                       "--payload=jaeger --looks 3",
	                     &o, &err),
	    ERR_OK);
	assert_int_equal(o.rounds, 10);
	assert_int_equal(o.queries, 200);
	assert_int_equal(o.query_ns, 3 * NS_PER_S);
	assert_int_equal(o.seal_ns, 0);
	assert_int_equal(o.looks, 3);
	assert_int_equal(o.logs, 0);
	assert_true(o.live <= 0);
	assert_int_equal(o.lead_ns, 15 * NS_PER_S);
	assert_int_equal(parse("--queries 2 --api x:1 --payload jaeger --logs 1000 --live 10000 "
	                       "--live-lead 2s",
	                     &o, &err),
	    ERR_OK);
	assert_int_equal(o.logs, 1000);
	assert_true(o.live > 9999 && o.live < 10001);
	assert_int_equal(o.lead_ns, 2 * NS_PER_S);
}

TEST(bench_options, defaults_follow_from_what_is_measured)
{
	struct bench_options o;
	struct err err;
	assert_int_equal(parse("", &o, &err), ERR_OK);
	assert_int_equal(o.spans, 512);
	assert_int_equal(o.duration_ns, 10 * NS_PER_S);
	assert_true(o.rate <= 0);
	assert_int_equal(parse("--requests 3", &o, &err), ERR_OK);
	assert_int_equal(o.duration_ns, 0);
	assert_int_equal(parse("--visible --api x:1", &o, &err), ERR_OK);
	assert_int_equal(o.spans, 10);
	assert_true(o.rate > 999 && o.rate < 1001);
}

TEST(bench_options, what_is_wrong_is_refused_by_name)
{
	static const struct {
		const char *args;
		const char *said;
	} cases[] = {
	    {"--nonsense", "no option --nonsense"},
	    {"spans", "no option spans"},
	    {"-x", "no option -x"},
	    {"--spans", "--spans needs a value"},
	    {"--spans 0", "--spans must be a number from 1 to 20000: \"0\""},
	    {"--spans 20001", "--spans must be"},
	    {"--spans -1", "--spans must be"},
	    {"--spans 1.5", "--spans must be"},
	    {"--spans=", "--spans must be"},
	    {"--gzip=yes", "--gzip: \"yes\""},
	    {"--payload xml", "--payload: \"xml\""},
	    {"--rate 0", "--rate: \"0\""},
	    {"--rate inf", "--rate: \"inf\""},
	    {"--seconds 0", "--seconds: \"0\""},
	    {"--seconds soon", "--seconds: \"soon\""},
	    {"--connections 65", "--connections must be"},
	    {"--inflight 257", "--inflight must be"},
	    {"--server-pid 0", "--server-pid must be"},
	    {"-o xml", "--output: \"xml\""},
	    {"--visible", "--visible needs --api"},
	    {"--rounds 0", "--rounds must be a number from 1 to 200"},
	    {"--rounds 201", "--rounds must be"},
	    {"--rounds 2", "--rounds needs --api"},
	    {"--queries 0", "--queries must be"},
	    {"--queries 5 --payload jaeger", "--queries needs --api"},
	    {"--queries 5 --api x:1", "--queries needs --payload jaeger"},
	    {"--queries 5 --api x:1 --payload jaeger --visible", "--visible goes with neither"},
	    {"--rounds 2 --api x:1 --visible", "--visible goes with neither"},
	    {"--logs 10", "--logs goes with --queries only"},
	    {"--live 10", "--live goes with --queries only"},
	    {"--logs 0", "--logs must be"},
	    {"--live 0", "--live: \"0\""},
	    {"--live-lead 0", "--live-lead: \"0\""},
	    {"--payload logs", "--payload: \"logs\""},
	    {"--query-time 0", "--query-time: \"0\""},
	    {"--seal-wait never", "--seal-wait: \"never\""},
	    {"--looks 0", "--looks must be"},
	    {"--visible --api x:1 --spans 12", "multiple of 5"},
	    {"--visible --api x:1 --spans 15 --payload jaeger", "multiple of 10"},
	};
	struct bench_options o;
	struct err err;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(parse(cases[i].args, &o, &err), ERR_INVALID);
		if (!strstr(err.message, cases[i].said))
			fail_msg("%s: \"%s\"", cases[i].args, err.message);
	}
}

TEST(bench_options, mistakes_have_their_exit_codes)
{
	char *bad[] = {"bench", "--spans", "x", NULL};
	/* Port 1 of this machine: nobody is there. */
	char *nobody[] = {"bench", "--grpc", "127.0.0.1:1", NULL};
	assert_int_equal(bench_run(3, bad), 2);
	assert_int_equal(bench_run(3, nobody), 1);
}

TEST(bench_options, greedy_has_its_own_defaults_and_needs)
{
	struct bench_options o;
	struct err err;
	assert_int_equal(parse("--greedy 10000 --api x:1 --payload jaeger --rounds 3", &o, &err),
	    ERR_OK);
	assert_true(o.greedy > 9999 && o.greedy < 10001);
	assert_true(o.times > 9.9 && o.times < 10.1);
	assert_int_equal(o.spans, 50);
	assert_true(o.rate > 4999 && o.rate < 5001);
	assert_int_equal(o.duration_ns, 10 * NS_PER_S);
	assert_int_equal(o.preload_spans, 200000);
	assert_int_equal(o.ask_ns, 25 * NS_PER_MS);
	static const struct {
		const char *text, *said;
	} bad[] = {
	    {"--greedy 0", "--greedy"},
	    {"--greedy 10 --payload jaeger", "needs --api"},
	    {"--greedy 10 --api x:1", "--payload jaeger"},
	    {"--greedy 10 --api x:1 --payload jaeger --visible", "none of --visible"},
	    {"--greedy 10 --api x:1 --payload jaeger --requests 5", "--requests"},
	    {"--greedy 10 --api x:1 --payload jaeger --logs 5", "--logs"},
	    {"--greedy 10 --api x:1 --payload jaeger --live 5", "--live"},
	    {"--greedy 10 --api x:1 --payload jaeger --rounds 101", "at most 100"},
	    {"--preload 10", "--preload must be a number from 5000"},
	};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(parse(bad[i].text, &o, &err), ERR_INVALID);
		if (!strstr(err.message, bad[i].said))
			fail_msg("%s", err.message);
	}
}
