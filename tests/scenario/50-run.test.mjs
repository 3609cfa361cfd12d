// SPDX-License-Identifier: Apache-2.0
//
// `make run`'s script: serve and demo side by side; what ends it ends both, and its hints work.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { lstatSync, readFileSync, readdirSync } from 'node:fs';
import net from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Weir, newDataDir, patience, removeDataDir, run, sleep, weirBin, within } from './lib/weir.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const sanitized = !/release/.test(weirBin);

function freePort() {
	return new Promise((done) => {
		const server = net.createServer().listen(0, '127.0.0.1', () => {
			const { port } = server.address();
			server.close(() => done(port));
		});
	});
}

// Processes whose command line has this word.
function withWord(word) {
	return readdirSync('/proc').filter((pid) => {
		try {
			return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(word);
		} catch {
			return false;
		}
	});
}

// `t` is the test: whatever becomes of it, nothing is left running.
async function start(t) {
	const dataDir = newDataDir();
	const [grpc, http, api] = await Promise.all([freePort(), freePort(), freePort()]).then((p) => p.map((x) => `127.0.0.1:${x}`));
	const child = spawn('bash', [join(root, 'tools/run.sh')], {
		cwd: root, detached: true, stdio: ['ignore', 'pipe', 'pipe'],
		env: { ...process.env, WEIR_GRPC: grpc, WEIR_HTTP: http, WEIR_API: api, WEIR_DATA_DIR: dataDir },
	});
	t.after(() => child.kill('SIGKILL'));
	const it = { child, dataDir, api, out: '' };
	child.stdout.on('data', (d) => (it.out += d));
	child.stderr.on('data', (d) => (it.out += d));
	it.exited = new Promise((done) => child.on('exit', (code, signal) => done({ code, signal })));
	const deadline = Date.now() + patience;
	while (!it.out.includes('Ctrl-C ends both')) {
		assert.ok(Date.now() < deadline, it.out);
		await sleep(50);
	}
	return it;
}

async function gone(word, out) {
	const deadline = Date.now() + patience;
	while (withWord(word).length) {
		assert.ok(Date.now() < deadline, `still there: ${withWord(word)}\n${out}`);
		await sleep(50);
	}
}

describe('tools/run.sh', { skip: sanitized && 'it runs the release build' }, () => {
	it('Ctrl-C ends serve and demo, with exit code 0, and the commands it prints work', async (t) => {
		const library = join(dirname(weirBin), 'libduckdb.so');
		const before = lstatSync(library).ctimeMs;
		const r = await start(t);
		// It has built weir, and whoever started another one meanwhile has not missed the library.
		assert.equal(lstatSync(library).ctimeMs, before);
		for (const line of r.out.split('\n').filter((l) => l.startsWith('    build/weir '))) {
			const args = line.trim().split(/ +/).slice(1);
			const answer = await run(args, { env: { WEIR_URL: `http://${r.api}` } });
			assert.equal(answer.code, 0, `${line}: ${answer.stderr}`);
		}
		assert.equal(r.out.match(/ {4}build\/weir /g).length, 3);
		process.kill(-r.child.pid, 'SIGINT');
		const { code } = await r.exited;
		assert.equal(code, 0, r.out);
		await gone(r.dataDir, r.out);
		await gone(r.api, r.out);
		removeDataDir(r.dataDir);
	});

	for (const signal of ['SIGTERM', 'SIGHUP', 'SIGKILL']) {
		it(`${signal} to the script leaves nothing behind`, async (t) => {
			const r = await start(t);
			const children = execFileSync('pgrep', ['-P', String(r.child.pid)], { encoding: 'utf8' }).trim().split('\n');
			assert.ok(children.length >= 2);
			r.child.kill(signal);
			await r.exited;
			await gone(r.dataDir, r.out);
			for (const pid of children)
				assert.ok(!withWord('weir').includes(pid) || !readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('demo'), `demo ${pid} is still there`);
			removeDataDir(r.dataDir);
		});
	}
});

// Of a month it has much to say.
it('weir demo ends when it is told to while it plays the past', async (t) => {
	const weir = await Weir.start();
	t.after(() => weir.kill());
	const demo = spawn(weirBin, ['demo', '--grpc', weir.grpc, '--history', '30d', '--quiet'], { stdio: ['ignore', 'ignore', 'inherit'] });
	t.after(() => demo.kill('SIGKILL'));
	const exited = new Promise((done) => demo.on('exit', (code, signal) => done({ code, signal })));
	await weir.until('/api/v1/services?last=31d', (body) => body.services.length > 0);
	demo.kill('SIGTERM');
	assert.deepEqual(await within(patience, exited), { code: 0, signal: null });
	await weir.stop();
});
