// SPDX-License-Identifier: Apache-2.0
//
// usage: node tools/promql-golden.mjs
//
// Writes tests/golden/promql/data.json, series that are made up (the same ones each time), and answers.json, what a real
// Prometheus answers to queries over them. Needs promtool and prometheus in the PATH (Debian: `apt-get install prometheus`); tests need
// only the files. That Prometheus may be as old as 2.42: the times of samples and queries are such that no sample stands on an
// end of a range, where versions 2 and 3 differ, and nothing is asked that is not in both.
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const out = join(resolve(dirname(fileURLToPath(import.meta.url)), '..'), 'tests/golden/promql');
const base = Date.UTC(2026, 10, 20, 10) / 1000; // seconds; a multiple of an hour
const every = 15, minutes = 40, offset = 7.137;

// ---- series

let state = 20261120n;
function random() {
	state = (state * 6364136223846793005n + 1442695040888963407n) & ((1n << 64n) - 1n);
	return Number(state >> 11n) / 2 ** 53;
}
const between = (a, b) => a + random() * (b - a);
const times = Array.from({ length: (minutes * 60) / every }, (_, i) => Math.round((base + i * every + offset) * 1000));
const rounded = (v) => Number(v.toPrecision(6));

const families = [];
const family = (name, type, unit = '') => families[families.push({ name, type, unit, series: [] }) - 1];
const targets = [['checkout', 'c-1'], ['checkout', 'c-2'], ['cart', 'k-1']];

// Counters: resets, gaps, one that begins late, one that ends early.
const requests = family('http_requests', 'counter');
for (const [job, instance] of targets)
	for (const code of ['200', '404', '500']) {
		let v = Math.round(between(5000, 9000));
		const gap = random() < 0.3 ? Math.floor(between(20, 120)) : -1, late = code === '404' && job === 'cart' ? 60 : 0;
		const samples = [];
		times.forEach((t, i) => {
			v += Math.floor(between(0, code === '200' ? 40 : 6));
			if (code === '200' && i === 90 && instance !== 'k-1') v = Math.floor(between(0, 10)); // begun anew
			if (i >= late && !(gap >= 0 && i >= gap && i < gap + 9) && !(code === '500' && instance === 'c-2' && i > 100)) samples.push([t, v]);
		});
		requests.series.push({ labels: { job, instance, code, method: random() < 0.5 ? 'GET' : 'POST' }, samples });
	}

const queue = family('queue_length', 'gauge');
for (const [job, instance] of targets)
	for (const name of ['mail', 'pay/ments'])
		queue.series.push({ labels: { job, instance, queue: name }, samples: times.map((t) => [t, rounded(between(-20, 80))]) });

const temperature = family('room_temperature', 'gauge', 'Cel');
for (const [job, instance] of targets) temperature.series.push({ labels: { job, instance }, samples: times.map((t, i) => [t, rounded(20 + 5 * Math.sin(i / 9) + between(0, 1))]) });

const limits = family('queue_limit', 'gauge');
for (const [job, instance] of targets) limits.series.push({ labels: { job, instance }, samples: times.map((t, i) => [t, 50 + (i > 80 ? 10 : 0)]) });

const odd = family('odd_values', 'gauge');
[['nan', NaN], ['inf', Infinity], ['minus', -Infinity], ['tiny', 1.25e-9], ['huge', 3.5e22], ['zero', 0]].forEach(([kind, special]) =>
	odd.series.push({ labels: { job: 'cart', instance: 'k-1', kind }, samples: times.map((t, i) => [t, i % 7 === 3 ? rounded(between(-1, 1)) : special]) }));

