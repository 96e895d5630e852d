"""The init container's program: it fetches, says what it did, and says why it could not, without a secret."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from aiohttp import web

from fairway.serving.storage import program


@pytest.fixture
async def site() -> AsyncGenerator[str, None]:
    """A web server that gives a model to who has the header, and nothing to others."""

    async def give(request: web.Request) -> web.Response:
        if request.headers.get("x-key") != "open sesame":
            return web.Response(status=403)
        return web.Response(body=b"a model")

    app = web.Application()
    app.router.add_get("/m/model.bin", give)
    runner = web.AppRunner(app)
    await runner.setup()
    where = web.TCPSite(runner, "127.0.0.1", 0)
    await where.start()
    yield str(where.name)
    await runner.cleanup()


async def fetched(*arguments: str, monkeypatch: pytest.MonkeyPatch, **env: str) -> int:
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    return await asyncio.to_thread(program.main, arguments)


async def test_a_model_is_fetched_with_its_credentials_and_kept_for_others(
    site: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("127.0.0.1-headers", json.dumps({"x-key": "open sesame"}))
    pairs = [f"{site}/m/model.bin?signature=secret", str(tmp_path / "a"), str(Path(__file__)), str(tmp_path / "b")]
    assert await fetched(f"--cache={tmp_path / 'cache'}", *pairs, monkeypatch=monkeypatch) == 0
    assert (tmp_path / "a" / "model.bin").read_bytes() == b"a model"
    assert (tmp_path / "b" / Path(__file__).name).exists()
    said = capsys.readouterr().out
    assert "1 files, 7 bytes" in said
    assert "secret" not in said


async def test_what_cannot_be_fetched_is_said_in_a_sentence(
    site: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = tmp_path / "note"
    monkeypatch.setenv("FAIRWAY_TERMINATION_LOG", str(note))
    assert await fetched(f"{site}/m/model.bin", str(tmp_path / "a"), monkeypatch=monkeypatch) == 1
    assert note.read_text().startswith(f"The model cannot be fetched: {site}/m/model.bin is not for us (HTTP 403)")


@pytest.mark.parametrize(
    ("config", "overrides", "says"),
    [
        ("{}", "{}", "does not say what it is"),
        ('{"type": "s3"}', "{}", "has no bucket"),
        ("[", "{}", "the entry of the storage secret is not a JSON object"),
        ('{"type": "oci"}', "{}", "is not read here (oci)"),
    ],
)
async def test_a_storage_block_that_is_not_whole_is_said(
    config: str, overrides: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = tmp_path / "note"
    env = {"STORAGE_CONFIG": config, "STORAGE_OVERRIDE_CONFIG": overrides, "FAIRWAY_TERMINATION_LOG": str(note)}
    assert await fetched("storage-spec://m", str(tmp_path / "a"), monkeypatch=monkeypatch, **env) == 1
    assert says in note.read_text()


async def test_a_storage_block_goes_through_the_mirrors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bucket" / "m").mkdir(parents=True)
    (tmp_path / "bucket" / "m" / "model.joblib").write_bytes(b"x")
    arguments = [f"--mirror=s3://b={tmp_path / 'bucket'}", "storage-spec://m", str(tmp_path / "a")]
    env = {"STORAGE_CONFIG": '{"type": "s3", "bucket": "other"}', "STORAGE_OVERRIDE_CONFIG": '{"bucket": "b"}'}
    assert await fetched(*arguments, monkeypatch=monkeypatch, **env) == 0
    assert (tmp_path / "a" / "model.joblib").read_bytes() == b"x"
