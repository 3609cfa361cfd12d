// SPDX-License-Identifier: Apache-2.0
//
// kill -9 at random moments, in one folder that grows: under load of all signals with retries, during
// the start, during the catching up. After each the round's requests are compared, at the end all.
import { randomOf } from '../scenario/lib/random.mjs';
import { Folder, newLedger, sendAll, verify } from './run.mjs';
import { settle, sleep, start, tryStart } from './server.mjs';

const SENDERS = 3;
// Larger than elsewhere: by fours the seals do not keep up with 200 rounds, and memory for what is not sealed is full.
const args = { '--seal-rows': '64' };

// Adds what was sent to `all`.
async function round(folder, name, rnd, all) {
	const ledger = newLedger(name, 600);
	const weir = await start(folder.data, { args });
	const senders = Array.from({ length: SENDERS }, async (_, k) => {
		for (let i = k * 3; i < ledger.length && weir.alive(); i += SENDERS * 3)
			await sendAll(weir, ledger.slice(i, i + 3), { timeout: 2000 });
	});
	await sleep(10 + rnd() * 250);
	await weir.kill();
	await Promise.all(senders);
	// Some of the starts are killed as well.
	for (let again = rnd(); again < 0.3; again = rnd()) {
		const { weir: next } = await tryStart(folder.data, { args });
		if (!next) break;
		await settle(next, { ms: rnd() * 60 });
		await next.kill();
	}
	const sent = ledger.filter((r) => r.sent > 0);
	all.push(...sent);
	return verify(folder.data, sent, { round: name, args });
}

export async function randomKills({ limit, seed, only, suite }) {
	const rnd = randomOf(seed);
	const folder = new Folder();
	const ledger = [];
	const rounds = limit ?? (only ? Number(only) : 200);
	for (let i = 1; i <= rounds; i++) {
		await suite.attempt(`${i}`, () => round(folder, `r${i}`, rnd, ledger));
	}
	const unknown = ledger.filter((r) => r.answers[0] === 0).length;
	await suite.attempt('all', () => verify(folder.data, ledger, { args }));
	suite.say(`${rounds} rounds, ${ledger.length} requests, ${unknown} of which got no answer at first, sent ${ledger.reduce((n, r) => n + r.sent, 0)} times`);
	folder.remove();
}
