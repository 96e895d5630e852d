"""What goes on in the background: history is cut off after a while, old events go, unfinished deletions end."""

from __future__ import annotations

import asyncio
import logging
from collections import deque

from fairway.cluster.api import removal
from fairway.cluster.api.backend import Backend
from fairway.cluster.store.protocol import Compacted, StoreFailed, WrongRevision
from fairway.kernel import clock as time
from fairway.kernel.objects.kinds import CRD, EVENT, Object

log = logging.getLogger(__name__)

HISTORY_SECONDS = 300.0
EVENT_SECONDS = 3600.0


async def run(backend: Backend) -> None:
    await finish_definitions(backend)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_compact(backend), name="api-compaction")
        tasks.create_task(_expire_events(backend), name="api-event-expiry")


async def finish_definitions(backend: Backend) -> None:
    """A server that was killed while it emptied a definition goes on with it."""
    for record in backend.store.list(CRD.resource).records:
        if record.object["metadata"].get("deletionTimestamp"):
            await removal.empty_definition(backend, record)


async def _compact(backend: Backend) -> None:
    """Keep the history of the last minutes, as upstream does: who was away for longer lists again."""
    marks: deque[int] = deque([backend.store.revision], maxlen=2)
    while True:
        await backend.clock.sleep(HISTORY_SECONDS)
        oldest = marks[0]
        marks.append(backend.store.revision)
        try:
            await backend.store.compact(oldest)
        except (Compacted, StoreFailed) as problem:
            log.warning("compaction will be tried again: %s", problem)


async def _expire_events(backend: Backend) -> None:
    while True:
        await backend.clock.sleep(EVENT_SECONDS / 12)
        await expire_events(backend)


async def expire_events(backend: Backend) -> None:
    """Remove events that nobody has seen happen for an hour."""
    limit = backend.clock.now() - EVENT_SECONDS
    for record in backend.store.list(EVENT.resource).records:
        if _last_seen(record.object) < limit:
            try:
                await backend.store.delete(record.key, record.revision)
            except WrongRevision:
                continue  # it has happened again just now
            except StoreFailed as problem:
                log.warning("old events will be removed later: %s", problem)
                return


def _last_seen(event: Object) -> float:
    moments = (
        (event.get("series") or {}).get("lastObservedTime"),
        event.get("lastTimestamp"),
        event.get("eventTime"),
        event["metadata"].get("creationTimestamp"),
    )
    for moment in moments:
        if isinstance(moment, str):
            try:
                return time.parse(moment)
            except ValueError:
                continue
    return 0.0
