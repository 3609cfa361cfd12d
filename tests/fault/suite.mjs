// SPDX-License-Identifier: Apache-2.0
//
// The groups of the fault suite, and the account of a run.
import { availableParallelism } from 'node:os';
import { injected } from './cases.mjs';
import { duckLog, logTail } from './damage.mjs';
import { expected } from './expected.mjs';
import { diskFull } from './full.mjs';
import { randomKills } from './kills.mjs';
import { canInject } from './server.mjs';

// `short`: how many cases the short form has of it.
export const groups = [
	{ name: 'injected', claim: 'an operation that fails, or kill -9 at it', run: injected, short: 28, injects: true },
	{ name: 'full', claim: 'a disk that is full, and has room again', run: diskFull, short: 4, injects: true },
	{ name: 'tail', claim: 'the end of the log cut or with a flipped bit', run: logTail, short: 5 },
	{ name: 'duck', claim: 'the log of DuckDB cut, with zeros or a flipped bit', run: duckLog, short: 1 },
	{ name: 'kills', claim: 'kill -9 at random moments', run: randomKills, short: 6 },
];

export const cannotInject = 'libweir-fault.so is not built, or the thread sanitizer must see every write itself';

export class Suite {
	constructor(group, { seed, verbose = false, progress = () => {} }) {
		Object.assign(this, { group, seed, verbose, progress, cases: 0, failed: [], known: new Map(), said: [] });
		this.workers = Math.max(1, Math.min(2, availableParallelism()));
	}

	say(text) {
		this.said.push(text);
		this.progress(`${this.group.name}: ${text}`);
	}

	// `work` gives the problems; a case that cannot even be run has failed.
	async attempt(name, work) {
		let problems;
		try {
			problems = await work();
		} catch (error) {
			problems = [{ kind: 'died', text: error.stack }];
		}
		this.result(name, problems);
	}

	result(name, problems) {
		this.cases++;
		const real = [];
		for (const p of problems) {
			const known = expected.find((e) => (e.kind instanceof RegExp ? e.kind.test(p.kind) : e.kind === p.kind) && (!e.text || e.text.test(p.text)));
			if (known && this.verbose) this.progress(`to come: ${this.group.name} ${name}: ${p.kind}: ${p.text}`);
			if (known) this.known.set(known, (this.known.get(known) ?? new Set()).add(name));
			else real.push(p);
		}
		if (real.length) {
			const text = `${this.group.name} ${name}\n${real.map((p) => `  ${p.kind}: ${p.text}`).join('\n')}\n  again: ${this.#again(name)}`;
			this.failed.push(text);
			this.progress(`FAIL  ${text}`);
		}
		if (this.cases % 100 === 0) this.progress(`${this.group.name}: ${this.cases} cases, ${this.failed.length} failed`);
	}

	#again(name) {
		const what = name === 'setup' || name === 'all' ? this.group.name : `--only '${this.group.name} ${name}'`;
		return `tools/fault.sh --seed ${this.seed} ${what}`;
	}
}

// Runs a group; returns its Suite, or undefined when it cannot be run here.
export async function runGroup(group, { long = false, seed = 1, only, verbose, progress } = {}) {
	if (group.injects && !canInject) return undefined;
	const suite = new Suite(group, { seed, verbose, progress });
	try {
		await group.run({ limit: long || only ? undefined : group.short, seed, only, suite });
	} catch (error) {
		suite.result('setup', [{ kind: 'died', text: error.stack }]);
	}
	return suite;
}
