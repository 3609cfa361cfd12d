// SPDX-License-Identifier: Apache-2.0
//
// The OpenAPI document, and what it promises for every parameter of every operation: what is good is taken, what is
// malformed, repeated or unknown is a 400 that names it, and nothing at all is a 500. The cases are made from the
// document, so an operation that is added is tried too.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import http from 'node:http';
import { after, before, describe, it } from 'node:test';
import { Contract } from './lib/openapi.mjs';
import { Weir, newDataDir, removeDataDir, run, sdk, weirBin } from './lib/weir.mjs';

const contract = Contract.of(weirBin, sdk);
const document = contract.document;
const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const spanId = '00f067aa0ba902b7';

const operations = Object.entries(document.paths).flatMap(([path, item]) =>
	Object.entries(item).filter(([method]) => ['get', 'post', 'delete'].includes(method)).map(([method, operation]) => ({ path, method, ...operation })));
const api = operations.filter((o) => !o.tags.includes('otlp'));

// The status of a good answer, and a path that is well formed.
const successOf = (o) => Number(Object.keys(o.responses).find((status) => status.startsWith('2')));
const pathOf = (o) => o.path.replace('{trace_id}', traceId).replace('{span_id}', spanId).replace(/\{[^}]+\}/g, 'nothing-has-this');

const raw = (o) => Object.keys(o.requestBody?.content ?? {}).some((media) => !/json|form/.test(media));
const deref = (x) => (x?.$ref ? { ...deref(x.$ref.split('/').slice(1).reduce((at, s) => at[s.replaceAll('~1', '/')], document)), ref: x.$ref.split('/').at(-1) } : x);

// { name, place, schema, ref, repeat, required } of each.
function parametersOf(operation) {
	const found = (operation.parameters ?? []).map(deref).filter((p) => p.in !== 'header')
		.map((p) => ({ name: p.name, place: p.in, outer: p.schema, required: p.required ?? false }));
	const body = Object.values(operation.requestBody?.content ?? {})[0]?.schema;
	for (const [name, schema] of Object.entries(body?.properties ?? {}))
		found.push({ name, place: 'body', outer: schema, required: body.required?.includes(name) ?? false });
	return found.map(({ outer, ...p }) => {
		const repeat = outer.type === 'array';
		return { ...p, outer, repeat, schema: deref(repeat ? outer.items : outer) };
	});
}

// ---- values, by what a parameter is

const typed = {
	Time: {
		good: ['2026-11-20T16:00:00Z', '2026-11-20T16:00:00.123456789+01:00', '2026-11-20T16:00', '2026-11-20', '1795190400', '1795190400123', '0', '1970-01-01', '18446744073709551615'],
		bad: ['', 'yesterday', '2026-13-01', '2026-02-30', '2026-11-20T25:00:00Z', '-1', '1e9', '18446744073709551616', '2026-11-20T16:00:00+99:00', '20.5', '2026/11/20'],
	},
	TimeSpan: {
		good: ['90s', '15m', '1h30m', '2d', '1.5h', '1w', '100ms', '1ns', '5'],
		bad: ['', '0', '0s', '5 minutes', '-5m', '10x', '1h 30m', '5mm', 'm', '1.', '.5h', '99999999999999w', '5M', '1,5h'],
	},
	Milliseconds: {
		good: ['0', '250', '0.5', '1e3', '250ms', '1.5s'],
		bad: ['', 'abc', '-1', '-1s', 'NaN', 'Infinity', '1 s', '10x', '1e999'],
	},
	TraceId: { good: [traceId, traceId.toUpperCase()], bad: ['', 'abc', '0'.repeat(32), `${traceId}0`, traceId.replace('4', 'g'), ` ${traceId.slice(1)}`] },
	SpanId: { good: [spanId, spanId.toUpperCase()], bad: ['', 'abc', '0'.repeat(16), `${spanId}0`, spanId.replace('f', 'g')] },
	AttributeCondition: {
		good: ['http.route=/cart', 'a=', 'a=b=c', 'n>=500', 'n<-1.5', 'n>2e6', 'a!=b', 'a~^/c', 'a!~(?i)B|c{2,}', 'a', '!a', 'item:a=b', '!resource:a', 'scope:a~', '"a=b"=c', '"!a"'],
		bad: ['', '=x', 'a>', 'a>x', 'a<=1.5.', 'a>01', '!', '!a=b', '!!a', 'item:', '"a', '"a"b', 'a~(', 'a~*', 'a!~[z-a]', 'a~(?=b)', 'a~\\pL', 'a~x{1000}', `a~${'(a{20}){20}'}{20}`],
	},
	Words: {
		good: ['payment', 'payment failed', '"card expired" visa', '  a  ', "it's", '\\', '"\\""'],
		bad: ['', '   ', '"', '"a', '"a"b', '""', 'a "', Array.from({ length: 17 }, (_, i) => `w${i}`).join(' '), 'x'.repeat(513)],
	},
	PrometheusTime: { good: ['1795190400', '1795190400.123', '2026-11-20T16:00:00Z', '2026-11-20T16:00:00.5+01:00', '0', '-1', '1e9'], bad: ['', 'yesterday', 'NaN', 'Inf', '1e300', '2026-13-01T00:00:00Z', '99999999999999999999'] },
	PrometheusSpan: { good: ['15', '0.5', '1e3', '15s', '1h30m', '2d', '100ms', '1y'], bad: ['', '0', '-1', '0s', '5 minutes', '10x', '30m1h', 'NaN', '1e300', '1.5h', '5M'] },
	Cursor: { good: [], bad: ['', 'x', '!', randomBytes(60).toString('base64url'), 'A'.repeat(200)] },
};

