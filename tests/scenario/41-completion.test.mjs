// SPDX-License-Identifier: Apache-2.0
//
// Completions in real shells, and the help of every command: what is offered, and what help says, is what is accepted.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Weir, newDataDir, patience, removeDataDir, run, weirBin } from './lib/weir.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const evil = 'web $(touch pwned)';
let weir, dir, env;

before(async () => {
	weir = await Weir.start();
	dir = newDataDir();
	mkdirSync(join(dir, 'bin'));
	mkdirSync(join(dir, 'letters'));
	writeFileSync(join(dir, 'lines.jsonl'), '');
	symlinkSync(weirBin, join(dir, 'bin/weir'));
	env = { ...process.env, PATH: `${dir}/bin:${process.env.PATH}`, WEIR_URL: `http://${weir.api}`, HOME: dir, LC_ALL: 'C.UTF-8' };
	for (const name of ['shop', 'shop:eu', evil]) {
		const span = { traceId: 'a'.repeat(32), spanId: Buffer.from(name.padEnd(8)).toString('hex').slice(0, 16), name: 'x', startTimeUnixNano: '1700000000000000000', endTimeUnixNano: '1700000000000000001' };
		const res = await fetch(`http://${weir.http}/v1/traces`, {
			method: 'POST',
			headers: { 'content-type': 'application/json' },
			body: JSON.stringify({ resourceSpans: [{ resource: { attributes: [{ key: 'service.name', value: { stringValue: name } }] }, scopeSpans: [{ spans: [span] }] }] }),
		});
		assert.equal(res.status, 200);
	}
	await weir.until('/api/v1/services', (b) => b.count === 3);
});
after(async () => {
	await weir?.stop();
	if (dir) removeDataDir(dir);
});

const has = (program) => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;

function shell(program, args, script) {
	const r = spawnSync(program, [...args, script], { cwd: dir, env, encoding: 'utf8', timeout: patience });
	assert.equal(r.status, 0, r.stderr);
	assert.equal(r.stderr, '');
	return r.stdout.split('\n').filter((l) => l !== '');
}

