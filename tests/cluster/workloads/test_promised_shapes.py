"""What the controllers write has the shape that upstream promises: clients with types read it, and find all of it."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
from pretend_cluster import SEEN_WITHIN, Here
from tests.cluster.api.examples import EXAMPLES

from fairway.cluster.api import resources
from fairway.cluster.api.documents import builtin_schemas
from fairway.kernel.objects.kinds import Object

RUNNING = ("Deployment", "ReplicaSet", "StatefulSet", "ReplicationController")
ASIDE = ("Pod", "LimitRange", "ResourceQuota", "Node")  # nothing of these makes the others harder to start
TOLD: dict[str, tuple[str, Any]] = {
    "Deployment": ("availableReplicas", 1),
    "ReplicaSet": ("availableReplicas", 1),
    "StatefulSet": ("availableReplicas", 1),
    "ReplicationController": ("availableReplicas", 1),
    "DaemonSet": ("numberReady", 1),
    "Job": ("active", 1),
}


async def test_whatever_controllers_write_is_what_upstream_describes(here: Here) -> None:
    rows = {
        (row.kind.api_version, row.kind.kind): row for row in resources.builtin() if row.stored and not row.measured
    }
    send = here.client.transport.request
    made: dict[str, str] = {}
    for example in EXAMPLES:
        one: Any = orjson.loads(orjson.dumps(example))
        kind = rows[one["apiVersion"], one["kind"]].kind
        if kind.kind in ASIDE or kind.group == "admissionregistration.k8s.io":
            continue
        if kind.kind in RUNNING:
            one["spec"]["replicas"] = 1
        if kind.kind == "Job":
            one["spec"]["suspend"] = False
        await send("POST", kind.path("default" if kind.namespaced else None), body=one)
        made[kind.kind] = kind.path("default" if kind.namespaced else None, one["metadata"]["name"])

    async def told(kind: str) -> bool:
        field, value = TOLD[kind]
        return bool(((await send("GET", made[kind])).get("status") or {}).get(field) == value)

    async with asyncio.timeout(SEEN_WITHIN):
        for kind in TOLD:
            while not await told(kind):
                await asyncio.sleep(0.05)
    for row in rows.values():
        schema, amounts = builtin_schemas.of(row.kind), builtin_schemas.amounts(row.kind)
        assert schema is not None
        for obj in (await send("GET", row.kind.path(None)))["items"]:
            at = f"{obj['kind']} {obj['metadata']['name']}"
            assert not [cause for cause in schema.check(obj) if not _never_there(obj, cause.field)], at
            assert amounts is None or amounts.settled(obj) is obj, at
            assert not schema.prune(orjson.loads(orjson.dumps(obj))), at


def _never_there(obj: Object, field: str) -> bool:
    """An event that was told in the older version has no exact time in the newer one; upstream's has null there."""
    return obj["kind"] == "Event" and field == "eventTime"
