// SPDX-License-Identifier: Apache-2.0
//
// `weir bench` against a real server: rounds, and questions whose answers are checked. And the page that
// tools/bench-page.mjs makes of such figures: what counts as a goal that was met.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { goalsOf, makeCase, pageOf } from '../../tools/bench-page.mjs';
import { run, Weir } from './lib/weir.mjs';

const spanQuestions = ['trace', 'trace_absent', 'attribute', 'attribute_absent', 'anywhere', 'anywhere_absent', 'newest', 'search', 'search_anywhere',
	'services', 'summary', 'anomalies', 'sql_group', 'sql_quantile'];
const logQuestions = ['body_frequent', 'body_rare', 'body_once', 'body_absent'];

describe('weir bench', () => {
	it('loads in rounds, asks, and finds every answer right', async () => {
		const w = await Weir.start();
		const args = ['bench', '--grpc', w.grpc, '--api', w.api, '--payload', 'jaeger', '--spans', '100', '--requests', '20',
			'--rounds', '3', '--warm-up', '0', '--queries', '10', '--seal-wait', '1s', '-o', 'json'];
		const { code, stdout, stderr } = await run(args);
		assert.equal(code, 0, stderr);
		const got = JSON.parse(stdout);
		assert.deepEqual(got.rounds.map((r) => r.spans), [2000, 2000, 2000]);
		assert.deepEqual(got.rounds.map((r) => r.total_spans), [2000, 4000, 6000]);
		assert.equal(got.rounds[2].cpu_us_per_span, null);
		assert.match(got.rounds[2].why, /needs --server-pid/);
		assert.deepEqual(got.queries.map((q) => [q.query, q.right, q.wrong, q.why]), spanQuestions.map((name) => [name, 10, 0, '']));
		for (const q of got.queries) assert.deepEqual([q.live, q.cpu_ms], [false, null]);
		for (const q of got.queries) assert.ok(q.p50_ms > 0 && q.p50_ms <= q.p99_ms && q.p99_ms <= q.max_ms, JSON.stringify(q));
		assert.equal((await w.get('/api/v1/services')).body.services.reduce((n, s) => n + s.span_count, 0), 6000);
		// A server that holds something else as well does not give the answers that are expected.
		const again = await run([...args, '--rounds', '1']);
		assert.equal(again.code, 1);
		assert.match(again.stderr, /answers of the API were wrong/);
		assert.match(JSON.parse(again.stdout).queries.at(-1).why, /8000 spans of all services instead of 2000/);
		await w.stop();
	});

	it('has log records with words to look for, and asks again while spans are sent', async () => {
		const w = await Weir.start();
		const args = ['bench', '--grpc', w.grpc, '--api', w.api, '--server-pid', String(w.child.pid), '--payload', 'jaeger', '--spans', '100',
			'--requests', '20', '--rounds', '2', '--warm-up', '0', '--queries', '20', '--seal-wait', '1s', '--logs', '1950', '--live', '2000',
			'--live-lead', '1s', '-o', 'json'];
		const { code, stdout, stderr } = await run(args);
		assert.equal(code, 0, stderr);
		const got = JSON.parse(stdout);
		const f = got.figures;
		const names = [...spanQuestions, ...logQuestions];
		assert.deepEqual(got.queries.map((q) => [q.query, q.live, q.right, q.wrong, q.why]),
			[false, true].flatMap((live) => names.map((name) => [name, live, 20, 0, ''])));
		for (const q of got.queries.filter((x) => !x.live)) assert.ok(q.query.startsWith('sql_') ? q.cpu_ms === null : q.cpu_ms > 0, JSON.stringify(q));
		assert.equal(f.log_records, 2000); // whole requests
		assert.ok(f.live_spans > 0 && f.live_spans % 100 === 0);
		assert.ok(f.live_spans_per_s > 0 && f.live_spans_per_s < 2500, String(f.live_spans_per_s));
		assert.ok(f.live_ack_p99_ms > 0 || got.unknown.live_ack_p99_ms);
		assert.match(got.conditions.live, /^2000 spans\/s of the same tenant/);
		assert.match(got.conditions.sums, /as many spans of each service as it acknowledged/);
		const { services } = (await w.get('/api/v1/services')).body;
		assert.equal(services.reduce((n, s) => n + s.span_count, 0), 4000 + f.live_spans);
		assert.equal(services.reduce((n, s) => n + s.log_count, 0), 2000);
		// The words are where the bench says, as an API client sees it.
		const found = async (word) => (await w.get(`/api/v1/logs?limit=1000&text=${word}`)).body.logs;
		assert.equal((await found('warranty')).length, 200);
		const [log] = await found('order');
		const id = log.body.match(/req_[0-9a-f]{16}/)[0];
		assert.deepEqual((await found(id)).map((x) => x.body), (await found('order')).filter((x) => x.body.includes(id)).map((x) => x.body));
		assert.equal((await found(id)).length, 1);
		// Seven of ten are of a span that is there.
		const traced = (await found('warranty')).filter((x) => x.trace_id);
		assert.equal(traced.length, 140);
		const { trace_id, span_id, service } = traced.at(-1); // the oldest: there are more records than spans' traces
		const trace = (await w.get(`/api/v1/traces/${trace_id}`)).body;
		assert.ok(trace.spans.some((s) => s.span_id === span_id && s.service === service));
		await w.stop();
	});

	it('has one tenant beside another, and sums that agree', async () => {
		const w = await Weir.start({ args: ['--tenant-limits', 'greedy:items=100'] });
		const spans = async (tenant) => (await w.get('/api/v1/services', { headers: { 'x-scope-orgid': tenant } })).body.services
			.reduce((n, s) => n + s.span_count, 0);
		const args = ['bench', '--grpc', w.grpc, '--api', w.api, '--payload', 'jaeger', '--greedy', '100', '--times', '100', '--rate', '1000',
			'--rounds', '2', '--seconds', '1s', '--preload', '5000', '--ask-every', '50ms', '--connections', '2', '-o', 'json'];
		const { code, stdout, stderr } = await run(args);
		assert.equal(code, 0, stderr);
		const got = JSON.parse(stdout);
		const f = got.figures;
		assert.match(got.conditions.sums, /as many spans of each tenant as it acknowledged/);
		assert.deepEqual(got.fair.map((r) => r.round), ['alone', 'beside', 'alone', 'beside']);
		for (const r of got.fair) assert.equal(r.greedy_spans_per_s === null, r.round === 'alone', JSON.stringify(r));
		assert.ok(f.requests > 0 && f.spans === 50 * f.requests);
		assert.equal(f.total_spans, 5050 + f.spans);
		assert.equal(await spans('modest'), f.total_spans);
		assert.equal(await spans('greedy'), 50 * f.greedy_requests);
		assert.equal(await spans('default'), 0);
		// It is refused far more often than not, and told so as often as the server says.
		assert.ok(f.greedy_refused_requests > 0);
		assert.equal(f.greedy_limited_requests, f.greedy_refused_requests);
		assert.equal(await w.metric('weir_tenant_refused_total{tenant="greedy",limit="items"}'), f.greedy_refused_requests);
		assert.equal(await w.metric('weir_tenant_refused_total{tenant="modest",limit="items"}'), undefined);
		assert.ok(f.greedy_abandoned_requests <= f.greedy_refused_requests);
		assert.deepEqual(got.queries.map((q) => [q.query, q.wrong, q.why]), ['trace_alone', 'trace_beside', 'service_alone', 'service_beside',
			'services_alone', 'services_beside'].map((name) => [name, 0, '']));
		for (const key of ['ack_p99_ratio', 'question_p99_ratio', 'ack_p99_ratio_median']) assert.ok(f[key] > 0 || got.unknown[key], key);
		// A server that has held spans of these tenants before.
		const again = await run(args);
		assert.equal(again.code, 1);
		assert.match(JSON.parse(again.stdout).conditions.sums, /^the server has \d+ spans of (modest|greedy) and has/);
		assert.match(again.stderr, /the server has \d+ spans of (modest|greedy) and has acknowledged \d+/);
		await w.stop();
	});

	it('refuses what does not go together', async () => {
		for (const [args, said] of [
			[['--queries', '5'], /--queries needs --api/],
			[['--rounds', '2'], /--rounds needs --api/],
			[['--rounds', '0'], /--rounds must be a number/],
			[['--queries', '1', '--api', 'x:1'], /--queries needs --payload jaeger/],
			[['--logs', '1'], /--logs goes with --queries only/],
			[['--live', '1'], /--live goes with --queries only/],
			[['--greedy', '5', '--payload', 'jaeger'], /--greedy needs --api and --payload jaeger/],
		]) {
			const { code, stderr } = await run(['bench', ...args]);
			assert.equal(code, 2);
			assert.match(stderr, said);
		}
	});
});

