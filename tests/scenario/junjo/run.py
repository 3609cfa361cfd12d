# SPDX-License-Identifier: Apache-2.0
#
# Runs of Junjo's own SDK, of any of its generations, for tests/scenario/35-junjo-python.test.mjs: they are exported to the port that
# the environment names, and what they did is printed as one JSON object: for every change of a store its state after it and the span
# that was current.
import asyncio
import json
import os
import sys

from junjo import BaseState, BaseStore, Condition, Edge, Graph, Node, RunConcurrent, Subflow, Workflow
from junjo.telemetry.junjo_otel_exporter import JunjoOtelExporter
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

changes = []


async def did(store, action):
    context = trace.get_current_span().get_span_context()
    changes.append({"store": store.id, "action": action, "span_id": format(context.span_id, "016x"), "state": json.loads(await store.get_state_json())})


class OrderState(BaseState):
    items: list[dict] = []
    total: float = 0.0
    note: str | None = None
    seen: dict[str, int] = {}


class OrderStore(BaseStore[OrderState]):
    async def add_item(self, item):
        state = await self.get_state()
        await self.set_state({"items": [*state.items, item]})
        await did(self, "add_item")

    async def set_note(self, note):
        await self.set_state({"note": note})
        await did(self, "set_note")

    async def see(self, name):
        state = await self.get_state()
        await self.set_state({"seen": {**state.seen, name: state.seen.get(name, 0) + 1}})
        await did(self, "see")

    async def set_total(self, total):
        await self.set_state({"total": total})
        await did(self, "set_total")


class ParcelState(BaseState):
    weight: int = 0
    label: str = ""


class ParcelStore(BaseStore[ParcelState]):
    async def set_weight(self, weight):
        await self.set_state({"weight": weight})
        await did(self, "set_weight")

    async def set_label(self, label):
        await self.set_state({"label": label})
        await did(self, "set_label")


class Load(Node[OrderStore]):
    async def service(self, store):
        await store.add_item({"name": "żółć 🎉", "a/b~c": [1, None, True]})
        await store.add_item({"name": 'quo"ted', "price": 0.1})
        await store.set_note(None)


class AskModel(Node[OrderStore]):
    async def service(self, store):
        with trace.get_tracer("other").start_as_current_span("chat", kind=trace.SpanKind.CLIENT) as span:
            span.set_attribute("gen_ai.operation.name", "chat")
            span.set_attribute("gen_ai.provider.name", "nobody")
            await store.set_note("answered inside of the call\n")


class See(Node[OrderStore]):
    def __init__(self, who):
        super().__init__()
        self.who = who

    async def service(self, store):
        for _ in range(3):
            await store.see(self.who)
            await asyncio.sleep(0.001)


class Weigh(Node[ParcelStore]):
    async def service(self, store):
        await store.set_weight(12)


class Label(Node[ParcelStore]):
    async def service(self, store):
        await store.set_label("fragile")


class Ship(Subflow[ParcelState, ParcelStore, OrderState, OrderStore]):
    async def pre_run_actions(self, parent_store, *subflow_store):
        await (subflow_store[0] if subflow_store else self.store).set_weight(1)

    async def post_run_actions(self, parent_store, *subflow_store):
        await parent_store.set_total(99.5)


class Fail(Node[OrderStore]):
    async def service(self, store):
        await store.set_note("about to fail")
        raise RuntimeError("out of stock: ✗")


class Done(Node[OrderStore]):
    async def service(self, store):
        await store.see("Done")


class HasItems(Condition[OrderState]):
    def evaluate(self, state):
        return len(state.items) > 0


def graph_of(executables, condition=None):
    edges = [Edge(tail=a, head=b, condition=condition if i == 0 else None) for i, (a, b) in enumerate(zip(executables, executables[1:]))]
    try:
        return Graph(source=executables[0], sinks=[executables[-1]], edges=edges)
    except TypeError:
        return Graph(source=executables[0], sink=executables[-1], edges=edges)


def parcel_graph():
    return graph_of([Weigh(), Label()])


def order_graph():
    ship = Ship(graph_factory=parcel_graph, store_factory=lambda: ParcelStore(ParcelState()), name="Ship")
    return graph_of([Load(), AskModel(), RunConcurrent("Watchers", [See("a"), See("b")]), ship, Done()], HasItems())


def failing_graph():
    return graph_of([Load(), Fail(), Done()])


def exporter(endpoint):
    try:
        return JunjoOtelExporter(endpoint=endpoint, api_key="none", insecure=True)
    except TypeError:
        host, port = endpoint.rsplit(":", 1)
        return JunjoOtelExporter(host=host, port=port, api_key="none", insecure=True)


async def main():
    provider = TracerProvider(resource=Resource.create({"service.name": os.environ["JUNJO_SERVICE"]}))
    provider.add_span_processor(exporter(os.environ["JUNJO_ENDPOINT"]).span_processor)
    trace.set_tracer_provider(provider)
    runs = []
    for name, graph in (("Order", order_graph), ("Fails", failing_graph)):
        changes.clear()
        failure = None
        workflow = Workflow(graph_factory=graph, store_factory=lambda: OrderStore(OrderState()), name=name)
        with trace.get_tracer("web").start_as_current_span("POST /" + name, kind=trace.SpanKind.SERVER) as span:
            try:
                await workflow.execute()
            except Exception as e:
                failure = str(e)
            trace_id = format(span.get_span_context().trace_id, "032x")
        runs.append({"name": name, "trace_id": trace_id, "workflow_id": workflow.id, "failure": failure, "changes": list(changes)})
    provider.shutdown()
    return runs


# What the SDK prints is its own: ours goes to a file.
with open(sys.argv[1], "w") as out:
    json.dump(asyncio.run(main()), out)
