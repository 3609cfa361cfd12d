// SPDX-License-Identifier: Apache-2.0
//
// Data folders of every earlier schema, opened by this weir: all that was sent is there, nothing is there twice, and it goes on.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { Weir, newDataDir, patience, removeDataDir, run, sleep } from './lib/weir.mjs';

const golden = new URL('../golden/', import.meta.url).pathname;
const names = ['example-logs', 'example-events', 'example-metrics', 'all-traces', 'all-logs', 'all-metrics'];
const files = { zeta: names.map((n) => join(golden, `otlp-json/${n}.json`)) };
files.acme = [...files.zeta, join(golden, 'upgrade/days.json')];

function unpack(version) {
	const dir = newDataDir();
	mkdirSync(join(dir, 'wal'), { mode: 0o700 });
	for (const name of readdirSync(join(golden, 'upgrade', version)))
		writeFileSync(join(dir, name.includes('.wal') ? 'wal' : '', name.replace('.gz', '')), gunzipSync(readFileSync(join(golden, 'upgrade', version, name))));
	return dir;
}

const envOf = (weir) => ({ XDG_STATE_HOME: weir.dataDir, WEIR_URL: `http://${weir.api}`, OTEL_EXPORTER_OTLP_ENDPOINT: `http://${weir.http}` });

// Items, each with its resource and scope, whatever the order of them.
async function items(weir, tenant) {
	const out = [];
	for (const signal of ['traces', 'logs', 'metrics']) {
		const { code, stdout, stderr } = await run(['export', signal, '--tenant', tenant, '--quiet'], { env: envOf(weir) });
		assert.equal(code, 0, stderr);
		for (const line of stdout.split('\n').filter((l) => l))
			for (const res of Object.values(JSON.parse(line)).flat())
				for (const scope of res.scopeSpans ?? res.scopeLogs ?? res.scopeMetrics)
					for (const item of scope.spans ?? scope.logRecords ?? scope.metrics) {
						const kind = signal === 'metrics' && Object.keys(item).find((k) => item[k]?.dataPoints);
						for (const point of kind ? item[kind].dataPoints : [undefined])
							out.push(JSON.stringify({ resource: res.resource, url: res.schemaUrl, scope: scope.scope, scopeUrl: scope.schemaUrl,
								item: kind ? { ...item, [kind]: { ...item[kind], dataPoints: [point] } } : item }));
					}
	}
	return out.sort();
}
async function same(weir, tenant, want) {
	const deadline = Date.now() + patience;
	for (let got; ; await sleep(50)) {
		got = await items(weir, tenant);
		if (got.length < want.length && Date.now() < deadline) continue;
		assert.deepEqual(got, want);
		return;
	}
}
async function send(weir, tenant) {
	for (const path of files[tenant]) {
		const { stderr, code } = await run(['import', '--again', '--tenant', tenant, path], { env: envOf(weir) });
		assert.ok(code === 0 || /trace id is missing/.test(stderr), stderr);
	}
}

test('folders of every earlier schema are brought up to date, whole', async (t) => {
	const fresh = await Weir.start();
	t.after(() => fresh.kill());
	const want = {};
	for (const tenant of ['acme', 'zeta']) {
		await send(fresh, tenant);
		const count = tenant === 'acme' ? 240 + 30 : 30;
		const deadline = Date.now() + patience;
		while ((want[tenant] = await items(fresh, tenant)).length < count) assert.ok(Date.now() < deadline, `${want[tenant].length}`);
		assert.equal(want[tenant].length, count);
	}
	await fresh.stop();
	const versions = readdirSync(join(golden, 'upgrade')).filter((n) => /^v\d+$/.test(n));
	assert.ok(versions.length >= 2);
	for (const version of versions) {
		const dataDir = unpack(version);
		let weir = await Weir.start({ dataDir, args: ['--seal-rows', '64', '--hot-log-bytes', '1m'] });
		t.after(() => weir.kill());
		for (const tenant of ['acme', 'zeta']) await same(weir, tenant, want[tenant]);
		// Spans that come again are still known, and so is what is new.
		const { code, stderr } = await run(['import', '--again', '--tenant', 'acme', files.acme.find((n) => n.includes('all-traces')), files.acme.at(-1)], { env: envOf(weir) });
		assert.equal(code, 4, stderr); // two of them have no trace id
		await sleep(300);
		await same(weir, 'acme', want.acme);
		await weir.stop();
		weir = await Weir.start({ dataDir });
		for (const tenant of ['acme', 'zeta']) await same(weir, tenant, want[tenant]);
		await weir.stop();
		removeDataDir(dataDir);
	}
});
