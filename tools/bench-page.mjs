// SPDX-License-Identifier: Apache-2.0
//
// usage: node tools/bench-page.mjs FOLDER NAME...
//
// Makes the page of tools/bench.sh out of what `weir bench -o json` left in FOLDER/NAME.json (NAME.err when
// it failed) and what the script saw, FOLDER/NAME.case. Prints it, and writes it to FOLDER/bench.md and all
// figures to FOLDER/bench.json.
//
// A figure is a number, or null with a reason in `unknown`. A goal is met only by a figure that was measured
// under the goal's own conditions.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const MILLION = 1e6;
const GOAL_SPANS = 10 * MILLION; // the goals of queries are for so many
const GOAL_QUERIES = 200; // a p99 of fewer is none
const GOAL_LIVE = 10000; // spans a second, those while spans are sent
const GOAL_LIVE_HELD = 0.98; // less than that of it was not sent
const NOISE = 1.05; // two runs of the same differ by that

// ---- what was measured

// `run`: what `weir bench` printed, or null; `seen`: what the script saw, or null. Adds the figures that
// follow from both.
export function makeCase(name, run, failure, seen) {
	const c = {
		name, kind: 'load', conditions: {}, figures: {}, unknown: {}, cpu_us_per_span_by_thread: {}, rounds: [], fair: [], queries: [],
		...(run ?? { unknown: { '*': failure || 'it printed nothing' } }), ...seen,
	};
	const f = c.figures;
	const unknown = (key, why) => {
		f[key] = null;
		c.unknown[key] ??= why;
	};
	const stopped = typeof seen?.store_bytes === 'number';
	const sealed = f.total_spans + (f.live_spans ?? 0) - (seen?.restart?.unsealed_rows ?? 0);
	if (c.kind === 'fair')
		unknown('store_at_rest_bytes_per_span', 'it holds the spans of two tenants');
	else if (f.log_records > 0)
		unknown('store_at_rest_bytes_per_span', 'it holds log records too');
	else if (stopped && sealed > 0)
		f.store_at_rest_bytes_per_span = seen.store_bytes / sealed;
	else
		unknown('store_at_rest_bytes_per_span', stopped ? 'nothing of it is in the store' : 'the server did not stop by itself');
	if (c.kind === 'millions')
		unknown('stop_cpu_us_per_span', 'this server was killed');
	else if (c.kind === 'fair')
		unknown('stop_cpu_us_per_span', 'it is of the spans of two tenants');
	else if (stopped && f.spans > 0)
		f.stop_cpu_us_per_span = Math.max(0, seen.stop_cpu_ms * 1000 / f.spans);
	else
		unknown('stop_cpu_us_per_span', 'the server did not stop by itself');
	if (typeof f.cpu_us_per_span === 'number' && typeof f.stop_cpu_us_per_span === 'number')
		f.cpu_all_us_per_span = f.cpu_us_per_span + f.stop_cpu_us_per_span;
	else
		unknown('cpu_all_us_per_span', c.unknown.cpu_us_per_span ?? c.unknown.stop_cpu_us_per_span ?? 'not measured in this case');
	return c;
}

export function readCase(folder, name) {
	const text = (file) => (existsSync(join(folder, file)) ? readFileSync(join(folder, file), 'utf8').trim() : '');
	const json = (file) => (text(file) ? JSON.parse(text(file)) : null);
	return makeCase(name, json(`${name}.json`), text(`${name}.err`), json(`${name}.case`));
}

const isNumber = (x) => typeof x === 'number' && Number.isFinite(x);
const show = (value, digits) => value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
const why = (c, key) => c.unknown['*'] ?? c.unknown[key] ?? 'not measured in this case';

// ---- goals

// value null: not known, because of `reason`. `only`: the figure was measured under easier conditions than
// the goal's, these.
function goal(what, name, { value, digits = 0, unit = '', most, least, only, reason }) {
	const text = most !== undefined ? `<= ${show(most, most % 1 ? 1 : 0)}` : `>= ${show(least, 0)}`;
	const row = { what, case: name, goal: `${text}${unit && ` ${unit}`}`, value: isNumber(value) ? value : null };
	row.figure = row.value === null ? '-' : `${show(value, digits)}${unit && ` ${unit}`}`;
	if (row.value === null)
		return { ...row, met: '-', reason: reason ?? 'not measured' };
	const within = most !== undefined ? value <= most : value >= least;
	return { ...row, met: !within ? 'no' : (only ?? 'yes') };
}

