"""Patches as they come in requests: which kinds are served for a resource, and what each makes of an object.

`writing` reads, asks here what is wanted, and stores; the algebra of each kind of patch is in the kernel.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from fairway.cluster.api.calls import Call
from fairway.cluster.api.documents import builtin_schemas
from fairway.kernel.client.transport import JSON_PATCH, MERGE_PATCH
from fairway.kernel.objects import errors, patching, strategic
from fairway.kernel.objects.kinds import Object
from fairway.kernel.objects.topology import Place

STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"

Next = Callable[[Object], Object]
"""From the object as it is stored to what the client wants it to be: a fresh one, which may be changed."""


def applied(call: Call) -> Next:
    """What the call's patch makes of an object. Raises UnsupportedMediaType for kinds of patch not served."""
    served = call.served
    to_view, to_stored = served.to_view, served.to_stored
    patch = of(call, None if served.strategy.custom else builtin_schemas.topology(served.resource.kind))

    def apply(stored: Object) -> Object:
        seen = to_view(stored) if to_view else stored
        result = patch(seen)
        if (result.get("apiVersion"), result.get("kind")) != (seen.get("apiVersion"), seen.get("kind")):
            raise errors.BadRequest("a patch may not change apiVersion or kind")
        return to_stored(result) if to_stored else result

    return apply


def of(call: Call, place: Place | None) -> Next:
    """The patch as a function. `place` is how its target is merged; None where strategic patches are not served."""
    body, kind = call.body, call.content_type
    strategically = kind == STRATEGIC_PATCH and place is not None
    if (kind == MERGE_PATCH or strategically) and not isinstance(body, dict):
        raise errors.BadRequest(f"a patch of type {kind} is an object")
    if kind == JSON_PATCH:
        return lambda seen: patching.json_patch(seen, body)
    if kind == MERGE_PATCH:
        return lambda seen: copied(patching.merge(seen, body))
    if strategically and place is not None:
        return lambda seen: copied(strategic.merge(seen, body, place))
    raise unsupported(call)


def is_whole(call: Call) -> None:
    """Only a PATCH has a patch as its body. Raises UnsupportedMediaType."""
    if call.content_type in (JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, APPLY_PATCH):
        raise errors.UnsupportedMediaType(
            f"the body of the request was in the format {call.content_type}, which only a PATCH may have: "
            "send the whole object as application/json, application/yaml or application/vnd.kubernetes.protobuf"
        )


def unsupported(call: Call) -> errors.UnsupportedMediaType:
    accepted = [JSON_PATCH, MERGE_PATCH, APPLY_PATCH, *(() if call.served.strategy.custom else (STRATEGIC_PATCH,))]
    return errors.UnsupportedMediaType(
        "the body of the request was in an unknown format - accepted media types include: " + ", ".join(accepted)
    )


def copied(obj: Any) -> Any:
    """A deep copy; through JSON, which is the fastest way and leaves nothing that is not JSON."""
    return orjson.loads(orjson.dumps(obj))
