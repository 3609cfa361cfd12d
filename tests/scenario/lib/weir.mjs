// SPDX-License-Identifier: Apache-2.0
//
// Runs a weir of its own for a scenario: a data folder under build/, ports the system chooses, and
// an end for both. WEIR_BIN says which binary; tools/test.sh sets it.
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import https from 'node:https';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { checkAnswer, watch } from './openapi.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../../..');
export const weirBin = process.env.WEIR_BIN ?? join(root, 'build/release/weir');

// The SDK is installed in tests/sdk; scenarios import it from there.
export const sdk = createRequire(join(root, 'tests/sdk/package.json'));

// Generous: a test waits for the event, and the deadline is only for when it never comes.
export const patience = Number(process.env.WEIR_TEST_PATIENCE_MS ?? 60000);

// TEST_THOROUGH=1 (`make fault`): more rounds of what is done at random, each case of what is sampled.
export const thorough = Boolean(process.env.TEST_THOROUGH);

export function newDataDir() {
	const parent = join(root, 'build/scenario-data');
	mkdirSync(parent, { recursive: true });
	return mkdtempSync(join(parent, 'weir-'));
}

export function removeDataDir(dir) {
	rmSync(dir, { recursive: true, force: true });
}

export const sleep = (ms) => new Promise((r) => setTimeout(r, ms));

// What the promise gives, or undefined when that takes longer. No timer goes on behind it, which would keep the process.
export function within(ms, promise) {
	let timer;
	const late = new Promise((done) => (timer = setTimeout(done, ms)));
	return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// A request over TLS: { status, headers, text, peer (its certificate) }. tls: ca, cert, key and the like; agent.
export function ask(url, { method = 'GET', headers = {}, body, agent = false, ...tls } = {}) {
	return new Promise((done, failed) => {
		const req = https.request(url, { method, headers, agent, ...tls }, (res) => {
			const peer = res.socket.getPeerCertificate();
			const parts = [];
			res.on('data', (part) => parts.push(part)).on('error', failed).on('end', () =>
				done({ status: res.statusCode, headers: new Headers(res.headers), text: Buffer.concat(parts).toString(), peer }));
		});
		req.on('error', failed);
		req.setTimeout(patience, () => req.destroy(new Error('no answer')));
		req.end(body);
	});
}

export class Weir {
	// Options: dataDir (kept if given, else made and removed), args (more flags), ready (false: do
	// not wait for /readyz), tls (it speaks TLS: what get() needs for it).
	static async start({ dataDir, args = [], env = {}, http = '127.0.0.1:0', api = '127.0.0.1:0', tls } = {}) {
		const w = new Weir();
		w.tls = tls;
		w.ownDir = dataDir === undefined;
		w.dataDir = dataDir ?? newDataDir();
		w.log = '';
		w.child = spawn(
			weirBin,
			['serve', '--data-dir', w.dataDir, '--grpc', '127.0.0.1:0', '--http', http,
				'--api', api, ...args],
			{ stdio: ['ignore', 'inherit', 'pipe'], env: { ...process.env, ...env } },
		);
		w.exited = new Promise((done) => {
			w.child.on('exit', (code, signal) => done((w.exit = { code, signal })));
			w.child.on('error', (error) => done((w.exit = { error })));
		});
		w.child.stderr.setEncoding('utf8');
		w.child.stderr.on('data', (text) => (w.log += text));
		await w.#ports();
		return w;
	}

	// "listening for OTLP/gRPC on 127.0.0.1:4317": three lines, one a port.
	async #ports() {
		const deadline = Date.now() + patience;
		const patterns = { grpc: /OTLP\/gRPC on (\S+)/, http: /OTLP\/HTTP on (\S+)/, api: /API on (\S+)/ };
		for (;;) {
			const found = Object.entries(patterns).map(([k, p]) => [k, this.log.match(p)?.[1]]);
			if (found.every(([, v]) => v)) {
				for (const [k, v] of found) this[k] = v;
				watch(this.api, weirBin, sdk);
				watch(this.http, weirBin, sdk, true);
				return;
			}
			if (this.exit || Date.now() > deadline) {
				this.child.kill('SIGKILL');
				throw new Error(`weir did not start: ${JSON.stringify(this.exit)}\n${this.log}`);
			}
			await Promise.race([sleep(5), this.exited]);
		}
	}

	async get(path, { headers = {}, method = 'GET' } = {}) {
		let res, text;
		if (this.tls) {
			res = await ask(`https://${this.api}${path}`, { headers, method, ...this.tls });
			text = res.text;
			checkAnswer(this.api, { method, path, status: res.status, type: res.headers.get('content-type'), text });
		} else {
			res = await fetch(`http://${this.api}${path}`, { headers, method });
			text = await res.text();
		}
		let body;
		try {
			body = JSON.parse(text);
		} catch {
			body = undefined;
		}
		return { status: res.status, headers: res.headers, text, body };
	}

	// Ask until `accept(body)` is truthy; fails with the last answer.
	async until(path, accept, options) {
		const deadline = Date.now() + patience;
		let last;
		for (;;) {
			last = await this.get(path, options);
			if (last.body !== undefined && accept(last.body, last)) return last.body;
			if (Date.now() > deadline)
				throw new Error(`${path}: never came: ${last.status} ${last.text.slice(0, 2000)}\n${this.log}`);
			await sleep(20);
		}
	}

	// All items of a list endpoint, page after page.
	async all(path, member) {
		const items = [];
		let cursor;
		do {
			const url = cursor === undefined ? path
				: `${path}${path.includes('?') ? '&' : '?'}cursor=${encodeURIComponent(cursor)}`;
			const { status, body, text } = await this.get(url);
			if (status !== 200) throw new Error(`${url}: ${status} ${text}`);
			items.push(...body[member]);
			cursor = body.next_cursor;
		} while (cursor !== undefined);
		return items;
	}

	// A number of /metrics: the line's name with its labels.
	async metric(name) {
		const { text } = await this.get('/metrics');
		const line = text.split('\n').find((l) => l.startsWith(`${name} `));
		return line === undefined ? undefined : Number(line.slice(name.length + 1));
	}

	alive() {
		return this.exit === undefined;
	}

	async kill() {
		this.child.kill('SIGKILL');
		return this.exited;
	}

	async terminate(signal = 'SIGTERM') {
		this.child.kill(signal);
		return this.exited;
	}

	// End it, and clean up. Fails when it had died before or does not stop well.
	async stop() {
		const died = this.exit;
		const { code, signal } = await this.terminate();
		if (this.ownDir) removeDataDir(this.dataDir);
		if (died || code !== 0)
			throw new Error(`weir ended badly: ${JSON.stringify(died ?? { code, signal })}\n${this.log}`);
	}
}

// Run a program to its end.
export function run(args, { env = {}, input } = {}) {
	return new Promise((done) => {
		const child = spawn(weirBin, args, { env: { ...process.env, ...env } });
		let stdout = '';
		let stderr = '';
		child.stdout.setEncoding('utf8').on('data', (t) => (stdout += t));
		child.stderr.setEncoding('utf8').on('data', (t) => (stderr += t));
		child.on('close', (code, signal) => done({ code, signal, stdout, stderr }));
		child.stdin.on('error', () => {});
		child.stdin.end(input ?? '');
	});
}