function figureGoal(what, c, key, options) {
	return goal(what, c.name, { value: c.figures[key], reason: why(c, key), ...options });
}

function loadGoals(c) {
	const rows = [
		figureGoal('CPU of the server, all in', c, 'cpu_all_us_per_span', { most: 8, digits: 2, unit: 'us/span' }),
		figureGoal('durable (acked)', c, 'acked_spans_per_s', { least: 100000, unit: 'spans/s' }),
		figureGoal('loaded (visible)', c, 'loaded_spans_per_s', { least: 100000, unit: 'spans/s' }),
		figureGoal('RSS at full rate, peak', c, 'rss_peak_mib', { most: 600, unit: 'MiB' }),
	];
	if (c.name.startsWith('jaeger'))
		rows.push(figureGoal('disk, at rest', c, 'store_at_rest_bytes_per_span', { most: 60, digits: 1, unit: 'B/span' }));
	return rows;
}

const FAIR_TIMES = 10; // the goal is for so many times its limit
const FAIR_HELD = 1.02; // more than that of its limit let in is a limit that was not held

// What the other tenant did decides what the figures are worth.
function fairGoal(what, c, key) {
	const { greedy_sent_times: times, greedy_limit_share: share } = c.figures;
	const options = { most: 1.5, digits: 2, unit: 'x' };
	if (isNumber(times) && times < FAIR_TIMES)
		options.only = `only at ${show(times, 1)} times`;
	const row = figureGoal(what, c, key, options);
	return isNumber(share) && share > FAIR_HELD ? { ...row, met: 'no: its limit was not held' } : row;
}

const fairGoals = (c) => [
	fairGoal('ack p99 beside a tenant at ten times its limit', c, 'ack_p99_ratio_median'),
	fairGoal('question p99 beside it', c, 'question_p99_ratio_median'),
];

const inMillions = (spans) => `${show(spans / MILLION, spans < 10 * MILLION && spans % MILLION > 5e4 ? 1 : 0)} million`;

// Of questions, ms at p99: when nothing else runs, and while GOAL_LIVE spans/s are sent. Each is a row of src/bench/ask.h; a goal whose
// question was not asked is not known.
const queryGoals = [
	['trace', 'trace by id', 10, 10],
	['trace_absent', 'trace by an id that is nowhere', 10, 10],
	['attribute', 'newest 100 by service and attribute', 100, 100],
	['attribute_absent', 'the same with a value that is nowhere', 100, 100],
	['anywhere', 'newest 100 by attribute, of any service', undefined, 200],
	['anywhere_absent', 'that with a value that is nowhere', undefined, 200],
	['search', 'traces by service and attribute', undefined, 100],
	['search_anywhere', 'traces by attribute, of any service', undefined, 200],
	['services', 'services', 20, 20],
	['summary', 'summary of the last hour', undefined, 200],
	['anomalies', 'anomalies', undefined, 200],
	['sql_group', 'SQL, spans and errors by service', undefined, 500],
	['body_frequent', 'text in log bodies, one in ten has it', undefined, 500],
	['body_rare', 'text in log bodies, one in 10,000 has it', undefined, 500],
	['body_once', 'text in log bodies, one has it', undefined, 500],
	['body_absent', 'text in log bodies, none has it', undefined, 500],
];

const mostOf = (key, live) => queryGoals.find(([name]) => name === key)?.[live ? 3 : 2];

// Under which easier conditions than the goal's its questions were asked; undefined: none.
function easier(c, q) {
	const f = c.figures;
	if (q.right + q.wrong < GOAL_QUERIES)
		return `only ${q.right + q.wrong} asked`;
	if (q.live && f.live_spans_per_s < GOAL_LIVE * GOAL_LIVE_HELD)
		return `only beside ${show(f.live_spans_per_s, 0)} spans/s`;
	if (q.query.startsWith('body_') && f.log_records * GOAL_SPANS < f.total_spans * MILLION)
		return `only ${show(f.log_records, 0)} log records`;
	return f.total_spans < GOAL_SPANS ? `only at ${inMillions(f.total_spans)}` : undefined;
}

