"""Events: what happened to an object, in a sentence, for `kubectl describe` and the dashboard.

The same event again raises the count of the first one. An event that cannot be written is dropped: it
must never stop the work that it tells of.
"""

from __future__ import annotations

import hashlib
import logging

from fairway.kernel.client.client import Client
from fairway.kernel.clock import Clock, timestamp
from fairway.kernel.objects import errors, meta
from fairway.kernel.objects.kinds import EVENT, Object

log = logging.getLogger(__name__)


async def record(
    client: Client,
    clock: Clock,
    obj: Object,
    reason: str,
    message: str,
    *,
    type: str = "Normal",
    component: str = "fairway",
) -> None:
    """Tell of `obj`; `type` is Normal or Warning."""
    involved = {
        "apiVersion": obj["apiVersion"],
        "kind": obj["kind"],
        "name": meta.name(obj),
        "namespace": meta.namespace(obj),
        "uid": meta.uid(obj),
        "resourceVersion": obj["metadata"].get("resourceVersion", ""),
    }
    digest = hashlib.sha256(f"{involved['uid']}{type}{reason}{message}{component}".encode()).hexdigest()[:16]
    namespace, now = meta.namespace(obj) or "default", timestamp(clock.now())
    event = EVENT.new(
        f"{meta.name(obj)[:200]}.{digest}",
        namespace,
        involvedObject=involved,
        reason=reason,
        message=message[:1024],
        type=type,
        source={"component": component},
        reportingComponent=component,
        reportingInstance="",
        firstTimestamp=now,
        lastTimestamp=now,
        count=1,
    )
    try:
        await _write(client, event, now)
    except (errors.ApiError, OSError) as failure:
        log.debug("event %s of %s was not written: %s", reason, meta.name(obj), failure)


async def _write(client: Client, event: Object, now: str) -> None:
    try:
        await client.create(EVENT, event)
    except errors.AlreadyExists:
        name, namespace = meta.name(event), meta.namespace(event)
        first = await client.get(EVENT, name, namespace)
        again = {"count": int(first.get("count") or 1) + 1, "lastTimestamp": now}
        await client.patch(EVENT, name, namespace, again)
