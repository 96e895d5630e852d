"""Several processes on one address: metrics of all, changes in all, one that dies is replaced, all drain together."""

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.ports import free_port

from .conftest import TWO_FLOWERS

pytestmark = pytest.mark.slow
ROWS = {"instances": TWO_FLOWERS}


@dataclass
class Process:
    popen: subprocess.Popen[str]
    url: str

    @property
    def workers(self) -> list[int]:
        children = Path(f"/proc/{self.popen.pid}/task/{self.popen.pid}/children").read_text()
        return [int(pid) for pid in children.split()]

    async def ask(self, method: str, path: str, body: Any = None) -> tuple[int, str]:
        """Over a connection of its own, which any of the workers may take."""
        async with aiohttp.ClientSession() as session, session.request(method, self.url + path, json=body) as answer:
            return answer.status, await answer.text()

    async def metric(self, pattern: str) -> float:
        found = re.search("^" + pattern + r" (\S+)$", (await self.ask("GET", "/metrics"))[1], re.MULTILINE)
        return float(found[1]) if found else 0.0


def start(model: Path, *flags: str) -> Process:
    port = free_port()
    command = [sys.executable, "-m", "fairway.serving.inpod", "--model_name=m", f"--model_dir={model}"]
    popen = subprocess.Popen(
        [*command, f"--http_port={port}", "--workers=2", "--linger=0.1", *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    return Process(popen, f"http://127.0.0.1:{port}")


@asynccontextmanager
async def processes(model: Path, *flags: str) -> AsyncGenerator[Process, None]:
    process = start(model, *flags)
    try:
        assert process.popen.stdout
        said = await asyncio.to_thread(process.popen.stdout.readline)
        assert "in 2 processes" in said
        yield process
    finally:
        process.popen.terminate()
        await asyncio.to_thread(process.popen.communicate, timeout=60)


async def test_any_worker_shows_the_metrics_of_all_and_a_dead_one_is_replaced(models: Path) -> None:
    requests = r'fairway_inference_requests_total\{model_name="m",protocol="v1",code="200"\}'
    async with processes(models / "iris") as server:
        first = server.workers
        assert len(first) == 2
        for _ in range(20):
            assert await server.ask("POST", "/v1/models/m:predict", ROWS) == (200, '{"predictions":[1,1]}')
        assert {await server.metric(requests) for _ in range(10)} == {20.0}
        os.kill(first[1], signal.SIGKILL)
        await until(lambda: len(server.workers) == 2 and first[1] not in server.workers)
        statuses = [(await server.ask("POST", "/v1/models/m:predict", ROWS))[0] for _ in range(20)]
        assert statuses == [200] * 20
        assert await server.metric(requests) == 40.0
        assert await server.metric("fairway_inference_requests_inside") == 0.0


async def test_models_are_loaded_and_unloaded_in_all_workers_and_in_later_ones(models: Path, tmp_path: Path) -> None:
    shutil.copytree(models / "iris", tmp_path / "one")
    async with processes(tmp_path, "--multi_model") as server:
        shutil.copytree(models / "iris", tmp_path / "two")
        assert (await server.ask("POST", "/v2/repository/models/two/load", {}))[0] == 200
        assert (await server.ask("POST", "/v2/repository/models/one/unload", {}))[0] == 200
        assert (await server.ask("POST", "/v2/repository/models/three/load", {}))[0] == 404
        await self_check(server)
        for pid in server.workers:
            os.kill(pid, signal.SIGKILL)
            await until(lambda pid=pid: len(server.workers) == 2 and pid not in server.workers)  # type: ignore[misc]
            await self_check(server)


async def self_check(server: Process) -> None:
    for _ in range(8):
        assert (await server.ask("POST", "/v1/models/two:predict", ROWS))[0] == 200
        assert (await server.ask("POST", "/v1/models/one:predict", ROWS))[0] == 503


async def test_requests_inside_are_answered_before_all_end(gated: Path, gate: Path) -> None:
    async with processes(gated) as server:
        calls = [asyncio.create_task(server.ask("POST", "/v1/models/m:predict", {"instances": [[1]]})) for _ in "1234"]
        while await server.metric("fairway_inference_requests_inside") < 4.0:
            await asyncio.sleep(0.01)
        server.popen.terminate()
        _, pending = await asyncio.wait(calls, timeout=0.3)
        assert len(pending) == 4
        gate.touch()
        assert [status for status, _ in await asyncio.gather(*calls)] == [200] * 4
        assert await asyncio.to_thread(server.popen.wait, 60) == 0


async def test_where_the_process_that_looks_after_them_is_killed_they_end(models: Path) -> None:
    async with processes(models / "iris") as server:
        pids = server.workers
        server.popen.kill()
        await until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))


def test_a_model_that_does_not_load_ends_them_with_one_sentence(tmp_path: Path) -> None:
    process = start(tmp_path / "nowhere")
    _, said = process.popen.communicate(timeout=60)
    assert process.popen.returncode == 1
    assert "does not exist" in said


async def until(true: Any) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