function queryGoal(c, [key, what], most, live) {
	const q = c.queries.find((x) => x.query === key && Boolean(x.live) === live);
	const options = { value: q?.p99_ms, digits: 2, unit: 'ms', most, only: q && easier(c, q) };
	const row = goal(`${what}, ${live ? 'beside live ingest, ' : ''}p99`, c.name, { ...options,
		reason: q ? q.why || 'no answer was right' : c.unknown['*'] ?? 'not asked' });
	return q?.wrong > 0 ? { ...row, met: `no: ${q.wrong} wrong` } : row;
}

// Of those while spans are sent only when that was asked for.
function queryGoalsOf(c) {
	const live = c.queries.some((q) => q.live);
	return [...queryGoals.filter((q) => q[2]).map((q) => queryGoal(c, q, q[2], false)),
		...(live ? queryGoals.map((q) => queryGoal(c, q, q[3], true)) : [])];
}

function millionsGoals(c) {
	const only = c.figures.total_spans < GOAL_SPANS ? `only at ${inMillions(c.figures.total_spans)}` : undefined;
	const first = c.rounds[0], last = c.rounds.at(-1);
	const known = c.rounds.length > 1 && isNumber(first.cpu_us_per_span) && isNumber(last.cpu_us_per_span);
	const growth = goal('CPU/span of the last million, of the first\'s', c.name, {
		value: known ? 100 * last.cpu_us_per_span / first.cpu_us_per_span : null, unit: '%', most: 100 * NOISE, only,
		reason: first?.why || last?.why || c.unknown['*'] || 'there was only one round',
	});
	const disk = figureGoal('disk, at rest', c, 'store_at_rest_bytes_per_span', { most: 60, digits: 1, unit: 'B/span' });
	const start = goal('start on that data, until it listens', c.name, {
		value: c.restart?.listen_ms, unit: 'ms', most: 1000, reason: 'the server did not stop by itself', only,
	});
	const idle = goal('RSS idle, a second after that start', c.name, {
		value: isNumber(c.restart?.rss_kib) ? c.restart.rss_kib / 1024 : null, unit: 'MiB', most: 60,
		reason: 'the server did not stop by itself', only,
	});
	return [growth, ...queryGoalsOf(c), disk, start, idle];
}

export function goalsOf(cases) {
	const rows = [];
	for (const c of cases) {
		if (c.kind === 'load' && c.name.endsWith('-512-plain'))
			rows.push(...loadGoals(c));
		if (c.kind === 'rate')
			rows.push(figureGoal(`ack p99, ${rateOf(c)}`, c, 'ack_p99_ms', { most: 50, digits: 2, unit: 'ms' }));
		if (c.kind === 'visible' && c.name.endsWith('-20000'))
			rows.push(figureGoal('ack to visible p99, 20,000 spans/s', c, 'visible_p99_ms', { most: 250, digits: 1, unit: 'ms' }));
		if (c.kind === 'steady')
			rows.push(figureGoal('RSS at 10,000 spans/s of a small server, peak', c, 'rss_peak_mib', { most: 150, unit: 'MiB' }));
		if (c.kind === 'fair')
			rows.push(...fairGoals(c));
		if (c.kind === 'millions')
			rows.push(...millionsGoals(c));
	}
	const idle = cases.filter((c) => isNumber(c.figures.rss_before_mib));
	const most = idle.reduce((a, c) => (a && a.figures.rss_before_mib >= c.figures.rss_before_mib ? a : c), null);
	rows.push(goal('RSS idle, nothing sent yet', most?.name ?? '', { value: most?.figures.rss_before_mib, unit: 'MiB', most: 60 }));
	return rows;
}

// "100,000 spans/s" of "100000 spans/s, latency from the time due"
function rateOf(c) {
	const rate = Number(c.conditions.load?.match(/^[0-9]+/)?.[0]);
	return rate ? `${show(rate, 0)} spans/s` : 'at a fixed rate';
}

// ---- the page

function table(heads, rows) {
	const widths = heads.map((head, i) => Math.max(head.length, ...rows.map((row) => row[i].length)));
	const line = (cells) => `| ${cells.map((c, i) => (i === 0 ? c.padEnd(widths[i]) : c.padStart(widths[i]))).join(' | ')} |`;
	const rule = `|${widths.map((w, i) => (i === 0 ? '-'.repeat(w + 2) : `${'-'.repeat(w + 1)}:`)).join('|')}|`;
	return [line(heads), rule, ...rows.map(line)].join('\n');
}

