# SPDX-License-Identifier: Apache-2.0
# Makes what the tests of otlp/json.c compare with, by another's work: Google's protobuf and the
# classes of opentelemetry-proto. Not run by the tests. Once:
#     pip install protobuf opentelemetry-proto==1.45.2 && python3 make.py
import base64, json
from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

REQUESTS = {
    "example-trace": ExportTraceServiceRequest, "example-logs": ExportLogsServiceRequest,
    "example-events": ExportLogsServiceRequest, "example-metrics": ExportMetricsServiceRequest,
    "all-traces": ExportTraceServiceRequest, "all-logs": ExportLogsServiceRequest,
    "all-metrics": ExportMetricsServiceRequest,
}
IDS = ("traceId", "spanId", "parentSpanId")


def plain_json(value):
    """OTLP/JSON has ids in hex, protobuf's JSON mapping in base64."""
    if isinstance(value, list):
        return [plain_json(v) for v in value]
    if not isinstance(value, dict):
        return value
    return {k: base64.b64encode(bytes.fromhex(v)).decode() if k in IDS else plain_json(v) for k, v in value.items()}


for name, request in REQUESTS.items():
    with open(name + ".json") as f:
        text = json.dumps(plain_json(json.load(f)))
    message = json_format.Parse(text, request(), ignore_unknown_fields=True)
    with open(name + ".pb", "wb") as f:
        f.write(message.SerializeToString(deterministic=True))

types = {v: k[5:].lower() for k, v in vars(FieldDescriptor).items() if k.startswith("TYPE_")}
lines, seen = set(), set()


def list_fields(message):
    if message in seen:
        return
    seen.add(message)
    for f in message.fields:
        if f.name.endswith("_strindex"):
            continue
        kind = f.message_type.name if f.message_type else "id" if f.json_name in IDS else types[f.type]
        presence = " presence" if f.containing_oneof and not f.message_type else ""
        lines.add(f"{message.name}.{f.json_name} {f.number} {kind}{' repeated' if f.is_repeated else ''}{presence}\n")
        if f.message_type:
            list_fields(f.message_type)


for request in REQUESTS.values():
    list_fields(request.DESCRIPTOR)
with open("fields.txt", "w") as f:
    f.writelines(sorted(lines))
