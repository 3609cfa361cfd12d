# SPDX-License-Identifier: Apache-2.0
"""
Makes the golden files beside it with Google's protobuf runtime: requests (*.pb), and for each the
rows that weir must decode from it (*.txt), written down here a second time and not with weir.
encoded_*.pb are weir's own (UPDATE=1 make test writes them); their rows are told here too.

    pip install opentelemetry-proto==1.45.2; python3 make.py
"""

import base64, math, os
from opentelemetry.proto.common.v1 import common_pb2 as C
from opentelemetry.proto.resource.v1 import resource_pb2 as R
from opentelemetry.proto.trace.v1 import trace_pb2 as T
from opentelemetry.proto.logs.v1 import logs_pb2 as L
from opentelemetry.proto.metrics.v1 import metrics_pb2 as M
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as CT
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as CL
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as CM

OUT = os.path.dirname(os.path.abspath(__file__))


def V(x):
    a = C.AnyValue()
    if x is None:
        return a
    if isinstance(x, bool):
        a.bool_value = x
    elif isinstance(x, int):
        a.int_value = x
    elif isinstance(x, float):
        a.double_value = x
    elif isinstance(x, str):
        a.string_value = x
    elif isinstance(x, bytes):
        a.bytes_value = x
    elif isinstance(x, list):
        a.array_value.SetInParent()
        for y in x:
            a.array_value.values.append(V(y))
    elif isinstance(x, dict):
        a.kvlist_value.SetInParent()
        for k, y in x.items():
            a.kvlist_value.values.append(C.KeyValue(key=k, value=V(y)))
    return a


def KV(d):
    return [C.KeyValue(key=k, value=V(v)) for k, v in d.items()]


