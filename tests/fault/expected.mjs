// SPDX-License-Identifier: Apache-2.0
//
// What is known to be missing: a problem that matches one of these is counted and printed with the reason, and is
// no failure. When a run meets none of an entry's problems the entry is out of date and goes.
export const expected = [
	{ kind: 'died', text: /terminate called after throwing an instance of 'duckdb::/,
		reason: 'DuckDB ends the process when it can neither write its log nor cut it back (every operation fails); the restart has everything' },
];
