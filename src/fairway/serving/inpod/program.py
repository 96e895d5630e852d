"""From flags to a serving process: listen, load, say ready; on SIGTERM drain and end.

It listens before the model is loaded, so that whoever asks learns that it is loading. A server of one model that does
not load ends the process with exit code 1, its reason on standard error and in the termination message of the
container; where there are several models, the others serve.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import socket
import sys
import warnings
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import NoReturn

from fairway.serving.inpod.board import Board, Page
from fairway.serving.inpod.changes import Changes
from fairway.serving.inpod.formats import settings
from fairway.serving.inpod.lanes import Limits
from fairway.serving.inpod.metrics import Metrics
from fairway.serving.inpod.model import CannotLoad
from fairway.serving.inpod.places import Loader, Places
from fairway.serving.inpod.repository import Repository
from fairway.serving.inpod.routes import Routes
from fairway.serving.inpod.rpc.starting import Rpc
from fairway.serving.inpod.wire import Connection, Listener

LONGEST_DRAIN = 25.0
STALLED = 60.0


def main(argv: Sequence[str] | None = None, given: Mapping[str, Loader] | None = None) -> int:
    """`given` are models that a program made itself, instead of those of the folder."""
    options = flags().parse_args(argv)
    # What a model says of column names it misses is no news to the caller, and threads must not change filters.
    warnings.filterwarnings("ignore", category=UserWarning, module="sklearn")
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            return runner.run(_until_signalled(options, given))
    except CannotLoad as reason:
        return _fail(str(reason))
    except OSError as failure:
        where = f"{options.host}:{options.http_port}"
        return _fail(f"The model server cannot listen on {where}: {failure.strerror or failure}.")


async def _until_signalled(options: argparse.Namespace, given: Mapping[str, Loader] | None) -> int:
    end = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, end.set)

    def ready(host: str, port: int) -> None:
        what = ", ".join(given) if given else f"{options.model_name} from {options.model_dir}"
        print(f"Serving {what} on http://{host}:{port}", flush=True)

    await serve(options, end, ready=ready, given=given)
    return 0


async def serve(
    options: argparse.Namespace,
    end: asyncio.Event,
    *,
    ready: Callable[[str, int], None],
    given: Mapping[str, Loader] | None = None,
) -> None:
    """Serve until `end` is set, then drain; calls `ready` with its address once all models answer or have failed.

    Raises CannotLoad, and OSError where it cannot listen.
    """
    board = Board(1)
    server = Server(options, board, board.page(0), given)
    await server.run(end, ready=ready)


class Server:
    """What one process serves."""

    def __init__(
        self, options: argparse.Namespace, board: Board, page: Page, given: Mapping[str, Loader] | None
    ) -> None:
        self._options, self._given = options, given
        self._places = None if given is not None else places(options)
        loop = asyncio.get_running_loop()
        metrics = Metrics(board, page)
        self._repository = Repository(limits(options), metrics, loop)
        change = Changes(self._repository, self._places)
        self._routes = Routes(self._repository, metrics, change, server_version=_version())
        self._rpc = Rpc(options, self._repository, metrics, change, self._routes, _version())
        self._listener = Listener(self._routes, most_body=options.max_body_bytes)

    async def run(self, end: asyncio.Event, *, ready: Callable[[str, int], None]) -> None:
        listening = _bind(self._options.host, self._options.http_port)
        create = asyncio.get_running_loop().create_server
        server = await create(lambda: Connection(self._listener), sock=listening, backlog=1024)
        sweep = asyncio.create_task(_sweep(self._listener))
        stopping = asyncio.create_task(end.wait())
        loading = asyncio.create_task(self._load())
        try:
            await self._rpc.start()
            await asyncio.wait((loading, stopping), return_when=asyncio.FIRST_COMPLETED)
            if loading.done():
                loading.result()
                ready(*server.sockets[0].getsockname()[:2])
                await stopping
                await self._drain(server)
        finally:
            for task in (stopping, sweep, loading):
                task.cancel()
            server.close()
            await self._rpc.stop(0)
            await self._repository.close()

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
        await asyncio.sleep(self._options.linger)
        server.close()
        self._listener.drain()
        async with asyncio.TaskGroup() as ends:
            ends.create_task(self._rpc.stop(LONGEST_DRAIN))
            if self._listener.connections:
                ends.create_task(_within(LONGEST_DRAIN, self._listener.empty.wait()))


def places(options: argparse.Namespace) -> Places:
    told = settings.with_flags(os.environ, options)
    return Places(Path(options.model_dir), options.model_format, told, options.multi_model)


def limits(options: argparse.Namespace) -> Limits:
    """Knative's rule for those that wait: ten for each that may be at work."""
    concurrency = options.container_concurrency
    return Limits(
        threads=concurrency or min(4, os.cpu_count() or 1),
        waiting=10 * concurrency or options.max_waiting,
        batch=max(1, options.max_batch_size),
        latency=options.max_batch_latency_ms / 1000,
        strict=concurrency > 0,
    )


