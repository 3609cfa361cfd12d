// SPDX-License-Identifier: Apache-2.0
//
// What is known to be missing: a problem that matches one of these is counted and printed with the reason, and is
// no failure. When a run meets none of an entry's problems the entry is out of date and goes.
export const expected = [
	{ kind: 'resent', reason: 'a request that is sent again with the same bytes is applied again: identity of requests is to come' },
	{ kind: 'no-reopen', reason: 'a fatal error of DuckDB shuts the store until a restart: reopening in the process is to come' },
	{ kind: 'restart', text: /weir\.duckdb: IO Error: (The file .* exists, but it is not|Could not read enough bytes)/,
		reason: 'a start that ends while weir.duckdb is being created leaves a file that no start opens: creating it under another name is to come' },
	{ kind: 'restart', text: /weir\.duckdb: IO Error: Corrupt database file: computed checksum/,
		reason: 'a head of weir.duckdb of which only the first bytes were written is refused although the other one is whole: taking that is to come' },
	{ kind: 'duck-refused', reason: 'a damaged log of DuckDB is refused, also while weir\'s log has all of it: copying it aside and cutting it is to come' },
	{ kind: 'trimmed-refused', reason: 'the same when weir\'s log has been trimmed by what only DuckDB\'s log holds: trimming behind the checkpoint is to come' },
	{ kind: 'died', text: /terminate called after throwing an instance of 'duckdb::/,
		reason: 'DuckDB ends the process when it can neither write its log nor cut it back (every operation fails); the restart has everything' },
	{ kind: 'silent', text: /^FAIL \w+: .*cannot \w+ \/[^:]*:?$/m,
		reason: 'the cause does not fit into /readyz behind a long path of the data folder: room for it is to come' },
];
