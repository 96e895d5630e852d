"""Certificates of clients: what was approved is signed, what is done or was never answered goes after a while.

How to sign is a function that the room is given: the authority's key is not known here.
"""

from __future__ import annotations

from collections.abc import Callable

from fairway.kernel import clock
from fairway.kernel.control.controller import Controller, World
from fairway.kernel.objects import conditions, meta
from fairway.kernel.objects.kinds import CERTIFICATE_SIGNING_REQUEST, Object

SIGNER = "kubernetes.io/kube-apiserver-client"
Sign = Callable[[Object], str]
"""From a request's spec to the certificate. Raises ValueError with what is wrong."""

_KEPT_ANSWERED, _KEPT_PENDING = 3600.0, 24 * 3600.0


def controller(sign: Sign | None) -> Controller:
    """Without `sign` requests are kept and nobody signs them."""

    async def reconcile(world: World, _: str, name: str) -> float | None:
        found = world.mirror(CERTIFICATE_SIGNING_REQUEST).get("", name)
        if found is None or meta.being_deleted(found):
            return None
        left = _left(found, world.clock.now())
        if left <= 0:
            await world.client.delete(CERTIFICATE_SIGNING_REQUEST, name, uid=meta.uid(found))
            return None
        if sign is not None and _waits(found):
            await _sign(world, found, sign)
        return left

    return Controller("certificates", CERTIFICATE_SIGNING_REQUEST, reconcile, workers=1)


def _waits(request: Object) -> bool:
    """Approved, and not yet signed or failed."""
    return (
        request["spec"]["signerName"] == SIGNER
        and conditions.is_true(request, "Approved")
        and not any(conditions.is_true(request, other) for other in ("Denied", "Failed"))
        and not (request.get("status") or {}).get("certificate")
    )


def _left(request: Object, now: float) -> float:
    """Seconds until the request goes."""
    answered = conditions.find(request, "Approved") or conditions.find(request, "Denied")
    since = (answered or {}).get("lastUpdateTime") or request["metadata"]["creationTimestamp"]
    return clock.parse(since) + (_KEPT_ANSWERED if answered else _KEPT_PENDING) - now


async def _sign(world: World, request: Object, sign: Sign) -> None:
    try:
        status: Object = {"certificate": sign(request["spec"])}
    except ValueError as problem:
        now = clock.timestamp(world.clock.now())
        failed = {"type": "Failed", "status": "True", "reason": "SignerValidationFailure", "message": str(problem)}
        known = (request.get("status") or {}).get("conditions") or []
        status = {"conditions": [*known, {**failed, "lastUpdateTime": now, "lastTransitionTime": now}]}
    await world.client.patch_status(CERTIFICATE_SIGNING_REQUEST, meta.name(request), None, status)