const bounds = [0.005, 0.05, 0.1, 0.5, 1, 5];
const duration = family('request_duration', 'histogram', 's');
for (const [job, instance] of targets)
	for (const route of ['/a', '/b']) {
		const counts = bounds.map(() => 0).concat(0);
		let sum = 0;
		const samples = times.map((t) => {
			for (let n = Math.floor(between(1, 20)); n > 0; n--) {
				const v = rounded(Math.exp(between(-6, route === '/a' ? 1 : 2)));
				counts[bounds.findIndex((b) => v <= b) >= 0 ? bounds.findIndex((b) => v <= b) : bounds.length]++;
				sum += v;
			}
			return [t, [...counts], rounded(sum)];
		});
		duration.series.push({ labels: { job, instance, route }, samples });
	}

// ---- queries

const instants = [base + 620, base + 1340, base + 2180];
const range = { start: base + 320, end: base + 2360, step: 180 };
const both = `
http_requests_total
http_requests_total{code="200"}
http_requests_total{code!="200",job="checkout"}
http_requests_total{code=~"4..|5.."}
http_requests_total{code!~"2.*",instance=~"c-.+"}
{__name__=~"queue_.+",job="cart"}
{job="cart",kind!="",kind!~"nan|inf|minus"}
http_requests_total offset 3m
http_requests_total offset -2m
http_requests_total @ ${base + 1220}
rate(http_requests_total[5m] @ ${base + 1500})
sum(rate(http_requests_total[2m] offset 5m))
rate(http_requests_total[5m])
rate(http_requests_total[90s])
increase(http_requests_total[10m])
increase(http_requests_total{code="200"}[31m])
irate(http_requests_total[5m])
idelta(queue_length[5m])
delta(queue_length[7m])
delta(room_temperature_celsius[20m])
deriv(room_temperature_celsius[10m])
predict_linear(room_temperature_celsius[10m], 3600)
resets(http_requests_total[30m])
changes(queue_limit[30m])
avg_over_time(queue_length[5m])
min_over_time(queue_length[5m])
max_over_time(queue_length[5m])
sum_over_time(queue_length[5m])
count_over_time(http_requests_total[10m])
quantile_over_time(0.9, queue_length[10m])
quantile_over_time(0, queue_length[10m])
quantile_over_time(1.5, queue_length[10m])
stddev_over_time(queue_length[10m])
stdvar_over_time(queue_length[10m])
last_over_time(queue_length[3m])
present_over_time(http_requests_total[1m])
absent_over_time(http_requests_total{code="999"}[5m])
absent(http_requests_total{code="999",job="cart"})
absent(http_requests_total)
sum(queue_length)
sum by (job) (queue_length)
sum without (instance) (queue_length)
avg by (job, queue) (queue_length)
min by (queue) (queue_length)
max(queue_length) by (job)
count by (code) (http_requests_total)
group by (job) (http_requests_total)
stddev by (job) (queue_length)
stdvar(queue_length)
topk(3, queue_length)
bottomk by (job) (1, queue_length)
quantile by (job) (0.75, queue_length)
quantile(0.5, queue_length)
count_values("limit", queue_limit)
sum by (job) (rate(http_requests_total{code=~"5.."}[5m])) / sum by (job) (rate(http_requests_total[5m]))
queue_length / on (job, instance) group_left queue_limit
queue_limit - on (job, instance) group_right queue_length
queue_length > on (job, instance) group_left queue_limit
queue_length > 40
queue_length > bool 40
40 < queue_length
queue_length != queue_length
queue_length == bool queue_length
queue_length and on (job, instance) (queue_limit > 55)
queue_length or http_requests_total{code="404"}
queue_length unless on (job) http_requests_total{code="404",instance="c-1"}
queue_length{queue="mail"} + ignoring (queue) queue_limit
-queue_length
-(queue_length) ^ 2
2 ^ 3 ^ 2
-2 ^ 2
queue_length % 7
-7 % 3
1 / 0
0 / 0
1 == bool 2
queue_length * 0 / 0
1 atan2 2
sum by (job, instance) (queue_length) atan2 on (job, instance) sum by (job, instance) (queue_limit)
abs(queue_length)
ceil(queue_length)
floor(queue_length)
round(queue_length)
round(queue_length, 0.25)
exp(queue_length / 100)
ln(queue_length)
log2(queue_limit)
log10(queue_limit)
sqrt(queue_length)
sgn(queue_length)
clamp(queue_length, 0, 50)
clamp_min(queue_length, 10)
clamp_max(queue_length, 10)
clamp(queue_length, 50, 0)
sin(queue_length)
cosh(queue_length / 50)
deg(queue_limit)
rad(queue_limit)
pi() * 2
time()
vector(time())
scalar(queue_limit{instance="k-1"})
scalar(queue_limit)
timestamp(queue_limit)
timestamp(queue_limit + 0)
hour()
minute(vector(1735689599))
day_of_week(vector(1735689599))
day_of_month(vector(1709210096))
day_of_year(vector(1709210096))
days_in_month(vector(1709210096))
month(timestamp(queue_limit))
year()
label_replace(queue_length, "short", "$1", "queue", "(.).*")
label_replace(queue_length, "both", "$1-$2", "queue", "(pa)(y).*")
label_replace(queue_length, "job", "", "queue", ".*")
label_join(queue_length, "all", "-", "job", "instance", "queue")
histogram_quantile(0.9, request_duration_seconds_bucket)
histogram_quantile(0.9, rate(request_duration_seconds_bucket[5m]))
histogram_quantile(0.5, sum by (le) (rate(request_duration_seconds_bucket[5m])))
histogram_quantile(0.99, sum by (job, le) (increase(request_duration_seconds_bucket[10m])))
histogram_quantile(1, request_duration_seconds_bucket)
histogram_quantile(-1, request_duration_seconds_bucket)
histogram_quantile(0.1, request_duration_seconds_bucket{le!="0.005"})
rate(request_duration_seconds_sum[5m]) / rate(request_duration_seconds_count[5m])
sum by (le) (request_duration_seconds_bucket)
request_duration_seconds_bucket{le="+Inf"}
odd_values
abs(odd_values)
sum by (kind) (odd_values)
max(odd_values)
min(odd_values)
odd_values > 0
max_over_time(odd_values[5m])
max_over_time(rate(http_requests_total[2m])[10m:30s])
avg_over_time(sum by (job) (queue_length)[10m:1m])
min_over_time(queue_length[10m:])
sum_over_time(queue_limit[5m:30s] offset 2m)
rate(sum by (job) (http_requests_total{code="404"})[10m:30s])
quantile_over_time(0.5, (queue_length > 10)[15m:30s])
increase(http_requests_total[5m]) > 20 and rate(http_requests_total[5m]) < 10
sum(rate(http_requests_total[5m])) by (code) > bool 0.2
count(queue_length > 0) or vector(0)
nothing_like_it
sum(nothing_like_it)
count(nothing_like_it) or vector(0)
1 + 2 * 3 - 4 / 5
(1 + 2) * 3
0x1F + 1e3
Inf
-Inf
NaN
sum by (job) (avg_over_time(queue_length[5m])) * on (job) group_left (instance) max by (job, instance) (queue_limit{instance!="c-2"})
sort(queue_length)
sort_desc(queue_length)
`.trim().split('\n');
const instantOnly = `
http_requests_total{code="500"}[1m]
queue_limit[2m:30s]
"text"
topk(4, sum by (queue, job) (queue_length))
`.trim().split('\n');
// A reason is not compared, only that there is one.
const errors = `
sum(
http_requests_total{
http_requests_total{code=}
rate(http_requests_total)
sum by (job queue_length
http_requests_total + on (job) queue_length
queue_length / on (job) group_left queue_limit
{code=~".*"}
{}
1 and 2
queue_length[5m:1m][5m]
nosuch(queue_length)
rate(queue_length[5m], 2)
http_requests_total{code=~"("}
"a" + 1
queue_length offset
label_replace(queue_length, "a b", "$1", "queue", "(")
`.trim().split('\n');

