"""What a service with several versions says of itself: the usual status, and who gets which share. Pure."""

from __future__ import annotations

from typing import Any

from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import Object
from fairway.serving.component import PREDICTOR
from fairway.serving.render import place
from fairway.serving.render.children import Children
from fairway.serving.render.place import Place
from fairway.serving.rollout.arrangement import Arrangement
from fairway.serving.status import judging
from fairway.serving.status.seen import Seen


def status(isvc: Object, arrangement: Arrangement, wanted: Children, there: Seen, at: Place, now: str) -> Object:
    judged = judging.of_running(
        isvc,
        arrangement.asked,
        wanted,
        there,
        at,
        now,
        beside=arrangement.beside,
        more=arrangement.conditions,
    )
    judged.update(arrangement.status)
    predictor: dict[str, Any] = judged["components"][PREDICTOR]
    if arrangement.traffic:
        old = ((isvc.get("status") or {}).get("components") or {}).get(PREDICTOR) or {}
        predictor["traffic"] = list(arrangement.traffic)
        predictor["latestRolledoutRevision"] = arrangement.rolled_out
        predictor["previousRolledoutRevision"] = old.get("previousRolledoutRevision")
    for entry in predictor.get("traffic") or ():
        tag = "latest" if entry.get("latestRevision") and arrangement.tags else entry.get("tag")
        if tag in arrangement.tags:
            host = place.hosts(isvc, at, f"{tag}-{meta.name(isvc)}-{PREDICTOR}")[0]
            entry.update({"tag": tag, "url": f"http://{host}"})
    judged["components"][PREDICTOR] = {key: value for key, value in predictor.items() if value is not None}
    return judged
