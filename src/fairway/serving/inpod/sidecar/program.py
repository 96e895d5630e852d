"""From flags to a sidecar that carries requests; on SIGTERM it lingers, ends what is under way, empties its log."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from fairway.serving.inpod import lingering
from fairway.serving.inpod.relay.asking import Web
from fairway.serving.inpod.relay.inbound import Door, Inbound
from fairway.serving.inpod.relay.outbound import Origin
from fairway.serving.inpod.sidecar import application, batching, flags, journal, sinks
from fairway.serving.inpod.sidecar.application import Application, Parts
from fairway.serving.inpod.sidecar.batching import Batcher
from fairway.serving.inpod.sidecar.events import Source
from fairway.serving.inpod.sidecar.gate import Gate
from fairway.serving.inpod.sidecar.journal import Journal

LONGEST_DRAIN = 25.0
STALLED = 60.0


def main(argv: Sequence[str] | None = None) -> int:
    try:
        options = flags.parse(argv)
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            return runner.run(_until_signalled(options))
    except (flags.Misunderstood, sinks.CannotLog, ValueError) as reason:
        return _fail(str(reason))
    except OSError as failure:
        return _fail(f"The sidecar cannot listen: {failure.strerror or failure}.")


async def _until_signalled(options: argparse.Namespace) -> int:
    end = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, end.set)

    def ready(host: str, port: int) -> None:
        to = f"{options.component_host}:{options.component_port}"
        print(f"Carrying requests from http://{host}:{port} to http://{to}", flush=True)

    await serve(options, end, ready=ready)
    return 0


async def serve(options: argparse.Namespace, end: asyncio.Event, *, ready: Callable[[str, int], None]) -> None:
    """Carry requests until `end` is set, then drain. Raises CannotLog, and OSError where it cannot listen."""
    parts = _parts(options)
    door = Door(Application(parts))
    loop = asyncio.get_running_loop()
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    server = await loop.create_server(
        lambda: Inbound(door), options.host, options.port, family=family, backlog=1024, reuse_address=True
    )
    loops = [loop.create_task(_sweep(door))]
    if parts.journal:
        loops.append(loop.create_task(parts.journal.run()))
    try:
        ready(*server.sockets[0].getsockname()[:2])
        await end.wait()
        await _drain(server, door, parts, options.linger)
    finally:
        for task in loops:
            task.cancel()
        server.close()
        parts.container.close()
        parts.web.close()


def _parts(options: argparse.Namespace) -> Parts:
    web = Web(trusted=options.logger_ca_cert_file, namespace=options.namespace)
    most = options.container_concurrency
    waiting = options.max_waiting if options.max_waiting >= 0 else 10 * most
    parts = Parts(
        container=Origin(options.component_host, options.component_port),
        gate=Gate(most, waiting, time.monotonic),
        web=web,
        probe=application.probe_of(os.environ.get("SERVING_READINESS_PROBE", "")),
    )
    if options.log_url:
        parts.journal = _journal(options, web)
    if options.enable_batcher:
        terms = batching.Terms(options.max_batchsize, options.max_latency / 1000, options.batch_timeout)
        parts.batcher = Batcher(web, f"http://{options.component_host}:{options.component_port}", terms)
    return parts


def _journal(options: argparse.Namespace, web: Web) -> Journal:
    source = Source(
        uri=options.source_uri or f"http://localhost:{options.port}/",
        service=options.inference_service,
        namespace=options.namespace,
        component=options.component,
        endpoint=options.endpoint,
        annotations=options.metadata_annotations,
    )
    files = sinks.FileTerms(options.log_store_path, options.log_store_format, options.log_marshaller_url)
    # A sink of CloudEvents takes one at a time.
    batch = 1 if options.log_url.startswith(("http://", "https://")) else options.log_batch_size
    terms = journal.Terms(
        requests=options.log_mode in ("all", "request"),
        answers=options.log_mode in ("all", "response"),
        headers=options.metadata_headers,
        batch=max(1, batch),
        interval=options.log_batch_interval,
        workers=max(1, options.workers),
        most_events=options.log_queue,
        most_body=options.log_max_body_bytes,
    )
    return Journal(sinks.sink(options.log_url, source, web, files), terms)


async def _drain(server: asyncio.Server, door: Door, parts: Parts, linger: float) -> None:
    print("Draining: still answering", flush=True)
    door.draining = True
    await lingering.linger(linger, lambda: door.asked)
    server.close()
    door.drain()
    if parts.batcher:
        parts.batcher.flush()
    if door.connections:
        with suppress(TimeoutError):
            await asyncio.wait_for(door.empty.wait(), LONGEST_DRAIN)
    if parts.journal:
        await parts.journal.close()


async def _sweep(door: Door) -> None:
    while True:
        await asyncio.sleep(STALLED / 6)
        door.close_stalled(STALLED)


def _fail(sentence: str) -> int:
    """Say it where Kubernetes looks, and where people look."""
    print(sentence, file=sys.stderr, flush=True)
    where = os.environ.get("FAIRWAY_TERMINATION_LOG")
    message = Path(where or "/dev/termination-log")
    if where or message.exists():
        with suppress(OSError):
            message.write_text(sentence[:4096])
    return 1


def _loop_factory() -> type[asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415  optional
    except ImportError:
        return None
    loop: type[asyncio.AbstractEventLoop] = uvloop.Loop
    return loop
