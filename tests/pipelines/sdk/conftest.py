"""A whole platform for a synchronous caller: its loop runs in a thread, and it is found as any other, by its folder.

Shared by the tests of a file, as starting it and its first warm step take longer than most of them.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web

from fairway import cli
from fairway.cli import connection
from fairway.front.identity import Reviewer
from fairway.kernel.clock import SystemClock
from fairway.kernel.feature import IDENTITY
from fairway.kernel.whereabouts import start_time
from fairway.pipelines import sdk
from fairway.pipelines.feature import FEATURE
from fairway.testing.cluster import Cluster, cluster


@dataclass(frozen=True)
class Installed:
    """A running platform and its data directory."""

    folder: Path
    url: str
    loop: asyncio.AbstractEventLoop
    end: asyncio.Event


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    folder, started = tmp_path_factory.mktemp("platform"), Future[Installed]()
    thread = threading.Thread(target=lambda: asyncio.run(_serve(folder, started)))
    thread.start()
    here = started.result(timeout=60)
    try:
        yield here
    finally:
        here.loop.call_soon_threadsafe(here.end.set)
        thread.join()


async def _serve(folder: Path, started: Future[Installed]) -> None:
    door = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{door.getsockname()[1]}"
    try:
        async with cluster(folder, node=True, features=(FEATURE,), public_url=url) as here:
            runner = await _front(here, door)
            _describe(here, url)
            end = asyncio.Event()
            started.set_result(Installed(folder, url, asyncio.get_running_loop(), end))
            await end.wait()
            await runner.cleanup()
    except BaseException as problem:
        if not started.done():
            started.set_exception(problem)
        raise


async def _front(here: Cluster, door: socket.socket) -> web.AppRunner:
    reviewer = Reviewer(here.client, SystemClock())

    @web.middleware
    async def identify(request: web.Request, handler: web.RequestHandler) -> web.StreamResponse:
        """What the real front door does, made small."""
        identity = await reviewer.identify(request.headers.get("Authorization", "").removeprefix("Bearer "))
        if identity is not None:
            request[IDENTITY] = identity
        return await handler(request)

    app = web.Application(middlewares=[identify])
    for route in here.parts[0].routes:
        app.router.add_route(route.method, route.path, route.handler)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.SockSite(runner, door).start()
    return runner


def _describe(here: Cluster, url: str) -> None:
    pid, folder = os.getpid(), str(here.folder)
    described = connection.Server(pid, start_time(pid), url, here.api_url, str(here.kubeconfig), folder, "0")
    connection.describe(described)


@pytest.fixture
def server(installed: Installed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> sdk.Server:
    """The platform as a scientist finds it, who has it named in the environment."""
    monkeypatch.setenv("HOME", str(tmp_path))  # kfp.Client reads and writes ~/.config/kfp
    monkeypatch.setenv("FAIRWAY_DATA_DIR", str(installed.folder))
    return sdk.connect()


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str


class Command:
    """The `fairway` command in this process."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self._capture = capture

    def __call__(self, *words: str) -> Said:
        self._capture.readouterr()
        code = cli.main(words)
        captured = self._capture.readouterr()
        return Said(code, captured.out, captured.err)


@pytest.fixture
def fairway(server: sdk.Server, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(capsys)
