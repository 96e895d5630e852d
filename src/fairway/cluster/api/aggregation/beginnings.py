"""What is there before anybody asks: an APIService for each built-in group version, and what extension servers read.

As upstream, these are made and mended at each start, in one group commit; those of custom resources follow their
definitions (`cluster.workloads.api_services`). An APIService without a Service changes nothing: it tells what is so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator

from fairway.cluster.api import objectmeta
from fairway.cluster.api.aggregation import priorities
from fairway.cluster.api.identity import front_proxy
from fairway.cluster.api.identity.front_proxy import FrontProxy
from fairway.cluster.api.registry import Served
from fairway.cluster.store.protocol import Key, Store, WrongRevision
from fairway.kernel.objects import api_services, conditions
from fairway.kernel.objects.kinds import API_SERVICE, CONFIG_MAP, ROLE, Kind, Object


async def make(store: Store, served: Iterable[Served], front: FrontProxy | None, now: str) -> None:
    wanted = [(API_SERVICE, service, "spec") for service in _local(served, now)]
    if front is not None:
        wanted += [(CONFIG_MAP, front.published(), "data"), (ROLE, front_proxy.reader(), "rules")]
    await asyncio.gather(*(_keep(store, *each, now) for each in wanted))


def _local(served: Iterable[Served], now: str) -> Iterator[Object]:
    kinds = (one.resource.kind for one in served if one.definition is None)
    for group, version in sorted({(kind.group, kind.version) for kind in kinds} - {priorities.OWN}):
        priority = priorities.built_in(group, version)
        service = api_services.local(group, version, *priority, api_services.AT_START)
        yield {**service, "status": {"conditions": conditions.merged((), now, api_services.LOCAL)}}


async def _keep(store: Store, kind: Kind, wanted: Object, part: str, now: str) -> None:
    """`part` is what counts of it: there it is brought back to what it should be."""
    namespace = str(wanted["metadata"].get("namespace") or "")
    key = Key(kind.resource, namespace, wanted["metadata"]["name"])
    while True:
        record = store.get(key)
        try:
            if record is None:
                metadata = objectmeta.born(wanted["metadata"], namespace, now)
                metadata.pop("generation")
                await store.create(key, {**wanted, "metadata": metadata})
            elif record.object.get(part) != wanted[part]:
                changed = {name: wanted[name] for name in (part, "status") if name in wanted}
                await store.update(key, {**record.object, **changed}, record.revision)
            return
        except WrongRevision as race:
            await store.progress(race.current)