const integers = (s) => ({
	good: [s.minimum, s.maximum, Math.min(s.maximum ?? 7, Math.max(s.minimum ?? 7, 7))].filter((n) => n !== undefined).map(String),
	bad: ['', 'abc', '1.5', '1e1', ' 1', '0x10', '99999999999999999999', '१',
		...(s.minimum !== undefined ? [String(s.minimum - 1), String(s.maximum + 1)] : [])],
});

function valuesOf(p) {
	const s = p.schema;
	if (s.ref && typed[s.ref]) return typed[s.ref];
	if (s.enum) return { good: [...s.enum, s.enum[0].toUpperCase()], bad: ['', 'nonsense', `${s.enum[0]} `, `${s.enum[0]}|${s.enum.at(-1)}`] };
	if (s.type === 'integer') return integers(s);
	if (s.type === 'boolean') return { good: ['true', 'false', '1', '0', ''], bad: ['maybe', '2', 'yes', 'tru'] };
	assert.equal(s.type, 'string', `${p.name}: the test knows no values of ${JSON.stringify(s)}`);
	// Which texts are good is the operation's business; its own example is.
	return { good: p.outer.examples ?? [], bad: p.place === 'path' ? [] : [''] };
}

const hostile = {
	'a zero byte': '\0', 'control characters': '\u0001\u001b[31m\u009b', 'a line end': 'a\r\nX-Evil: 1', 'SQL': "'; DROP TABLE spans; --", 'more SQL': '" OR 1=1 UNION SELECT * FROM spans --',
	'HTML': '<script>alert(1)</script><img src=x onerror=alert(1)>', 'a path': '../../../../etc/passwd', 'a format': '%s%n%x%1000000d', 'a number that overflows': '9'.repeat(400),
	'other letters': '\u202egnp.exe\ufeff\u{1f600}\u0301', 'JSON': '{"a":[1,{"b":null}]}', 'a regular expression': '(a+)+$', 'a percent sign': '100%', 'a quote': "'\"`\\", 'long': 'x'.repeat(6000), 'nothing but blanks': '   ',
};

// ---- asking

let weir, dir, key, agent;