// Dashes and their reasons.
class Notes {
	list = [];
	dash(name, reason) {
		const note = `${name}: ${reason}`;
		if (!this.list.includes(note))
			this.list.push(note);
		return `- [${this.list.indexOf(note) + 1}]`;
	}
	cell(c, key, digits) {
		return isNumber(c.figures[key]) ? show(c.figures[key], digits) : this.dash(c.name, why(c, key));
	}
}

function figureTable(cases, columns, notes) {
	const row = (c) => [c.name, ...columns.map(([, key, digits]) => notes.cell(c, key, digits))];
	return table(['case', ...columns.map(([head]) => head)], cases.map(row));
}

function goalSection(rows, notes) {
	if (rows.length === 0)
		return [];
	return ['## Goals', '', table(['what', 'case', 'goal', 'measured', 'met'], rows.map((r) => [
		r.what, r.case, r.goal, r.value === null ? notes.dash(`${r.case || r.what}`, r.reason) : r.figure, r.met,
	])), '',
	'Met is yes only for what was measured as the goal says. All-in CPU: until idle again, and what stopping the server',
	`took. A last million within ${Math.round((NOISE - 1) * 100)} % of the first is as good: two runs of the same differ by that.`, ''];
}

function conditionSection(cases, env) {
	const any = cases.find((c) => c.conditions.machine)?.conditions ?? {};
	const share = (c) => {
		if (!isNumber(c.wall_ms) || c.wall_ms <= 0)
			return '';
		const percent = (ms) => Math.round(Math.max(0, ms) * 100 / c.wall_ms);
		return `; meanwhile other programs took ${percent(c.others_ms)} % of a processor, the host ${percent(c.stolen_ms)} %`;
	};
	const labels = { connections: 'connections: ', rounds: 'rounds: ', queries: 'questions: ', asked: 'questions ', logs: 'log records: ', live: 'live: ' };
	const words = (c) => ['payload', 'encoding', 'connections', 'load', 'tenants', 'asked', 'visible', 'rounds', 'logs', 'queries', 'live']
		.map((key) => c.conditions[key] && `${labels[key] ?? ''}${c.conditions[key]}`);
	const options = (c) => (c.serve_options ? `weir serve ${c.serve_options}` : '');
	return [
		'# weir bench', '',
		`- ${any.date ?? '?'}, ${any.machine ?? '?'}, ${any.disk ?? '?'}`,
		`- load average before it began: ${env.BENCH_LOAD_BEFORE ?? '?'}; in the 2 s before, all programs took ${env.BENCH_BUSY_BEFORE ?? '?'} % of a processor`,
		`- the generator runs ${any.generator ?? '?'}`,
		`- ${any.durability ?? '?'}; a fresh server and an empty data folder for each case`,
		...cases.map((c) => `- ${c.name}: ${[...words(c), options(c)].filter(Boolean).join('; ')}${share(c)}`), '',
	];
}

const loadColumns = [
	['spans/s acked', 'acked_spans_per_s', 0],
	['spans/s loaded', 'loaded_spans_per_s', 0],
	['CPU us/span', 'cpu_us_per_span', 2],
	['at stop us/span', 'stop_cpu_us_per_span', 2],
	['ack p50 ms', 'ack_p50_ms', 2],
	['ack p99 ms', 'ack_p99_ms', 2],
	['ack max ms', 'ack_max_ms', 1],
	['spans/fdatasync', 'spans_per_commit', 0],
	['refused', 'refused_requests', 0],
	['generator us/span', 'generator_cpu_us_per_span', 2],
];

const sizeColumns = [
	['B/span sent', 'wire_bytes_per_span', 0],
	['B/span log', 'wal_bytes_per_span', 0],
	['B/span store', 'store_at_rest_bytes_per_span', 1],
	['RSS before', 'rss_before_mib', 0],
	['at the last answer', 'rss_loaded_mib', 0],
	['idle again', 'rss_end_mib', 0],
	['peak MiB', 'rss_peak_mib', 0],
];

function unsealedText(cases) {
	const some = cases.filter((c) => isNumber(c.figures.unsealed_rows_after));
	if (some.length === 0)
		return ['The server does not tell of rows that are visible and not yet sealed (weir_hot_rows).', ''];
	return ['Not sealed when idle again, so that sealing them is not in the CPU until then: '
		+ `${some.map((c) => `${c.name} ${show(c.figures.unsealed_rows_after, 0)} rows of ${show(c.figures.total_spans, 0)}`).join(', ')}.`, ''];
}

