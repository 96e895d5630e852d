"""One serving process: listen, load, say ready; once told to end, drain.

It listens before the models are loaded, so that whoever asks learns that they are loading. A model that does not load
ends a server that has no other; where there are several, the others serve. `program` starts it, alone or in several
processes.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from importlib import metadata

from fairway.serving.inpod import flags, lingering
from fairway.serving.inpod.board import Board, Page
from fairway.serving.inpod.changes import Change, Changes
from fairway.serving.inpod.messages import Call, Refusal
from fairway.serving.inpod.metrics import Metrics
from fairway.serving.inpod.model import CannotLoad
from fairway.serving.inpod.places import Brings, Loader
from fairway.serving.inpod.repository import Repository
from fairway.serving.inpod.routes import METRICS, Routes
from fairway.serving.inpod.rpc.starting import Rpc
from fairway.serving.inpod.wire import Connection, Listener

LONGEST_DRAIN = 25.0
STALLED = 60.0


class Server:
    """What one process serves. `given` are models that a program made itself, instead of those of the folder.
    `everywhere` is how a change reaches all processes, where there are several."""

    def __init__(
        self,
        options: argparse.Namespace,
        board: Board,
        page: Page,
        given: Mapping[str, Loader] | None = None,
        everywhere: Change | None = None,
    ) -> None:
        self._options, self._given = options, given
        self._places = None if given is not None else flags.places(options)
        loop = asyncio.get_running_loop()
        metrics = Metrics(board, page)
        self._repository = Repository(flags.limits(options), metrics, loop)
        self.change = Changes(self._repository, self._places, given if isinstance(given, Brings) else None)
        change = everywhere or self.change
        self._routes = Routes(self._repository, metrics, change, server_version=_version())
        self._rpc = Rpc(options, self._repository, metrics, change, self._routes, _version())
        self._listener = Listener(self._routes, most_body=options.max_body_bytes)
        self._telling = Listener(self._tell_metrics, most_body=0)

    async def run(
        self,
        listening: socket.socket,
        end: asyncio.Event,
        *,
        ready: Callable[[], Awaitable[None]],
        loaded_first: bool = False,
    ) -> None:
        """Serve until `end` is set, then drain; awaits `ready` once all models answer or have failed. `loaded_first`
        takes no request before: others answer meanwhile. Raises CannotLoad."""
        create = asyncio.get_running_loop().create_server
        server = await create(
            lambda: Connection(self._listener), sock=listening, backlog=1024, start_serving=not loaded_first
        )
        self._routes.opening = True  # ready is who can be asked on all its ports
        telling = await self._open_metrics()
        sweep = asyncio.create_task(_sweep(self._listener, self._telling))
        stopping = asyncio.create_task(end.wait())
        loading = asyncio.create_task(self._load())
        try:
            if not loaded_first:
                await self._open_rpc()
            await asyncio.wait((loading, stopping), return_when=asyncio.FIRST_COMPLETED)
            if loading.done():
                loading.result()
                await ready()
                if loaded_first:
                    await server.start_serving()
                    await self._open_rpc()
                await stopping
                await self._drain(server)
        finally:
            for task in (stopping, sweep, loading):
                task.cancel()
            server.close()
            if telling:
                telling.close()
            await self._rpc.stop(0)
            await self._repository.close()

    async def _open_metrics(self) -> asyncio.Server | None:
        """Raises OSError."""
        options = self._options
        if not options.metrics_port:
            return None
        where = f"{options.host}:{options.metrics_port}"
        try:
            return await asyncio.get_running_loop().create_server(
                lambda: Connection(self._telling), options.host, options.metrics_port, reuse_port=options.workers > 1
            )
        except OSError as failure:
            raise OSError(failure.errno, f"the address {where} for metrics cannot be had") from failure

    def _tell_metrics(self, call: Call) -> None:
        if call.request.path == METRICS:
            self._routes(call)
        else:
            call.respond(Refusal(404, f"There is nothing here but {METRICS}.").answer())

    async def _open_rpc(self) -> None:
        await self._rpc.start()
        self._routes.opening = False

    async def _load(self) -> None:
        """All at once. Raises CannotLoad where there is only one."""
        loaders = self._loaders()
        for name in loaders:
            self._repository.expect(name)
        loads = [self._repository.load(name, loader) for name, loader in loaders.items()]
        for name, outcome in zip(loaders, await asyncio.gather(*loads, return_exceptions=True), strict=True):
            if isinstance(outcome, CannotLoad) and self._places and self._places.is_repository():
                print(f"The model {name} cannot be loaded: {outcome}", file=sys.stderr, flush=True)
            elif isinstance(outcome, BaseException):
                raise outcome

    def _loaders(self) -> Mapping[str, Loader]:
        if self._places is None:
            return self._given or {}
        if self._places.is_repository():
            return {name: self._places.loader(name) for name in self._places.names()}
        return {self._options.model_name: self._places.loader(self._options.model_name)}

    async def _drain(self, server: asyncio.Server) -> None:
        """Not ready but answering, each answer closing its connection; then no new ones; then those at work end."""
        print("Draining: no longer ready, still answering", flush=True)
        self._routes.draining = self._listener.draining = True
        await lingering.linger(self._options.linger, lambda: self._listener.asked)
        server.close()
        self._listener.drain()
        async with asyncio.TaskGroup() as ends:
            ends.create_task(self._rpc.stop(LONGEST_DRAIN))
            if self._listener.connections:
                ends.create_task(_within(LONGEST_DRAIN, self._listener.empty.wait()))


async def _within(seconds: float, done: Awaitable[object]) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(done, seconds)


async def _sweep(*listeners: Listener) -> None:
    while True:
        await asyncio.sleep(STALLED / 6)
        for listener in listeners:
            listener.close_stalled(STALLED)


def bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        listening.bind((host, port))
    except OSError:
        listening.close()
        raise
    return listening


def _version() -> str:
    try:
        return metadata.version("fairway")
    except metadata.PackageNotFoundError:
        return "unknown"
