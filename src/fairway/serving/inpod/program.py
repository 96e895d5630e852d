"""From flags to a serving process: listen, load, say ready; on SIGTERM drain and end.

It listens before the model is loaded, so that whoever asks learns that it is loading. A model that does not load
ends the process with exit code 1, its reason on standard error and in the termination message of the container.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import socket
import sys
import threading
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import NoReturn

from fairway.serving.inpod import formats
from fairway.serving.inpod.model import CannotLoad, Model
from fairway.serving.inpod.routes import Routes
from fairway.serving.inpod.wire import Connection, Listener
from fairway.serving.inpod.workers import Workers

LONGEST_DRAIN = 25.0
STALLED = 60.0


def main(argv: Sequence[str] | None = None) -> int:
    options = flags().parse_args(argv)
    # What a model says of column names it misses is no news to the caller, and threads must not change filters.
    warnings.filterwarnings("ignore", category=UserWarning, module="sklearn")
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            return runner.run(_until_signalled(options))
    except CannotLoad as reason:
        return _fail(str(reason))
    except OSError as failure:
        where = f"{options.host}:{options.http_port}"
        return _fail(f"The model server cannot listen on {where}: {failure.strerror or failure}.")


async def _until_signalled(options: argparse.Namespace) -> int:
    end = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, end.set)

    def ready(host: str, port: int) -> None:
        print(f"Serving {options.model_name} from {options.model_dir} on http://{host}:{port}", flush=True)

    await serve(options, end, ready=ready)
    return 0


async def serve(options: argparse.Namespace, end: asyncio.Event, *, ready: Callable[[str, int], None]) -> None:
    """Serve until `end` is set, then drain; calls `ready` with its address once the model answers.

    Raises CannotLoad, and OSError where it cannot listen.
    """
    loop = asyncio.get_running_loop()
    threads = options.container_concurrency or min(4, os.cpu_count() or 1)
    waiting = 10 * options.container_concurrency or options.max_waiting
    routes = Routes(options.model_name, Workers(threads, waiting, loop), server_version=_version())
    listener = Listener(routes, most_body=options.max_body_bytes)
    server = await loop.create_server(
        lambda: Connection(listener), sock=_bind(options.host, options.http_port), backlog=1024
    )
    sweep = asyncio.create_task(_sweep(listener))
    stopping = asyncio.create_task(end.wait())
    try:
        loading = _in_thread(loop, options)
        await asyncio.wait((loading, stopping), return_when=asyncio.FIRST_COMPLETED)
        if loading.done():
            routes.model = loading.result()
            ready(*server.sockets[0].getsockname()[:2])
            await stopping
            await _drain(server, listener, routes, options.linger)
    finally:
        stopping.cancel()
        sweep.cancel()
        server.close()


async def _drain(server: asyncio.Server, listener: Listener, routes: Routes, linger: float) -> None:
    """Not ready but answering, each answer closing its connection; then no new ones; then those at work end."""
    print("Draining: no longer ready, still answering", flush=True)
    routes.draining = listener.draining = True
    await asyncio.sleep(linger)
    server.close()
    listener.drain()
    if listener.connections:
        with suppress(TimeoutError):
            await asyncio.wait_for(listener.empty.wait(), LONGEST_DRAIN)


def _in_thread(loop: asyncio.AbstractEventLoop, options: argparse.Namespace) -> asyncio.Future[Model]:
    """Load in a daemon thread, which does not hold up the end of the process as an executor's would."""
    future: asyncio.Future[Model] = loop.create_future()

    def settle(model: Model | None, error: BaseException | None) -> None:
        if future.cancelled():
            return
        if error:
            future.set_exception(error)
        elif model:
            future.set_result(model)

    def load() -> None:
        location = Path(options.model_dir)
        model: Model | None = None
        error: BaseException | None = None
        try:
            model = formats.load(options.model_format, options.model_name, location, os.environ)
        except BaseException as caught:  # whatever a pickle raises ends the load, SystemExit too
            error = caught if isinstance(caught, CannotLoad) else CannotLoad(f"{location}: {caught!r}")
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, model, error)

    threading.Thread(target=load, name="load", daemon=True).start()
    return future


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
    parser = _Flags(prog="fairway.serving.inpod", description="Serves a scikit-learn model over V1 and V2 REST.")
    parser.add_argument("--model_name", required=True, help="the name in the paths")
    parser.add_argument("--model_dir", required=True, help="a model file, or the folder that holds one")
    parser.add_argument("--model_format", default="", help="KServe's name of it; empty: what the files are")
    parser.add_argument("--http_port", type=int, default=8080)
    parser.add_argument("--grpc_port", type=int, default=0, help="where gRPC is to be spoken")
    parser.add_argument("--host", default=os.environ.get("FAIRWAY_POD_IP") or "127.0.0.1", help="the address to bind")
    parser.add_argument(
        "--container_concurrency", type=int, default=0, help="predictions at once; 0: as many as cores, at most 4"
    )
    parser.add_argument("--max_waiting", type=int, default=1000, help="predictions that may wait before others get 503")
    parser.add_argument("--max_body_bytes", type=int, default=256 * 1024 * 1024)
    parser.add_argument(
        "--linger", type=float, default=1.5, help="seconds from SIGTERM to the closed door; gateways learn meanwhile"
    )
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
