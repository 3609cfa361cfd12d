// SPDX-License-Identifier: Apache-2.0
//
// The short form of the fault suite (tests/fault; `make fault` is the long one): whatever fails, nothing that
// was acknowledged is lost, nothing is there twice or in part.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { expected } from '../fault/expected.mjs';
import { cannotInject, groups, runGroup } from '../fault/suite.mjs';

const seed = Number(process.env.WEIR_FAULT_SEED ?? 1);
const known = new Map();

for (const group of groups)
	it(`${group.claim}: everything acknowledged is there once`, async (t) => {
		const suite = await runGroup(group, { seed });
		if (!suite) return t.skip(cannotInject);
		for (const [entry, names] of suite.known) known.set(entry, (known.get(entry) ?? 0) + names.size);
		console.log(`${group.name}: ${suite.cases} cases\n${suite.said.join('\n')}`);
		assert.equal(suite.failed.length, 0, suite.failed.join('\n\n'));
	});

for (const entry of expected)
	it(`to come, seen in this run or not`, (t) => t.skip(`${entry.reason} (${known.get(entry) ?? 0} cases)`));
