// SPDX-License-Identifier: Apache-2.0
//
// Which operation fails how: every one that the scenario reaches, or a sample that is spread over
// all kinds of operations, files and failures.
import { randomOf } from '../scenario/lib/random.mjs';
import { Image, runCase } from './run.mjs';

export function shuffle(list, rnd) {
	for (let i = list.length - 1; i > 0; i--) {
		const j = Math.floor(rnd() * (i + 1));
		[list[i], list[j]] = [list[j], list[i]];
	}
	return list;
}

export const caseName = (c) => [c.phase, c.op, c.path ?? '', c.n, c.act.replaceAll(':', '-'), c.stays ? 'stays' : 'once'].join(':');

export function parseCase(text) {
	const [phase, op, path, n, act, stays] = text.split(':');
	return { phase, op, path: path || undefined, n: Number(n), act: act.replace(/^short-(\d+)-/, 'short:$1:'), stays: stays === 'stays' };
}

// A name that has a number in it stands for all of its kind.
const fileKind = (path) => path.replace(/[0-9a-f]{16}/g, '*');

function failures(op) {
	const acts = [['EIO', false], ['EIO', true], ['kill-before', false]];
	if (op !== 'sync') acts.push(['ENOSPC', false]);
	if (op === 'write') acts.push(['torn', false], ['short:7:ENOSPC', false], ['ENOSPC', true], ['power-cut', false]);
	if (op === 'sync' || op === 'rename' || op === 'unlink') acts.push(['kill-after', false], ['power-cut', false]);
	if (op === 'sync') acts.push(['power-part', false], ['EIO-lost', false]);
	return acts;
}

// { operations: Map of kind to how many, cases }
function enumerate(phase, operations) {
	const kinds = new Map();
	for (const { op, path } of operations) {
		const key = `${op} ${fileKind(path)}`;
		kinds.set(key, (kinds.get(key) ?? 0) + 1);
	}
	const cases = [];
	for (const [key, count] of kinds) {
		const [op, path] = key.split(' ');
		for (const [act, stays] of failures(op))
			for (let n = 1; n <= count; n++) cases.push({ phase, op, path, n, act, stays });
	}
	// The whole disk, from some moment on.
	for (let n = 1; n <= operations.length; n++) cases.push({ phase, op: 'any', n, act: 'EIO', stays: true });
	return { kinds, cases };
}

// At most `limit` of them: one of each kind in turn.
function sample(cases, limit, rnd) {
	const strata = new Map();
	for (const c of shuffle([...cases], rnd)) {
		const key = `${c.phase} ${c.op} ${c.path} ${c.act} ${c.stays}`;
		strata.set(key, [...(strata.get(key) ?? []), c]);
	}
	const lists = shuffle([...strata.values()], rnd);
	const out = [];
	for (let i = 0; out.length < limit && lists.some((l) => l[i]); i++)
		for (const l of lists) if (l[i] && out.length < limit) out.push(l[i]);
	return out;
}

// Run `work` on each item, some at a time.
export async function inParallel(list, workers, work) {
	const queue = [...list];
	await Promise.all(Array.from({ length: workers }, async () => {
		while (queue.length) await work(queue.shift());
	}));
}

// All cases of all phases, from a run of each without a fault.
async function reachable(image, suite) {
	const cases = [];
	for (const phase of ['serve', 'recover', 'poison']) {
		const { problems, operations } = await runCase({ phase, op: 'any', n: 0, act: 'EIO' }, image);
		suite.result(`${phase}:any::0:EIO:once`, problems);
		const found = enumerate(phase, operations);
		suite.say(`${phase}: ${operations.length} operations: ${[...found.kinds].map(([k, n]) => `${n} ${k}`).join(', ')}`);
		cases.push(...found.cases);
	}
	return cases;
}

export async function injected({ limit, seed, only, suite }) {
	const image = await Image.make();
	try {
		const cases = only ? [parseCase(only)] : await reachable(image, suite);
		const chosen = limit && !only ? sample(cases, limit, randomOf(seed)) : cases;
		let reached = 0;
		await inParallel(chosen, suite.workers, async (c) => {
			await suite.attempt(caseName(c), async () => {
				const { problems, hit } = await runCase(c, image);
				if (hit) reached++;
				return problems;
			});
		});
		suite.say(`${chosen.length} cases of ${cases.length}, ${reached} of which reached their operation`);
	} finally {
		image.remove();
	}
}