const quoted = (s) => `'${s.replaceAll("'", `'\\''`)}'`;

// What bash offers behind this line: its words are split as readline does, at blanks and at = and :.
function bash(line, breaks = '=:') {
	const words = line.split(/ +/).flatMap((w) => (w === '' ? [''] : w.match(new RegExp(breaks ? `[${breaks}]+|[^${breaks}]+` : '.+', 'g'))));
	return shell('bash', ['--norc', '-c'], `
		COMP_WORDBREAKS=$' \\t\\n"\\'><;|&(${breaks}'
		source <(weir completion bash)
		compopt() { echo "compopt $*"; }
		COMP_WORDS=(${words.map(quoted).join(' ')}) COMP_CWORD=${words.length - 1}
		COMP_LINE=${quoted(line)} COMP_POINT=${line.length}
		_weir weir
		printf '%s\\n' "\${COMPREPLY[@]}"`);
}

describe('bash', () => {
	it('has the function once the script is read', () => {
		assert.deepEqual(shell('bash', ['--norc', '-c'], 'source <(weir completion bash); complete -p weir'), ['complete -F _weir weir']);
	});

	const cases = [
		['weir tra', ['traces', 'trace']],
		['weir keys cr', ['create']],
		['weir help keys cr', ['create']],
		['weir traces --stat', ['--status']],
		['weir traces --status ', ['ok', 'error', 'unset']],
		['weir traces --status=e', ['error']],
		['weir traces --status=', ['ok', 'error', 'unset']],
		['weir traces --from 2026-11-20T16:00 --url http://127.0.0.1:1 --status e', ['error']],
		['weir   keys   create  --right  ad', ['admin']],
		['weir dlq retry --all --state q', ['quarantined']],
		['weir serve --log-format j', ['json']],
		['weir bench --payload ', ['sdk', 'jaeger']],
		['weir export l', ['logs']],
		['weir export --metric-type su', ['sum', 'summary']],
		['weir import ', ['compopt -o default']],
		['weir serve --config x', ['compopt -o default']],
		['weir serve --data-dir=', ['compopt -o dirnames']],
		['weir restore ', ['compopt -o dirnames']],
		['weir nothing ', []],
		['weir traces -s sh', ['shop', 'shop:eu']],
		['weir traces --service=shop:', ['eu']],
		['weir traces --url http://127.0.0.1:1 -s ', []],
	];
	for (const [line, offered] of cases)
		it(`"${line}"`, () => assert.deepEqual(bash(line), offered));

	it('does not split where the user does not', () => {
		assert.deepEqual(bash('weir traces --status=e', ''), ['--status=error']);
		assert.deepEqual(bash('weir traces -s shop:', ''), ['shop:eu']);
	});

	it('a name that a client has sent does not become a command', () => {
		assert.deepEqual(bash('weir traces -s w'), ['web\\ \\$\\(touch\\ pwned\\)']);
		assert.equal(existsSync(join(dir, 'pwned')), false);
	});

	it('finds every command of the overview, and every verb', async () => {
		const { stdout } = await run(['--help']);
		const named = [...stdout.matchAll(/^ {2}([a-z]+) {2,}\S/gm)].map((m) => m[1]).sort();
		assert.ok(named.length > 14);
		assert.deepEqual(bash('weir ').sort(), named);
		assert.deepEqual(bash('weir dlq '), ['list', 'show', 'retry', 'drop']);
	});
});

// Type this at a shell on a terminal; the last line typed runs weir, which says what it was given.
async function type(command, setup, keys) {
	const child = spawn('script', ['-qec', command, '/dev/null'], { cwd: dir, env: { ...env, TERM: 'dumb', PS1: '' } });
	let seen = '';
	child.stdout.on('data', (d) => (seen += d));
	const wait = async (pattern) => {
		const deadline = Date.now() + patience;
		while (!pattern.test(seen)) {
			assert.ok(Date.now() < deadline, `${pattern} does not come: ${JSON.stringify(seen)}`);
			await new Promise((r) => setTimeout(r, 20));
		}
		return seen.match(pattern)[1];
	};
	child.stdin.write(`weir() { if [ "$1" = completion ]; then command weir "$@"; else printf 'was given <%s>\\n' "$*"; fi; }\n${setup}\necho rea''dy\n`);
	await wait(/(ready)/);
	child.stdin.write(keys);
	const given = await wait(/was given <(?!%s)(.*?)>/);
	child.kill('SIGKILL');
	return given;
}

describe('at a terminal', () => {
	const keys = 'weir keys cre\t--ri\ting\t--ca lin\t\n';
	const given = 'keys create --right ingest --ca lines.jsonl';

	it('bash completes what is typed', async () => {
		assert.equal(await type('bash --norc --noprofile -i', 'source <(weir completion bash)', keys), given);
	});

	it('zsh completes what is typed', { skip: !has('zsh') && 'there is no zsh' }, async () => {
		const setup = 'autoload -U compinit; compinit -u -D; source <(weir completion zsh)';
		assert.equal(await type('zsh -f -i', setup, keys), given);
		assert.equal(await type('zsh -f -i', setup, 'weir traces --status=er\t-s shop:\t\n'), 'traces --status=error -s shop:eu');
	});
});

describe('fish', { skip: !has('fish') && 'there is no fish' }, () => {
	const fish = (line) => shell('fish', ['--no-config', '-c'], `weir completion fish | source; complete -C ${quoted(line)}`);

	it('offers the same, with what it means', () => {
		assert.deepEqual(fish('weir keys cr'), ['create\tmake a key, and show it this once']);
		assert.deepEqual(fish('weir traces --status e').map((l) => l.split('\t')[0]), ['error']);
		assert.deepEqual(fish('weir traces --status=e').map((l) => l.split('\t')[0]), ['--status=error']);
		assert.deepEqual(fish('weir traces -s sh').map((l) => l.split('\t')[0]).sort(), ['shop', 'shop:eu']);
		assert.deepEqual(fish('weir import lin').map((l) => l.split('\t')[0]), ['lines.jsonl']);
		assert.deepEqual(fish('weir serve --data-dir=let').map((l) => l.split('\t')[0]), ['--data-dir=letters/']);
	});
});

describe('help', () => {
	// Every command and every verb: "serve", "keys create".
	async function all() {
		const names = [];
		for (const name of bash('weir ')) {
			const verbs = bash(`weir help ${name} `);
			names.push(name, ...verbs.map((v) => `${name} ${v}`));
		}
		return names;
	}

	it('of every command fits, has an example, and is the same behind it', async () => {
		const names = await all();
		assert.ok(names.includes('keys create') && names.includes('serve'));
		for (const name of names) {
			const help = await run(['help', ...name.split(' ')]);
			assert.equal(help.code, 0, help.stderr);
			assert.ok(help.stdout.startsWith(`weir ${name}: `), help.stdout);
			assert.match(help.stdout, /\nExample:\n {2}\S/, name);
			for (const line of help.stdout.split('\n')) assert.ok(line.length <= 80, `${name}: ${line}`);
			if (name === 'help') continue;
			const same = await run([...name.split(' '), '--help']);
			assert.deepEqual([same.code, same.stdout], [0, help.stdout], name);
		}
	});

	// The tables of the others are walked in the unit tests.
	for (const name of ['serve', 'demo', 'export', 'import', 'bench', 'restore', 'openapi'])
		it(`of ${name} names only what it takes, and a wrong option is named`, async () => {
			const { stdout } = await run(['help', name]);
			const options = [...stdout.matchAll(/^ {2}(?:-\w, | {4})--([a-z0-9-]+)( \S+)?/gm)];
			assert.ok(options.length >= 1);
			for (const [, option, value] of options) {
				if (option === 'help') continue;
				const { code, stderr } = await run([name, value ? `--${option}=x` : `--${option}`, '--no-such']);
				assert.equal(code, 2, `${name} --${option}: ${stderr}`);
				assert.doesNotMatch(stderr, new RegExp(`no option -+${option}\\b`));
				const wrong = await run([name, `--${option.slice(0, -1)}`, ...(value ? ['x'] : []), '--no-such']);
				assert.equal(wrong.code, 2, `${name} --${option.slice(0, -1)}`);
			}
			if (options.length > 1) {
				const near = await run([name, `--${options[0][1].slice(0, -1)}`, 'x']);
				assert.match(near.stderr, new RegExp(`did you mean --`));
			}
		});

	it('the manual page has the options of every command', { skip: !has('mandoc') && 'there is no mandoc' }, () => {
		const page = spawnSync(join(root, 'tools/manual.sh'), [weirBin], { encoding: 'utf8' });
		assert.equal(page.status, 0, page.stderr);
		const lint = spawnSync('mandoc', ['-T', 'lint', '-W', 'warning'], { input: page.stdout, encoding: 'utf8' });
		assert.equal(lint.status, 0, lint.stdout);
		const text = spawnSync('mandoc', ['-T', 'utf8', '-O', 'width=200'], { input: page.stdout, encoding: 'utf8' }).stdout.replace(/.\x08/g, '');
		for (const wanted of ['weir keys create', '--expires span', '--min-duration-ms span', '--cursor cursor', '--tenant-retain list'])
			assert.ok(text.includes(wanted), wanted);
	});
});
