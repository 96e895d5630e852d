"""Watches: from the store's changes to the events that one client is to see.

A `timed` one ends when it should and says now and then up to where it is complete (bookmarks). An event comes from the
store to the client without a task or a timer of its own: there may be thousands of watches.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractContextManager, aclosing, nullcontext

from fairway.cluster.api import reading
from fairway.cluster.api.backend import Backend
from fairway.cluster.api.calls import Call, Event, shown
from fairway.cluster.api.custom.conversion import Conversions
from fairway.cluster.api.registry import Served
from fairway.cluster.store.protocol import Change, Changes, Compacted, Record
from fairway.kernel.objects import errors
from fairway.kernel.objects.kinds import Object

INITIAL_EVENTS_END = "k8s.io/initial-events-end"
BOOKMARK_SECONDS = 60.0
_LONGEST = (1800, 3600)


def events(backend: Backend, call: Call, *, timed: bool) -> AsyncGenerator[Event, None]:
    """What the call watches. It is in force when this returns; mistakes in the call are raised at once."""
    store = backend.store
    seconds = call.number("timeoutSeconds") or random.randint(*_LONGEST)  # noqa: S311
    test, name, label = reading.selection(call), reading.name(call), reading.label(call)
    revision = call.query.get("resourceVersion", "")
    initial = _wants_initial(call)
    since = reading.number(revision)
    if since > store.revision:
        raise reading.too_large(since, store.revision)
    first: list[Record] = []
    if initial is True or (initial is None and revision in ("", "0")):
        snapshot = store.list(call.served.storage, call.namespace, name=name, label=label)
        first, since = snapshot.records, snapshot.revision
    elif initial is False and revision in ("", "0"):
        since = store.revision
    try:
        changes = store.watch(call.served.storage, call.namespace, name=name, label=label, since=since)
    except Compacted as old:
        raise too_old(since, old) from None
    end = since if initial else None
    bookmarks = call.flag("allowWatchBookmarks")
    pace = _Pace(changes, lambda: store.revision, seconds, bookmarks=bookmarks) if timed else nullcontext()
    if call.served.conversion is not None:
        return _converted(backend.conversions, call.served, first, changes, test, end, pace)
    if not first and test is None and end is None and call.served.to_view is None:
        return _plain(call.served, changes, pace)
    return _selected(call.served, first, changes, test, end, pace)


def _wants_initial(call: Call) -> bool | None:
    """sendInitialEvents, with upstream's conditions for it; None where it is not given."""
    if "sendInitialEvents" not in call.query:
        if call.query.get("resourceVersionMatch"):
            raise errors.Invalid("resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided")
        return None
    if call.query.get("resourceVersionMatch") != "NotOlderThan":
        raise errors.Invalid("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan")
    if not call.flag("allowWatchBookmarks") and call.flag("sendInitialEvents"):
        raise errors.Invalid("sendInitialEvents requires allowWatchBookmarks=true")
    return call.flag("sendInitialEvents")


async def while_shown_alike(
    source: AsyncGenerator[Event, None], served: Served, now_served: Callable[[], Served | None]
) -> AsyncGenerator[Event, None]:
    """`source` until its definition stores its objects in another version: whoever watches goes on with a new watch."""
    async with aclosing(source):
        async for event in source:
            newest = now_served()
            if newest is not None and not _alike(newest, served):
                return
            yield event


def _alike(one: Served, other: Served) -> bool:
    same_form = (one.to_view is None) is (other.to_view is None) and one.conversion == other.conversion
    return one.resource.storage == other.resource.storage and same_form


async def _plain(
    served: Served, changes: AsyncGenerator[Change, None], pace: AbstractContextManager[None]
) -> AsyncGenerator[Event, None]:
    """Everything as it comes: what controllers ask for, and what must cost least."""
    async with aclosing(changes):
        try:
            with pace:
                async for change in changes:
                    record = change.record
                    if change.type == "PROGRESS":
                        yield bookmark(served, record.revision)
                    else:
                        yield Event(change.type, record.object, record.value)
        except Compacted as old:
            raise too_old(0, old) from None


