// SPDX-License-Identifier: Apache-2.0
//
// The scenario that faults are injected into, and what must hold after each of them.
//
// serve: a new folder; two waves of requests of all signals and both tenants, some of them sent again although
// they were answered; a stop. recover: the folder of a weir that was killed with one part of its data in the
// database and another in the log only; a start, the catching up, a stop. poison: the same, with a request in the
// log that cannot be decoded and has to be put aside.
// Then, without a fault, weir must start, and what is visible is compared with the ledger; what was
// not acknowledged is sent again, and then all of it is there once.
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { newDataDir } from '../scenario/lib/weir.mjs';
import { letters, poison } from './log.mjs';
import { faultEnv, readReport, settle, sleep, start, stop, tryStart } from './server.mjs';
import { compare, makeRequest, post } from './telemetry.mjs';

export const wave = 18;
const baseMs = Date.now() - 3600_000;

export class Folder {
	constructor() {
		this.top = newDataDir();
		this.data = join(this.top, 'data');
		this.report = join(this.top, 'report');
		this.flag = join(this.top, 'full');
		mkdirSync(this.data, { mode: 0o700 });
	}
	remove() {
		rmSync(this.top, { recursive: true, force: true });
	}
}

export const newLedger = (round, count = 2 * wave) => Array.from({ length: count }, (_, i) => makeRequest(round, i, baseMs));

// Three at a time; one that is refused or not answered is tried once more, every fifth is sent again for nothing.
export async function sendAll(weir, requests, { tries = 2, resend = true, timeout } = {}) {
	const agent = new http.Agent({ keepAlive: true, maxSockets: 3 });
	const one = async (request, i) => {
		for (let t = 0; t < tries && weir.alive(); t++) {
			const { status } = await post(weir.http, request, { agent, timeout });
			if (status === 200) break;
			await sleep(2);
		}
		if (resend && i % 5 === 0 && request.acked && weir.alive()) await post(weir.http, request, { agent, timeout });
	};
	for (let i = 0; i < requests.length; i += 3)
		await Promise.all(requests.slice(i, i + 3).map((r, k) => one(r, i + k)));
	agent.destroy();
}

const inWords = /disk|space|\blog\b|\bstore\b|database|input\/output|malformed/i;

// After an error that killed nobody: well again, or saying what is wrong. Problems of the kinds `silent`
// (neither) and `no-reopen` (it stays shut although the fault has passed).
async function health(weir, ledger, plan) {
	const problems = [];
	const why = await settle(weir, { ms: plan.stays ? 300 : plan.phase === 'poison' ? 8000 : 1500 });
	const probe = ledger.probe ?? (ledger.probe = makeRequest('probe', ledger.length, baseMs));
	if (!ledger.includes(probe)) ledger.push(probe);
	if (!weir.alive()) return [{ kind: 'died', text: `${JSON.stringify(weir.exit)}: ${weir.log.slice(-1500)}` }];
	const { status, body } = await post(weir.http, probe, { timeout: 3000 });
	if (why === undefined && status === 200) return problems;
	let ready, text;
	try {
		({ status: ready, text } = await weir.get('/readyz?format=text'));
	} catch (error) {
		await sleep(100); // it may be about to end
		return [{ kind: 'died', text: `${error.cause?.code ?? error.message} ${JSON.stringify(weir.exit)}: ${weir.log.slice(-1500)}` }];
	}
	const fails = text.split('\n').filter((l) => l.startsWith('FAIL'));
	if (ready === 200) {
		// It may have become well between the two questions.
		const again = await settle(weir, { ms: 3000 });
		const second = again === undefined ? (await post(weir.http, probe, { timeout: 3000 })).status : 0;
		if (second !== 200)
			problems.push({ kind: 'silent', text: `a request is answered ${status} ${body}, then ${second}; lag: ${again ?? 'none'}; /readyz says\n${text}` });
	} else if (fails.length === 0 || !fails.every((l) => inWords.test(l))) {
		problems.push({ kind: 'silent', text: `/readyz does not say why:\n${text}` });
	} else if (!/ (warn|error) /.test(weir.log)) {
		problems.push({ kind: 'silent', text: `/readyz says "${fails.join('; ')}", the log nothing:\n${weir.log}` });
	} else if (!plan.stays && fails.some((l) => /^FAIL *(store|database)/.test(l))) {
		problems.push({ kind: 'no-reopen', text: `the fault has passed, and ${fails.join('; ')}` });
	}
	return problems;
}

