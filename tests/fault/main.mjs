// SPDX-License-Identifier: Apache-2.0
//
// usage: node tests/fault/main.mjs [--short] [--verbose] [--seed N] [--only 'GROUP CASE'] [GROUP...]
import { parseArgs } from 'node:util';
import { cannotInject, groups, runGroup } from './suite.mjs';

const { values, positionals } = parseArgs({
	allowPositionals: true,
	options: {
		short: { type: 'boolean' }, verbose: { type: 'boolean', short: 'v' }, seed: { type: 'string', default: '1' }, only: { type: 'string' },
	},
});
const [onlyGroup, onlyCase] = values.only?.split(' ') ?? [];
const wanted = onlyGroup ? [onlyGroup] : positionals.length ? positionals : groups.map((g) => g.name);
const unknown = wanted.filter((w) => !groups.some((g) => g.name === w));
if (unknown.length) {
	console.error(`there is no group ${unknown[0]}: ${groups.map((g) => g.name).join(', ')}`);
	process.exit(2);
}

let cases = 0;
let failed = 0;
const known = new Map();
for (const group of groups.filter((g) => wanted.includes(g.name))) {
	const start = Date.now();
	const suite = await runGroup(group, {
		long: !values.short, seed: Number(values.seed), only: onlyCase, verbose: values.verbose || onlyCase !== undefined, progress: (line) => console.log(line),
	});
	if (!suite) {
		console.log(`${group.name}: skipped: ${cannotInject}`);
		continue;
	}
	cases += suite.cases;
	failed += suite.failed.length;
	for (const [entry, names] of suite.known) known.set(entry, [...(known.get(entry) ?? []), ...[...names].map((n) => `${group.name} ${n}`)]);
	console.log(`${group.name}: ${group.claim}: ${suite.cases} cases, ${suite.failed.length} failed, ${((Date.now() - start) / 1000).toFixed(0)} s`);
}
for (const [entry, names] of known) console.log(`to come: ${entry.reason}: ${names.length} cases, such as '${names[0]}'`);
console.log(`${cases} cases, ${failed} failed, ${known.size} things to come; seed ${values.seed}`);
process.exit(failed ? 1 : 0);
