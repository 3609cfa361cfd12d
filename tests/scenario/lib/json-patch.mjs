// SPDX-License-Identifier: Apache-2.0
//
// JSON Patch (RFC 6902) the plain way, to compare weir's answers with: documents are JSON values that nothing changes, a
// patched one shares what the patch left alone.

const own = (o, k) => Object.prototype.hasOwnProperty.call(o, k);
const isObject = (v) => v !== null && typeof v === 'object' && !Array.isArray(v);

// RFC 6901.
export function pointer(text) {
	if (text === '') return [];
	if (text[0] !== '/') throw new Error(`no pointer: ${text}`);
	return text.slice(1).split('/').map((s) => s.replaceAll('~1', '/').replaceAll('~0', '~'));
}

export const escape = (key) => String(key).replaceAll('~', '~0').replaceAll('/', '~1');

function index(list, step, beyond) {
	const at = beyond && step === '-' ? list.length : /^(0|[1-9][0-9]*)$/.test(step) ? Number(step) : NaN;
	if (!(at < list.length + (beyond ? 1 : 0))) throw new Error(`no element ${step}`);
	return at;
}

function child(doc, step) {
	if (Array.isArray(doc)) return doc[index(doc, step, false)];
	if (!isObject(doc) || !own(doc, step)) throw new Error(`no member ${step}`);
	return doc[step];
}

export const at = (doc, path) => pointer(path).reduce(child, doc);

// A copy with one member that is another; "__proto__" is a name like any.
function with_(doc, key, value) {
	const copy = { ...doc };
	Object.defineProperty(copy, key, { value, enumerable: true, configurable: true, writable: true });
	return copy;
}

// The document in which `change` has been made to the container of the path's last step.
function edit(doc, steps, change) {
	const [step, ...rest] = steps;
	if (rest.length === 0) return change(doc, step);
	const inner = edit(child(doc, step), rest, change);
	return Array.isArray(doc) ? doc.with ? doc.with(Number(step), inner) : doc.map((v, i) => (i === Number(step) ? inner : v)) : with_(doc, step, inner);
}

function add(doc, path, value) {
	return path === '' ? value : edit(doc, pointer(path), (c, step) => {
		if (Array.isArray(c)) return [...c.slice(0, index(c, step, true)), value, ...c.slice(index(c, step, true))];
		if (!isObject(c)) throw new Error(`${path}: its parent has no members`);
		return with_(c, step, value);
	});
}

function remove(doc, path) {
	if (path === '') throw new Error('the root cannot be removed');
	return edit(doc, pointer(path), (c, step) => {
		child(c, step);
		if (Array.isArray(c)) return c.filter((_, i) => i !== Number(step));
		return Object.fromEntries(Object.entries(c).filter(([k]) => k !== step));
	});
}

function replace(doc, path, value) {
	return path === '' ? value : edit(doc, pointer(path), (c, step) => {
		child(c, step);
		return Array.isArray(c) ? c.map((v, i) => (i === Number(step) ? value : v)) : with_(c, step, value);
	});
}

export function equal(a, b) {
	if (a === b) return true;
	if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((v, i) => equal(v, b[i]));
	if (!isObject(a) || !isObject(b)) return false;
	const keys = Object.keys(a);
	return keys.length === Object.keys(b).length && keys.every((k) => own(b, k) && equal(a[k], b[k]));
}

function one(doc, op) {
	switch (op.op) {
	case 'add': return add(doc, op.path, op.value);
	case 'remove': return remove(doc, op.path);
	case 'replace': return replace(doc, op.path, op.value);
	case 'copy': return add(doc, op.path, at(doc, op.from));
	case 'move':
		if (`${op.path}/`.startsWith(`${op.from}/`) && op.path !== op.from) throw new Error('into itself');
		return op.path === op.from ? (at(doc, op.from), doc) : add(remove(doc, op.from), op.path, at(doc, op.from));
	case 'test':
		if (!equal(at(doc, op.path), op.value)) throw new Error(`${op.path} is another`);
		return doc;
	default: throw new Error(`no operation ${op.op}`);
	}
}

// All or nothing: throws when an operation does not apply.
export const apply = (doc, ops) => ops.reduce(one, doc);

// What makes b of a: not the shortest, but members and elements that are the same are left alone.
export function diff(a, b, path = '') {
	if (equal(a, b)) return [];
	if (!isObject(a) || !isObject(b)) {
		if (!Array.isArray(a) || !Array.isArray(b)) return [{ op: 'replace', path, value: b }];
		const ops = [];
		for (let i = 0; i < Math.min(a.length, b.length); i++) ops.push(...diff(a[i], b[i], `${path}/${i}`));
		for (let i = a.length - 1; i >= b.length; i--) ops.push({ op: 'remove', path: `${path}/${i}` });
		for (let i = a.length; i < b.length; i++) ops.push({ op: 'add', path: `${path}/-`, value: b[i] });
		return ops;
	}
	return [
		...Object.keys(a).filter((k) => !own(b, k)).map((k) => ({ op: 'remove', path: `${path}/${escape(k)}` })),
		...Object.keys(b).flatMap((k) => (own(a, k) ? diff(a[k], b[k], `${path}/${escape(k)}`) : [{ op: 'add', path: `${path}/${escape(k)}`, value: b[k] }])),
	];
}
