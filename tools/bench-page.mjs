// SPDX-License-Identifier: Apache-2.0
//
// usage: node tools/bench-page.mjs FOLDER NAME...
//
// Makes the page of tools/bench.sh out of what `weir bench -o json` left in FOLDER/NAME.json (NAME.err when
// it failed) and the size of the store after the server has stopped, FOLDER/NAME.rest. Prints it, and
// writes it to FOLDER/bench.md and all figures to FOLDER/bench.json.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const [folder, ...names] = process.argv.slice(2);

const text = (file) => (existsSync(join(folder, file)) ? readFileSync(join(folder, file), 'utf8').trim() : '');

function readCase(name) {
	const line = text(`${name}.json`);
	const run = line
		? JSON.parse(line)
		: { conditions: {}, figures: {}, unknown: { '*': text(`${name}.err`) || 'it printed nothing' }, cpu_us_per_span_by_thread: {} };
	const rest = text(`${name}.rest`);
	if (rest && run.figures.total_spans > 0) {
		run.figures.store_at_rest_bytes_per_span = Number(rest) / run.figures.total_spans;
	} else {
		run.figures.store_at_rest_bytes_per_span = null;
		run.unknown.store_at_rest_bytes_per_span = 'the server did not stop by itself';
	}
	return { name, ...run };
}

const cases = names.map(readCase);
const notes = [];

// A figure as text; where there is none, a dash and a note that says why.
function cell(run, key, digits) {
	const value = run.figures[key];
	if (typeof value === 'number')
		return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
	const why = run.unknown['*'] ?? run.unknown[key] ?? 'not measured in this case';
	const note = `${run.name}: ${why}`;
	if (!notes.includes(note))
		notes.push(note);
	return `- [${notes.indexOf(note) + 1}]`;
}

function table(heads, rows) {
	const widths = heads.map((head, i) => Math.max(head.length, ...rows.map((row) => row[i].length)));
	const line = (cells) => `| ${cells.map((c, i) => (i === 0 ? c.padEnd(widths[i]) : c.padStart(widths[i]))).join(' | ')} |`;
	const rule = `|${widths.map((w, i) => (i === 0 ? '-'.repeat(w + 2) : `${'-'.repeat(w + 1)}:`)).join('|')}|`;
	return [line(heads), rule, ...rows.map(line)].join('\n');
}

const columns = [
	['spans/s acked', 'acked_spans_per_s', 0],
	['spans/s loaded', 'loaded_spans_per_s', 0],
	['CPU us/span', 'cpu_us_per_span', 2],
	['ack p50 ms', 'ack_p50_ms', 2],
	['ack p99 ms', 'ack_p99_ms', 2],
	['ack max ms', 'ack_max_ms', 1],
	['B/span sent', 'wire_bytes_per_span', 0],
	['B/span log', 'wal_bytes_per_span', 0],
	['B/span store', 'store_at_rest_bytes_per_span', 0],
	['spans/fdatasync', 'spans_per_commit', 0],
	['RSS before', 'rss_before_mib', 0],
	['RSS after', 'rss_end_mib', 0],
	['RSS peak MiB', 'rss_peak_mib', 0],
	['refused', 'refused_requests', 0],
	['generator us/span', 'generator_cpu_us_per_span', 2],
];

const loads = cases.filter((run) => !run.name.endsWith('-visible'));
const visibles = cases.filter((run) => run.name.endsWith('-visible'));
const page = [];

const any = cases.find((run) => run.conditions.machine)?.conditions ?? {};
page.push(
	'# weir bench',
	'',
	`- ${any.date ?? '?'}, ${any.machine ?? '?'}, ${any.disk ?? '?'}`,
	`- load average before it began: ${process.env.BENCH_LOAD_BEFORE ?? '?'} (what else ran here took its share of the processors)`,
	`- the generator runs ${any.generator ?? '?'}`,
	`- ${any.durability ?? '?'}; a fresh server and an empty data folder for each case`,
	...cases.map((run) => `- ${run.name}: ${['payload', 'encoding', 'connections', 'load'].map((key) => run.conditions[key]).filter(Boolean).join('; ')}`),
	'',
);

if (loads.length > 0) {
	page.push(
		'## Load',
		'',
		table(['case', ...columns.map(([head]) => head)], loads.map((run) => [run.name, ...columns.map(([, key, digits]) => cell(run, key, digits))])),
		'',
		'CPU is the time of the whole server process from the first request until everything is loaded and the',
		'process is idle again, over the spans. Loaded: until the last span was visible to queries. Store: the',
		'database files after the server has stopped, over all spans in it; log: what was written to it, deleted',
		'once loaded. Every span has ids and times of its own; other values repeat after some thousand spans.',
		'',
	);
	const threads = [...new Set(loads.flatMap((run) => Object.keys(run.cpu_us_per_span_by_thread)))].filter((name) =>
		loads.some((run) => run.cpu_us_per_span_by_thread[name] >= 0.005));
	page.push(
		'## Where the CPU went (us/span, by thread)',
		'',
		table(['case', ...threads], loads.map((run) => [run.name, ...threads.map((name) => run.cpu_us_per_span_by_thread[name]?.toFixed(2) ?? '')])),
		'',
		'A thread that took nothing is left out. The store\'s own threads have the name of the thread that opened it.',
		'',
	);
}

if (visibles.length > 0) {
	const keys = [
		['p50 ms', 'visible_p50_ms', 1],
		['p99 ms', 'visible_p99_ms', 1],
		['max ms', 'visible_max_ms', 1],
		['requests followed', 'visible_samples', 0],
		['looked every ms p50', 'poll_gap_p50_ms', 1],
		['max', 'poll_gap_max_ms', 1],
		['ack p50 ms', 'ack_p50_ms', 2],
		['ack p99 ms', 'ack_p99_ms', 2],
		['RSS after MiB', 'rss_end_mib', 0],
	];
	page.push(
		'## From ack to visible in the API, 1,000 spans/s',
		'',
		table(['case', ...keys.map(([head]) => head)], visibles.map((run) => [run.name, ...keys.map(([, key, digits]) => cell(run, key, digits))])),
		'',
		'Each look is a query of the trace by its id, which takes processor time from the server; a time ends when the',
		'answer with all spans has come. So the times are upper bounds.',
		'',
	);
}

if (notes.length > 0)
	page.push('Not measured:', '', ...notes.map((note, i) => `${i + 1}. ${note}`), '');

const markdown = page.join('\n');
writeFileSync(join(folder, 'bench.md'), markdown);
writeFileSync(join(folder, 'bench.json'), `${JSON.stringify(cases, null, '\t')}\n`);
process.stdout.write(markdown);
