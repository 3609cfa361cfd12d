// SPDX-License-Identifier: Apache-2.0
//
// The shell of `weir sql`, with somebody at a terminal: keys that change a line, what was typed before, Ctrl-C and Ctrl-D.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Weir, patience, run, sleep, weirBin } from './lib/weir.mjs';

let weir;
before(async () => (weir = await Weir.start()));
after(() => weir.stop());

// A shell on one: type() sends keys once they are read as keys, sees() waits for what comes behind what it saw before. Between
// two lines the terminal is as it was: it would take Ctrl-D, Ctrl-R and Ctrl-C for itself.
function terminal(env, command = 'sql') {
	const child = spawn('script', ['-qec', `${weirBin} ${command}`, '/dev/null'], { env: { ...process.env, TERM: 'xterm', LC_ALL: 'C.UTF-8', NO_COLOR: '1', WEIR_URL: weir.api, ...env } });
	let text = '', seen = 0;
	child.stdout.setEncoding('utf8').on('data', (d) => (text += d));
	let code;
	child.on('close', (c) => (code = c));
	const sees = async (pattern) => {
		for (const deadline = Date.now() + patience; ; await sleep(20)) {
			const found = text.slice(seen).match(pattern);
			if (found) {
				seen += found.index + found[0].length;
				return found;
			}
			assert.ok(Date.now() < deadline, `${pattern} does not come: ${JSON.stringify(text.slice(seen))}`);
		}
	};
	let typed = 0; // what the screen had when keys were sent last: they end a line, so a prompt behind its end is a new one
	const type = async (keys) => {
		const ready = () => /\n[^]*(sql| {3})> $/.test(text.slice(typed).replace(/\x1b\[[0-9;?]*[A-Za-z]|\r/g, ''));
		for (const deadline = Date.now() + patience; !ready(); await sleep(20))
			assert.ok(Date.now() < deadline, `no prompt: ${JSON.stringify(text)}`);
		typed = text.length;
		child.stdin.write(keys);
	};
	const ends = async () => {
		for (const deadline = Date.now() + patience; code === undefined && Date.now() < deadline; await sleep(20));
		child.kill();
		return code;
	};
	return { type, sees, ends, text: () => text };
}

describe('weir sql at a terminal', () => {
	const up = '\x1b[A', left = '\x1b[D', enter = '\r';
	let dir, file;
	before(() => {
		dir = mkdtempSync(join(tmpdir(), 'weir-sql-'));
		file = join(dir, 'weir', 'sql_history');
	});
	after(() => rmSync(dir, { recursive: true }));
	const begin = async (env, command) => {
		const t = terminal({ XDG_STATE_HOME: dir, HOME: dir, ...env }, command);
		await t.sees(/sql> /);
		return t;
	};
	const leave = async (t) => {
		await t.type('\x04');
		assert.equal(await t.ends(), 0, t.text());
	};

	it('keys change the line before it is sent', async () => {
		const t = await begin();
		await t.type(`SELECT 2 AS tpow;${left.repeat(3)}\x7fwo${'\x1b[3~'.repeat(2)}${enter}`);
		await t.sees(/two *\r\n *2\r\n1 row\r\n/);
		await leave(t);
	});

	it('what was typed comes back at the next start, and is sent again', async () => {
		let t = await begin();
		await t.type(`SELECT 40 + 2 AS answer,${enter}`);
		await t.sees(/ {3}> /);
		await t.type(`\t'käse; ' AS "a\\b";${enter}`); // what is pasted has tabs
		await t.sees(/42 +käse; \r\n1 row\r\n/);
		await t.type(`.output json${enter}`);
		await t.sees(/sql> /);
		await leave(t);
		assert.deepEqual(readFileSync(file, 'utf8').split('\n'), ['SELECT 2 AS two;', `SELECT 40 + 2 AS answer,\\n\t'käse; ' AS "a\\\\b";`, '.output json', '']);
		assert.equal(statSync(file).mode & 0o777, 0o600);
		assert.equal(statSync(join(dir, 'weir')).mode & 0o777, 0o700);
		t = await begin();
		await t.type(up + up + enter);
		await t.sees(/a\\b *\r\n *42 +käse; \r\n1 row\r\n/);
		await t.type(`\x12two${enter}${enter}`); // looked for
		await t.sees(/two *\r\n *2\r\n1 row\r\n/);
		await leave(t);
	});

	it('Ctrl-C gives up what is typed, all lines of it, and Ctrl-D leaves', async () => {
		const t = await begin();
		await t.type(`SELECT 'first',${enter}`);
		await t.sees(/ {3}> /);
		await t.type('nonsense\x03');
		await t.sees(/nonsense[^]*sql> /);
		await t.type(`SELECT 'second' AS x;${enter}`);
		await t.sees(/second\r\n1 row\r\n/);
		await leave(t);
		const kept = readFileSync(file, 'utf8');
		assert.ok(kept.endsWith("\nSELECT 'second' AS x;\n") && !kept.includes('first') && !kept.includes('nonsense'), kept);
	});

	it('an answer stays harmless, and may go to a file while its question is typed', async () => {
		let t = await begin();
		await t.type(`SELECT chr(27) || '[31mred' || chr(8238) AS x;${enter}`);
		await t.sees(/1 row\r\n/);
		assert.ok(!t.text().includes('\x1b[31m') && !t.text().includes('\u202e'), JSON.stringify(t.text()));
		assert.match(t.text(), /\[31mred/);
		await leave(t);
		const out = join(dir, 'answer');
		t = await begin({}, `sql -o ndjson > ${out}`);
		await t.type(`SELECT 1 AS a;${enter}`);
		await t.sees(/sql> /);
		await leave(t);
		assert.equal(readFileSync(out, 'utf8'), '{"a":1}\n');
	});

	it('is not kept when WEIR_SQL_HISTORY is empty, nor of what comes through a pipe; it may be another file', async () => {
		const before_ = readFileSync(file, 'utf8');
		let t = await begin({ WEIR_SQL_HISTORY: '' });
		await t.type(`SELECT 'secret' AS x;${enter}`);
		await t.sees(/1 row\r\n/);
		await t.type(up + enter); // but there while it lasts
		await t.sees(/1 row\r\n/);
		await leave(t);
		assert.equal((await run(['sql'], { input: "SELECT 'piped' AS x;", env: { XDG_STATE_HOME: dir, WEIR_URL: weir.api } })).code, 0);
		assert.equal(readFileSync(file, 'utf8'), before_);
		t = await begin({ WEIR_SQL_HISTORY: join(dir, 'mine') });
		await t.type(`SELECT 'elsewhere' AS x;${enter}`);
		await t.sees(/1 row\r\n/);
		await leave(t);
		assert.equal(readFileSync(join(dir, 'mine'), 'utf8'), "SELECT 'elsewhere' AS x;\n");
		assert.equal(readFileSync(file, 'utf8'), before_);
	});
});