function loadSection(cases, notes) {
	const loads = cases.filter((c) => c.kind === 'load');
	const sized = cases.filter((c) => c.kind === 'load' || c.kind === 'steady' || c.kind === 'rate');
	const paced = cases.filter((c) => c.kind === 'rate' || c.kind === 'steady');
	const out = [];
	if (loads.length > 0)
		out.push('## As fast as it goes', '', figureTable(loads, loadColumns, notes), '',
			'CPU is the time of the whole server process from the first request until everything is loaded and the',
			'process is idle again, over the spans; at stop: what ending it took then. Loaded: until the last span was visible to',
			'queries. A number of calls is always in flight here, so the latency is that of a server at its limit: the',
			'generator sends the next as soon as there is an answer, and more in flight would wait longer.', '');
	if (paced.length > 0)
		out.push('## At a fixed rate', '', figureTable(paced, [
			['spans/s acked', 'acked_spans_per_s', 0], ['not sent in time', 'unsent_requests', 0], ['refused', 'refused_requests', 0],
			['ack p50 ms', 'ack_p50_ms', 2], ['ack p99 ms', 'ack_p99_ms', 2], ['ack max ms', 'ack_max_ms', 1],
			['CPU us/span', 'cpu_us_per_span', 2], ['at stop us/span', 'stop_cpu_us_per_span', 2],
		], notes), '',
		'A call\'s time begins when it was due, not when it could be sent; calls that were due and not sent, or refused, count as',
		'slower than all others.', '');
	if (sized.length > 0)
		out.push('## Bytes and memory', '', figureTable(sized, sizeColumns, notes), '',
			'Store: the database files after the server has stopped, over the spans that are in it; log: what was written to it,',
			'deleted once sealed. Every span has ids and times of its own; other values repeat after some thousand spans.', '',
			...unsealedText(sized));
	return out;
}

function threadSection(cases) {
	const some = cases.filter((c) => Object.keys(c.cpu_us_per_span_by_thread).length > 0);
	const names = [...new Set(some.flatMap((c) => Object.keys(c.cpu_us_per_span_by_thread)))].filter((name) =>
		some.some((c) => c.cpu_us_per_span_by_thread[name] >= 0.005));
	if (some.length === 0)
		return [];
	return ['## Where the CPU went (us/span, by thread)', '',
		table(['case', ...names], some.map((c) => [c.name, ...names.map((name) => c.cpu_us_per_span_by_thread[name]?.toFixed(2) ?? '')])), '',
		'A thread that took nothing is left out. The store\'s own threads have the name of the thread that opened it.', ''];
}

function visibleSection(cases, notes) {
	const visibles = cases.filter((c) => c.kind === 'visible');
	if (visibles.length === 0)
		return [];
	return ['## From ack to visible in the API', '', figureTable(visibles, [
		['p50 ms', 'visible_p50_ms', 1], ['p99 ms', 'visible_p99_ms', 1], ['max ms', 'visible_max_ms', 1],
		['requests followed', 'visible_samples', 0], ['looked every ms p50', 'poll_gap_p50_ms', 1], ['max', 'poll_gap_max_ms', 1],
		['not sent in time', 'unsent_requests', 0], ['ack p50 ms', 'ack_p50_ms', 2], ['ack p99 ms', 'ack_p99_ms', 2],
	], notes), '',
	'Each look is a query of a trace by its id, which takes processor time from the server; a time ends when the answers',
	'with all spans of the traces that are looked for have come. So the times are upper bounds.', ''];
}