// The part with the fault. Returns problems; marks the ledger.
async function faulty(folder, ledger, plan) {
	const env = faultEnv(folder.data, folder.report, plan);
	const kills = /kill|torn|power/.test(plan.act);
	const { weir, error } = await tryStart(folder.data, { env });
	if (error !== undefined) {
		if (/SIGKILL/.test(error) && (kills || !/cannot start/.test(error))) return kills ? [] : [{ kind: 'died', text: error }];
		return /cannot start: .*/.test(error) && /"code":1/.test(error) ? [] : [{ kind: 'died', text: `no words at the start: ${error}` }];
	}
	const problems = [];
	if (plan.phase === 'serve') {
		await sendAll(weir, ledger.slice(0, wave));
		if (weir.alive()) await settle(weir, { ms: 300 });
		await sendAll(weir, ledger.slice(wave, 2 * wave));
	} else {
		await settle(weir, { ms: plan.phase === 'poison' ? 6000 : 500 });
	}
	if (!kills && plan.n > 0) problems.push(...(await health(weir, ledger, plan)));
	if (weir.alive() && !(await stop(weir, 15000))) problems.push({ kind: 'hangs', text: `SIGTERM does not end it\n${weir.log.slice(-1500)}` });
	const { code, signal } = weir.exit;
	if (signal !== null && !(signal === 'SIGKILL' && kills) && !problems.some((p) => p.kind === 'hangs'))
		problems.push({ kind: 'died', text: `by ${signal}\n${weir.log.slice(-3000)}` });
	else if (plan.n === 0 && code !== 0) problems.push({ kind: 'died', text: `code ${code}\n${weir.log}` });
	return problems;
}

// Start without a fault, compare, send again what is open, compare, stop.
export async function verify(data, ledger, { round, args } = {}) {
	const { weir, error } = await tryStart(data, { args });
	if (error !== undefined) return [{ kind: 'restart', text: error }];
	const problems = [];
	try {
		const why = await settle(weir, { ms: 30000 });
		if (why) return [{ kind: 'restart', text: `it does not become ready: ${why}\n${weir.log.slice(-2000)}` }];
		problems.push(...(await compare(weir, ledger, { round })));
		const open = ledger.filter((r) => !r.acked && (!round || r.round === round));
		if (problems.length === 0 || problems.every((p) => p.kind === 'resent')) {
			await sendAll(weir, open, { resend: false });
			const refused = open.filter((r) => !r.acked);
			if (refused.length) problems.push({ kind: 'restart', text: `${refused.length} requests are refused after the restart: ${refused[0].answers}` });
			const late = await settle(weir, { ms: 30000 });
			if (late) problems.push({ kind: 'restart', text: `it does not become ready again: ${late}\n${weir.log.slice(-2000)}` });
			else if (open.length) problems.push(...(await compare(weir, ledger, { round })).filter((p) => !problems.some((q) => q.text === p.text)));
		}
	} catch (failure) {
		problems.push({ kind: 'restart', text: `${failure.stack}\n${weir.log.slice(-2000)}` });
	}
	const well = weir.alive() && (await stop(weir, 30000)) && weir.exit.code === 0;
	if (!well) problems.push({ kind: 'restart', text: `it does not stop well: ${JSON.stringify(weir.exit)}\n${weir.log.slice(-2000)}` });
	return problems;
}

// A folder as kill -9 leaves it: the first wave in the database, the second in the log only.
export class Image {
	static async make({ args = {}, round = 'round' } = {}) {
		const image = new Image();
		image.folder = new Folder();
		image.ledger = newLedger(round);
		let weir = await start(image.folder.data, { args });
		await sendAll(weir, image.ledger.slice(0, wave));
		await settle(weir);
		await weir.kill();
		weir = await start(image.folder.data, { args: { ...args, '--load-delay-ms': '10000' } });
		await settle(weir);
		await sendAll(weir, image.ledger.slice(wave));
		await weir.kill();
		if (!image.ledger.every((r) => r.acked)) throw new Error(`a request was refused without a fault: ${weir.log}`);
		return image;
	}
	copy(folder) {
		cpSync(this.folder.data, folder.data, { recursive: true });
		return this.ledger.map((r) => ({ ...r, answers: [...r.answers] }));
	}
	remove() {
		this.folder.remove();
	}
}

// One case: { problems, hit, operations }.
export async function runCase(plan, image) {
	const folder = new Folder();
	const ledger = plan.phase === 'serve' ? newLedger('round') : image.copy(folder);
	if (plan.phase === 'poison') poison(folder.data, ledger).poisoned = true;
	const problems = await faulty(folder, ledger, plan);
	const operations = readReport(folder.report);
	problems.push(...(await verify(folder.data, ledger)));
	for (const request of ledger.filter((r) => r.poisoned))
		if (letters(folder.data, request).length !== 1)
			problems.push({ kind: 'lost', text: `${request.id} cannot be loaded and is in ${letters(folder.data, request).length} files of dlq/ and quarantine/` });
	folder.remove();
	return { problems, operations, hit: operations.find((o) => o.hit) };
}