// ---- asking Prometheus

const text = (v) => (Number.isNaN(v) ? 'NaN' : v === Infinity ? '+Inf' : v === -Infinity ? '-Inf' : String(v));
const labelText = (l) => `{${Object.entries(l).map(([k, v]) => `${k}="${v}"`).join(',')}}`;
const words = { s: '_seconds', Cel: '_celsius', '': '' };

function openMetrics() {
	const lines = [];
	for (const f of families) {
		const name = f.name + words[f.unit];
		lines.push(`# TYPE ${name} ${f.type}`);
		for (const s of f.series)
			for (const [t, v, sum] of s.samples) {
				const at = (t / 1000).toFixed(3);
				if (f.type !== 'histogram') {
					lines.push(`${name}${f.type === 'counter' ? '_total' : ''}${labelText(s.labels)} ${text(v)} ${at}`);
					continue;
				}
				let n = 0;
				v.forEach((c, i) => lines.push(`${name}_bucket${labelText({ ...s.labels, le: i < bounds.length ? String(bounds[i]) : '+Inf' })} ${(n += c)} ${at}`));
				lines.push(`${name}_sum${labelText(s.labels)} ${sum} ${at}`, `${name}_count${labelText(s.labels)} ${n} ${at}`);
			}
	}
	return `${lines.join('\n')}\n# EOF\n`;
}

