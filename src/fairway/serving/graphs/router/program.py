"""From flags to a router that answers; on SIGTERM it is no longer ready, ends what is under way, and ends."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from fairway.serving.graphs.router import identity, plan, propagation
from fairway.serving.graphs.router.answering import Router
from fairway.serving.graphs.router.steps import Steps
from fairway.serving.inpod import lingering
from fairway.serving.inpod.relay.asking import Web
from fairway.serving.inpod.relay.inbound import Door, Inbound

LONGEST_DRAIN = 25.0


def main(argv: Sequence[str] | None = None) -> int:
    options = flags().parse_args(argv)
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            return runner.run(_until_signalled(options))
    except plan.NoGraph as reason:
        print(reason, file=sys.stderr, flush=True)
    except OSError as failure:
        print(f"The router cannot listen: {failure.strerror or failure}.", file=sys.stderr, flush=True)
    return 1


async def _until_signalled(options: argparse.Namespace) -> int:
    end = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, end.set)

    def ready(host: str, port: int) -> None:
        print(f"Routing on http://{host}:{port}", flush=True)

    await serve(options, end, ready=ready)
    return 0


async def serve(options: argparse.Namespace, end: asyncio.Event, *, ready: Callable[[str, int], None]) -> None:
    """Route until `end` is set, then drain. Raises NoGraph, and OSError where it cannot listen."""
    graph = plan.read(options.graph_json)
    web = Web(namespace=options.namespace)
    steps = Steps(web, graph.timeouts.step, partial(identity.token, os.environ))
    router = Router(graph, steps, propagation.read(os.environ.get("PROPAGATE_HEADERS", "")))
    door = Door(router)
    loop = asyncio.get_running_loop()
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    server = await loop.create_server(
        lambda: Inbound(door), options.host, options.port, family=family, backlog=1024, reuse_address=True
    )
    sweep = loop.create_task(_sweep(door, graph.timeouts))
    try:
        ready(*server.sockets[0].getsockname()[:2])
        await end.wait()
        router.draining = door.draining = True
        await lingering.linger(options.linger, lambda: door.asked)
        server.close()
        door.drain()
        if door.connections:
            with suppress(TimeoutError):
                await asyncio.wait_for(door.empty.wait(), LONGEST_DRAIN)
    finally:
        sweep.cancel()
        server.close()
        web.close()


async def _sweep(door: Door, timeouts: plan.Timeouts) -> None:
    while True:
        await asyncio.sleep(min(5.0, timeouts.read / 4, timeouts.idle / 4))
        door.close_stalled(timeouts.read)
        door.close_idle(timeouts.idle)


def flags() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="fairway.serving.graphs.router", description="Routes through a graph.")
    parser.add_argument("--graph-json", required=True, help="the graph: an InferenceGraph's spec, its addresses found")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--host", default=os.environ.get("FAIRWAY_POD_IP") or "127.0.0.1", help="the address to bind")
    parser.add_argument("--namespace", default="", help="the pod's own, whose Services may be named")
    parser.add_argument(
        "--linger", type=float, default=1.5, help="seconds from SIGTERM to the closed door, or more while requests come"
    )
    return parser


def _loop_factory() -> type[asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415  optional
    except ImportError:
        return None
    loop: type[asyncio.AbstractEventLoop] = uvloop.Loop
    return loop