// ---- the page

const loadRun = (figures, unknown = {}) => ({
	conditions: { machine: 'a machine', load: 'closed loop' }, unknown, rounds: [], queries: [], cpu_us_per_span_by_thread: { grpc: 1.5 },
	figures: { spans: 1000, total_spans: 1100, cpu_us_per_span: 6.5, acked_spans_per_s: 200000, loaded_spans_per_s: 99999,
		rss_peak_mib: 600, rss_before_mib: 45, ...figures },
});
const seen = (more = {}) => ({ kind: 'load', stop_ms: 5, stop_cpu_ms: 1, store_bytes: 60000, restart: { listen_ms: 90, ready_ms: 95, loaded_ms: 99,
	unsealed_rows: 100, rss_kib: 51200 }, wall_ms: 1000, others_ms: 500, stolen_ms: 10, ...more });
const metOf = (cases) => Object.fromEntries(goalsOf(cases).map((g) => [g.what, g.met]));

describe('the page of tools/bench.sh', () => {
	it('has a goal met when the figure is within it, the border included', () => {
		const c = makeCase('jaeger-512-plain', loadRun({}), '', seen());
		assert.equal(c.figures.stop_cpu_us_per_span, 1);
		assert.equal(c.figures.cpu_all_us_per_span, 7.5);
		assert.equal(c.figures.store_at_rest_bytes_per_span, 60); // 100 of 1,100 are not in the store
		assert.deepEqual(metOf([c]), {
			'CPU of the server, all in': 'yes', 'durable (acked)': 'yes', 'loaded (visible)': 'no', 'RSS at full rate, peak': 'yes',
			'disk, at rest': 'yes', 'RSS idle, nothing sent yet': 'yes',
		});
		const late = makeCase('jaeger-512-plain', loadRun({}), '', seen({ stop_cpu_ms: 2 }));
		assert.equal(metOf([late])['CPU of the server, all in'], 'no'); // what was put off until the stop counts
	});

	it('never shows a figure that is not known as met', () => {
		const c = makeCase('sdk-512-plain', loadRun({ cpu_us_per_span: null, rss_peak_mib: null, rss_before_mib: null },
			{ cpu_us_per_span: 'it was busy', rss_peak_mib: 'needs --server-pid' }), '', seen());
		assert.equal(metOf([c])['CPU of the server, all in'], '-');
		assert.equal(metOf([c])['RSS idle, nothing sent yet'], '-');
		const failed = makeCase('sdk-512-plain', null, 'the server said: no', seen());
		for (const g of goalsOf([failed])) assert.equal(g.met, '-', g.what);
		const page = pageOf([c, failed], goalsOf([c, failed]), {});
		assert.match(page, /sdk-512-plain: it was busy/);
		assert.match(page, /sdk-512-plain: the server said: no/);
		assert.doesNotMatch(page, /NaN|undefined|null/);
	});

	it('does not give a size that leaves out what is not in the store', () => {
		const none = makeCase('jaeger-512-plain', loadRun({}), '', seen({ restart: { unsealed_rows: 1100 } }));
		assert.equal(none.figures.store_at_rest_bytes_per_span, null);
		assert.equal(metOf([none])['disk, at rest'], '-');
		const killed = makeCase('jaeger-512-plain', loadRun({}), '', seen({ store_bytes: undefined }));
		assert.equal(metOf([killed])['disk, at rest'], '-');
	});

	const query = (name, p99_ms, more = {}) => ({ query: name, label: name, right: 200, wrong: 0, p50_ms: 1, p99_ms, max_ms: p99_ms, why: '', ...more });
	const millions = (total_spans, queries, cpu = [7, 7.2]) => makeCase('jaeger-millions', {
		...loadRun({ total_spans }), queries,
		rounds: cpu.map((cpu_us_per_span, i) => ({ spans: 1e6, total_spans: (i + 1) * 1e6, cpu_us_per_span, why: cpu_us_per_span ? '' : 'busy' })),
	}, '', seen({ kind: 'millions' }));

	it('has a goal for ten million met only at ten million, by 200 right answers', () => {
		const trace = 'trace by id, p99';
		assert.equal(metOf([millions(1e7, [query('trace', 10)])])[trace], 'yes');
		assert.equal(metOf([millions(1e7, [query('trace', 10.01)])])[trace], 'no');
		assert.equal(metOf([millions(2e6, [query('trace', 10)])])[trace], 'only at 2 million');
		assert.equal(metOf([millions(2e6, [query('trace', 11)])])[trace], 'no');
		assert.equal(metOf([millions(1e7, [query('trace', 1, { right: 199 })])])[trace], 'only 199 asked');
		assert.equal(metOf([millions(1e7, [query('trace', 1, { right: 199, wrong: 1, why: 'x' })])])[trace], 'no: 1 wrong');
		assert.equal(metOf([millions(1e7, [query('trace', null, { right: 0, wrong: 9, why: 'x' })])])[trace], 'no: 9 wrong');
		assert.equal(metOf([millions(1e7, [])])[trace], '-');
	});

	const liveFigures = { live_spans_per_s: 10000, live_spans: 1e6, log_records: 1e6 };
	const beside = (figures, queries) => makeCase('jaeger-millions', { ...loadRun({ total_spans: 1e7, ...liveFigures, ...figures }), queries,
		conditions: { live: '10000 spans/s of the same tenant', sums: 'they agree' },
		rounds: [{ spans: 1e6, total_spans: 1e6, cpu_us_per_span: 7, why: '' }] }, '', seen({ kind: 'millions' }));
	const live = (name, p99_ms, more = {}) => query(name, p99_ms, { live: true, cpu_ms: 3, ...more });

	it('has a goal for live ingest met only beside as much of it, and by answers of that time', () => {
		const trace = 'trace by id, beside live ingest, p99', text = 'text in log bodies, one in 10,000 has it, beside live ingest, p99';
		assert.equal(metOf([beside({}, [live('trace', 10)])])[trace], 'yes');
		assert.equal(metOf([beside({}, [live('trace', 10.1)])])[trace], 'no');
		assert.equal(metOf([beside({ live_spans_per_s: 9700 }, [live('trace', 10)])])[trace], 'only beside 9,700 spans/s');
		assert.equal(metOf([beside({ live_spans_per_s: 9900 }, [live('trace', 10)])])[trace], 'yes');
		assert.equal(metOf([beside({ total_spans: 2e6 }, [live('trace', 10)])])[trace], 'only at 2 million');
		assert.equal(metOf([beside({}, [live('trace', 1, { right: 150 })])])[trace], 'only 150 asked');
		assert.equal(metOf([beside({}, [query('trace', 1), live('trace', 20)])])[trace], 'no');
		assert.equal(metOf([beside({}, [query('trace', 20), live('trace', 1)])])['trace by id, p99'], 'no');
		assert.equal(metOf([beside({}, [query('trace', 1)])])[trace], undefined); // it was not asked for
		assert.equal(metOf([beside({}, [live('trace', 1)])])[text], '-');
		assert.equal(metOf([beside({}, [live('trace', 1)])])['summary of the last hour, beside live ingest, p99'], '-'); // it was not asked
		assert.equal(metOf([beside({}, [live('body_rare', 500)])])[text], 'yes');
		assert.equal(metOf([beside({ log_records: 9e5 }, [live('body_rare', 500)])])[text], 'only 900,000 log records');
		assert.equal(metOf([beside({}, [live('body_rare', 5, { wrong: 2, why: 'x' })])])[text], 'no: 2 wrong');
	});

	it('has a table of the questions beside live ingest, with goals, and no size that is of spans and log records', () => {
		const c = beside({ live_ack_p99_ms: null }, [query('trace', 9), live('trace', 11), live('services', 12.5), live('newest', 3)]);
		assert.equal(c.figures.store_at_rest_bytes_per_span, null);
		const page = pageOf([c], goalsOf([c]), {});
		const section = page.slice(page.indexOf('## Questions at 10 million spans, with live ingest'));
		assert.match(section, /\| trace +\| +10 \| +1\.00 \| +11\.00 \| +11\.00 \| +3\.00 \| +200 \| +0 \| +no \|/);
		assert.match(section, /\| services +\| +20 \| +1\.00 \| +12\.50 .* yes \|/);
		assert.match(section, /\| newest +\| +\| +1\.00 \| +3\.00 /);
		assert.match(section, /In the end: they agree/);
		assert.doesNotMatch(page, /NaN|undefined|null/);
	});

	it('compares the last million with the first', () => {
		const what = 'CPU/span of the last million, of the first\'s';
		assert.equal(metOf([millions(1e7, [], [7, 9, 7.3])])[what], 'yes');
		assert.equal(metOf([millions(1e7, [], [7, 7, 7.4])])[what], 'no');
		assert.equal(metOf([millions(1e7, [], [7])])[what], '-');
		assert.equal(metOf([millions(1e7, [], [7, null])])[what], '-');
		assert.equal(metOf([millions(2e6, [], [7, 7])])[what], 'only at 2 million');
	});

	const fair = (figures) => makeCase('jaeger-fair', { ...loadRun({ greedy_sent_times: 10.9, greedy_limit_share: 1, ack_p99_ratio_median: 1.5, question_p99_ratio_median: 1.51, ...figures },
		{ ack_p99_ratio_median: 'too many' }), fair: [{ round: 'alone', ack_p50_ms: 1, greedy_spans_per_s: null }, { round: 'beside', ack_p50_ms: 1 }] }, '', seen({ kind: 'fair' }));

	it('has one tenant beside another within 1.5 only when that one sent ten times its limit, and no more got in', () => {
		const ack = 'ack p99 beside a tenant at ten times its limit', question = 'question p99 beside it';
		assert.deepEqual([metOf([fair({})])[ack], metOf([fair({})])[question]], ['yes', 'no']);
		assert.equal(metOf([fair({ greedy_sent_times: 9.4 })])[ack], 'only at 9.4 times');
		assert.equal(metOf([fair({ greedy_limit_share: 1.5 })])[ack], 'no: its limit was not held');
		assert.equal(metOf([fair({ ack_p99_ratio_median: null })])[ack], '-');
		const c = fair({});
		assert.equal(c.figures.store_at_rest_bytes_per_span, null);
		const page = pageOf([c], goalsOf([c]), {});
		assert.match(page, /sent 10.90 times its limit/);
		assert.doesNotMatch(page, /NaN|undefined|null/);
	});

	it('takes the latency of the case with a rate, and names the rate', () => {
		const c = makeCase('sdk-rate', { ...loadRun({ ack_p99_ms: 49 }), conditions: { load: '100000 spans/s, latency from the time due' } }, '', seen({ kind: 'rate' }));
		const goals = goalsOf([c]);
		assert.equal(goals[0].what, 'ack p99, 100,000 spans/s');
		assert.deepEqual([goals[0].goal, goals[0].figure, goals[0].met], ['<= 50 ms', '49.00 ms', 'yes']);
	});

	it('says who else took processor time', () => {
		const c = makeCase('jaeger-512-plain', loadRun({}), '', seen());
		assert.match(pageOf([c], goalsOf([c]), { BENCH_LOAD_BEFORE: '0.5 1 2' }), /load average before it began: 0.5 1 2/);
		assert.match(pageOf([c], [], {}), /jaeger-512-plain: .*other programs took 50 % of a processor, the host 1 %/);
	});
});
