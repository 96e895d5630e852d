"""Conditions: what an object says of itself. A user's mistake is one of these, with a reason and a sentence."""

from __future__ import annotations

from collections.abc import Iterable

from fairway.kernel.objects.kinds import Object


def find(obj: Object, type_: str) -> Object | None:
    for condition in (obj.get("status") or {}).get("conditions") or ():
        if condition.get("type") == type_:
            return dict(condition)
    return None


def is_true(obj: Object, type_: str) -> bool:
    condition = find(obj, type_)
    return condition is not None and condition.get("status") == "True"


def merged(existing: Iterable[Object] | None, now: str, *wanted: tuple[str, bool | None, str, str]) -> list[Object]:
    """`existing` with each wanted (type, status, reason, message) set; None is Unknown.

    lastTransitionTime becomes `now` only where the status changed. Order is kept, new ones come last. What is there
    may be of somebody who has left something out.
    """
    result = {condition["type"]: dict(condition) for condition in existing or () if condition.get("type")}
    for type_, status, reason, message in wanted:
        word = "Unknown" if status is None else str(status)
        old = result.get(type_)
        same = old is not None and old.get("status") == word
        since = (old.get("lastTransitionTime") if old and same else None) or now
        new = {"type": type_, "status": word, "lastTransitionTime": since}
        if reason:
            new["reason"] = reason
        if message:
            new["message"] = message
        result[type_] = new
    return list(result.values())
