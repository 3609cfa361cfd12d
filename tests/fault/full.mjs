// SPDX-License-Identifier: Apache-2.0
//
// A disk that becomes full and has room again, in one run of weir: writes fail with ENOSPC once the files have
// grown by so many bytes, until a file is removed. In the long form, where mounting is allowed, a
// small tmpfs as well.
import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { randomOf } from '../scenario/lib/random.mjs';
import { inParallel } from './cases.mjs';
import { Folder, newLedger, sendAll, verify, wave } from './run.mjs';
import { faultEnv, readReport, settle, stop, tryStart } from './server.mjs';
import { post } from './telemetry.mjs';

const retryable = new Set([429, 502, 503, 504]);

// While it is full: refused retryably, and /readyz and the log say why. With room: well again by itself.
async function fullAndEmpty(weir, ledger, isFull, makeRoom) {
	const problems = [];
	for (const half of [ledger.slice(0, wave), ledger.slice(wave)]) {
		await sendAll(weir, half, { tries: 1, resend: false });
		await settle(weir, { ms: 200 });
	}
	const refused = ledger.filter((r) => !r.acked);
	const badly = refused.filter((r) => !r.answers.every((a) => retryable.has(a)));
	if (badly.length) problems.push({ kind: 'refusal', text: `${badly[0].id} is answered ${badly[0].answers}, which is not retryable` });
	const { status, text } = weir.alive() ? await weir.get('/readyz?format=text') : { status: 0, text: '' };
	const words = text.split('\n').filter((l) => l.startsWith('FAIL')).join('; ');
	if (refused.length && isFull() && (status === 200 || !/full|space|disk|free/i.test(words) || !/full|space|disk|free/i.test(weir.log)))
		problems.push({ kind: 'silent', text: `the disk is full, ${refused.length} requests are refused, and /readyz says ${status} "${words}"\n${weir.log.slice(-1500)}` });
	makeRoom();
	const why = await settle(weir, { ms: /FAIL *store/.test(words) ? 2000 : 15000 });
	if (why) return [...problems, { kind: /store/.test(why) ? 'no-reopen' : 'stays-full', text: `there is room, and still: ${why}\n${weir.log.slice(-1500)}` }];
	for (const request of refused) await post(weir.http, request);
	const still = refused.filter((r) => !r.acked);
	if (still.length) problems.push({ kind: 'stays-full', text: `there is room, and ${still.length} requests are refused: ${still[0].answers}` });
	return problems;
}

async function budgetCase(bytes, count) {
	const folder = new Folder();
	const ledger = newLedger('round');
	const problems = [];
	writeFileSync(folder.flag, '');
	const env = faultEnv(folder.data, folder.report, { bytes, until: folder.flag });
	const { weir, error } = await tryStart(folder.data, { env });
	const isFull = () => readReport(folder.report).some((o) => o.hit);
	count.cases++;
	if (error !== undefined) {
		if (!/cannot start: .*(space|full|disk)/i.test(error)) problems.push({ kind: 'died', text: error });
	} else {
		problems.push(...(await fullAndEmpty(weir, ledger, isFull, () => rmSync(folder.flag, { force: true }))));
		if (weir.exit?.signal) problems.push({ kind: 'died', text: `by ${weir.exit.signal}\n${weir.log.slice(-3000)}` });
		else if (!(await stop(weir, 15000))) problems.push({ kind: 'hangs', text: weir.log.slice(-1500) });
	}
	if (isFull()) count.full++;
	if (ledger.some((r) => r.answers.some((a) => retryable.has(a)))) count.refused++;
	problems.push(...(await verify(folder.data, ledger)));
	folder.remove();
	return problems;
}

// How much the files grow when nothing stops them.
async function growth() {
	const folder = new Folder();
	const { weir, error } = await tryStart(folder.data, { env: faultEnv(folder.data, folder.report, { bytes: 1e12 }) });
	if (error !== undefined) throw new Error(error);
	await sendAll(weir, newLedger('round'));
	await settle(weir);
	await weir.kill(); // before it rewrites everything, which is when the budget cases have room again
	const total = readReport(folder.report).reduce((sum, o) => sum + o.bytes, 0);
	folder.remove();
	return total;
}

async function tmpfsCase() {
	const folder = new Folder();
	try {
		execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=6m,mode=700', 'weir-fault', folder.data], { stdio: 'ignore' });
	} catch {
		folder.remove();
		return undefined;
	}
	try {
		const ledger = newLedger('round');
		const ballast = join(folder.data, 'ballast');
		const problems = [];
		const { weir, error } = await tryStart(folder.data);
		if (error !== undefined) throw new Error(error);
		try {
			writeFileSync(ballast, Buffer.alloc(8 << 20));
		} catch {
			// as full as can be
		}
		problems.push(...(await fullAndEmpty(weir, ledger, () => true, () => rmSync(ballast))));
		if (weir.alive()) await stop(weir, 15000);
		problems.push(...(await verify(folder.data, ledger)));
		return problems;
	} finally {
		execFileSync('umount', [folder.data]);
		folder.remove();
	}
}

export async function diskFull({ limit, seed, only, suite }) {
	const rnd = randomOf(seed);
	const total = await growth();
	if (only === 'tmpfs') return suite.result(only, (await tmpfsCase()) ?? []);
	const cases = only ? [Number(only)] : Array.from({ length: limit ?? 60 }, (_, i) => Math.floor((i + rnd()) * total / (limit ?? 60)));
	suite.say(`the files grow by ${total} bytes: full after ${cases.length} different numbers of bytes`);
	const count = { cases: 0, full: 0, refused: 0 };
	await inParallel(cases, suite.workers, (bytes) => suite.attempt(`${bytes}`, () => budgetCase(bytes, count)));
	suite.say(`in ${count.full} of them it became full, in ${count.refused} requests were refused meanwhile`);
	if (only) return;
	const problems = await tmpfsCase();
	if (problems) suite.result('tmpfs', problems);
	else suite.say('tmpfs: skipped, this user may not mount one');
}
