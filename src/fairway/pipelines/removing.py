"""Removing what deleted runs have left behind, and runs whose time is over.

The records say what is to go (`forgetting`); this empties the folders, in any number of tries, and forgets them once
they are empty. Pods of the run are waited for: what still runs still writes.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Connection, select

from fairway.artifacts import tidying
from fairway.artifacts.store import Artifacts
from fairway.kernel.feature import Ready
from fairway.kernel.objects import errors
from fairway.kernel.objects.kinds import POD, Kind
from fairway.pipelines import far, forgetting
from fairway.pipelines.api.context import Context
from fairway.pipelines.kinds import RUN
from fairway.pipelines.render.pods import RUN_LABEL
from fairway.pipelines.tables import leavings

log = logging.getLogger(__name__)

LOOK_SECONDS = 300.0
"""Between two looks, unless something was just deleted."""
SOON_SECONDS = 2.0
"""While pods of deleted runs end."""
EVERY_SECONDS = 3600.0
"""Between two looks for what has become too old."""
_DAY = 24 * 3600.0
_BATCH = 100

_SERVING = tuple(
    Kind("serving.kserve.io", version, kind, plural)
    for version, kind, plural in (
        ("v1beta1", "InferenceService", "inferenceservices"),
        ("v1alpha1", "TrainedModel", "trainedmodels"),
    )
)
"""Kinds whose objects name models by address."""


class Removing:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._old_at = 0.0

    async def run(self, ready: Ready) -> None:
        clock = self._context.clock
        ready()
        while True:
            again = LOOK_SECONDS
            try:
                await self._remove_old()
                if await self.look():
                    again = SOON_SECONDS
            except (OSError, errors.ApiError) as failure:
                log.warning("what is deleted cannot be removed yet, trying again: %s", failure)
            except Exception:  # the platform goes on with full disks rather than not at all
                log.exception("what is deleted cannot be removed")
            await self._context.removals.wait(clock, again)

    async def look(self) -> bool:
        """Once: empty every folder that can be emptied now. Whether pods are waited for."""
        waits = False
        for row in await self._context.records.read(_leavings):
            try:
                if await self._still_runs(row):
                    waits = True
                else:
                    await self._empty(row)
                    await self._context.records.write(partial(_done, number=row["number"]))
            except (OSError, errors.ApiError) as failure:
                log.warning("%s cannot be removed yet: %s", row["address"], failure)
            except Exception:  # what waits behind it is not to wait for its being understood
                log.exception("%s cannot be removed", row["address"])
        return waits

    async def _remove_old(self) -> None:
        """By the settings: runs, and what was fetched."""
        context, now = self._context, self._context.clock.now()
        if now < self._old_at:
            return
        self._old_at = now + EVERY_SECONDS
        if days := context.settings.keep_runs_days:
            while found := await context.records.read(lambda c: forgetting.overdue(c, now - days * _DAY, _BATCH)):
                for run_id, namespace in found:
                    await forget(context, run_id, namespace, with_artifacts=True)
        fetched, settings = context.stores.cache, context.stores.settings
        if fetched is not None:
            before = now - settings.keep_fetched_days * _DAY if settings.keep_fetched_days else 0.0
            await asyncio.to_thread(tidying.tidy, fetched, unused_since=before, most=settings.most_fetched_bytes)

    async def _still_runs(self, row: Mapping[str, Any]) -> bool:
        found = await self._context.client.list(POD, row["namespace"], labels=f"{RUN_LABEL}={row['run_id']}")
        return bool(found.items)

    async def _empty(self, row: Mapping[str, Any]) -> None:
        store, address = await self._store(row)
        kept = [_under(uri, row["address"], address) for uri in row["kept"]]
        if not kept:
            await store.delete(address)
            return
        for entry in await store.list(address):
            if not any(entry.uri == uri or entry.uri.startswith(f"{uri}/") for uri in kept):
                await store.delete(entry.uri)
        if (folder := store.local_path(address)) is not None:
            await asyncio.to_thread(_prune, folder)

    async def _store(self, row: Mapping[str, Any]) -> tuple[Artifacts, str]:
        if not row["address"].startswith(far.BUCKETS):
            return self._context.artifacts, row["address"]
        return await self._context.stores.open(self._context.client, row["namespace"], row["address"])


async def forget(context: Context, run_id: str, namespace: str, *, with_artifacts: bool) -> None:
    """First the object, with all its pods, then the record: a deletion that was cut short did not happen."""
    await context.client.delete(RUN, run_id, namespace)
    now, served = context.clock.now(), await _served(context) if with_artifacts else ""
    await context.records.write(
        lambda connection: forgetting.forget(connection, run_id, now, with_artifacts=with_artifacts, served=served)
    )
    await context.client.delete(RUN, run_id, namespace)  # which `starting` may have made meanwhile
    context.removals.ring()


async def _served(context: Context) -> str:
    """The objects that serve models, as one text."""
    texts = []
    for kind in _SERVING:
        with suppress(errors.NotFound):
            found = await context.client.list(kind)
            texts += [orjson.dumps(item.get("spec") or {}).decode() for item in found.items]
    return "\n".join(texts)


def _leavings(connection: Connection) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(select(leavings).order_by(leavings.c.number)).mappings()]


def _done(connection: Connection, number: int) -> None:
    connection.execute(leavings.delete().where(leavings.c.number == number))


def _under(uri: str, folder: str, address: str) -> str:
    """The address of something in a folder where that has another (a mirror's)."""
    return address + uri[len(folder) :]


def _prune(folder: Path) -> None:
    for place, _, _ in os.walk(folder, topdown=False):
        with suppress(OSError):  # it is not empty
            os.rmdir(place)