function fairSection(c, notes) {
	const f = (key, digits = 2) => notes.cell(c, key, digits);
	const row = (label, key) => [label, f(`alone_${key}_p50_ms`), f(`beside_${key}_p50_ms`), f(`${key}_p50_ratio`),
		f(`alone_${key}_p99_ms`), f(`beside_${key}_p99_ms`), f(`${key}_p99_ratio`), f(`${key}_p99_ratio_median`), f(`${key}_p99_ratio_least`), f(`${key}_p99_ratio_most`)];
	const number = (value, digits) => (isNumber(value) ? show(value, digits) : '-');
	const rounds = c.fair.map((x) => [x.round, number(x.ack_p50_ms, 2), number(x.ack_p99_ms, 2), number(x.question_p50_ms, 2), number(x.question_p99_ms, 2),
		number(x.greedy_spans_per_s, 0), number(x.greedy_refused_per_s, 0), number(x.server_cores, 2), number(x.generator_cores, 2)]);
	return ['## One tenant beside another that sends ten times what it may', '',
		table(['ms', 'p50 alone', 'beside', 'ratio', 'p99 alone', 'beside', 'ratio', 'of pairs: median', 'least', 'most'], [row('ack', 'ack'), row('question', 'question')]), '',
		`The other one sent ${f('greedy_sent_times')} times its limit: ${f('greedy_requests', 0)} requests were acknowledged and ${f('greedy_refused_requests', 0)} refused, of these`,
		`${f('greedy_limited_requests', 0)} because of the limit. Its spans were ${f('greedy_limit_share', 3)} of what the limit lets in, which is the rate and once a second's worth.`, '',
		table(['round', 'ack p50 ms', 'p99', 'question p50 ms', 'p99', 'the other: spans/s', 'refused/s', 'processors: server', 'generator'], rounds), '',
		'Rounds in turn on one server, which had loaded all before each. Quantiles are of all rounds of a kind, which one stall of the',
		'disk may decide; the goal is for the median of the pairs, a round and the one before it. Times begin when',
		`a request or question was due. In the end: ${c.conditions.sums ?? '?'}.`, ''];
}

function roundTable(c, notes) {
	const cell = (x, key, digits) => (isNumber(x[key]) ? show(x[key], digits) : notes.dash(c.name, x.why || 'the server does not tell'));
	const shown = c.rounds.length > 1 ? [c.rounds[0], c.rounds.at(-1)] : c.rounds;
	const columns = [
		['CPU us/span', 'cpu_us_per_span', 2], ['spans/s acked', 'acked_spans_per_s', 0], ['spans/s loaded', 'loaded_spans_per_s', 0],
		['ack p99 ms', 'ack_p99_ms', 2], ['RSS MiB', 'rss_mib', 0], ['unsealed before', 'unsealed_rows_before', 0], ['after', 'unsealed_rows_after', 0],
	];
	return table(['million', ...columns.map(([head]) => head)], shown.map((x) => [
		`the ${x === c.rounds[0] ? 'first' : 'last'}, then ${show(x.total_spans, 0)} in all`, ...columns.map(([, key, digits]) => cell(x, key, digits))]));
}

function queryTable(c, live, notes) {
	const cell = (q, key) => (isNumber(q[key]) ? show(q[key], 2) : notes.dash(`${c.name}, ${q.label}`, q.why || 'not asked'));
	const elsewhere = (q) => (q.query.startsWith('sql_') ? 'a statement of SQL runs in a process of its own' : 'the CPU time of the server is not known');
	const cpu = (q) => (isNumber(q.cpu_ms) ? show(q.cpu_ms, 2) : notes.dash(c.name, elsewhere(q)));
	const verdict = (q) => {
		const most = mostOf(q.query, live);
		return most ? [show(most, 0), queryGoal(c, [q.query, q.label], most, live).met] : ['', ''];
	};
	return table(['question', 'goal p99 ms', 'p50 ms', 'p99 ms', 'max ms', 'CPU ms', 'asked', 'wrong', 'met'],
		c.queries.filter((q) => Boolean(q.live) === live).map((q) => {
			const [most, met] = verdict(q);
			return [q.label, most, cell(q, 'p50_ms'), cell(q, 'p99_ms'), cell(q, 'max_ms'), cpu(q), show(q.right + q.wrong, 0), show(q.wrong, 0), met];
		}));
}

const wrongOf = (c, live) => c.queries.filter((q) => Boolean(q.live) === live && q.wrong > 0).map((q) => `- wrong: ${q.label}: ${q.why}`);

function liveSection(c, notes) {
	const f = (key, digits = 0) => notes.cell(c, key, digits);
	if (!c.queries.some((q) => q.live))
		return [];
	return [`## Questions at ${inMillions(c.figures.total_spans)} spans, with live ingest`, '', queryTable(c, true, notes), '',
		`Meanwhile ${f('live_spans_per_s')} spans/s came in (${c.conditions.live ?? '?'}): ${f('live_spans')} in all, ${f('live_refused_requests')} requests refused,`,
		`${f('live_unsent_requests')} not sent in time, ack p50 ${f('live_ack_p50_ms', 2)} ms, p99 ${f('live_ack_p99_ms', 2)} ms. ${f('unsealed_rows_at_live_queries')} rows were not sealed when the first was asked.`,
		'The server used', `${f('live_cores', 2)} of a processor before the questions and ${f('live_cores_while_asked', 2)} with them; CPU is that of a question, without what the former would have been.`,
		'Answers are checked as above: what was loaded before is in them exactly, newest first, with room for as many of the new spans as are',
		`shown; each of these was sent and has what was asked for. In the end: ${c.conditions.sums ?? '?'}.`, ...wrongOf(c, true), ''];
}

