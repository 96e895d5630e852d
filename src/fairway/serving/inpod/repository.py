"""The models of the server by name: loading, ready, failed or unloaded; swapped without a dropped request.

A name that is loaded again is loaded beside what serves it; then new requests go to the new one, and the old is let
go once its last request is answered. A load that fails leaves the old one serving. `routes` and `rpc` ask here for
the model of a request; `program` begins with the models of the command line.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from fairway.serving.inpod.lanes import Limits
from fairway.serving.inpod.messages import Refusal
from fairway.serving.inpod.metrics import Metrics
from fairway.serving.inpod.model import CannotLoad, Model, Program
from fairway.serving.inpod.places import Loader
from fairway.serving.inpod.served import Served

LOADING, READY, UNAVAILABLE = "LOADING", "READY", "UNAVAILABLE"
"""As Triton's repository index has them."""


@dataclass(slots=True)
class Entry:
    """`served` is what answers now; `reason` why nothing does, or why the last load of it failed."""

    state: str
    reason: str = ""
    loader: Loader | None = None
    served: Served | None = None
    changing: asyncio.Lock = field(default_factory=asyncio.Lock)
    wanted: bool = True
    """Whether the server is not ready without it. One that comes or came over the network keeps nobody from the others:
    it is wanted once it is there, and no more when somebody unloaded it."""


class Repository:
    """Touched by the event loop only."""

    def __init__(self, limits: Limits, metrics: Metrics, loop: asyncio.AbstractEventLoop) -> None:
        self.speakers: list[tuple[str, Served]] = []
        """The paths that programs speak themselves, the longest first."""
        self.leaning: list[Served] = []
        """Those whose being ready depends on others, too."""
        self._limits, self._metrics, self._loop = limits, metrics, loop
        self._entries: dict[str, Entry] = {}
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def ready(self) -> bool:
        """Whether nothing is loaded for the first time, and something answers if anything should."""
        entries = [entry for entry in self._entries.values() if entry.wanted]
        if any(entry.state == LOADING and not entry.served for entry in entries):
            return False
        return not entries or any(entry.served for entry in entries)

    @property
    def names(self) -> list[str]:
        return sorted(self._entries)

    def readiness(self) -> dict[str, bool]:
        return {name: entry.served is not None for name, entry in sorted(self._entries.items())}

    def index(self, *, ready: bool = False) -> list[dict[str, Any]]:
        """As Triton's repository index; `ready` leaves out the others."""
        listed: list[dict[str, Any]] = []
        for name, entry in sorted(self._entries.items()):
            if entry.served:
                listed.append({"name": name, "version": entry.served.version, "state": READY, "reason": entry.reason})
            elif not ready:
                listed.append({"name": name, "version": "", "state": entry.state, "reason": entry.reason})
        return listed

    def find(self, name: str, version: str | None = None) -> Served:
        """Who answers for a model. Raises Refusal 404 or 503."""
        served = self.known(name, version).served
        if served is None:
            entry = self._entries[name]
            if entry.state == LOADING:
                raise Refusal(503, f"The model {name} is still loading; try again in a moment.", Retry_After="1")
            raise Refusal(503, f"The model {name} is not loaded. {entry.reason}".rstrip())
        return served

    def known(self, name: str, version: str | None = None) -> Entry:
        """Raises Refusal 404."""
        entry = self._entries.get(name)
        if entry is None:
            here = ", ".join(map(repr, self.names)) or "none yet"
            raise Refusal(404, f"Model {name!r} is not here; this server has {here}.")
        if version and entry.served and version != entry.served.version:
            only = entry.served.version
            raise Refusal(404, f"Model {name!r} has no version {version!r}; its only version is {only!r}.")
        return entry

    def loader(self, name: str) -> Loader | None:
        """What the model was loaded by last."""
        entry = self._entries.get(name)
        return entry.loader if entry else None

    def expect(self, name: str) -> None:
        """A model that will be loaded in a moment."""
        self._entries.setdefault(name, Entry(LOADING))

    async def load(self, name: str, loader: Loader) -> None:
        """Load it and let it answer. Raises CannotLoad; what served before then serves on."""
        entry = self._entries.setdefault(name, Entry(LOADING, wanted=False))
        async with entry.changing:
            entry.state = LOADING
            try:
                thing, version = await _in_thread(self._loop, loader)
            except CannotLoad as reason:
                entry.reason, entry.state = str(reason), READY if entry.served else UNAVAILABLE
                raise
            entry.loader, entry.wanted = loader, True
            self._switch(entry, Served(name, thing, version, self._limits, self._metrics.of(name), self._loop))

    async def unload(self, name: str) -> None:
        """Requests that are inside are answered still. Raises Refusal 404."""
        entry = self.known(name)
        async with entry.changing:
            self._switch(entry, None)
            entry.wanted = False

    async def close(self) -> None:
        """Let go of all models; what is inside has had its time."""
        for entry in self._entries.values():
            self._switch(entry, None, patient=False)
        if self._closing:
            await asyncio.wait(tuple(self._closing), timeout=1.0)

    def _switch(self, entry: Entry, served: Served | None, *, patient: bool = True) -> None:
        old, entry.served = entry.served, served
        entry.state, entry.reason = (READY, "") if served else (UNAVAILABLE, "It was unloaded.")
        speaking = [each.served for each in self._entries.values() if each.served]
        paths = [(path, each) for each in speaking for path in each.paths]
        self.speakers = sorted(paths, key=lambda spoken: len(spoken[0]), reverse=True)
        self.leaning = [each for each in speaking if each.leans]
        if old:
            task = self._loop.create_task(old.close(patient=patient))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)


def _in_thread(loop: asyncio.AbstractEventLoop, loader: Loader) -> asyncio.Future[tuple[Model | Program, str]]:
    """Load in a daemon thread, which does not hold up the end of the process as an executor's would."""
    future: asyncio.Future[tuple[Model | Program, str]] = loop.create_future()

    def settle(loaded: tuple[Model | Program, str] | None, error: CannotLoad | None) -> None:
        if future.cancelled():
            return
        if error:
            future.set_exception(error)
        elif loaded:
            future.set_result(loaded)

    def load() -> None:
        loaded, error = _loaded(loader)
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, loaded, error)

    threading.Thread(target=load, name="load", daemon=True).start()
    return future


def _loaded(loader: Callable[[], tuple[Model | Program, str]]) -> tuple[Any, CannotLoad | None]:
    try:
        return loader(), None
    except CannotLoad as reason:
        return None, reason
    except BaseException as caught:  # whatever a pickle raises ends the load, SystemExit too
        return None, CannotLoad(f"The model cannot be loaded: {caught!r}")
