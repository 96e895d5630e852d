"""At each start: the roles and bindings that are always there, made where they are missing, mended where they are not.

As upstream does it: what an administrator has added stays, what was taken away comes back, unless the object's
annotation rbac.authorization.kubernetes.io/autoupdate says false. What is right is not written, so that a start after
the first writes nothing; what is wrong is written at once, in one group commit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence

from fairway.cluster.api import objectmeta
from fairway.cluster.api.authorizing import bootstrap_roles
from fairway.cluster.api.authorizing.rules import Rule, uncovered
from fairway.cluster.api.resources import Resource
from fairway.cluster.store.protocol import Key, Record, Store, WrongRevision
from fairway.kernel.objects.kinds import CLUSTER_ROLE, CLUSTER_ROLE_BINDING, Kind, Object


async def reconcile(store: Store, served: Sequence[Resource], now: str) -> None:
    roles = [_write(store, CLUSTER_ROLE, obj, _mended_role, now) for obj in bootstrap_roles.roles(served)]
    bindings = [_write(store, CLUSTER_ROLE_BINDING, obj, _mended_binding, now) for obj in bootstrap_roles.bindings()]
    await asyncio.gather(*roles, *bindings)


async def _write(
    store: Store, kind: Kind, wanted: Object, mended: Callable[[Object, Object], Object], now: str
) -> None:
    key = Key(kind.resource, "", wanted["metadata"]["name"])
    while True:
        record = store.get(key)
        try:
            if record is None:
                await store.create(key, _born(wanted, now))
            else:
                await _mend(store, record, wanted, mended, now)
            return
        except WrongRevision as race:
            await store.progress(race.current)


async def _mend(
    store: Store, record: Record, wanted: Object, mended: Callable[[Object, Object], Object], now: str
) -> None:
    annotations = record.object["metadata"].get("annotations") or {}
    if annotations.get(bootstrap_roles.AUTOUPDATE) == "false":
        return
    new = {**mended(record.object, wanted), "metadata": _metadata(record.object["metadata"], wanted["metadata"])}
    if new == record.object:
        return
    if new.get("roleRef") != record.object.get("roleRef"):  # a binding never changes its role: it is another one then
        await store.delete(record.key, record.revision)
        await store.create(record.key, _born(wanted, now))
    else:
        await store.update(record.key, new, record.revision)


def _born(wanted: Object, now: str) -> Object:
    metadata = objectmeta.born(wanted["metadata"], "", now)
    metadata.pop("generation")
    return {**wanted, "metadata": metadata}


def _metadata(found: Object, wanted: Object) -> Object:
    """What is there, and what is wanted where it is missing."""
    missing = {part: {**wanted[part], **(found.get(part) or {})} for part in ("labels", "annotations")}
    return {**found, **missing}


def _mended_role(found: Object, wanted: Object) -> Object:
    if "aggregationRule" in wanted:  # its rules are whatever its parts have
        return {**found, "aggregationRule": wanted["aggregationRule"]}
    rules = found.get("rules") or []
    if rules == wanted["rules"]:
        return found
    missing = uncovered(_compiled(rules), _compiled(wanted["rules"]))
    return {**found, "rules": [*rules, *(each for each in wanted["rules"] if each not in rules)]} if missing else found


def _compiled(rules: Iterable[Object]) -> list[Rule]:
    return [Rule.of(each) for each in rules]


def _mended_binding(found: Object, wanted: Object) -> Object:
    if found["roleRef"] != wanted["roleRef"]:
        return wanted
    subjects = found.get("subjects") or []
    missing = [each for each in wanted["subjects"] if each not in subjects]
    return {**found, "subjects": [*subjects, *missing]} if missing else found
