"""The container beside a server of many models: each model by itself, whatever is wrong with another."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from fairway.serving.models.kinds import CONFIG_FILE
from fairway.serving.models.puller import following, program
from fairway.serving.models.puller.pulling import Puller
from tests.ports import free_port
from tests.serving.sidecar.conftest import listening, until


class Server:
    def __init__(self) -> None:
        self.asked: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, request: web.Request) -> web.Response:
        await self.gate.wait()
        self.asked.append(request.path.removeprefix("/v2/repository/models/"))
        return web.json_response({})


def listed(**uris: str) -> dict[str, Any]:
    return {name: {"storageUri": uri, "framework": "sklearn"} for name, uri in uris.items()}


@pytest.fixture
def model(tmp_path: Path) -> str:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "model.joblib").write_bytes(b"x")
    return str(tmp_path / "kept")


@pytest.fixture
async def folder(tmp_path: Path) -> AsyncGenerator[Path, None]:
    (tmp_path / "models").mkdir()
    yield tmp_path / "models"


async def test_a_model_that_cannot_be_written_is_told_of_and_keeps_no_other_away(folder: Path, model: str) -> None:
    told: dict[str, tuple[bool, str]] = {}

    async def tell(name: str, loaded: bool, message: str) -> None:
        told[name] = (loaded, message)

    (folder / ".bad").write_text("in the way")
    server = Server()
    async with listening(server) as port:
        puller = Puller(
            folder, f"http://127.0.0.1:{port}", cache=None, credentials={}, mirrors=(), formats=True, tell=tell
        )
        assert not await puller.bring(listed(bad=model, good=model))
        assert (server.asked, told["good"]) == (["good/load"], (True, ""))
        assert told["bad"] == (False, "The model cannot be written to its folder: File exists.")
        (folder / ".bad").unlink()
        assert await puller.bring(listed(bad=model, good=model))
        assert await puller.bring({})
    assert sorted(server.asked) == ["bad/load", "bad/unload", "good/load", "good/unload"]
    assert not list(folder.iterdir())


@pytest.mark.parametrize(
    "one",
    [
        {"modelName": "../../elsewhere", "modelSpec": {"storageUri": "/m"}},
        {"modelName": "..", "modelSpec": {"storageUri": "/m"}},
        {"modelName": ".hidden", "modelSpec": {"storageUri": "/m"}},
        {"modelName": "", "modelSpec": {"storageUri": "/m"}},
        {"modelName": 7, "modelSpec": {"storageUri": "/m"}},
        {"modelName": "a", "modelSpec": {}},
        {"modelName": "a", "modelSpec": "/m"},
        {"modelSpec": {"storageUri": "/m"}},
        "a",
    ],
)
def test_what_is_listed_and_is_no_model_is_left_out(one: Any) -> None:
    good = {"modelName": "good", "modelSpec": {"storageUri": "/m"}}
    assert following.parsed(json.dumps([one, good])) == {"good": {"storageUri": "/m"}}


async def test_it_has_begun_once_the_server_has_what_was_listed_at_first(
    folder: Path, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until then the pod is not ready: its server would answer for none of them."""
    monkeypatch.delenv("KUBECONFIG", raising=False)
    spec = [{"modelName": "m", "modelSpec": listed(m=model)["m"]}]
    (folder.parent / CONFIG_FILE).write_text(json.dumps(spec))
    at, begun = free_port(), free_port()
    flags = [f"--server=http://127.0.0.1:{at}", f"--model-dir={folder}", f"--config-dir={folder.parent}"]
    options = program.flags().parse_args([*flags, f"--begun-port={begun}", "--host=127.0.0.1"])

    async def answers() -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", begun)
        except OSError:
            return False
        writer.close()
        await writer.wait_closed()
        return True

    running = asyncio.create_task(program.run(options))
    server = Server()
    server.gate.clear()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.__call__)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await asyncio.sleep(0)
        assert not await answers()  # nobody listens there
        await web.TCPSite(runner, "127.0.0.1", at).start()
        await until(lambda: (folder / "m").exists())
        assert not await answers()
        server.gate.set()
        async with asyncio.timeout(60):
            while not await answers():
                await asyncio.sleep(0.005)
        assert server.asked == ["m/load"]
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await runner.cleanup()