const dir = mkdtempSync(join(tmpdir(), 'promql-golden-'));
const port = 39090 + (process.pid % 1000);
let server;
try {
	writeFileSync(join(dir, 'in.om'), openMetrics());
	writeFileSync(join(dir, 'p.yml'), 'global: {}\n');
	execFileSync('promtool', ['tsdb', 'create-blocks-from', 'openmetrics', join(dir, 'in.om'), join(dir, 'data')], { stdio: ['ignore', 'ignore', 'inherit'] });
	server = spawn('prometheus', [`--config.file=${join(dir, 'p.yml')}`, `--storage.tsdb.path=${join(dir, 'data')}`, `--web.listen-address=127.0.0.1:${port}`,
		'--storage.tsdb.retention.time=100y', '--log.level=error'], { stdio: 'inherit' });
	const ask = async (path, params) => {
		const res = await fetch(`http://127.0.0.1:${port}/api/v1/${path}?${new URLSearchParams(params)}`);
		return { status: res.status, ...(await res.json()) };
	};
	for (let i = 0; ; i++) {
		try {
			if ((await fetch(`http://127.0.0.1:${port}/-/ready`)).status === 200) break;
		} catch {
			if (i > 100) throw new Error('prometheus does not start');
		}
		await new Promise((r) => setTimeout(r, 200));
	}
	const answers = [];
	const put = async (kind, query, params) => {
		const { status, data, errorType, error } = await ask(kind === 'range' ? 'query_range' : 'query', { query, ...params });
		if (errors.includes(query) ? data : !data) throw new Error(`${query}: ${status} ${error}`);
		answers.push({ kind, query, ...params, ...(data ? { type: data.resultType, result: data.result } : { error: errorType }) });
	};
	for (const query of both) {
		for (const time of instants) await put('instant', query, { time });
		await put('range', query, range);
	}
	for (const query of instantOnly) for (const time of instants) await put('instant', query, { time });
	for (const query of errors) await put('instant', query, { time: instants[0] });
	const version = (await ask('status/buildinfo', {})).data.version;
	const lines = (list) => `[\n${list.map((x) => JSON.stringify(x)).join(',\n')}\n]`;
	const plain = families.map((f) => ({ ...f, series: f.series.map((s) => ({ ...s, samples: s.samples.map(([t, v, ...rest]) => [t, typeof v === 'number' && !Number.isFinite(v) ? text(v) : v, ...rest]) })) }));
	writeFileSync(join(out, 'data.json'), `{"bounds":${JSON.stringify(bounds)},"families":${lines(plain)}}\n`);
	writeFileSync(join(out, 'answers.json'), `{"prometheus":"${version}","answers":${lines(answers)}}\n`);
	console.log(`${answers.length} answers of Prometheus ${version}`);
} finally {
	server?.kill();
	rmSync(dir, { recursive: true, force: true });
}