function logText(c, notes) {
	const f = (key, digits = 0) => notes.cell(c, key, digits);
	if (!(c.figures.log_records > 0))
		return [];
	return [`Beside them ${f('log_records')} log records of ${f('body_bytes_per_log_record')} bytes each, a part after each million: ${f('log_records_per_s')} a second were`,
		`acknowledged on one connection, ${f('loaded_log_records_per_s')} loaded, for ${f('cpu_us_per_log_record', 2)} us of CPU a record.`, ''];
}

function millionsSection(c, notes) {
	if (c.rounds.length === 0)
		return [`## Many: ${c.name}`, '', `${notes.dash(c.name, why(c, 'rounds'))}`, ''];
	const unsealed = c.figures.unsealed_rows_at_queries;
	return [`## ${inMillions(c.figures.total_spans)} spans`, '', roundTable(c, notes), '',
		'Each million is sent when all before is loaded and the server idle; its CPU is until it is idle again.', '',
		...logText(c, notes), queryTable(c, false, notes), '',
		`Over HTTP, on one connection that is kept, one at a time, kinds in turn, nothing else running; ${isNumber(unsealed) ? `${show(unsealed, 0)} rows were not sealed` : 'the server does not tell how many rows were not sealed'}.`,
		'Arguments are drawn from all that was acknowledged, each time others; every answer is checked: all spans of the trace',
		'and no other, exactly the newest 100 spans or log records that match, as they were sent, the exact number of spans',
		'of each service. CPU: what the server took from the request to the answer.', ...wrongOf(c, false), '', ...liveSection(c, notes)];
}

function restartSection(cases, notes) {
	const rows = [];
	const ms = (c, x, key) => (isNumber(x[key]) ? show(x[key], 0) : notes.dash(c.name, 'not within the time given'));
	const row = (c, label, x) => [`${c.name}, ${label}`, ms(c, x, 'listen_ms'), ms(c, x, 'ready_ms'), ms(c, x, 'loaded_ms'),
		isNumber(x.unsealed_rows) ? show(x.unsealed_rows, 0) : '', isNumber(x.rss_kib) ? show(x.rss_kib / 1024, 0) : ''];
	for (const c of cases) {
		if (c.killed)
			rows.push(row(c, 'after kill -9', c.killed));
		if (c.restart)
			rows.push(row(c, 'after a stop', c.restart));
	}
	if (rows.length === 0)
		return [];
	return ['## Started again on what it holds (ms from its start)', '',
		table(['case', 'listening', '/readyz says yes', 'all loaded', 'rows not sealed', 'RSS MiB'], rows), '',
		'RSS: a second later. Looked at every 5 to 20 ms.', ''];
}

export function pageOf(cases, goals, env) {
	const notes = new Notes();
	const body = [
		...goalSection(goals, notes), ...loadSection(cases, notes), ...threadSection(cases), ...visibleSection(cases, notes),
		...cases.filter((c) => c.kind === 'fair').flatMap((c) => fairSection(c, notes)),
		...cases.filter((c) => c.kind === 'millions').flatMap((c) => millionsSection(c, notes)), ...restartSection(cases, notes),
	];
	if (notes.list.length > 0)
		body.push('Not measured:', '', ...notes.list.map((note, i) => `${i + 1}. ${note}`), '');
	return [...conditionSection(cases, env), ...body].join('\n');
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
	const [folder, ...names] = process.argv.slice(2);
	const cases = names.map((name) => readCase(folder, name));
	const goals = goalsOf(cases);
	const markdown = pageOf(cases, goals, process.env);
	const before = { load_average: process.env.BENCH_LOAD_BEFORE ?? null, busy_percent: process.env.BENCH_BUSY_BEFORE ?? null };
	writeFileSync(join(folder, 'bench.md'), markdown);
	writeFileSync(join(folder, 'bench.json'), `${JSON.stringify({ before, goals, cases }, null, '\t')}\n`);
	process.stdout.write(markdown);
}
