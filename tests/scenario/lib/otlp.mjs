// SPDX-License-Identifier: Apache-2.0
//
// OTLP's traces and Junjo's internal services as protobufjs knows them from the text below, and a client of the latter: a
// reader of weir's bytes that shares nothing with weir.
import { sdk } from './weir.mjs';

const protobuf = sdk('protobufjs');
const grpc = sdk('@grpc/grpc-js');

const { root } = protobuf.parse(`
syntax = "proto3";
message AnyValue { oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4;
	ArrayValue array_value = 5; KeyValueList kvlist_value = 6; bytes bytes_value = 7; } }
message ArrayValue { repeated AnyValue values = 1; }
message KeyValueList { repeated KeyValue values = 1; }
message KeyValue { string key = 1; AnyValue value = 2; }
message InstrumentationScope { string name = 1; string version = 2; repeated KeyValue attributes = 3; uint32 dropped_attributes_count = 4; }
message EntityRef { string schema_url = 1; string type = 2; repeated string id_keys = 3; repeated string description_keys = 4; }
message Resource { repeated KeyValue attributes = 1; uint32 dropped_attributes_count = 2; repeated EntityRef entity_refs = 3; }
message Status { string message = 2; int32 code = 3; }
message Event { fixed64 time_unix_nano = 1; string name = 2; repeated KeyValue attributes = 3; uint32 dropped_attributes_count = 4; }
message Link { bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; repeated KeyValue attributes = 4;
	uint32 dropped_attributes_count = 5; fixed32 flags = 6; }
message Span { bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; bytes parent_span_id = 4; fixed32 flags = 16;
	string name = 5; int32 kind = 6; fixed64 start_time_unix_nano = 7; fixed64 end_time_unix_nano = 8; repeated KeyValue attributes = 9;
	uint32 dropped_attributes_count = 10; repeated Event events = 11; uint32 dropped_events_count = 12; repeated Link links = 13;
	uint32 dropped_links_count = 14; Status status = 15; }
message ScopeSpans { InstrumentationScope scope = 1; repeated Span spans = 2; string schema_url = 3; }
message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; string schema_url = 3; }
message ExportTraceServiceRequest { repeated ResourceSpans resource_spans = 1; }

message ReadSpansRequest { bytes start_key_ulid = 1; uint32 batch_size = 2; }
message ReadSpansResponse { bytes key_ulid = 1; bytes span_bytes = 2; bytes resource_bytes = 3; uint64 remaining_count = 4;
	bytes scope_bytes = 5; string resource_schema_url = 6; string scope_schema_url = 7; }
message ValidateApiKeyRequest { string api_key = 1; }
message ValidateApiKeyResponse { bool is_valid = 1; }
`, { keepCase: true });

export const type = (name) => root.lookupType(name);
export const encode = (name, object) => Buffer.from(type(name).encode(type(name).fromObject(object)).finish());
// As a plain object: numbers of 64 bits as decimals, bytes as hex. Zeros and what is empty are left out, as proto3 does not tell them
// from what is not there; but for the value of an attribute, which is what it is.
export function decode(name, bytes) {
	const plain = type(name).toObject(type(name).decode(bytes), { longs: String, bytes: Array, json: true });
	return JSON.parse(JSON.stringify(plain), (key, v) => {
		const value = bytesFields.has(key) && Array.isArray(v) ? Buffer.from(v).toString('hex') : v;
		const nothing = value === '' || value === 0 || value === '0' || (Array.isArray(value) && value.length === 0);
		return nothing && !key.endsWith('_value') ? undefined : value;
	});
}
const bytesFields = new Set(['trace_id', 'span_id', 'parent_span_id', 'bytes_value']);
// What the object is once it has been through protobuf.
export const normal = (name, object) => decode(name, encode(name, object));

// A client of Junjo's internal services.
export class Reader {
	constructor(address, headers = {}) {
		this.client = new grpc.Client(address, grpc.credentials.createInsecure());
		this.metadata = new grpc.Metadata();
		for (const [k, v] of Object.entries(headers)) this.metadata.set(k, v);
	}

	// The messages of one answer. onMessage(message) may say true: then the call is dropped. Rejects with grpc's error,
	// whose `messages` are those that had come.
	read(key = Buffer.alloc(0), batch = 0, { onMessage = () => false, timeout = 60000 } = {}) {
		const messages = [];
		return new Promise((done, failed) => {
			const call = this.client.makeServerStreamRequest('/ingestion.InternalIngestionService/ReadSpans',
				(o) => encode('ReadSpansRequest', o), (b) => type('ReadSpansResponse').decode(b),
				{ start_key_ulid: key, batch_size: batch }, this.metadata, { deadline: Date.now() + timeout });
			call.on('data', (m) => {
				messages.push({ key: Buffer.from(m.key_ulid), span: Buffer.from(m.span_bytes), resource: Buffer.from(m.resource_bytes),
					scope: Buffer.from(m.scope_bytes), resourceUrl: m.resource_schema_url, scopeUrl: m.scope_schema_url, remaining: Number(m.remaining_count) });
				if (onMessage(messages.at(-1))) call.cancel();
			});
			call.on('error', (error) => failed(Object.assign(error, { messages })));
			call.on('end', () => done(messages));
		});
	}

	// The spans of one answer, and its last message.
	async page(key, batch) {
		const messages = await this.read(key, batch);
		return { spans: messages.slice(0, -1), last: messages.at(-1) };
	}

	// Until nothing remains.
	async drain(key = Buffer.alloc(0), batch = 1000, spans = []) {
		for (;;) {
			const page = await this.page(key, batch);
			spans.push(...page.spans);
			key = page.last.key;
			if (page.last.remaining === 0) return spans;
		}
	}

	validate(key) {
		return new Promise((done, failed) => this.client.makeUnaryRequest('/ingestion.InternalAuthService/ValidateApiKey',
			(o) => encode('ValidateApiKeyRequest', o), (b) => type('ValidateApiKeyResponse').decode(b).is_valid,
			{ api_key: key }, this.metadata, { deadline: Date.now() + 60000 }, (error, valid) => (error ? failed(error) : done(valid))));
	}

	close() {
		this.client.close();
	}
}