async def _within(seconds: float, done: Awaitable[object]) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(done, seconds)


async def _sweep(listener: Listener) -> None:
    while True:
        await asyncio.sleep(STALLED / 6)
        listener.close_stalled(STALLED)


def _bind(host: str, port: int) -> socket.socket:
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


class _Flags(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        raise SystemExit(_fail(f"The model server does not understand its arguments: {message}."))


def flags() -> argparse.ArgumentParser:
    parser = _Flags(prog="fairway.serving.inpod", description="Serves models over V1 and V2.")
    parser.add_argument("--model_name", default="model", help="the name in the paths")
    parser.add_argument("--model_dir", default="/mnt/models", help="a model file, or a folder of one or of several")
    parser.add_argument("--model_format", default="", help="KServe's name of it; empty: what the files are")
    parser.add_argument("--http_port", type=int, default=8080)
    parser.add_argument("--grpc_port", type=int, default=0, help="V2 over gRPC; 0: not offered")
    parser.add_argument("--grpc_max_message_bytes", type=int, default=8 * 1024 * 1024)
    parser.add_argument("--host", default=os.environ.get("FAIRWAY_POD_IP") or "127.0.0.1", help="the address to bind")
    parser.add_argument(
        "--container_concurrency", type=int, default=0, help="predictions at once; 0: as many as cores, at most 4"
    )
    parser.add_argument("--multi_model", action="store_true", help="model_dir is a folder of models, if only later")
    parser.add_argument("--max_batch_size", type=int, default=64, help="rows that are laid together; 1: none")
    parser.add_argument(
        "--max_batch_latency_ms", type=float, default=0, help="how long the first of a batch waits; 0: while others run"
    )
    parser.add_argument("--max_waiting", type=int, default=1000, help="predictions that may wait before others get 503")
    parser.add_argument("--max_body_bytes", type=int, default=256 * 1024 * 1024)
    parser.add_argument(
        "--linger", type=float, default=1.5, help="seconds from SIGTERM to the closed door; gateways learn meanwhile"
    )
    settings.add_flags(parser)
    return parser


def _fail(sentence: str) -> int:
    """Say it where Kubernetes looks, and where people look."""
    print(sentence, file=sys.stderr, flush=True)
    where = os.environ.get("FAIRWAY_TERMINATION_LOG")
    message = Path(where or "/dev/termination-log")
    if where or message.exists():  # Kubernetes makes it before the container starts; elsewhere there is none
        with suppress(OSError):
            message.write_text(sentence[:4096])
    return 1


def _version() -> str:
    try:
        return metadata.version("fairway")
    except metadata.PackageNotFoundError:
        return "unknown"


def _loop_factory() -> type[asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415  optional
    except ImportError:
        return None
    loop: type[asyncio.AbstractEventLoop] = uvloop.Loop
    return loop
