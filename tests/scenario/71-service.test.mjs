// SPDX-License-Identifier: Apache-2.0
//
// weir as a service manager runs it: sockets that are open already. (Readiness and signs of life go through a datagram
// socket, which Node has none of: src/sys/service_test.c, and the Debian package's own test.)
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { Weir, newDataDir, patience, removeDataDir, run, sleep, weirBin } from './lib/weir.mjs';

function listen() {
	return new Promise((done) => {
		const server = net.createServer();
		server.listen(0, '127.0.0.1', () => done(server));
	});
}

// LISTEN_PID names the process itself: a shell that becomes weir knows it.
function serve(dataDir, fds, names, args = []) {
	const child = spawn('/bin/sh', ['-c', 'LISTEN_PID=$$ exec "$@"', 'sh', weirBin, 'serve', '--data-dir', dataDir, ...args], {
		stdio: ['ignore', 'inherit', 'pipe', ...fds], env: { ...process.env, LISTEN_FDS: String(fds.length), LISTEN_FDNAMES: names } });
	child.log = '';
	child.stderr.setEncoding('utf8').on('data', (text) => (child.log += text));
	child.ended = new Promise((done) => child.on('exit', (code, signal) => done({ code, signal })));
	return child;
}

test('sockets that were handed over are served, under their names', async () => {
	const dataDir = newDataDir();
	const servers = await Promise.all([listen(), listen(), listen()]);
	const [api, grpc, http] = servers.map((s) => s.address().port);
	const child = serve(dataDir, servers.map((s) => s._handle.fd), 'api:grpc:http');
	const deadline = Date.now() + patience;
	while (!/is ready/.test(child.log)) {
		assert.ok(Date.now() < deadline, child.log);
		await sleep(10);
	}
	for (const s of servers) s.close(); // the listener lives on in weir
	assert.match(child.log, new RegExp(`OTLP/gRPC on a socket that was handed over, port ${grpc}`));
	assert.equal((await fetch(`http://127.0.0.1:${api}/healthz`)).status, 200);
	const sent = await fetch(`http://127.0.0.1:${http}/v1/traces`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' });
	assert.equal(sent.status, 200);
	child.kill('SIGTERM');
	assert.deepEqual(await child.ended, { code: 0, signal: null });
	removeDataDir(dataDir);
});

test('a socket with another name, and what is no socket, are refused with words', async () => {
	const dataDir = newDataDir();
	const server = await listen();
	let child = serve(dataDir, [server._handle.fd], 'web');
	assert.equal((await child.ended).code, 2);
	assert.match(child.log, /socket named "web" was handed over: the names are grpc, http and api/);
	child = serve(dataDir, ['pipe'], 'api', ['--grpc', '127.0.0.1:0', '--http', '127.0.0.1:0']);
	assert.equal((await child.ended).code, 1);
	assert.match(child.log, /fd:3 is no socket that listens/);
	server.close();
	removeDataDir(dataDir);
	// For another process: not ours.
	const other = await run(['serve', '--data-dir', dataDir, '--grpc', 'nonsense'], { env: { LISTEN_PID: '1', LISTEN_FDS: '1' } });
	assert.match(other.stderr, /--grpc/);
});

test('SIGHUP reads again how to log, and says what counts after a restart', async () => {
	const dataDir = newDataDir();
	const file = join(dataDir, 'weir.conf');
	writeFileSync(file, 'readers = 4\n');
	const other = await Weir.start({ dataDir, args: ['--config', file] });
	const until = async (pattern) => {
		const deadline = Date.now() + patience;
		while (!pattern.test(other.log)) {
			assert.ok(Date.now() < deadline, `${pattern}: ${other.log}`);
			await sleep(10);
		}
	};
	writeFileSync(file, 'log-format = logfmt\nlog-level = debug\nreaders = 8\n');
	other.child.kill('SIGHUP');
	await until(/^time=\S+Z level=info component=serve msg="SIGHUP: the options were read again"$/m);
	await until(/level=warn component=serve msg="readers is another now: that counts after a restart"/);
	writeFileSync(file, 'log-level = loud\n');
	other.child.kill('SIGHUP');
	await until(/level=error component=serve msg="SIGHUP: no option is changed: --log-level: \\u0022loud\\u0022 is not debug/);
	assert.equal((await other.get('/healthz')).status, 200);
	await other.stop();
	removeDataDir(dataDir);
});
