"""Files from web servers and from a hub: one GET, taken up where it broke off, headers for their host only."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from fairway.artifacts.failures import CannotFetch, Unreachable
from fairway.artifacts.fetching import fetch
from tests.artifacts.test_fetching import packed, tree

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    """A real server on loopback; its address."""
    runner = web.AppRunner(web.Application())
    runner.app.router.add_route("*", "/{path:.*}", handler)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_a_file_is_asked_for_once_and_then_only_whether_it_changed(tmp_path: Path) -> None:
    content, sent = {"bytes": b"one" * 1000}, []

    async def answer(request: web.Request) -> web.StreamResponse:
        body = content["bytes"]
        sent.append(request.query_string)
        return web.Response(body=body, headers={"ETag": f'"{hash(body)}"'})

    async with serving(answer) as url:
        uri, cache = f"{url}/a/model.joblib?signature=secret", tmp_path / "cache"
        first = await fetch(uri, tmp_path / "1", credentials={}, cache=cache)
        assert await fetch(uri, tmp_path / "2", credentials={}, cache=cache) == first
        content["bytes"] = b"two"
        await fetch(uri, tmp_path / "3", credentials={}, cache=cache)
    assert (tmp_path / "2" / "model.joblib").read_bytes() == b"one" * 1000
    assert (tmp_path / "3" / "model.joblib").read_bytes() == b"two"
    assert sent == ["signature=secret"] * 3


async def test_an_answer_that_breaks_off_is_taken_up_where_it_did_as_long_as_it_gets_on(tmp_path: Path) -> None:
    content = bytes(range(256)) * 8_000
    ranges: list[str] = []

    def arrived() -> int:
        parts = (tmp_path / "cache" / "parts").glob("*")
        return max((path.stat().st_size for path in parts), default=0)

    async def answer(request: web.Request) -> web.StreamResponse:
        asked = request.headers.get("Range", "bytes=0-")
        ranges.append(asked)
        start = int(asked[6:-1])
        status = 206 if start else 200
        headers = {"ETag": '"v1"', "Content-Length": str(len(content) - start)}
        response = web.StreamResponse(status=status, headers=headers)
        await response.prepare(request)
        if len(ranges) < 9:
            await response.write(content[start : start + 200_000])
            while arrived() < start + 100_000:
                await asyncio.sleep(0.01)
            assert request.transport
            request.transport.close()
        else:
            await response.write(content[start:])
        return response

    async with serving(answer) as url:
        await fetch(f"{url}/big", tmp_path / "x", credentials={}, cache=tmp_path / "cache")
    assert (tmp_path / "x" / "big").read_bytes() == content
    assert len(set(ranges)) == len(ranges) == 9


async def test_what_breaks_off_and_has_no_version_leaves_nothing_in_the_cache(tmp_path: Path) -> None:
    """Nobody could go on with it; a pod that tries again and again would fill the disk."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "300000"})
        await response.prepare(request)
        await response.write(b"x" * 100_000)
        assert request.transport
        request.transport.close()
        return response

    async with serving(answer) as url:
        with pytest.raises(Unreachable, match="broke off"):
            await fetch(f"{url}/big", tmp_path / "x", credentials={}, cache=tmp_path / "cache")
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


async def test_headers_of_the_credentials_go_to_their_host_and_no_other(tmp_path: Path) -> None:
    seen: dict[str, str] = {}

    async def other(request: web.Request) -> web.StreamResponse:
        seen["other"] = request.headers.get("X-Key", "none")
        return web.Response(body=b"x")

    async with serving(other) as elsewhere:
        there = elsewhere.replace("127.0.0.1", "localhost")

        async def first(request: web.Request) -> web.StreamResponse:
            seen["first"] = request.headers.get("X-Key", "none")
            raise web.HTTPFound(f"{there}/moved")

        async with serving(first) as url:
            credentials = {"127.0.0.1-headers": json.dumps({"X-Key": "secret"})}
            await fetch(f"{url}/x", tmp_path / "x", credentials=credentials)
    assert seen == {"first": "secret", "other": "none"}


@pytest.mark.parametrize(
    ("status", "kind", "said"),
    [
        (404, CannotFetch, "there is nothing at"),
        (403, CannotFetch, "is not for us"),
        (503, Unreachable, "cannot be read now"),
        (418, CannotFetch, "cannot be read"),
    ],
)
async def test_refusals_are_told_without_the_query(
    tmp_path: Path, status: int, kind: type[CannotFetch], said: str
) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(status=status)

    async with serving(answer) as url:
        with pytest.raises(kind, match=said) as refused:
            await fetch(f"{url}/x?signature=secret", tmp_path / "x", credentials={})
    assert "secret" not in str(refused.value)
    assert f"HTTP {status}" in str(refused.value)


async def test_addresses_that_lead_nowhere(tmp_path: Path) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        raise web.HTTPFound(request.query.get("to") or request.path)

    async with serving(answer) as url:
        for uri, said in (
            (f"{url}/x", "leads on more than 10 times"),
            (f"{url}/x?to=file:///etc/passwd", "neither http nor https"),
            (f"{url}/x?to=http://169.254.169.254/latest", "address of this machine's cloud"),
            ("http://[fd00:ec2::254]/latest", "address of this machine's cloud"),
            ("http://127.0.0.1:1/x", "cannot be reached"),
        ):
            with pytest.raises(CannotFetch, match=said):
                await fetch(uri, tmp_path / "x", credentials={})
    assert list(tmp_path.iterdir()) == []


async def test_an_archive_is_known_by_what_the_server_calls_it(tmp_path: Path) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(body=packed("zip", {"a": b"x"}), content_type="application/zip")

    async with serving(answer) as url:
        await fetch(f"{url}/download", tmp_path / "x", credentials={})
    assert tree(tmp_path / "x") == {"a": b"x"}


async def test_a_model_of_the_hub_is_of_one_commit(tmp_path: Path) -> None:
    asked: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        if request.headers.get("Authorization") != "Bearer hf_token":
            return web.Response(status=401)
        if request.path == "/api/models/team/model/revision/v1":
            files = [
                {"rfilename": "config.json", "size": 2, "blobId": "b1"},
                {"rfilename": "deep/weights.bin", "size": 7, "lfs": {"sha256": "aa"}},
            ]
            return web.json_response({"sha": "c0ffee", "siblings": files})
        return web.Response(body=b"{}" if request.path.endswith("config.json") else b"weights")

    async with serving(answer) as url:
        credentials = {"HF_ENDPOINT": url, "HF_TOKEN": "hf_token"}
        cache = tmp_path / "cache"
        await fetch("hf://team/model:v1", tmp_path / "1", credentials=credentials, cache=cache)
        before = len(asked)
        await fetch("hf://team/model:v1", tmp_path / "2", credentials=credentials, cache=cache, ignore=["deep/*"])
        with pytest.raises(CannotFetch, match="is not for us"):
            await fetch("hf://team/model:v1", tmp_path / "3", credentials={"HF_ENDPOINT": url}, cache=cache)
    assert (tmp_path / "1" / "deep" / "weights.bin").read_bytes() == b"weights"
    assert "/team/model/resolve/c0ffee/config.json" in asked
    assert (before, sorted(path.name for path in (tmp_path / "2").iterdir())) == (3, ["config.json"])
    assert len(asked) == before + 2
