// SPDX-License-Identifier: Apache-2.0
//
// The log as src/wal/wal.h and src/ingest/record.h describe it, read and rewritten with no code of weir.
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const SEGMENT_HEAD = 24;
const RECORD_HEAD = 32;

// The records of the newest segment that has any: { seq, durable, from, to, request }.
export function newestSegment(data, ledger) {
	const dir = join(data, 'wal');
	for (const name of readdirSync(dir).filter((f) => /^[0-9a-f]{16}\.wal$/.test(f)).sort().reverse()) {
		const bytes = readFileSync(join(dir, name));
		const records = [];
		let seq = bytes.readBigUInt64LE(8);
		for (let at = SEGMENT_HEAD; at + RECORD_HEAD <= bytes.length && bytes.readBigUInt64LE(at + 8) === seq; seq++) {
			const len = bytes.readUInt32LE(at);
			const to = at + RECORD_HEAD + Math.ceil(len / 8) * 8;
			const payload = bytes.subarray(at + RECORD_HEAD, to).toString('latin1');
			const request = ledger.find((r) => payload.includes(`${r.id}/0 `));
			records.push({ seq, durable: bytes.readBigUInt64LE(at + 16), from: at, to, request });
			at = to;
		}
		if (records.length) return { file: join(dir, name), name, bytes, records };
	}
	throw new Error('the log has no records');
}

function crc32c(crc, bytes) {
	crc = ~crc >>> 0;
	for (const byte of bytes) {
		crc ^= byte;
		for (let k = 0; k < 8; k++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
	}
	return ~crc >>> 0;
}

// A request that was acknowledged becomes one that nobody can decode, with checksums that are right: as a fault
// of weir's own would leave it. Returns the request.
export function poison(data, ledger) {
	const { file, bytes, records } = newestSegment(data, ledger);
	const { from, to, request } = records.find((r) => r.request);
	const salt = bytes.readUInt32LE(16);
	const payload = bytes.subarray(from + RECORD_HEAD, to);
	payload[56 + payload[2]] = 0x07; // the body's first tag: a wire type that there is not
	bytes.writeUInt32LE(crc32c(salt, payload), from + 24);
	const head = bytes.subarray(from, from + RECORD_HEAD);
	bytes.writeUInt32LE(crc32c(crc32c(salt, head.subarray(0, 4)), head.subarray(8)), from + 4);
	writeFileSync(file, bytes);
	return request;
}

// The files in which requests that cannot be loaded are kept, that hold this one.
export function letters(data, request) {
	return ['dlq', 'quarantine'].flatMap((folder) => {
		try {
			return readdirSync(join(data, folder)).map((f) => join(data, folder, f));
		} catch {
			return [];
		}
	}).filter((file) => readFileSync(file, 'latin1').includes(`${request.id}/0 `));
}