async def _selected(
    served: Served,
    first: list[Record],
    changes: AsyncGenerator[Change, None],
    test: reading.Test | None,
    initial_end: int | None,
    pace: AbstractContextManager[None],
) -> AsyncGenerator[Event, None]:
    async with aclosing(changes):
        for record in first:
            if test is None or test(record.object):
                yield _event("ADDED", record, served)
        if initial_end is not None:
            yield bookmark(served, initial_end, initial_end=True)
        try:
            with pace:
                async for change in changes:
                    event = _seen(change, test, served)
                    if event is not None:
                        yield event
        except Compacted as old:
            raise too_old(0, old) from None


async def _converted(
    conversions: Conversions,
    served: Served,
    first: list[Record],
    changes: AsyncGenerator[Change, None],
    test: reading.Test | None,
    initial_end: int | None,
    pace: AbstractContextManager[None],
) -> AsyncGenerator[Event, None]:
    """The same for a version that a webhook makes of the stored one."""

    async def shown() -> AsyncGenerator[Change, None]:
        async with aclosing(changes):
            async for change in changes:
                yield await conversions.change(served, change)

    firsts = await conversions.all_shown(served, first)
    async with aclosing(_selected(served, firsts, shown(), test, initial_end, pace)) as events_:
        async for event in events_:
            yield event


def _seen(change: Change, test: reading.Test | None, served: Served) -> Event | None:
    """The change as somebody sees it who looks only at what `test` takes."""
    record, previous = change.record, change.previous
    if change.type == "PROGRESS":
        return bookmark(served, record.revision)
    if test is None:
        return _event(change.type, record, served)
    was = previous is not None and test(previous.object)
    if change.type == "DELETED":
        return _event("DELETED", record, served) if was else None
    if test(record.object):
        return _event("MODIFIED" if was else "ADDED", record, served)
    if was and previous is not None:
        # It left the selection: told with its last content in it, at the revision of the change.
        metadata = {**previous.object["metadata"], "resourceVersion": str(record.revision)}
        left = {**previous.object, "metadata": metadata}
        return Event("DELETED", served.to_view(left) if served.to_view else left)
    return None


def _event(type_: str, record: Record, served: Served) -> Event:
    return Event(type_, *shown(record, served))


def bookmark(served: Served, revision: int, *, initial_end: bool = False) -> Event:
    kind = served.resource.kind
    metadata: Object = {"resourceVersion": str(revision), "creationTimestamp": None}
    if initial_end:
        metadata["annotations"] = {INITIAL_EVENTS_END: "true"}
    return Event("BOOKMARK", {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": metadata})


def too_old(since: int, old: Compacted) -> errors.Expired:
    return errors.Expired(f"too old resource version: {since} ({old.oldest})")


class _Pace:
    """The timers of a watch while the block lasts: one ends it; with `bookmarks` one has it say how far it is complete.

    They speak through the store's watch, so that what they say comes in order.
    """

    def __init__(self, changes: Changes, revision: Callable[[], int], seconds: float, *, bookmarks: bool) -> None:
        self._changes, self._revision, self._seconds, self._bookmarks = changes, revision, seconds, bookmarks
        self._end: asyncio.TimerHandle | None = None
        self._next: asyncio.TimerHandle | None = None

    def __enter__(self) -> None:
        self._end = asyncio.get_running_loop().call_later(self._seconds, self._over)
        self._await_bookmark()

    def __exit__(self, *_: object) -> None:
        for timer in (self._end, self._next):
            if timer is not None:
                timer.cancel()

    def _await_bookmark(self) -> None:
        if self._bookmarks:
            self._next = asyncio.get_running_loop().call_later(BOOKMARK_SECONDS, self._say)

    def _say(self) -> None:
        self._changes.progress(self._revision())
        self._await_bookmark()

    def _over(self) -> None:
        if self._bookmarks:
            self._changes.progress(self._revision())
        self._changes.end()