# ---- typed JSON, straight from the messages
def jstr(s):
    o = '"'
    for ch in s:
        n = ord(ch)
        if ch in '"\\':
            o += "\\" + ch
        elif n < 0x20:
            o += {8: "\\b", 9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r"}.get(n, "\\u%04x" % n)
        else:
            o += ch
    return o + '"'


def jdbl(v):
    if math.isnan(v):
        return '{"$double":"NaN"}'
    if math.isinf(v):
        return '{"$double":"%sInfinity"}' % ("-" if v < 0 else "")
    return repr(v)


def jkey(k):
    return jstr("$" + k if k.startswith("$") else k)


def jval(a):
    w = a.WhichOneof("value")
    if w is None:
        return "null"
    x = getattr(a, w)
    if w == "string_value":
        return jstr(x)
    if w == "bool_value":
        return "true" if x else "false"
    if w == "int_value":
        return str(x)
    if w == "double_value":
        return jdbl(x)
    if w == "bytes_value":
        return '{"$bytes":"%s"}' % base64.b64encode(x).decode()
    if w == "array_value":
        return "[" + ",".join(jval(y) for y in x.values) + "]"
    return "{" + ",".join(jkey(k.key) + ":" + jval(k.value) for k in x.values) + "}"


def jattrs(l):
    return None if not l else "{" + ",".join(jkey(k.key) + ":" + jval(k.value) for k in l) + "}"


def obj(*pairs):
    return "{" + ",".join('"%s":%s' % (k, v) for k, v in pairs if v) + "}"


def arr(l):
    return None if not l else "[" + ",".join(l) + "]"


def opt_str(s):
    return jstr(s) if s else None


def opt_int(n):
    return str(n) if n else None


def opt_id(b):
    return jstr(b.hex()) if b and any(b) else None


def events(l):
    return arr(
        [
            obj(
                ("t", str(e.time_unix_nano)),
                ("name", jstr(e.name)),
                ("attributes", jattrs(e.attributes)),
                ("dropped", opt_int(e.dropped_attributes_count)),
            )
            for e in l
        ]
    )


def links(l):
    return arr(
        [
            obj(
                ("trace_id", opt_id(k.trace_id)),
                ("span_id", opt_id(k.span_id)),
                ("trace_state", opt_str(k.trace_state)),
                ("attributes", jattrs(k.attributes)),
                ("dropped", opt_int(k.dropped_attributes_count)),
                ("flags", opt_int(k.flags)),
            )
            for k in l
        ]
    )


def exemplars(l):
    def val(x):
        w = x.WhichOneof("value")
        return None if w is None else str(x.as_int) if w == "as_int" else jdbl(x.as_double)

    return arr(
        [
            obj(
                ("t", opt_int(x.time_unix_nano)),
                ("value", val(x)),
                ("trace_id", opt_id(x.trace_id)),
                ("span_id", opt_id(x.span_id)),
                ("attributes", jattrs(x.filtered_attributes)),
            )
            for x in l
        ]
    )


def keys(l):
    return arr([jstr(k) for k in l])


def entities(l):
    return arr(
        [
            obj(
                ("schema_url", opt_str(x.schema_url)),
                ("type", opt_str(x.type)),
                ("id_keys", keys(x.id_keys)),
                ("description_keys", keys(x.description_keys)),
            )
            for x in l
        ]
    )


# ---- the dump
def show(v):
    if v is None:
        return "NULL"
    if isinstance(v, bool):
        return "true" if v else "false"
    if isinstance(v, float):
        return ("%.17g" % v).replace("-nan", "nan")
    if isinstance(v, list):
        return "[" + ",".join(show(x) for x in v) + "]"
    return str(v)


def row(table, **cols):
    return [table] + ["\t%s=%s" % (k, show(v)) for k, v in cols.items()]


def hi(b):
    return int.from_bytes(b[:8], "big")


def lo(b):
    return int.from_bytes(b[8:], "big")


TEN, SEQ, RECV = "acme", 77, 1795187531000000999


def service(res):
    for k in res.attributes:
        if (
            k.key == "service.name"
            and k.value.WhichOneof("value") == "string_value"
            and k.value.string_value
        ):
            return k.value.string_value
    return "unknown"


def resources(rs):
    seen, out = [], []
    for r in rs:
        c = row(
            "resources",
            tenant=TEN,
            service=service(r.resource),
            attributes=jattrs(r.resource.attributes),
            dropped_attributes=r.resource.dropped_attributes_count,
            schema_url=r.schema_url,
            entity_refs=entities(r.resource.entity_refs),
        )
        if c not in seen:
            seen.append(c)
    for c in seen:
        out += c
    return out


def scopes(ss):
    seen, out = [], []
    for s in ss:
        c = row(
            "scopes",
            tenant=TEN,
            name=s.scope.name,
            version=s.scope.version,
            attributes=jattrs(s.scope.attributes),
            dropped_attributes=s.scope.dropped_attributes_count,
            schema_url=s.schema_url,
        )
        if c not in seen:
            seen.append(c)
    for c in seen:
        out += c
    return out


def wrap64(n):
    n &= 2**64 - 1
    return n - 2**64 if n >= 2**63 else n


def save(name, msg, lines):
    open(f"{OUT}/{name}.pb", "wb").write(msg.SerializeToString())
    open(f"{OUT}/{name}.txt", "w").write("\n".join(lines) + "\n")


BIG = {
    "service.name": "kasse \u2603",
    "n": -9223372036854775808,
    "m": 9223372036854775807,
    "f": 1.0,
    "tiny": 5e-324,
    "neg0": -0.0,
    "third": 1 / 3,
    "nan": float("nan"),
    "inf": float("inf"),
    "-inf": float("-inf"),
    "huge": 1.7976931348623157e308,
    "pow2": 2.0**-44,
    "yes": True,
    "no": False,
    "raw": bytes(range(256)),
    "b0": b"",
    "b1": b"\xff",
    "empty": "",
    "unset": None,
    "list": [1, "two", 3.5, None, [], {}, [True, [b"x"]]],
    "map": {"a": {"$bytes": "AA==", "$double": "NaN", "$$x": 1, "": 0}, "l": [{}, {"k": []}]},
    "$dollar": "d",
    "": "no key",
    'q"uo\\te': 'tab\there\nline\r\x01\x1f\x7f "q" \\ </script> \u2028 \U0001f600',
    "e": 1e22,
    "e2": 123456789012345680.0,
    "k": 1e21,
    "s": 0.00001234,
    "t": 1.5e-7,
}
RES = R.Resource(
    attributes=KV(BIG),
    dropped_attributes_count=4294967295,
    entity_refs=[
        C.EntityRef(
            schema_url="https://e/1",
            type="service",
            id_keys=["service.name", 'x"y'],
            description_keys=["n"],
        ),
        C.EntityRef(type="host", id_keys=["h"]),
        C.EntityRef(),
    ],
)
RES2 = R.Resource(attributes=KV({"service.name": 12, "host": "b"}))
SC = C.InstrumentationScope(
    name="lib",
    version="1.2",
    attributes=KV({"s": 1, "deep": [[["x"]]]}),
    dropped_attributes_count=3,
)
TID, SID, PID = (
    bytes.fromhex("5b8efff798038103d269b633813fc60c"),
    bytes.fromhex("eee19b7ec3c1b174"),
    bytes.fromhex("eee19b7ec3c1b173"),
)


# ---- traces
def traces():
    sp = [
        T.Span(
            trace_id=TID,
            span_id=SID,
            parent_span_id=PID,
            trace_state="a=1,b=2",
            flags=0x301,
            name="GET \u00fc/{id}",
            kind=2,
            start_time_unix_nano=1544712660000000001,
            end_time_unix_nano=1544712661000000003,
            attributes=KV(BIG),
            dropped_attributes_count=1,
            dropped_events_count=2,
            dropped_links_count=3,
            status=T.Status(message='bad "thing"', code=2),
            events=[
                T.Span.Event(
                    time_unix_nano=18446744073709551615,
                    name="exception",
                    attributes=KV({"exception.type": "E", "stack": ["a", "b"]}),
                    dropped_attributes_count=5,
                ),
                T.Span.Event(),
                T.Span.Event(name='x"'),
            ],
            links=[
                T.Span.Link(
                    trace_id=TID,
                    span_id=PID,
                    trace_state="z=1",
                    attributes=KV({"l": 1.0}),
                    dropped_attributes_count=9,
                    flags=0x100,
                ),
                T.Span.Link(),
                T.Span.Link(trace_id=bytes(16), span_id=bytes(8), flags=1),
            ],
        ),
        T.Span(
            trace_id=TID,
            span_id=PID,
            name="",
            kind=-7,
            start_time_unix_nano=10,
            end_time_unix_nano=3,
            status=T.Status(code=1),
        ),
        T.Span(
            trace_id=bytes(15) + b"\1",
            span_id=bytes(7) + b"\2",
            parent_span_id=bytes(8),
            kind=99,
            start_time_unix_nano=18446744073709551615,
            end_time_unix_nano=0,
        ),
    ]
    req = CT.ExportTraceServiceRequest(
        resource_spans=[
            T.ResourceSpans(
                resource=RES,
                schema_url="https://s/r",
                scope_spans=[
                    T.ScopeSpans(scope=SC, schema_url="https://s/s", spans=sp[:2]),
                    T.ScopeSpans(spans=[sp[2]]),
                    T.ScopeSpans(scope=SC),
                ],
            ),
            T.ResourceSpans(
                resource=RES2,
                scope_spans=[T.ScopeSpans(scope=SC, schema_url="https://s/s", spans=[sp[0]])],
            ),
            T.ResourceSpans(scope_spans=[T.ScopeSpans(spans=[sp[1]])]),
            T.ResourceSpans(resource=R.Resource(attributes=KV({"no": "items"}))),
        ]
    )
    save("traces", req, dump_traces(req))


def dump_traces(req):
    lines, n = [], 0
    for r in req.resource_spans:
        for s in r.scope_spans:
            for x in s.spans:
                lines += row(
                    "spans",
                    tenant=TEN,
                    seq=SEQ,
                    ord=n,
                    trace_hi=hi(x.trace_id),
                    trace_lo=lo(x.trace_id),
                    span_id=hi(x.span_id),
                    parent_id=hi(x.parent_span_id),
                    start_ns=x.start_time_unix_nano,
                    duration_ns=wrap64(x.end_time_unix_nano - x.start_time_unix_nano),
                    service=service(r.resource),
                    name=x.name,
                    kind=x.kind,
                    status_code=x.status.code,
                    status_message=x.status.message,
                    trace_state=x.trace_state,
                    flags=x.flags,
                    attributes=jattrs(x.attributes),
                    dropped_attributes=x.dropped_attributes_count,
                    events=events(x.events),
                    dropped_events=x.dropped_events_count,
                    links=links(x.links),
                    dropped_links=x.dropped_links_count,
                )
                n += 1
    return (
        lines
        + resources([r for r in req.resource_spans if any(s.spans for s in r.scope_spans)])
        + scopes([s for r in req.resource_spans for s in r.scope_spans if s.spans])
    )


def logs():
    bodies = [
        'text with \x00 and "quotes"',
        "",
        None,
        42,
        -1.5,
        True,
        b"\x00\x01",
        ["a", {"b": [None]}],
        {"k": "v", "$bytes": "q"},
        "unset",
    ]
    ls = []
    for i, b in enumerate(bodies):
        x = L.LogRecord(
            time_unix_nano=1000 + i if i % 3 else 0,
            observed_time_unix_nano=5000 + i if i % 2 else 0,
            severity_number=[17, 0, 24, 1][i % 4],
            severity_text=["ERROR", "", "Fatal\u00e9"][i % 3],
            attributes=KV({"i": i, "nested": {"x": [i]}}) if i % 2 == 0 else [],
            dropped_attributes_count=i,
            flags=i * 3,
            trace_id=TID if i % 4 == 1 else bytes(16) if i == 2 else b"",
            span_id=SID if i % 4 == 1 else bytes(8) if i == 2 else b"",
            event_name="ev.%d" % i if i > 6 else "",
        )
        if b != "unset":
            x.body.CopyFrom(V(b))
        ls.append(x)
    req = CL.ExportLogsServiceRequest(
        resource_logs=[
            L.ResourceLogs(
                resource=RES2,
                scope_logs=[
                    L.ScopeLogs(scope=SC, log_records=ls[:5]),
                    L.ScopeLogs(log_records=ls[5:], schema_url="u"),
                ],
            )
        ]
    )
    save("logs", req, dump_logs(req))


def dump_logs(req):
    lines, n = [], 0
    for r in req.resource_logs:
        for s in r.scope_logs:
            for x in s.log_records:
                kind = (
                    0
                    if not x.HasField("body")
                    else 1 if x.body.WhichOneof("value") == "string_value" else 2
                )
                lines += row(
                    "logs",
                    tenant=TEN,
                    seq=SEQ,
                    ord=n,
                    event_ns=x.time_unix_nano or x.observed_time_unix_nano or RECV,
                    time_ns=x.time_unix_nano,
                    observed_ns=x.observed_time_unix_nano,
                    trace_hi=hi(x.trace_id),
                    trace_lo=lo(x.trace_id),
                    span_id=hi(x.span_id),
                    service=service(r.resource),
                    severity_number=x.severity_number,
                    severity_text=x.severity_text,
                    body=[None, x.body.string_value, jval(x.body)][kind],
                    body_kind=kind,
                    event_name=x.event_name,
                    flags=x.flags,
                    attributes=jattrs(x.attributes),
                    dropped_attributes=x.dropped_attributes_count,
                )
                n += 1
    return (
        lines
        + resources(req.resource_logs)
        + scopes([s for r in req.resource_logs for s in r.scope_logs])
    )


def metrics():
    ex = [
        M.Exemplar(
            time_unix_nano=5,
            as_double=2.5,
            trace_id=TID,
            span_id=SID,
            filtered_attributes=KV({"f": "x"}),
        ),
        M.Exemplar(as_int=-3),
        M.Exemplar(),
        M.Exemplar(time_unix_nano=9, as_double=0.0),
        M.Exemplar(as_int=0),
    ]
    A = KV({"host": "a", "code": 200})
    N = M.NumberDataPoint
    ms = [
        M.Metric(
            name="g",
            description="a gauge",
            unit="By",
            metadata=KV({"m": [1], "x": "y"}),
            gauge=M.Gauge(
                data_points=[
                    N(
                        attributes=A,
                        start_time_unix_nano=1,
                        time_unix_nano=2,
                        as_double=-0.0,
                        exemplars=ex,
                        flags=0,
                    ),
                    N(time_unix_nano=3, as_int=-9223372036854775808),
                    N(time_unix_nano=4, flags=1),
                    N(as_double=float("nan")),
                ]
            ),
        ),
        M.Metric(
            name="s",
            unit="1",
            sum=M.Sum(
                data_points=[N(attributes=A, time_unix_nano=2, as_int=0), N(as_double=1e300)],
                aggregation_temporality=2,
                is_monotonic=True,
            ),
        ),
        M.Metric(
            name="h",
            histogram=M.Histogram(
                aggregation_temporality=1,
                data_points=[
                    M.HistogramDataPoint(
                        attributes=A,
                        start_time_unix_nano=7,
                        time_unix_nano=8,
                        count=18446744073709551615,
                        sum=0.0,
                        min=-1.0,
                        max=9.5,
                        bucket_counts=[1, 2, 18446744073709551615],
                        explicit_bounds=[-0.0, 1e-300],
                        exemplars=ex[:2],
                        flags=2,
                    ),
                    M.HistogramDataPoint(time_unix_nano=9),
                ],
            ),
        ),
        M.Metric(
            name="e",
            exponential_histogram=M.ExponentialHistogram(
                aggregation_temporality=2,
                data_points=[
                    M.ExponentialHistogramDataPoint(
                        attributes=A,
                        start_time_unix_nano=1,
                        time_unix_nano=2,
                        count=5,
                        sum=-1.5,
                        scale=-10,
                        zero_count=3,
                        positive=M.ExponentialHistogramDataPoint.Buckets(
                            offset=-2147483648, bucket_counts=[0, 1, 300, 18446744073709551615]
                        ),
                        negative=M.ExponentialHistogramDataPoint.Buckets(offset=2147483647),
                        flags=1,
                        exemplars=ex[1:2],
                        min=-4.0,
                        max=4.0,
                        zero_threshold=0.001,
                    ),
                    M.ExponentialHistogramDataPoint(scale=20),
                ],
            ),
        ),
        M.Metric(
            name="u",
            summary=M.Summary(
                data_points=[
                    M.SummaryDataPoint(
                        attributes=A,
                        start_time_unix_nano=1,
                        time_unix_nano=2,
                        count=3,
                        sum=6.5,
                        quantile_values=[
                            M.SummaryDataPoint.ValueAtQuantile(quantile=0.0, value=1.0),
                            M.SummaryDataPoint.ValueAtQuantile(quantile=0.5),
                            M.SummaryDataPoint.ValueAtQuantile(quantile=1.0, value=float("inf")),
                        ],
                        flags=1,
                    ),
                    M.SummaryDataPoint(),
                ]
            ),
        ),
        M.Metric(name="nothing"),
        M.Metric(name="no points", gauge=M.Gauge()),
    ]
    req = CM.ExportMetricsServiceRequest(
        resource_metrics=[
            M.ResourceMetrics(
                resource=RES,
                schema_url="r",
                scope_metrics=[M.ScopeMetrics(scope=SC, metrics=ms, schema_url="s")],
            )
        ]
    )
    save("metrics", req, dump_metrics(req))


def dump_metrics(req):
    lines, n = [], 0
    for r in req.resource_metrics:
        for s in r.scope_metrics:
            for m in s.metrics:
                w = m.WhichOneof("data")
                if not w:
                    continue
                d = getattr(m, w)
                ty = ["gauge", "sum", "histogram", "exponential_histogram", "summary"].index(w) + 1
                for p in d.data_points:
                    c = dict(
                        value=None,
                        value_int=None,
                        count=None,
                        sum=None,
                        min=None,
                        max=None,
                        explicit_bounds=None,
                        bucket_counts=None,
                        scale=None,
                        zero_count=None,
                        zero_threshold=None,
                        positive_offset=None,
                        positive_counts=None,
                        negative_offset=None,
                        negative_counts=None,
                        quantiles=None,
                        quantile_values=None,
                    )
                    if ty <= 2:
                        v = p.WhichOneof("value")
                        if v == "as_int":
                            c["value_int"] = p.as_int
                        elif v:
                            c["value"] = p.as_double
                    else:
                        c["count"] = p.count
                        if ty == 5:
                            c["sum"] = p.sum
                        else:
                            for k in "sum", "min", "max":
                                if p.HasField(k):
                                    c[k] = getattr(p, k)
                    if ty == 3:
                        c["explicit_bounds"] = list(p.explicit_bounds)
                        c["bucket_counts"] = list(p.bucket_counts)
                    if ty == 4:
                        c["scale"] = p.scale
                        c["zero_count"] = p.zero_count
                        c["zero_threshold"] = p.zero_threshold
                        for k in "positive", "negative":
                            if p.HasField(k):
                                c[k + "_offset"] = getattr(p, k).offset
                                c[k + "_counts"] = list(getattr(p, k).bucket_counts)
                    if ty == 5:
                        c["quantiles"] = [q.quantile for q in p.quantile_values]
                        c["quantile_values"] = [q.value for q in p.quantile_values]
                    lines += row(
                        "points",
                        tenant=TEN,
                        seq=SEQ,
                        ord=n,
                        time_ns=p.time_unix_nano,
                        start_ns=p.start_time_unix_nano,
                        service=service(r.resource),
                        name=m.name,
                        description=m.description,
                        unit=m.unit,
                        metadata=jattrs(m.metadata),
                        type=ty,
                        temporality=getattr(d, "aggregation_temporality", 0),
                        is_monotonic=getattr(d, "is_monotonic", False),
                        attributes=jattrs(p.attributes),
                        flags=p.flags,
                        **c,
                        exemplars=exemplars(getattr(p, "exemplars", [])),
                    )
                    n += 1
    return (
        lines
        + resources(req.resource_metrics)
        + scopes([s for r in req.resource_metrics for s in r.scope_metrics])
    )


traces()
logs()
metrics()
for k, t, d in (
    ("traces", CT.ExportTraceServiceRequest, dump_traces),
    ("logs", CL.ExportLogsServiceRequest, dump_logs),
    ("metrics", CM.ExportMetricsServiceRequest, dump_metrics),
):
    m = t()
    m.ParseFromString(open(f"{OUT}/encoded_{k}.pb", "rb").read())
    assert m.SerializeToString(), k
    open(f"{OUT}/encoded_{k}.txt", "w").write("\n".join(d(m)) + "\n")
