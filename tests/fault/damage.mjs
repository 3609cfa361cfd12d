// SPDX-License-Identifier: Apache-2.0
//
// Damaged files: the end of the log cut at each byte and with flipped bits, the log of DuckDB cut, with
// zeros and with flipped bits. What must be there is computed from the log as log.mjs reads it.
import { closeSync, ftruncateSync, openSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { randomOf } from '../scenario/lib/random.mjs';
import { inParallel } from './cases.mjs';
import { newestSegment } from './log.mjs';
import { Folder, Image, verify } from './run.mjs';
import { stop, tryStart } from './server.mjs';

// Without the requests of the records that may be gone.
const without = (ledger, gone) => ledger.map((r) => (gone.some((g) => g.request?.id === r.id) ? { ...r, acked: false, open: true } : r));

async function cutTail(image, at) {
	const folder = new Folder();
	const ledger = image.copy(folder);
	const segment = newestSegment(folder.data, ledger);
	const fd = openSync(segment.file, 'r+');
	ftruncateSync(fd, at);
	closeSync(fd);
	const problems = await verify(folder.data, without(ledger, segment.records.filter((r) => r.to > at)));
	folder.remove();
	return problems;
}

async function flipTail(image, at, bit) {
	const folder = new Folder();
	const ledger = image.copy(folder);
	const segment = newestSegment(folder.data, ledger);
	const hit = segment.records.find((r) => at < r.to);
	const vouched = segment.records.some((r) => r.from > hit.from && r.durable >= hit.seq);
	segment.bytes[at] ^= 1 << bit;
	writeFileSync(segment.file, segment.bytes);
	let problems;
	if (vouched) {
		const { weir, error } = await tryStart(folder.data);
		if (weir) await stop(weir);
		problems = error?.includes('cannot start') && error.includes(segment.name) ? []
			: [{ kind: 'flipped', text: `acknowledged data is damaged, and the start does not refuse it by name: ${error ?? weir.log}` }];
	} else {
		problems = await verify(folder.data, without(ledger, segment.records.filter((r) => r.from >= hit.from)));
	}
	folder.remove();
	return problems;
}

const duckDamages = {
	cut: (b, at) => b.subarray(0, at),
	zeros: (b, at) => b.fill(0, at),
	flip: (b, at) => ((b[at] ^= 0x10), b),
	append: (b, at) => Buffer.concat([b, Buffer.alloc(1 + at % 5000)]),
};

async function damageDuck(image, what, at) {
	const folder = new Folder();
	const ledger = image.copy(folder);
	const file = join(folder.data, 'weir.duckdb.wal');
	writeFileSync(file, duckDamages[what](readFileSync(file), at));
	const problems = await verify(folder.data, ledger, { args: image.args });
	folder.remove();
	return problems.map((p) => (p.kind === 'restart' ? { ...p, kind: `${image.name}-refused` } : p));
}

function spread(from, to, limit, rnd) {
	if (!limit || to - from <= limit) return Array.from({ length: to - from }, (_, i) => from + i);
	return Array.from({ length: limit }, () => from + Math.floor(rnd() * (to - from)));
}

export async function logTail({ limit, seed, only, suite }) {
	const image = await Image.make({ round: 'small' });
	const rnd = randomOf(seed);
	const { records, bytes } = newestSegment(image.folder.data, image.ledger);
	const last = records.filter((r) => r.request).slice(-2);
	const end = Math.min(last.at(-1).to + 1, bytes.length);
	let cases = [
		...spread(last[0].from, end, limit, rnd).map((at) => ['cut', at - last[0].from, 0]),
		...spread(last[0].from, last.at(-1).to, limit, rnd).map((at) => ['flip', at - last[0].from, Math.floor(rnd() * 8)]),
	];
	if (only) cases = [only.split(':').map((x, i) => (i ? Number(x) : x))];
	suite.say(`the last two requests are ${end - last[0].from} bytes of the log: ${cases.length} cuts and flipped bits`);
	await inParallel(cases, suite.workers, async ([what, off, bit]) => {
		const at = last[0].from + off;
		await suite.attempt(`${what}:${off}:${bit}`, () => (what === 'cut' ? cutTail(image, at) : flipTail(image, at, bit)));
	});
	image.remove();
}

// duck: the log still has all that is in DuckDB's log. trimmed: it has not.
export async function duckLog({ limit, seed, only, suite }) {
	const rnd = randomOf(seed);
	for (const [name, args] of [['duck', { '--segment-bytes': '1m' }], ['trimmed', {}]]) {
		const image = await Image.make({ args });
		Object.assign(image, { name, args });
		let size = 0;
		try {
			({ size } = statSync(join(image.folder.data, 'weir.duckdb.wal')));
		} catch {
			suite.say(`${name}: there is no weir.duckdb.wal`);
		}
		let cases = size === 0 ? [] : Object.keys(duckDamages).flatMap((what) => spread(1, size, limit ?? 25, rnd).map((at) => [name, what, at]));
		if (only) cases = [only.split(':').map((x, i) => (i === 2 ? Number(x) : x))].filter(([n]) => n === name);
		suite.say(`${name}: weir.duckdb.wal has ${size} bytes: ${cases.length} damages`);
		await inParallel(cases, suite.workers, ([, what, at]) =>
			suite.attempt(`${name}:${what}:${at}`, () => damageDuck(image, what, at)));
		image.remove();
	}
}
