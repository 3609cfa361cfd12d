// SPDX-License-Identifier: Apache-2.0
//
// What is sent, and an account of it. A request is known by its id, which each of its items carries
// together with a number and a text computed from both: what comes back is compared with that, whole.
// Nothing here knows how weir stores anything.
import http from 'node:http';

export const tenants = ['fault-a', 'fault-b'];
export const signals = ['traces', 'logs', 'metrics'];
const members = { traces: 'spans', logs: 'logs', metrics: 'metrics' };
const counts = { traces: 'span_count', logs: 'log_count', metrics: 'point_count' };
const padBytes = Number(process.env.WEIR_FAULT_PAD ?? 2000);

const hex = (n, digits) => n.toString(16).padStart(digits, '0');
const text = (value) => ({ stringValue: value });
// Requests of rounds that are called small have little text.
const pad = (r, n) => `${r}/${n} `.repeat(r.startsWith('small') ? 2 : 1 + padBytes / (r.length + 3));
const attributes = (r, n) => [
	{ key: 'r', value: text(r) }, { key: 'n', value: { intValue: String(n) } }, { key: 'pad', value: text(pad(r, n)) },
];

// A request of the round: number, signal, tenant, items. The same ids are used under both tenants;
// the last item of a request of logs is there twice; every fourth request is about yesterday.
export function makeRequest(round, number, baseMs) {
	const signal = signals[number % 3];
	const pair = Math.floor(number / 3);
	const tenant = tenants[pair % 2];
	const id = `${round}-${number}`;
	const late = number % 4 === 3 ? 86400_000 : 0;
	const nano = (n) => `${BigInt(baseMs - late) * 1000000n + BigInt(number * 100 + n)}`;
	const numbers = signal === 'logs' ? [0, 1, 2, 2] : [0, 1, 2, 3];
	const resource = { attributes: [{ key: 'service.name', value: text(round) }] };
	const scope = { name: 'fault' };
	const make = {
		traces: (n) => ({
			traceId: hex(hash(round), 12) + hex(Math.floor(pair / 2) + 1, 20), spanId: hex(number % 3 * 16 + n + 1, 16), name: id,
			startTimeUnixNano: nano(n), endTimeUnixNano: nano(n + 1), attributes: attributes(id, n),
			events: [{ timeUnixNano: nano(n), name: 'e' }],
		}),
		logs: (n) => ({ timeUnixNano: nano(n), body: text(id), attributes: attributes(id, n) }),
		metrics: (n) => ({ timeUnixNano: nano(n), asInt: String(n), attributes: attributes(id, n) }),
	}[signal];
	const items = numbers.map(make);
	const body = {
		traces: () => ({ resourceSpans: [{ resource, scopeSpans: [{ scope, spans: items }] }] }),
		logs: () => ({ resourceLogs: [{ resource, scopeLogs: [{ scope, logRecords: items }] }] }),
		metrics: () => ({ resourceMetrics: [{ resource, scopeMetrics: [{ scope, metrics: [{ name: 'g', gauge: { dataPoints: items } }] }] }] }),
	}[signal]();
	return { id, round, signal, tenant, numbers, body: JSON.stringify(body), sent: 0, acked: false, answers: [] };
}

function hash(round) {
	let h = 7;
	for (const c of round) h = (h * 31 + c.charCodeAt(0)) % 0xffffffffff;
	return h;
}

// One try. The answer's status, or 0 when there was none: then nobody knows.
export function post(address, request, { agent, timeout = 5000 } = {}) {
	request.sent++;
	return new Promise((done) => {
		const end = (status, body) => {
			request.answers.push(status);
			if (status === 200) request.acked = true;
			done({ status, body });
		};
		const req = http.request(`http://${address}/v1/${request.signal}`, {
			method: 'POST', agent, timeout, headers: { 'content-type': 'application/json', 'x-scope-orgid': request.tenant },
		}, (res) => {
			let body = '';
			res.setEncoding('utf8').on('data', (d) => (body += d)).on('error', () => end(0, ''));
			res.on('end', () => end(res.complete ? res.statusCode : 0, body));
		});
		req.on('timeout', () => req.destroy(new Error('no answer')));
		req.on('error', (error) => end(0, String(error)));
		req.end(request.body);
	});
}

