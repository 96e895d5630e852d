"""What one CustomResourceDefinition has to do with the others: who holds which name, and who waits for one.

`writing` and `removal` ask here when a definition comes, changes or goes.
"""

from __future__ import annotations

from fairway.cluster.api.backend import Backend
from fairway.cluster.api.custom import crds
from fairway.cluster.store.protocol import WrongRevision
from fairway.kernel.objects import conditions
from fairway.kernel.objects.kinds import CRD, Object


def established(backend: Backend, definition: Object) -> Object:
    """The definition as it is stored, beside those that are there."""
    return crds.established(definition, _all(backend), backend.now())


async def reconsider(backend: Backend, group: str) -> None:
    """Accept the definitions of the group whose names have become free."""
    for definition in _all(backend):
        if definition["spec"]["group"] == group and not conditions.is_true(definition, "NamesAccepted"):
            await _reconsider(backend, definition["metadata"]["name"])


async def _reconsider(backend: Backend, name: str) -> None:
    while record := backend.store.get(crds.key(name)):
        new = established(backend, record.object)
        if new["status"] == record.object.get("status"):
            return
        try:
            stored = await backend.store.update(record.key, new, record.revision)
        except WrongRevision as race:
            await backend.store.progress(race.current)
            continue
        backend.registry.put(name, crds.serve(stored.object))
        return


def _all(backend: Backend) -> list[Object]:
    return [record.object for record in backend.store.list(CRD.resource).records]
