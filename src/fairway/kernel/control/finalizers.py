"""Finalizers: an object stays until those who still have work with it take their word off its list."""

from __future__ import annotations

from fairway.kernel.client.client import Client
from fairway.kernel.objects import errors, meta
from fairway.kernel.objects.kinds import Kind, Object


async def add(client: Client, kind: Kind, obj: Object, finalizer: str) -> None:
    present = obj["metadata"].get("finalizers") or []
    if finalizer not in present:
        await _write(client, kind, obj, [*present, finalizer])


async def remove(client: Client, kind: Kind, obj: Object, finalizer: str) -> None:
    present = obj["metadata"].get("finalizers") or []
    if finalizer in present:
        try:
            await _write(client, kind, obj, [word for word in present if word != finalizer])
        except errors.NotFound:
            return


async def _write(client: Client, kind: Kind, obj: Object, finalizers: list[str]) -> None:
    # The list is replaced whole: the revision makes sure that nobody else's word is lost.
    patch = {"metadata": {"finalizers": finalizers, "resourceVersion": obj["metadata"]["resourceVersion"]}}
    await client.patch(kind, meta.name(obj), meta.namespace(obj), patch)
