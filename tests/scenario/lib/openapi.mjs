// SPDX-License-Identifier: Apache-2.0
//
// Every answer that a scenario gets of weir's ports is compared with what the OpenAPI document says about it: path, method,
// status, content type, and the schema of the JSON, in which unknown members are errors. lib/weir.mjs calls this.
import { execFileSync } from 'node:child_process';

let contract;

// What the binary says about itself; compiled when it is first needed.
export class Contract {
	constructor(document, Ajv) {
		this.document = document;
		this.ajv = new Ajv({ strict: false, validateFormats: false, allErrors: false });
		this.ajv.addSchema(document, 'weir');
		this.compiled = new Map();
		this.checked = 0;
		this.paths = Object.keys(document.paths).map((path) => ({
			path, pattern: new RegExp(`^${path.replace(/[.*+?^$()|[\]\\]/g, '\\$&').replace(/\{[^}]+\}/g, '[^/]+')}$`),
			fixed: !path.includes('{'),
		}));
	}

	static of(binary, sdk) {
		contract ??= new Contract(JSON.parse(execFileSync(binary, ['openapi'], { maxBuffer: 1 << 26 })), sdk('ajv/dist/2020.js').default);
		return contract;
	}

	// The operation of a request, where it is in the document, or undefined.
	find(method, path) {
		const matching = this.paths.filter((p) => p.pattern.test(path));
		const item = (matching.find((p) => p.fixed && this.#has(p, method)) ?? matching.find((p) => this.#has(p, method)));
		return item && { path: item.path, method: method.toLowerCase() };
	}

	#has(item, method) {
		return this.document.paths[item.path][method.toLowerCase()] !== undefined;
	}

	resolve(pointer) {
		let at = this.document;
		for (const step of pointer.slice(1)) at = at?.[step];
		return at?.$ref ? { pointer: at.$ref.split('/'), value: this.resolve(at.$ref.split('/')).value } : { pointer, value: at };
	}

	validator(pointer) {
		const ref = `weir#/${pointer.slice(1).map((s) => encodeURIComponent(s.replaceAll('~', '~0').replaceAll('/', '~1'))).join('/')}`;
		if (!this.compiled.has(ref)) this.compiled.set(ref, this.ajv.compile({ $ref: ref }));
		return this.compiled.get(ref);
	}

	// What is wrong with an answer: a sentence, or undefined.
	check({ method, path, status, type, text, otlp = false }) {
		const m = method === 'HEAD' ? 'GET' : method;
		const place = decodeURI(path.split('?')[0]);
		const operation = this.find(m, place);
		if (!operation && status < 400) return `${method} ${place} answers ${status} and is not in the document`;
		const responses = operation ? ['#', 'paths', operation.path, operation.method, 'responses'] : undefined;
		let response = responses && this.resolve([...responses, String(status)]);
		if (!response?.value) response = status < 400 ? undefined : this.resolve(responses ? [...responses, 'default'] : ['#', 'components', 'responses', otlp ? 'OtlpRefused' : 'Error']);
		if (!response?.value) return `${method} ${place}: status ${status} is not in the document`;
		if (method === 'HEAD' || !type) return undefined;
		const media = type.split(';')[0].trim();
		if (!response.value.content?.[media]) return `${method} ${place}: ${status} is ${media}, which is not in the document`;
		if (media !== 'application/json') return undefined;
		let body;
		try {
			body = JSON.parse(text);
		} catch (e) {
			return `${method} ${place}: ${status} is no JSON: ${e.message}`;
		}
		const valid = this.validator([...response.pointer, 'content', media, 'schema']);
		this.checked++;
		return valid(body) ? undefined
			: `${method} ${place}: ${status} is not as the document says: ${this.ajv.errorsText(valid.errors)} ${JSON.stringify(valid.errors[0].params)} in ${text.slice(0, 1000)}`;
	}
}

// All of fetch()'s answers of these ports, when they are read.
const ports = new Map();

// otlp: it is the port of OTLP/HTTP, whose errors look otherwise.
export function watch(address, binary, sdk, otlp = false) {
	if (ports.size === 0) watchFetch();
	ports.set(address, { binary, sdk, otlp });
}

export function checkAnswer(address, answer) {
	const { binary, sdk, otlp } = ports.get(address);
	const wrong = Contract.of(binary, sdk).check({ ...answer, otlp });
	if (wrong) throw new Error(wrong);
}

function watchFetch() {
	const plain = globalThis.fetch;
	globalThis.fetch = async (input, options = {}) => {
		const res = await plain(input, options);
		const url = new URL(input instanceof Request ? input.url : input);
		if (!ports.has(url.host)) return res;
		const check = (text) => {
			checkAnswer(url.host, { method: (options.method ?? 'GET').toUpperCase(), path: url.pathname, status: res.status, type: res.headers.get('content-type'), text });
			return text;
		};
		const text = res.text.bind(res);
		res.text = async () => check(await text());
		res.json = async () => JSON.parse(await res.text());
		return res;
	};
}
