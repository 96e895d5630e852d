"""What pods and nodes use, asked of the node agent at the moment (metrics.k8s.io). Nothing of it is stored."""

from __future__ import annotations

from fairway.cluster.api import reading
from fairway.cluster.api.backend import Backend
from fairway.cluster.api.calls import Call, Reply
from fairway.cluster.api.pods.measures import Measures, Usage
from fairway.kernel import clock
from fairway.kernel.objects import errors, meta
from fairway.kernel.objects.kinds import NODE, NODE_METRICS, POD, POD_METRICS, Object


def answer(backend: Backend, call: Call) -> Reply:
    if backend.measures is None:
        raise errors.Unavailable("nothing is measured here: there is no node agent in this server")
    kind = call.served.resource.kind
    items = [one for one in _items(backend, backend.measures, kind == NODE_METRICS) if _is_asked_for(call, one)]
    if call.name:
        if not items:
            raise errors.NotFound(f'{kind.plural}.{kind.group} "{call.name}" not found')
        return Reply(items[0], served=call.served)
    head = {"kind": f"{kind.kind}List", "apiVersion": kind.api_version, "metadata": {}}
    return Reply(head, served=call.served, items=items)


def _is_asked_for(call: Call, item: Object) -> bool:
    test = reading.selection(call)
    return (not call.namespace or meta.namespace(item) == call.namespace) and (test is None or test(item))


def _items(backend: Backend, measures: Measures, nodes: bool) -> list[Object]:
    now = clock.timestamp(backend.clock.now())
    if nodes:
        used = measures.nodes()
        found = [record.object for record in backend.store.list(NODE.resource).records]
        return [
            _item(NODE_METRICS.new(meta.name(one)), one, now, usage.window) | {"usage": _wire(usage)}
            for one in found
            if (usage := used.get(meta.name(one)))
        ]
    by_pod = measures.pods()
    items = []
    for record in backend.store.list(POD.resource).records:
        if containers := by_pod.get(meta.uid(record.object)):
            window = max(usage.window for usage in containers.values())
            item = _item(POD_METRICS.new(*reversed(meta.key(record.object))), record.object, now, window)
            listed = [{"name": name, "usage": _wire(usage)} for name, usage in sorted(containers.items())]
            items.append({**item, "containers": listed})
    return items


def _item(item: Object, of: Object, now: str, window: float) -> Object:
    metadata = {**item["metadata"], "labels": meta.labels(of), "creationTimestamp": now}
    return {**item, "metadata": metadata, "timestamp": now, "window": f"{window:.3f}s"}


def _wire(usage: Usage) -> Object:
    return {"cpu": f"{round(usage.cpu * 1e9)}n", "memory": f"{usage.memory // 1024}Ki"}