// As the bytes are given: fetch() would change some of them.
function ask(method, target, body) {
	return new Promise((done, failed) => {
		const [host, port] = weir.api.split(':');
		const headers = { authorization: `Bearer ${key}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) };
		const req = http.request({ host, port, agent, method: method.toUpperCase(), path: target, headers }, (res) => {
			const parts = [];
			const answered = () => done({ status: res.statusCode, type: res.headers['content-type'], allow: res.headers.allow, text: Buffer.concat(parts).toString() });
			res.on('data', (part) => {
				parts.push(part);
				if (res.headers['content-type'] !== 'text/event-stream') return;
				answered(); // it has no end
				req.destroy();
			}).on('error', failed).on('end', answered);
		});
		req.on('error', failed);
		req.end(body);
	});
}

// A request of an operation; `values` are pairs, of which some may already be escaped (Raw).
class Raw extends String {}
const escape = (v) => (v instanceof Raw ? String(v) : encodeURIComponent(v));

async function request(operation, values) {
	const inPath = Object.fromEntries(values.filter(([p]) => p.place === 'path').map(([p, v]) => [p.name, v]));
	const path = operation.path.replace(/\{([^}]+)\}/g, (_, name) => escape(inPath[name]));
	const query = values.filter(([p]) => p.place !== 'path').map(([p, v]) => `${escape(p.name)}=${escape(v)}`).join('&');
	const target = query ? `${path}?${query}` : path;
	const answer = await ask(operation.method, target);
	check(operation, path, answer, target);
	return answer;
}

// What holds of every answer.
function check(operation, path, answer, what) {
	const where = `${operation.method} ${what.slice(0, 300)}: ${answer.status} ${answer.text.slice(0, 500)}`;
	assert.ok(answer.status < 500, where);
	// What is neither JSON nor for people is as its format has it.
	// eslint-disable-next-line no-control-regex
	if (!/^(text\/csv|application\/vnd)/.test(answer.type)) assert.doesNotMatch(answer.text, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/, where);
	if (answer.type?.startsWith('application/json')) assert.doesNotMatch(answer.text, /</, where);
	let readable = path;
	try {
		decodeURIComponent(path);
	} catch {
		readable = '/nowhere';
	}
	const wrong = contract.check({ method: operation.method.toUpperCase(), path: readable, ...answer });
	assert.equal(wrong, undefined, where);
}

// Prometheus' API has the message itself there.
const messageOf = (answer) => JSON.parse(answer.text).error.message ?? JSON.parse(answer.text).error;
const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

function names(answer, p, what) {
	assert.equal(answer.status, 400, `${p.name} ${what}: ${answer.text.slice(0, 300)}`);
	assert.match(messageOf(answer), new RegExp(`parameter ${escaped(p.name)}(?!\\w)`), what);
}

// What an operation needs besides the parameter in question.
function needed(operation, but) {
	return parametersOf(operation).filter((p) => (p.required || p.place === 'path') && p.name !== but?.name).map((p) => {
		if (p.place === 'path') return [p, { TraceId: traceId, SpanId: spanId }[p.schema.ref] ?? 'nothing-has-this'];
		const good = p.outer.examples?.[0] ?? valuesOf(p).good[0];
		assert.ok(good !== undefined, `${operation.operationId}: ${p.name} is required and has no example`);
		return [p, good];
	});
}

before(async () => {
	dir = newDataDir();
	const made = await run(['keys', 'create', '--data-dir', dir, '--right', 'read', '--right', 'admin', '--right', 'ingest', '--tenant', '*', '-o', 'json']);
	assert.equal(made.code, 0, made.stderr);
	key = JSON.parse(made.stdout).key;
	// Streams of which nobody has noticed yet that they were left count.
	weir = await Weir.start({ dataDir: dir, args: ['--max-live-readers', '10000', '--max-connections', '10000'] });
	agent = new http.Agent({ keepAlive: true });
	const resource = { attributes: [{ key: 'service.name', value: { stringValue: 'checkout' } }] };
	const now = BigInt(Date.now()) * 1000000n;
	const bodies = {
		traces: { resourceSpans: [{ resource, scopeSpans: [{ spans: [
			{ traceId, spanId, name: 'GET /cart', kind: 2, startTimeUnixNano: String(now), endTimeUnixNano: String(now + 5000000n), attributes: [{ key: 'http.route', value: { stringValue: '/cart' } }] },
			{ traceId, spanId: '00f067aa0ba902b8', parentSpanId: spanId, name: 'SELECT', kind: 3, startTimeUnixNano: String(now + 1000n), endTimeUnixNano: String(now + 4000000n), status: { code: 2 } }] }] }] },
		logs: { resourceLogs: [{ resource, scopeLogs: [{ logRecords: [{ timeUnixNano: String(now), traceId, spanId, severityNumber: 17, body: { stringValue: 'payment failed' } }] }] }] },
		metrics: { resourceMetrics: [{ resource, scopeMetrics: [{ metrics: [{ name: 'requests', sum: { isMonotonic: true, aggregationTemporality: 2, dataPoints: [{ asInt: '5', timeUnixNano: String(now), attributes: [] }] } }] }] }] },
	};
	for (const [signal, body] of Object.entries(bodies)) {
		const res = await fetch(`http://${weir.http}/v1/${signal}`, { method: 'POST', headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` }, body: JSON.stringify(body) });
		assert.equal(res.status, 200, await res.text());
	}
	await weir.until('/api/v1/services', (b) => b.services?.[0]?.point_count === 1, { headers: { authorization: `Bearer ${key}` } });
});

after(async () => {
	agent.destroy();
	await weir.stop();
	removeDataDir(dir);
});

describe('the document', () => {
	it('is valid OpenAPI 3.1', async () => {
		const { Validator } = await import(sdk.resolve('@seriousme/openapi-schema-validator'));
		const { valid, errors } = await new Validator().validate(structuredClone(document));
		assert.ok(valid, JSON.stringify(errors, null, 1));
	});

	it('is what a server answers, but for the bounds of its own options', async () => {
		const { status, body } = await weir.get('/api/v1/openapi.json', { headers: { authorization: `Bearer ${key}` } });
		assert.equal(status, 200);
		assert.deepEqual(body, document);
		const small = await Weir.start({ args: ['--max-results', '77'] });
		try {
			const other = (await small.get('/api/v1/openapi.json')).body;
			const limit = (d) => d.paths['/api/v1/traces'].get.parameters.find((p) => p.name === 'limit').schema;
			assert.deepEqual(limit(other), { ...limit(document), maximum: 77 });
		} finally {
			await small.stop();
		}
	});

	it('has every path that / lists, and / lists all of it', async () => {
		const { text } = await weir.get('/');
		const listed = [...text.matchAll(/^(GET|POST|DELETE) (\S+)/gm)].map(([, method, path]) => `${method} ${path}`).sort();
		assert.deepEqual(listed, api.map((o) => `${o.method.toUpperCase()} ${o.path}`).filter((x) => x !== 'GET /').sort());
	});

	it('names each operation once, and says of each what it answers and who may', () => {
		const ids = operations.map((o) => o.operationId);
		assert.equal(new Set(ids).size, ids.length);
		for (const o of operations.filter((x) => x.path.startsWith('/api/'))) {
			assert.ok(Object.keys(o.responses[String(successOf(o))].content).length > 0, o.operationId);
			assert.ok(['read', 'ingest', 'admin'].includes(o['x-weir-right']), o.operationId);
			assert.equal(o['x-weir-stream'] ?? false, 'text/event-stream' in o.responses[String(successOf(o))].content, o.operationId);
			for (const p of (o.parameters ?? []).map(deref)) assert.ok(p.description?.length > 3, `${o.operationId} ${p.name}`);
		}
	});

	it('has schemas in which every keyword counts and which all are used', () => {
		const Ajv = sdk('ajv/dist/2020.js').default;
		const strict = new Ajv({ strict: true, strictTypes: false, strictRequired: false, validateFormats: false, keywords: [] });
		strict.addVocabulary(['example']);
		const text = JSON.stringify(document);
		strict.addSchema({ $id: 'all', $defs: JSON.parse(JSON.stringify(document.components.schemas).replaceAll('#/components/schemas/', 'all#/$defs/')) });
		for (const name of Object.keys(document.components.schemas)) {
			strict.compile({ $ref: `all#/$defs/${name}` });
			assert.ok(text.includes(`"#/components/schemas/${name}"`), `${name} is used by nothing`);
		}
	});

	it('leaves no object of an answer open', () => {
		// What a schema says about members that it does not name, by itself or where it is used.
		const open = [];
		const free = new Set(['Attributes', 'OpenApi']); // and parts that others close
		const parts = new Set(['KeyFields', 'CheckRows']);
		const walk = (s, where) => {
			if (Array.isArray(s)) return s.forEach((x, i) => walk(x, `${where}/${i}`));
			if (typeof s !== 'object' || s === null) return;
			const closed = s.additionalProperties !== undefined || s.unevaluatedProperties !== undefined;
			if (s.properties && !closed && s.type === 'object') open.push(where);
			for (const [k, v] of Object.entries(s)) walk(v, `${where}/${k}`);
		};
		for (const [name, s] of Object.entries(document.components.schemas)) if (!free.has(name) && !parts.has(name)) walk(s, name);
		assert.deepEqual(open, []);
	});
});

describe('the check of answers', () => {
	it('sees a member too many, one missing, another type, another status and another content type', () => {
		const good = { method: 'GET', path: '/api/v1/services', status: 200, type: 'application/json; charset=utf-8', text: '{"services":[],"count":0,"truncated":false}' };
		assert.equal(contract.check(good), undefined);
		for (const change of [{ text: '{"services":[],"count":0,"truncated":false,"more":1}' }, { text: '{"services":[],"count":0}' }, { text: '{"services":[],"count":-1,"truncated":false}' },
			{ text: '{"services":{},"count":0,"truncated":false}' }, { text: '{' }, { status: 204 }, { status: 400 }, { type: 'text/html' }, { path: '/api/v1/service' }])
			assert.ok(contract.check({ ...good, ...change }), JSON.stringify(change));
	});
});

for (const operation of api) {
	describe(`${operation.method.toUpperCase()} ${operation.path}`, () => {
		const params = parametersOf(operation);
		const success = successOf(operation);

		it('takes what it needs and nothing more', async () => {
			const answer = await request(operation, needed(operation));
			// A body that is no parameters is something that the test cannot make up.
			if (raw(operation)) return assert.ok([400, 415].includes(answer.status), answer.text);
			// The trace that is there is no run of an agent.
			const fine = (operation.path.includes('{') && !operation.path.includes('{trace_id}')) || operation.path.startsWith('/api/v1/workflows/') ? [success, 404] : [success];
			assert.ok(fine.includes(answer.status), answer.text);
			for (const p of params.filter((x) => x.required && x.place !== 'path')) names(await request(operation, needed(operation, p)), p, 'missing');
		});

		it(operation['x-weir-ignores-unknown'] ? 'takes no notice of a parameter that it does not know' : 'refuses a parameter that it does not know, by name', async () => {
			if (operation['x-weir-ignores-unknown']) {
				const { status } = await request(operation, [...needed(operation), [{ name: 'nonsense', place: 'query' }, '1']]);
				return assert.equal(status, 200);
			}
			for (const name of ['nonsense', 'Limit', 'limit ', 'a b', '<b>']) names(await request(operation, [...needed(operation), [{ name, place: 'query' }, '1']]), { name }, 'unknown');
		});

		it('says which methods there are', async () => {
			const path = operation.path.replace(/\{[^}]+\}/g, traceId);
			const there = new Set(Object.keys(document.paths[operation.path]).map((m) => m.toUpperCase()));
			for (const method of ['PUT', 'PATCH', 'DELETE', 'POST', 'GET'].filter((m) => !there.has(m))) {
				const answer = await ask(method, path);
				assert.ok([405, 404].includes(answer.status), `${method} ${path}: ${answer.status} ${answer.text}`);
				if (answer.status === 405) for (const m of there) assert.match(answer.allow, new RegExp(`\\b${m}\\b`));
			}
		});

		for (const p of params) {
			const { good, bad } = valuesOf(p);
			const ask1 = (v) => request(operation, [...needed(operation, p), [p, v]]);

			it(`${p.name}: takes what is good`, async () => {
				for (const v of operation['x-weir-slow'] ? good.slice(0, 2) : good) {
					const answer = await ask1(v);
					// One that goes with another only: the message is about that one, or says so.
					const other = answer.status === 400 && !new RegExp(`parameter ${escaped(p.name)}:`).test(messageOf(answer));
					assert.ok([success, 404, 409].includes(answer.status) || other, `${p.name}=${v}: ${answer.status} ${answer.text.slice(0, 300)}`);
					if (p.schema.pattern) assert.match(v, new RegExp(p.schema.pattern));
				}
			});

			it(`${p.name}: refuses what is malformed, by name`, async () => {
				for (const v of bad.filter((x) => p.place !== 'path' || x !== '')) names(await ask1(v), p, `=${v}`);
			});

			if (p.place !== 'path' && !p.repeat)
				it(`${p.name}: once, not twice`, async () => {
					const v = good[0] ?? p.outer.examples?.[0] ?? 'x';
					names(await request(operation, [...needed(operation, p), [p, v], [p, v]]), p, 'twice');
				});

			if (p.outer.maxItems)
				it(`${p.name}: ${p.outer.maxItems} times, not more`, async () => {
					const times = (n) => request(operation, [...needed(operation, p), ...Array.from({ length: n }, () => [p, good[0]])]);
					assert.equal((await times(p.outer.maxItems)).status, success);
					names(await times(p.outer.maxItems + 1), p, 'once more');
				});

			it(`${p.name}: is unmoved by what is hostile`, async () => {
				for (const [what, v] of Object.entries(hostile)) {
					const answer = await ask1(v);
					assert.ok([success, 400, 404, 409, 413, 414, 429, 431].includes(answer.status) || (raw(operation) && answer.status === 415), `${what}: ${answer.status} ${answer.text}`);
				}
				for (const v of ['%ff%fe', '%', '%zz', '%c0%af', '%ed%a0%80', 'x'.repeat(40000)]) {
					const answer = await ask1(new Raw(v));
					assert.ok([400, 404, 414, 431].includes(answer.status), `${v.slice(0, 10)}: ${answer.status} ${answer.text.slice(0, 200)}`);
				}
			});

			if (p.place === 'body' && operation.requestBody.content['application/json'])
				it(`${p.name}: in a body is what JSON has for it`, async () => {
					const rest = Object.fromEntries(needed(operation, p).filter(([x]) => x.place === 'body').map(([x, v]) => [x.name, x.repeat ? [v] : v]));
					const path = pathOf(operation);
					for (const v of [{}, { a: 1 }, [{}], [[1]], p.repeat ? [null] : ['a', 'b']]) {
						const answer = await ask(operation.method, path, JSON.stringify({ ...rest, [p.name]: v }));
						check(operation, path, answer, JSON.stringify(v));
						if (answer.status !== 404) names(answer, p, JSON.stringify(v));
					}
					for (const v of good.slice(0, 2)) {
						const answer = await ask(operation.method, path, JSON.stringify({ ...rest, [p.name]: p.repeat ? [v] : v }));
						check(operation, path, answer, JSON.stringify(v));
						assert.ok([success, 404, 409].includes(answer.status), answer.text);
					}
				});
		}

		if (raw(operation))
			it('refuses a body of another type, and one that is nothing of the kind', async () => {
				const media = Object.keys(operation.requestBody.content)[0], path = pathOf(operation);
				for (const [type, body, statuses] of [['application/json', '{}', [415]], ['text/plain', 'x', [415]], [undefined, 'x', [415]],
					...['', 'x', '{}', '\xff'.repeat(20), randomBytes(1000)].map((b) => [media, b, [400]])]) {
					const res = await fetch(`http://${weir.api}${path}`, { method: 'POST', headers: { authorization: `Bearer ${key}`, ...(type && { 'content-type': type }) }, body });
					assert.ok(statuses.includes(res.status), `${type} ${body}: ${res.status} ${await res.text()}`);
				}
			});

		if (operation.requestBody && !operation.requestBody.content['application/json'] && !raw(operation))
			it('takes a form and refuses any other body', async () => {
				const form = String(new URLSearchParams(needed(operation).map(([p, v]) => [p.name, String(v)])));
				const res = await fetch(`http://${weir.api}${operation.path}`, { method: 'POST', headers: { authorization: `Bearer ${key}`, 'content-type': 'application/x-www-form-urlencoded' }, body: form });
				assert.equal(res.status, 200, await res.text());
				for (const [type, body, status] of [['application/json', '{}', 415], ['text/plain', form || 'x', 415], ['application/x-www-form-urlencoded', 'a=%zz', 400], ['application/x-www-form-urlencoded', 'a=%00', 400], ['application/x-www-form-urlencoded', '%ff', 400]]) {
					const bad = await fetch(`http://${weir.api}${operation.path}`, { method: 'POST', headers: { authorization: `Bearer ${key}`, 'content-type': type }, body });
					assert.equal(bad.status, status, `${type} ${body}: ${await bad.text()}`);
				}
			});

		if (operation.requestBody?.content['application/json'])
			it('refuses a body that is no JSON object', async () => {
				const path = pathOf(operation);
				for (const body of ['{', '[]', '1', '"x"', '{"a":}', '{"nonsense":1}', `${'[{"a":'.repeat(2000)}`, '\xff', '{} {}']) {
					const answer = await ask(operation.method, path, body);
					check(operation, path, answer, body);
					assert.equal(answer.status, 400, `${body.slice(0, 40)}: ${answer.text}`);
				}
			});
	});
}

it('all of that has changed nothing that is kept', async () => {
	const headers = { authorization: `Bearer ${key}` };
	const { body } = await weir.get('/api/v1/services', { headers });
	assert.deepEqual(body.services.map(({ name, span_count, log_count, point_count }) => ({ name, span_count, log_count, point_count })),
		[{ name: 'checkout', span_count: 2, log_count: 1, point_count: 1 }]);
	assert.equal((await weir.get('/readyz')).status, 200);
});