async function page(weir, path, tenant) {
	const { status, body, text: answer } = await weir.get(path, { headers: { 'x-scope-orgid': tenant } });
	if (status !== 200) throw new Error(`${path}: ${status} ${answer.slice(0, 300)}`);
	return body;
}

async function items(weir, tenant, signal, round) {
	const out = [];
	let cursor = '';
	do {
		const body = await page(weir, `/api/v1/${signal}?limit=1000${round ? `&service=${round}` : ''}${cursor}`, tenant);
		out.push(...body[members[signal]]);
		cursor = body.next_cursor === undefined ? undefined : `&cursor=${encodeURIComponent(body.next_cursor)}`;
	} while (cursor !== undefined);
	return out;
}

function damaged(item, request, n) {
	if (item.attributes.pad !== pad(request.id, n)) return 'its text is not what was sent';
	if (request.signal === 'traces' && (item.operation !== request.id || item.events.length !== 1)) return 'its name or events are not what was sent';
	if (request.signal === 'logs' && item.body !== request.id) return 'its body is not what was sent';
	if (request.signal === 'metrics' && item.value !== n) return 'its value is not what was sent';
	return undefined;
}

// How often a request is there: a number, or undefined when only a part of it is.
function copies(request, seen) {
	const wanted = new Map();
	for (const n of request.numbers) wanted.set(n, (wanted.get(n) ?? 0) + 1);
	const times = [...wanted].map(([n, times]) => (seen.get(n) ?? 0) / times);
	return times.every((t) => t === times[0]) && Number.isInteger(times[0]) ? times[0] : undefined;
}

// Everything that is visible against everything that was sent: a list of { kind, text }.
//   lost        acknowledged, and not there          partial   some of its items, not all
//   twice       there more often than it was sent for  resent    the same, of one that was sent more than once
//   stranger    never sent, not so, or not by this tenant      derived   a count does not fit
// `round`: of these requests only.
export async function compare(weir, ledger, { round } = {}) {
	const problems = [];
	const add = (kind, what) => problems.push({ kind, text: what });
	const byId = new Map(ledger.filter((r) => !round || r.round === round).map((r) => [r.id, r]));
	const seen = new Map([...byId.keys()].map((id) => [id, new Map()]));
	for (const tenant of tenants) {
		const services = (await page(weir, '/api/v1/services?limit=1000', tenant)).services;
		for (const signal of signals) {
			const found = await items(weir, tenant, signal, round);
			const counted = services.filter((s) => !round || s.name === round).reduce((sum, s) => sum + s[counts[signal]], 0);
			if (counted !== found.length) add('derived', `${tenant}: /services counts ${counted} ${members[signal]}, ${found.length} are listed`);
			for (const item of found) {
				const { r, n } = item.attributes;
				const request = byId.get(r);
				const why = !request || request.tenant !== tenant || request.signal !== signal || request.sent === 0 || !request.numbers.includes(n)
					? 'it was never sent' : damaged(item, request, n);
				if (why) add('stranger', `${tenant}: ${signal}: item ${n} of request ${r}: ${why}`);
				else seen.get(r).set(n, (seen.get(r).get(n) ?? 0) + 1);
			}
		}
	}
	for (const request of byId.values()) judge(request, seen.get(request.id), add);
	return problems;
}

function judge(request, seen, add) {
	const name = `${request.signal} request ${request.id} of ${request.tenant} (sent ${request.sent} times, answers ${request.answers.join(' ')})`;
	const there = copies(request, seen);
	if (there === undefined) add('partial', `${name}: of its items are there ${JSON.stringify([...seen])}`);
	else if (request.poisoned && there > 0) add('stranger', `${name}: cannot be decoded, and is there`);
	else if (there === 0 && request.acked && !request.poisoned) add('lost', `${name}: acknowledged, and not there`);
	else if (there > request.sent) add('twice', `${name}: there ${there} times`);
	else if (there > 1) add('resent', `${name}: there ${there} times`);
}
