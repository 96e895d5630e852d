"""Answers in the form that the client accepts: objects as they are, Tables, or metadata only; always JSON.

What the store encoded once is sent as it is: a list is its items' bytes put together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import orjson

from fairway.cluster.api.calls import Event, Reply
from fairway.cluster.api.printing import tables
from fairway.cluster.api.registry import Served
from fairway.cluster.api.resources import Resource
from fairway.kernel.objects.errors import NotAcceptable
from fairway.kernel.objects.kinds import Object

_ANY = ("application/json", "application/*", "*/*", "")
_PARTIAL = "PartialObjectMetadata"


@dataclass(frozen=True, slots=True)
class Form:
    """`as_` is empty for the plain object, or Table, or PartialObjectMetadata."""

    as_: str = ""


PLAIN = Form()


@lru_cache(maxsize=256)
def accepted(header: str) -> Form:
    """The first form of an Accept header that there is here. Raises NotAcceptable."""
    for choice in header.split(","):
        media, *parameters = (part.strip() for part in choice.split(";"))
        if media.lower() not in _ANY:
            continue
        values = dict(parameter.partition("=")[::2] for parameter in parameters)
        as_ = values.get("as", "")
        if not as_:
            return PLAIN
        if values.get("g") == "meta.k8s.io" and values.get("v") == "v1":
            if as_ == "Table":
                return Form("Table")
            if as_.startswith(_PARTIAL):
                return Form(_PARTIAL)
        if values.get("g") == "apidiscovery.k8s.io":
            return PLAIN
    raise NotAcceptable("only the following media types are accepted: application/json")


def encode(reply: Reply, form: Form, query: Mapping[str, str], now: float) -> bytes:
    served = reply.served
    if served is None or form.as_ == "":
        return _plain(reply)
    items = reply.items if reply.items is not None else [reply.object]
    if form.as_ == "Table":
        table = _table(served, items, query, now)
        metadata = reply.object["metadata"]
        if reply.items is None:
            metadata = {"resourceVersion": metadata.get("resourceVersion", "")}
        return orjson.dumps({**table, "metadata": metadata})
    if reply.items is None:
        return orjson.dumps(_partial(reply.object))
    head = {"kind": f"{_PARTIAL}List", "apiVersion": "meta.k8s.io/v1", "metadata": reply.object["metadata"]}
    return orjson.dumps({**head, "items": [_partial(item) for item in items]})


def _plain(reply: Reply) -> bytes:
    if reply.values is not None:
        head = orjson.dumps(reply.object)[:-1]
        return b"".join((head, b',"items":[', b",".join(reply.values), b"]}"))
    if reply.items is not None:
        return orjson.dumps(reply.whole())
    return reply.value if reply.value is not None else orjson.dumps(reply.object)


def _table(
    served: Served, items: Sequence[Object], query: Mapping[str, str], now: float, *, headers: bool = True
) -> Object:
    include = query.get("includeObject", "Metadata")
    return tables.table(_columns(served), items, include_object=include, now=now, headers=headers)


def _columns(served: Served) -> Resource | list[Object]:
    if served.definition is None:
        return served.resource
    for version in served.definition["spec"]["versions"]:
        if version["name"] == served.resource.kind.version:
            return version.get("additionalPrinterColumns") or []
    return []


def _partial(obj: Object) -> Object:
    return {"kind": _PARTIAL, "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]}


def frame(event: Event, form: Form, served: Served, query: Mapping[str, str], now: float, *, first: bool) -> bytes:
    """One line of a watch. Only the `first` of a Table's events names the columns."""
    if form.as_ == "Table":
        if event.type == "BOOKMARK":
            table = _table(served, [], query, now, headers=first) | {"metadata": event.object["metadata"]}
        else:
            revision = event.object["metadata"].get("resourceVersion", "")
            table = _table(served, [event.object], query, now, headers=first) | {
                "metadata": {"resourceVersion": revision}
            }
        value = orjson.dumps(table)
    elif form.as_ == _PARTIAL:
        value = orjson.dumps(_partial(event.object))
    else:
        value = event.value if event.value is not None else orjson.dumps(event.object)
    return b"".join((b'{"type":"', event.type.encode(), b'","object":', value, b"}\n"))


def error_frame(status: Object) -> bytes:
    return b'{"type":"ERROR","object":' + orjson.dumps(status) + b"}\n"
