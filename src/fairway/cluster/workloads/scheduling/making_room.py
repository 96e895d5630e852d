"""Asking pods to go for one of higher priority: each is told why, and leaves with its grace.

The scheduler has decided, and keeps the room. What fails here is tried again with the pod's next turn.
"""

from __future__ import annotations

import asyncio
import logging

from fairway.cluster.workloads.scheduling.accounts import Tenant
from fairway.cluster.workloads.scheduling.preemption import Preemption
from fairway.kernel import clock as time
from fairway.kernel.client.client import Client
from fairway.kernel.clock import Clock
from fairway.kernel.control import events
from fairway.kernel.objects import conditions, errors, meta
from fairway.kernel.objects.kinds import POD, Object

log = logging.getLogger(__name__)

_SCHEDULER = "default-scheduler"


async def make(client: Client, clock: Clock, pod: Object, found: Preemption) -> None:
    """Nominate the pod for its node, and let the victims go. Who could not be asked is `asked` no more."""
    try:
        await client.patch_status(POD, meta.name(pod), meta.namespace(pod), {"nominatedNodeName": found.node})
    except (errors.ApiError, OSError) as failure:
        log.debug("pod %s was not nominated: %s", meta.name(pod), failure)
        for victim in found.victims:
            victim.asked = False
        return
    await asyncio.gather(*(_let_go(client, clock, victim, pod, found.node) for victim in found.victims))


async def _let_go(client: Client, clock: Clock, victim: Tenant, pod: Object, node: str) -> None:
    name, namespace = meta.name(victim.pod), meta.namespace(victim.pod)
    why = f"{_SCHEDULER}: preempting to accommodate a higher priority pod"
    said = (victim.pod.get("status") or {}).get("conditions")
    marked = conditions.merged(
        said, time.timestamp(clock.now()), ("DisruptionTarget", True, "PreemptionByScheduler", why)
    )
    try:
        await client.patch_status(POD, name, namespace, {"conditions": marked})
        await client.delete(POD, name, namespace, uid=meta.uid(victim.pod))
    except (errors.ApiError, OSError) as failure:
        log.warning("pod %s/%s was not asked to go: %s", namespace, name, failure)
        victim.asked = False
        return
    text = f"Preempted by pod {meta.uid(pod)} on node {node}"
    await events.record(client, clock, victim.pod, "Preempted", text, component=_SCHEDULER)
