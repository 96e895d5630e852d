"""Conversion webhooks: objects of a custom kind in the version in which somebody asks for them.

Only versions of a definition whose strategy is Webhook come here; the others differ in a word, which `Served.to_view`
changes. Such a version is read, changed, judged and watched in its own form, and becomes the storage version on the way
into the store.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson

from fairway.cluster.api.calls import Reply
from fairway.cluster.api.custom import crds
from fairway.cluster.api.registry import Conversion, Served
from fairway.cluster.api.webhooks.calling import Caller, CallFailed
from fairway.cluster.store.protocol import Change, Record
from fairway.kernel.objects import errors
from fairway.kernel.objects.kinds import Object

_SECONDS = 30
_MOST_OBJECTS = 500
"""In one call; longer lists are several calls."""
_KEPT = {"name": "name", "namespace": "namespace", "uid": "UID"}
"""What a conversion may not change, and its name in messages."""
_TRANSLATED = ("labels", "annotations")


class _Refused(Exception):
    """An answer that is none, as the end of the sentence about it."""


class Conversions:
    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def shown(self, served: Served, record: Record) -> Record:
        """The record with its object as `served` shows it. Raises InternalError where the webhook fails."""
        return record if served.conversion is None else (await self.all_shown(served, [record]))[0]

    async def all_shown(self, served: Served, records: Sequence[Record]) -> list[Record]:
        objects = await self.all(served, [record.object for record in records])
        return [
            record if obj is record.object else replace(record, value=orjson.dumps(obj), object=obj)
            for record, obj in zip(records, objects, strict=True)
        ]

    async def change(self, served: Served, change: Change) -> Change:
        """What happened, as whoever watches `served` sees it."""
        if change.type == "PROGRESS":
            return change
        both = [change.record] if change.previous is None else [change.record, change.previous]
        record, *previous = await self.all_shown(served, both)
        return replace(change, record=record, previous=previous[0] if previous else None)

    async def reply(self, served: Served, reply: Reply) -> Reply:
        """An answer that was read from the store; a Status is nobody's object, and a Scale needs no conversion."""
        if reply.served is None or reply.served.conversion is None:
            return reply
        if reply.items is None:
            return replace(reply, object=(await self.all(served, [reply.object]))[0], value=None)
        return replace(reply, items=await self.all(served, reply.items), values=None)

    async def stored(self, served: Served, obj: Object) -> Object:
        """An object of `served` as it is stored."""
        if served.conversion is None:
            return obj
        return (await self._converted(served, served.conversion, [obj], served.resource.storage.api_version))[0]

    async def seen_as(self, served: Served, other: Served, obj: Object) -> Object:
        """An object that is in the pipeline of `served`, as another version of the same kind."""
        if other.conversion is None:
            return other.to_view(obj) if other.to_view else obj
        return obj if other is served else (await self.all(other, [obj]))[0]

    async def taken_from(self, served: Served, other: Served, obj: Object) -> Object:
        """The way back from `seen_as`."""
        if other.conversion is None:
            return other.to_stored(obj) if other.to_stored else obj
        return obj if other is served else (await self.all(served, [obj]))[0]

    async def all(self, served: Served, objects: Sequence[Object]) -> list[Object]:
        conversion = served.conversion
        if conversion is None:
            return list(objects)
        if conversion.completes:
            objects = [_complete(conversion, obj) for obj in objects]
        return await self._converted(served, conversion, objects, served.resource.kind.api_version)

    async def _converted(
        self, served: Served, conversion: Conversion, objects: Sequence[Object], wanted: str
    ) -> list[Object]:
        """The objects in the wanted version; those that are in it already as they are."""
        strange = [obj for obj in objects if obj["apiVersion"] != wanted]
        if not strange:
            return list(objects)
        kind = served.resource.kind
        try:
            found = [one for part in _parts(strange) for one in await self._ask(conversion, part, wanted)]
        except (CallFailed, _Refused) as failure:
            shown = f"{strange[0]['apiVersion']}, Kind={kind.kind}"
            end = f"failed: {failure}" if isinstance(failure, CallFailed) else str(failure)
            raise errors.InternalError(f"conversion webhook for {shown} {end}") from None
        translated = iter(found)
        return [obj if obj["apiVersion"] == wanted else next(translated) for obj in objects]

    async def _ask(self, conversion: Conversion, objects: list[Object], wanted: str) -> list[Object]:
        uid = str(uuid.uuid4())
        request = {"uid": uid, "desiredAPIVersion": wanted, "objects": objects}
        review = {"kind": "ConversionReview", "apiVersion": "apiextensions.k8s.io/v1", "request": request}
        answer = await self._caller.post(conversion.client_config, review, _SECONDS)
        converted = _objects(answer, uid)
        if len(converted) != len(objects):
            raise _Refused(f"returned {len(converted)} objects, expected {len(objects)}")
        await asyncio.sleep(0)  # others may go on between two long lists
        accepted = [
            _accepted(before, after, wanted, index)
            for index, (before, after) in enumerate(zip(objects, converted, strict=True))
        ]
        for obj in accepted:
            conversion.schemas[wanted]().prune(obj)
        return accepted


