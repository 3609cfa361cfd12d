// SPDX-License-Identifier: Apache-2.0
//
// usage: node tools/tls-cost.mjs      (after `make build`; WEIR names another binary)
//
// What TLS costs the server: CPU time of a fresh weir, user and system, for the same work in clear text and over TLS, from
// a client on the same machine. Prints a table; takes about a minute. The certificate is the tests', ECDSA P-256.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const weir = process.env.WEIR ?? join(root, 'build/release/weir');
const golden = (name) => join(root, 'tests/golden/tls', name);
const ca = readFileSync(golden('ca.pem'));
const ticks = Number(spawnSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }).stdout);
const data = mkdtempSync(join(root, 'build/tls-cost-'));

async function start(secure, n) {
	const child = spawn(weir, ['serve', '--data-dir', join(data, String(n)), '--grpc', '127.0.0.1:0', '--http', '127.0.0.1:0',
		'--api', '127.0.0.1:0', ...(secure ? ['--tls-cert', golden('server.pem'), '--tls-key', golden('server.key')] : [])],
	{ stdio: ['ignore', 'inherit', 'pipe'] });
	let log = '';
	child.stderr.setEncoding('utf8').on('data', (text) => (log += text));
	while (!/is ready/.test(log)) {
		if (child.exitCode !== null) throw new Error(log);
		await new Promise((r) => setTimeout(r, 10));
	}
	const port = (what) => log.match(new RegExp(`listening for ${what} on 127\\.0\\.0\\.1:(\\d+)`))[1];
	return { child, pid: child.pid, grpc: port('OTLP/gRPC'), http: port('OTLP/HTTP'), api: port('the API') };
}

function cpuMs(pid) {
	const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
	return (Number(fields[11]) + Number(fields[12])) * 1000 / ticks;
}

function request(secure, port, path, agent, body) {
	return new Promise((done, failed) => {
		const options = { host: '127.0.0.1', port, path, agent, ca, method: body ? 'POST' : 'GET',
			headers: body ? { 'content-type': 'application/x-protobuf', 'content-length': body.length } : {} };
		(secure ? https : http).request(options, (res) => res.resume().on('end', done).on('error', failed)).on('error', failed).end(body);
	});
}

const kept = (secure) => new (secure ? https : http).Agent({ keepAlive: true, maxSockets: 4 });
const lanes = (count, n, job) => Promise.all(Array.from({ length: n }, async () => { for (let i = 0; i < count / n; i++) await job(); }));

// A request that costs the server little else: an unknown path's body is received and refused.
const cases = [
	['OTLP/HTTP, 20,000 requests of 1 KiB on 4 connections', 'us a request', 20000, async (w, secure) => {
		const agent = kept(secure), body = Buffer.alloc(1024);
		await lanes(20000, 4, () => request(secure, w.http, '/v1/nothing', agent, body));
		agent.destroy();
	}],
	['OTLP/HTTP, 500 requests of 4 MiB on 4 connections', 'us a MiB', 2000, async (w, secure) => {
		const agent = kept(secure), body = Buffer.alloc(4 << 20);
		await lanes(500, 4, () => request(secure, w.http, '/v1/nothing', agent, body));
		agent.destroy();
	}],
	['API, 2,000 connections of one request', 'us a connection', 2000, async (w, secure) =>
		lanes(2000, 4, () => request(secure, w.api, '/healthz', false))],
	['OTLP/gRPC, weir bench, 512 spans a request, 40,000 spans/s', 'us for 1,000 spans', 400, async (w, secure) => {
		const args = ['bench', '--grpc', `${secure ? 'https://' : ''}127.0.0.1:${w.grpc}`, '--rate', '40000', '--seconds', '10s',
			'--warm-up', '0', ...(secure ? ['--ca', golden('ca.pem')] : [])];
		await new Promise((done, failed) => spawn(weir, args, { stdio: ['ignore', 'ignore', 'inherit'] })
			.on('exit', (code) => (code === 0 ? done() : failed(new Error('weir bench failed')))));
	}],
];

console.log('| work | clear | TLS | unit |\n|---|---|---|---|');
let n = 0;
try {
	for (const [name, unit, count, work] of cases) {
		const figures = [];
		for (const secure of [false, true]) {
			const w = await start(secure, n++);
			const before = cpuMs(w.pid);
			await work(w, secure);
			figures.push(((cpuMs(w.pid) - before) * 1000 / count).toFixed(0));
			w.child.kill('SIGKILL');
			await new Promise((done) => w.child.on('exit', done));
		}
		console.log(`| ${name} | ${figures[0]} | ${figures[1]} | ${unit} |`);
	}
} finally {
	rmSync(data, { recursive: true, force: true });
}
