"""One kind, reconciled: mirrors feed a queue of names, workers take them one at a time for each name.

`Controller` is a value that a room declares; `run` turns it into loops under the caller's task group.
What a reconcile raises decides what is next: Conflict runs it again, `Terminal` stops until the object
changes, anything else backs off.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from fairway.kernel.client.client import Client
from fairway.kernel.clock import Clock
from fairway.kernel.control.mirror import Mirror, Mirrors
from fairway.kernel.control.queue import WorkQueue
from fairway.kernel.objects import errors, meta
from fairway.kernel.objects.kinds import Kind, Object
from fairway.kernel.objects.meta import Key

log = logging.getLogger(__name__)


class Terminal(Exception):
    """A reconcile that cannot succeed until somebody changes the object. It has said so in a condition."""


@dataclass(frozen=True, slots=True)
class World:
    """What a reconcile may use: the client to write, mirrors to read, the clock."""

    client: Client
    clock: Clock
    mirrors: Mirrors

    def mirror(self, kind: Kind, fields: str = "") -> Mirror:
        """The mirror of a kind that the controller watches, or of those of it that it watches."""
        return self.mirrors.of(kind, fields)


Reconcile = Callable[[World, str, str], Awaitable["float | None"]]
"""Called with (world, namespace, name); the object may be gone. Gives seconds until the next look, or None."""

Owners = Callable[[Object], Iterable[Key]]
"""From an object seen in a watch to the names to reconcile."""


def itself(obj: Object) -> Iterable[Key]:
    return (meta.key(obj),)


def owner(kind: Kind) -> Owners:
    """Map a child to its controlling owner of `kind`."""

    def find(obj: Object) -> Iterable[Key]:
        ref = meta.controller_of(obj)
        if (
            ref
            and ref["kind"] == kind.kind
            and ref["apiVersion"].partition("/")[0] == kind.api_version.partition("/")[0]
        ):
            yield (meta.namespace(obj) if kind.namespaced else ""), ref["name"]

    return find


class Nudges:
    """Names that a room wants to be reconciled though nothing that is watched has changed."""

    def __init__(self) -> None:
        self._add: Callable[[Key], None] | None = None

    def __call__(self, key: Key) -> None:
        """Without effect where the controller does not run (yet): it begins with every name there is."""
        if self._add is not None:
            self._add(key)

    def feed(self, add: Callable[[Key], None]) -> Callable[[], None]:
        self._add = add
        return self._stop

    def _stop(self) -> None:
        self._add = None


@dataclass(frozen=True)
class Controller:
    """`watches` are the other kinds whose changes matter, each with the way back to names of `kind`."""

    name: str
    kind: Kind
    reconcile: Reconcile
    watches: tuple[tuple[Kind, Owners], ...] = ()
    workers: int = 4
    reads: tuple[Kind, ...] = field(default=())
    """Kinds that a reconcile reads from the mirror though their changes need no reconcile."""
    shared: tuple[Kind, ...] = ()
    """Kinds whose changes matter to every object of `kind` that there is."""
    named: tuple[tuple[Kind, str, Owners], ...] = ()
    """Kinds of which only the objects with one name matter: all others cost this controller nothing."""
    nudges: Nudges | None = None

    def mirrors(self, world: World) -> tuple[Mirror, ...]:
        whole = (self.kind, *(kind for kind, _ in self.watches), *self.reads, *self.shared)
        return (*map(world.mirror, whole), *(world.mirror(kind, by_name(name)) for kind, name, _ in self.named))


def by_name(name: str) -> str:
    """The selection of fields that all objects with a name have."""
    return f"metadata.name={name}"


async def run(controller: Controller, world: World, *, ready: Callable[[], None] | None = None) -> None:
    """Reconcile for ever. Calls `ready` once the mirrors are filled."""
    queue = WorkQueue(world.clock)
    stops = [_feed(world.mirror(controller.kind), itself, queue)]
    stops += [_feed(world.mirror(kind), owners, queue) for kind, owners in controller.watches]
    stops += [_feed(world.mirror(kind, by_name(name)), owners, queue) for kind, name, owners in controller.named]
    stops += [_feed(world.mirror(kind), _all(world.mirror(controller.kind)), queue) for kind in controller.shared]
    if controller.nudges is not None:
        stops.append(controller.nudges.feed(queue.add))
    try:
        for mirror in controller.mirrors(world):
            await mirror.synced()
        if ready:
            ready()
        async with asyncio.TaskGroup() as tasks:
            for number in range(controller.workers):
                tasks.create_task(_work(controller, world, queue), name=f"{controller.name}-{number}")
    finally:
        for stop in stops:
            stop()


def _all(mirror: Mirror) -> Owners:
    return lambda _: map(meta.key, mirror.all())


def _feed(mirror: Mirror, owners: Owners, queue: WorkQueue) -> Callable[[], None]:
    def changed(old: Object | None, new: Object | None) -> None:
        for seen in (old, new):
            if seen is not None:
                for key in owners(seen):
                    queue.add(key)

    return mirror.subscribe(changed)


async def _work(controller: Controller, world: World, queue: WorkQueue) -> None:
    while True:
        key = await queue.take()
        try:
            again = await controller.reconcile(world, *key)
        except errors.Conflict:
            queue.retry(key, quick=True)
        except Terminal as end:
            log.info("%s %s/%s: %s", controller.name, *key, end)
            queue.forget(key)
        except (errors.ApiError, OSError) as failure:
            log.warning("%s %s/%s will be tried again: %s", controller.name, *key, failure)
            queue.retry(key)
        except Exception:
            log.exception("%s %s/%s failed and will be tried again", controller.name, *key)
            queue.retry(key)
        else:
            queue.forget(key)
            if again is not None:
                queue.add_after(key, again)
        finally:
            queue.done(key)