def _complete(conversion: Conversion, obj: Object) -> Object:
    schema = conversion.schemas.get(obj["apiVersion"])  # none where its version is gone from the definition
    return obj if schema is None else crds.complete(schema(), obj)


def _parts(objects: list[Object]) -> list[list[Object]]:
    return [objects[at : at + _MOST_OBJECTS] for at in range(0, len(objects), _MOST_OBJECTS)]


def _objects(answer: Object, uid: str) -> list[Any]:
    response = answer.get("response")
    got = f"{answer.get('apiVersion') or ''}, Kind={answer.get('kind') or ''}"
    if got != "apiextensions.k8s.io/v1, Kind=ConversionReview":
        raise CallFailed(f"expected webhook response of apiextensions.k8s.io/v1, Kind=ConversionReview, got {got}")
    if not isinstance(response, dict):
        raise CallFailed("no response provided")
    if response.get("uid") != uid:
        raise CallFailed(f'expected response.uid="{uid}", got "{response.get("uid") or ""}"')
    result = response.get("result")
    result = result if isinstance(result, dict) else {}
    if result.get("status") != "Success":
        status = f"response.result.status was '{result.get('status') or ''}', not 'Success'"
        raise CallFailed(str(result.get("message") or status))
    converted = response.get("convertedObjects")
    return converted if isinstance(converted, list) else []


def _accepted(before: Object, after: Any, wanted: str, index: int) -> Object:
    """The converted object with the metadata that a conversion may not change."""
    place = f"returned invalid converted object at index {index}"
    if not isinstance(after, dict):
        raise _Refused(f"{place}: it is no object")
    if after.get("apiVersion") != wanted:
        got = after.get("apiVersion") or ""
        raise _Refused(f"{place}: invalid groupVersion (expected {wanted}, received {got})")
    if after.get("kind") != before["kind"]:
        raise _Refused(f"{place}: invalid kind (expected {before['kind']}, received {after.get('kind') or ''})")
    given, own = after.get("metadata"), before["metadata"]
    if not isinstance(given, dict):
        raise _Refused(f"{place}: missing metadata in converted object")
    for key, shown in _KEPT.items():
        if given.get(key) != own.get(key):
            raise _Refused(f"{place}: must have the same {shown}: {own.get(key) or ''} != {given.get(key) or ''}")
    metadata = {key: value for key, value in own.items() if key not in _TRANSLATED}
    for key in _TRANSLATED:
        words = given.get(key)
        if words is not None and not _texts(words):
            raise _Refused(f"{place}: metadata.{key} is no object of texts")
        if words:
            metadata[key] = words
    return {**after, "metadata": metadata}


def _texts(words: Any) -> bool:
    return isinstance(words, dict) and all(isinstance(value, str) for value in words.values())
