// SPDX-License-Identifier: Apache-2.0
//
// `weir serve` for the fault suite: small segments and seals where this weir has options for them, with or
// without the library that makes it fail.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Weir, patience, sleep, weirBin, within } from '../scenario/lib/weir.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
export { patience, sleep };

// Where tools/build.sh puts it; beside the program under test first.
export const library = [dirname(weirBin), join(root, 'build/debug'), join(root, 'build/asan')]
	.map((dir) => join(dir, 'libweir-fault.so')).find(existsSync);

// A program under the thread sanitizer must see its own writes; under the others it need not be loaded first.
export const canInject = library !== undefined && !/\/tsan\//.test(weirBin);

// Options wished for, where this weir has them, with the first of the values that it takes.
const wishes = {
	'--segment-bytes': ['64k'], '--load-delay-ms': ['1'], '--drain-ms': ['1000'], '--min-free-bytes': ['0'],
	'--duckdb-threads': ['1'], '--readers': ['2'], '--loops': ['1'],
	// Seals of a few rows, so that the scenario reaches several.
	'--seal-rows': ['4', '16', '64', '256', '1024', '2048', '122880'], '--seal-age-ms': ['20', '100', '1000'],
};

function help(...args) {
	try {
		return execFileSync(weirBin, ['serve', ...args, '--help'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
	} catch {
		return '';
	}
}

let granted;
function grant() {
	const all = help();
	granted = {};
	for (const [option, values] of Object.entries(wishes)) {
		const value = all.includes(`  ${option} `) ? values.find((v) => help(option, v) !== '') : undefined;
		if (value !== undefined) granted[option] = value;
	}
	return granted;
}

export const serveArgs = (extra = {}) => Object.entries({ ...(granted ?? grant()), ...extra }).flat();

// The environment that makes operation n of the kind fail; see preload.c.
export function faultEnv(dataDir, report, { op = 'any', n = 0, act = 'EIO', stays = false, path, bytes, until } = {}) {
	rmSync(report, { force: true });
	const env = {
		LD_PRELOAD: library, WEIR_FAULT_DIR: realpathSync(dataDir), WEIR_FAULT_REPORT: report, WEIR_FAULT_OP: op,
		WEIR_FAULT_N: String(n), WEIR_FAULT_DO: act,
		ASAN_OPTIONS: `${process.env.ASAN_OPTIONS ?? ''}:verify_asan_link_order=0`,
	};
	if (stays) env.WEIR_FAULT_STAYS = '1';
	if (path) env.WEIR_FAULT_PATH = path;
	if (bytes !== undefined) env.WEIR_FAULT_BYTES = String(bytes);
	if (until) env.WEIR_FAULT_UNTIL = until;
	return env;
}

// The report's lines: { n, op, path, bytes, hit }.
export function readReport(report) {
	if (!existsSync(report)) return [];
	return readFileSync(report, 'utf8').split('\n').filter(Boolean).map((line) => {
		const [n, op, path, bytes, hit] = line.split(' ');
		return { n: Number(n), op, path, bytes: Number(bytes), hit };
	});
}

export function start(dataDir, { env = {}, args = {} } = {}) {
	return Weir.start({ dataDir, env, args: serveArgs(args) });
}

// Start that may be a failure: { weir } or { error }, the text of which holds its log.
export async function tryStart(dataDir, options) {
	try {
		return { weir: await start(dataDir, options) };
	} catch (error) {
		return { error: error.message };
	}
}

// Until what is durable is visible and weir says it is well. Returns undefined, or why not: at once when it says
// in its log that it waits for a restart.
const hopeless = /until weir is started again/;
export async function settle(weir, { ms = patience } = {}) {
	const deadline = Date.now() + ms;
	for (;;) {
		let last = 'it does not answer';
		try {
			const ready = await weir.get('/readyz');
			const lag = await weir.metric('weir_lag_bytes');
			if (ready.status === 200 && lag === 0) return undefined;
			last = `${ready.status} ${ready.text.trim()} lag ${lag}`;
		} catch (error) {
			last = `${error.cause?.code ?? error.message}`;
		}
		if (!weir.alive()) return `it has ended: ${JSON.stringify(weir.exit)}`;
		if (Date.now() > deadline || hopeless.test(weir.log)) return last;
		await sleep(5);
	}
}

// SIGTERM; false when it does not end.
export async function stop(weir, ms = patience) {
	const ended = await within(ms, weir.terminate());
	if (!ended) await weir.kill();
	return ended !== undefined;
}
