// SPDX-License-Identifier: Apache-2.0
//
// A reporter for `node --test`: a line for each file, everything about a test that fails, and
// "N passed, N failed" at the end (appended to the file $TEST_TOTALS instead, if that is set).
// Files may run beside each other: Node gives what happens in the order of their names all the same, so a file's time is the sum of
// its tests' own.
import { appendFileSync } from 'node:fs';
import { basename } from 'node:path';
import { inspect } from 'node:util';

class File {
	passed = 0;
	failed = 0;
	skipped = 0;
	output = [];
	ms = 0;

	line(name) {
		const counts = [`${String(this.passed).padStart(4)} passed`];
		if (this.failed) counts.push(`${this.failed} failed`);
		if (this.skipped) counts.push(`${this.skipped} skipped`);
		return `scenario  ${name.padEnd(28)} ${counts.join(', ')}  ${(this.ms / 1000).toFixed(1)} s\n`;
	}
}

function explain(error) {
	const cause = error?.cause ?? error;
	return inspect(cause, { depth: 6 }).replace(/^/gm, '      ');
}

export default async function* (source) {
	const total = { passed: 0, failed: 0, skipped: 0 };
	let name, file;
	function* finish() {
		if (!file) return;
		if (file.failed && file.output.length)
			yield `      output of ${name}:\n${file.output.join('').replace(/^/gm, '      ')}\n`;
		yield file.line(name);
		for (const key of Object.keys(total)) total[key] += file[key];
		file = undefined;
	}
	function* enter(path) {
		const next = path ? basename(path).replace('.test.mjs', '') : name;
		if (next === name && file) return;
		yield* finish();
		name = next ?? '';
		file = new File();
	}
	for await (const { type, data } of source) {
		if (file && data.nesting === 0 && (type === 'test:pass' || type === 'test:fail')) file.ms += data.details.duration_ms;
		if (type === 'test:stdout' || type === 'test:stderr') {
			yield* enter(data.file);
			file.output.push(data.message);
		} else if (type === 'test:start' && data.nesting === 0) {
			yield* enter(data.file);
		} else if (type === 'test:pass' && data.details?.type !== 'suite') {
			yield* enter(data.file);
			if (data.skip !== undefined || data.todo !== undefined) {
				file.skipped++;
				yield `skip  ${name}: ${data.name}: ${data.skip ?? data.todo}\n`;
			} else {
				file.passed++;
			}
		} else if (type === 'test:fail') {
			yield* enter(data.file);
			// A parent that failed because of its children is no failure of its own.
			if (data.details?.error?.failureType === 'subtestsFailed') continue;
			file.failed++;
			yield `FAIL  ${name}: ${data.name} (${(data.details.duration_ms / 1000).toFixed(1)} s)\n${explain(data.details.error)}\n`;
		}
	}
	yield* finish();
	if (total.skipped) yield `${total.skipped} skipped\n`;
	const closing = `${total.passed} passed, ${total.failed} failed\n`;
	if (process.env.TEST_TOTALS) appendFileSync(process.env.TEST_TOTALS, closing);
	else yield closing;
}
