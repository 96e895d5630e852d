"""Several models in one server: by name, loaded and unloaded while it runs, swapped without a dropped request."""

import asyncio
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import joblib
import numpy as np
import pytest

from .conftest import TWO_FLOWERS, Server, serving

ROWS = {"instances": TWO_FLOWERS}


class Constant:
    def __init__(self, answer: int) -> None:
        self.answer = answer

    def predict(self, rows: object) -> object:
        return np.full(len(np.asarray(rows)), self.answer)


@pytest.fixture
def folder(models: Path, tmp_path: Path) -> Path:
    """Two models that load, and one that does not."""
    for name in ("iris", "text"):
        shutil.copytree(models / name, tmp_path / name)
    (tmp_path / "empty").mkdir()
    return tmp_path


def save(answer: int, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    joblib.dump(Constant(answer), folder / "model.joblib")


async def index(server: Server) -> dict[str, tuple[str, str]]:
    _, entries = await server.post("/v2/repository/index", b"")
    return {entry["name"]: (entry["state"], entry.get("reason", "")) for entry in entries}


async def test_a_folder_of_folders_is_several_models_and_a_broken_one_hurts_no_other(folder: Path) -> None:
    async with serving(folder) as server:
        assert await server.post("/v1/models/iris:predict", ROWS) == (200, {"predictions": [1, 1]})
        assert await server.post("/v1/models/text:predict", {"instances": ["a cat"]}) == (200, {"predictions": ["cat"]})
        status, answer = await server.post("/v1/models/empty:predict", ROWS)
        assert (status, answer["error"].startswith("The model empty is not loaded.")) == (503, True)
        assert (await server.get("/v2/models"))[1] == {"models": ["empty", "iris", "text"]}
        assert (await server.get("/v2/models/empty/ready"))[0] == 503
        assert (await server.get("/v2/health/ready"))[0] == 200
        states = await index(server)
        assert (states["iris"], states["empty"][0]) == (("READY", ""), "UNAVAILABLE")
        _, ready = await server.post("/v2/repository/index", {"ready": True})
        assert [entry["name"] for entry in ready] == ["iris", "text"]


async def test_models_come_and_go_while_it_serves(folder: Path, models: Path) -> None:
    async with serving(folder) as server:
        shutil.copytree(models / "broken", folder / "later")
        assert (await server.post("/v2/repository/models/later/load", {}))[0] == 200
        assert (await server.get("/v1/models/later"))[0] == 200
        assert (await server.post("/v2/repository/models/iris/unload", {}))[0] == 200
        assert (await server.post("/v1/models/iris:predict", ROWS))[0] == 503
        assert (await server.get("/v2/health/ready"))[0] == 200
        assert (await server.post("/v2/repository/models/iris/load", b""))[0] == 200
        assert (await server.post("/v1/models/iris:predict", ROWS))[0] == 200
        assert (await server.post("/v2/repository/models/empty/load", {}))[0] == 400
        assert (await server.post("/v2/repository/models/nowhere/load", {}))[0] == 404
        assert "nowhere" not in await index(server)
        assert (await server.post("/v2/repository/models/nobody/unload", {}))[0] == 404
        status, answer = await server.post("/v2/repository/models/iris/load", {"parameters": {"config": "{}"}})
        assert (status, "config" in answer["error"]) == (501, True)


async def test_a_version_is_swapped_under_load_and_no_request_is_lost(tmp_path: Path) -> None:
    save(1, tmp_path / "m" / "1")
    seen: list[list[int]] = []
    async with serving(tmp_path / "m") as server:
        stop = asyncio.Event()

        async def client() -> None:
            answers: list[int] = []  # of one client, who asks after an answer; another's may still be of the old one
            seen.append(answers)
            while not stop.is_set():
                status, answer = await server.post("/v1/models/m:predict", {"instances": [[0]]})
                assert status == 200, answer
                answers.append(answer["predictions"][0])

        async with asyncio.TaskGroup() as clients:
            for _ in range(4):
                clients.create_task(client())
            await until(lambda: 1 in set().union(*seen))
            for version in (2, 3, 10):
                save(version, tmp_path / "m" / str(version))
                assert (await server.post("/v2/repository/models/m/load", {}))[0] == 200
                await until(lambda version=version: version in set().union(*seen))  # type: ignore[misc]
            stop.set()
        assert (await server.get("/v2/models/m"))[1]["versions"] == ["10"]
        assert (await server.get("/v2/models/m/versions/3"))[0] == 404
    assert all(answers == sorted(answers) for answers in seen)
    assert set().union(*seen) == {1, 2, 3, 10}


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not true():
            await asyncio.sleep(0.01)


async def test_a_version_that_does_not_load_leaves_the_old_one_serving(tmp_path: Path) -> None:
    save(1, tmp_path / "m" / "1")
    async with serving(tmp_path / "m") as server:
        (tmp_path / "m" / "2").mkdir()
        status, answer = await server.post("/v2/repository/models/m/load", {})
        assert (status, "has no model" in answer["error"]) == (400, True)
        assert await server.post("/v1/models/m:predict", {"instances": [[0]]}) == (200, {"predictions": [1]})
        assert (await server.get("/v2/health/ready"))[0] == 200
        assert (await index(server))["m"][0] == "READY"
        assert "has no model" in (await index(server))["m"][1]
        assert (await server.post("/v2/repository/models/other/load", {}))[0] == 404


async def test_an_empty_repository_is_ready_and_waits_for_models(models: Path, tmp_path: Path) -> None:
    async with serving(tmp_path, "--multi_model") as server:
        assert (await server.get("/v2/health/ready"))[0] == 200
        assert (await server.post("/v1/models/iris:predict", ROWS))[1]["error"].endswith("this server has none yet.")
        shutil.copytree(models / "iris", tmp_path / "iris")
        assert (await server.post("/v2/repository/models/iris/load", {}))[0] == 200
        assert (await server.post("/v1/models/iris:predict", ROWS))[0] == 200


TALKING = """
import asyncio
from pathlib import Path

class Talker:
    closed = Path(__file__).with_name("closed")

    async def predict(self, body):
        yield "begun "
        while not Path(__file__).with_name("gate").exists():
            await asyncio.sleep(0.005)
        yield "whole"

    async def chat(self, messages):
        async for word in self.predict(messages):
            yield word

    def close(self):
        self.closed.touch()
"""
CHAT = {"model": "m", "messages": [{"role": "user", "content": "?"}], "stream": True}


@pytest.mark.parametrize("path", ["/v1/models/m:predict", "/openai/v1/chat/completions"])
async def test_a_stream_that_has_begun_is_ended_by_the_program_that_began_it(tmp_path: Path, path: str) -> None:
    (tmp_path / "model.py").write_text(TALKING)
    async with serving(tmp_path, "--model_format=python") as server:
        async with server.session.post(server.url + path, json=CHAT) as answer:
            assert b"begun" in await answer.content.readany()
            assert (await server.post("/v2/repository/models/m/load", {}))[0] == 200
            for _ in range(20):
                await server.get("/v2/health/live")
            assert not (tmp_path / "closed").exists()
            (tmp_path / "gate").touch()
            assert b"whole" in await answer.read()
        await until((tmp_path / "closed").exists)


class Waiting:
    """Loads once there is a file."""

    def __init__(self, gate: Path) -> None:
        self.gate = gate

    def __reduce__(self) -> tuple[object, ...]:
        return _waited, (str(self.gate),)


def _waited(gate: str) -> Constant:
    while not Path(gate).exists():
        time.sleep(0.005)
    return Constant(7)


async def test_a_model_that_comes_later_keeps_nobody_waiting_for_the_others(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    gate = tmp_path_factory.mktemp("beside") / "gate"
    async with serving(folder) as server:
        (folder / "later").mkdir()
        joblib.dump(Waiting(gate), folder / "later" / "model.joblib")
        for _ in range(2):  # new, and once more after it went
            coming = asyncio.create_task(server.post("/v2/repository/models/later/load", {}))
            async with asyncio.timeout(60):
                while "later" not in (states := await index(server)) or states["later"][0] != "LOADING":
                    await asyncio.sleep(0.005)
            assert (await server.get("/v2/health/ready"))[0] == 200
            assert (await server.get("/v2/models/later/ready"))[0] == 503
            assert (await server.post("/v1/models/iris:predict", ROWS))[0] == 200
            gate.touch()
            assert (await coming)[0] == 200
            assert (await server.post("/v1/models/later:predict", {"instances": [[0]]}))[1] == {"predictions": [7]}
            assert (await server.post("/v2/repository/models/later/unload", {}))[0] == 200
            gate.unlink()
