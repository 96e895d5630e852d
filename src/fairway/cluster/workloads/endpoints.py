"""Keeps the EndpointSlices and Endpoints of every Service that selects pods. Decides in `endpoint_sets`.

A Service without a selector is left alone: its endpoints are somebody else's.
"""

from __future__ import annotations

from collections.abc import Iterable

from fairway.cluster.workloads import endpoint_sets
from fairway.kernel.control import children
from fairway.kernel.control.controller import Controller, World
from fairway.kernel.objects import errors, meta
from fairway.kernel.objects.kinds import ENDPOINT_SLICE, ENDPOINTS, POD, SERVICE, Object
from fairway.kernel.objects.meta import Key


def controller() -> Controller:
    book = _Selectors()
    return Controller(
        "endpoints",
        SERVICE,
        _Reconciler(book).reconcile,
        watches=((POD, book.services_of), (ENDPOINT_SLICE, _service_of_slice)),
        reads=(ENDPOINTS,),
    )


def _service_of_slice(obj: Object) -> Iterable[Key]:
    if meta.labels(obj).get(endpoint_sets.MANAGED_BY) == endpoint_sets.MANAGER:
        yield meta.namespace(obj), meta.labels(obj).get(endpoint_sets.SERVICE_NAME, "")


class _Selectors:
    """Which Services a pod belongs to, kept so that a pod's change costs a look at its namespace's Services."""

    def __init__(self) -> None:
        self._by_namespace: dict[str, dict[str, dict[str, str]]] = {}

    def note(self, namespace: str, name: str, selector: dict[str, str] | None) -> None:
        if selector:
            self._by_namespace.setdefault(namespace, {})[name] = selector
        else:
            self._by_namespace.get(namespace, {}).pop(name, None)

    def services_of(self, pod: Object) -> Iterable[Key]:
        namespace, labels = meta.namespace(pod), meta.labels(pod)
        for name, selector in self._by_namespace.get(namespace, {}).items():
            if selector.items() <= labels.items():
                yield namespace, name


class _Reconciler:
    def __init__(self, book: _Selectors) -> None:
        self._book = book

    async def reconcile(self, world: World, namespace: str, name: str) -> float | None:
        service = world.mirror(SERVICE).get(namespace, name)
        selector = _selector(service)
        self._book.note(namespace, name, selector)
        if service is None or not selector:
            return None
        selected = [pod for pod in world.mirror(POD).all(namespace) if selector.items() <= meta.labels(pod).items()]
        observed = world.mirror(ENDPOINT_SLICE).owned(service)
        desired = endpoint_sets.slices(service, selected)
        await children.apply(world.client, ENDPOINT_SLICE, service, desired, observed)
        await _write_legacy(world, endpoint_sets.legacy(service, selected))
        return None


def _selector(service: Object | None) -> dict[str, str] | None:
    if service is None or meta.being_deleted(service) or service["spec"].get("type") == "ExternalName":
        return None
    return service["spec"].get("selector") or None


async def _write_legacy(world: World, wanted: Object) -> None:
    name, namespace = meta.name(wanted), meta.namespace(wanted)
    found = world.mirror(ENDPOINTS).get(namespace, name)
    if found is None:
        try:
            await world.client.create(ENDPOINTS, wanted)
        except errors.AlreadyExists:
            await world.client.patch(ENDPOINTS, name, namespace, {"subsets": wanted["subsets"]})
    elif (found.get("subsets") or []) != wanted["subsets"]:
        await world.client.patch(ENDPOINTS, name, namespace, {"subsets": wanted["subsets"]})
