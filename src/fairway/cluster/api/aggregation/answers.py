"""What another server says, before anybody here relies on it: of a bounded size, JSON, and formed as objects are.

The platform's own loops read it as they read what this server says; a server that breaks the protocol must cost its
readers an error, and never more.
"""

from __future__ import annotations

from typing import Any

import aiohttp
import orjson

from fairway.kernel.client.transport import WatchEvent
from fairway.kernel.objects import errors
from fairway.kernel.objects.kinds import Object

_LARGEST = 64 * 1024 * 1024
_REFERENCE = ("apiVersion", "kind", "name", "uid")


async def read(answer: aiohttp.ClientResponse) -> bytes:
    parts, size = [], 0
    async for part in answer.content.iter_any():
        size += len(part)
        if size > _LARGEST:
            answer.close()
            raise errors.InternalError(f"the answer has more than {_LARGEST} bytes: ask for less of it with `limit`")
        parts.append(part)
    return b"".join(parts)


def decoded(data: bytes) -> Object:
    """Raises InternalError."""
    try:
        found = orjson.loads(data)
    except orjson.JSONDecodeError as problem:
        raise errors.InternalError(f"the server behind gave no JSON: {problem}") from None
    if not isinstance(found, dict) or not _sound(found) or not all(map(_sound, _items(found))):
        raise _malformed("the answer")
    return found


def event(line: bytes) -> WatchEvent:
    """Raises ApiError: InternalError, or the one that the server tells."""
    found = decoded(line)
    obj = found.get("object")
    if not isinstance(found.get("type"), str) or not isinstance(obj, dict):
        raise _malformed("an event of a watch")
    if found["type"] == "ERROR":
        raise errors.from_status(obj)
    metadata = obj.get("metadata")
    if not _sound(obj) or not isinstance(metadata, dict) or not isinstance(metadata.get("resourceVersion"), str):
        raise _malformed("an event of a watch")
    if found["type"] != "BOOKMARK" and not isinstance(metadata.get("name"), str):
        raise _malformed("an event of a watch")
    return WatchEvent(found["type"], obj)


def _items(obj: Object) -> list[Any]:
    items = obj.get("items")
    return items if isinstance(items, list) else []


def _sound(obj: Any) -> bool:
    """Metrics have no metadata; where there is some, it is an object, and its owners are owners."""
    if not isinstance(obj, dict):
        return False
    metadata = obj.get("metadata")
    if metadata is None:
        return "metadata" not in obj
    owners = metadata.get("ownerReferences") or [] if isinstance(metadata, dict) else None
    return isinstance(owners, list) and all(
        isinstance(each, dict) and all(isinstance(each.get(field), str) for field in _REFERENCE) for each in owners
    )


def _malformed(what: str) -> errors.InternalError:
    return errors.InternalError(f"{what} of the server behind is not formed as Kubernetes has it")
