"""Any ASGI application behind our server: requests, streams, lifespan, and its mistakes."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fairway.serving.inpod.messages import Refusal
from fairway.serving.inpod.model import CannotLoad, Reply, Speaks
from tests.serving.programs.conftest import while_our_loop_turns

Load = Callable[..., Any]

PLAIN = """
import asyncio

events = []

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            events.append(message["type"])
            await send({"type": message["type"] + ".complete"})
    if scope["path"] == "/echo":
        body = (await receive())["body"]
        await send({"type": "http.response.start", "status": 201, "headers": [
            (b"content-type", b"text/plain"), (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]})
        await send({"type": "http.response.body", "body": scope["query_string"] + b"|" + body})
    elif scope["path"] == "/stream":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        try:
            for number in range(1000):
                await send({"type": "http.response.body", "body": b"%d " % number, "more_body": True})
        finally:
            events.append("stream ended")
    elif scope["path"] == "/slow":
        import os, time
        while not os.path.exists(scope["query_string"]):
            time.sleep(0.01)
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})
    else:
        raise KeyError(scope["path"])
"""


async def speak(app: Speaks, path: str, body: bytes = b"", query: str = "q=1", **headers: str) -> Reply:
    return await app.speak("POST", path, query, headers, body)


async def test_a_request_reaches_the_application_and_its_answer_the_client(load: Load) -> None:
    app = load(PLAIN)
    assert isinstance(app, Speaks)
    reply = await speak(app, "/echo", b"hello")
    assert (reply.status, reply.content_type, reply.body) == (201, "text/plain", b"q=1|hello")
    assert {name.lower() for name in reply.headers} == {"set-cookie"}
    assert sorted(reply.headers.values()) == ["a=1", "b=2"]


async def test_the_application_is_told_that_it_starts_and_ends(load: Load) -> None:
    app = load(PLAIN)
    events = app._app.__globals__["events"]
    assert events == ["lifespan.startup"]
    app.close()
    assert events == ["lifespan.startup", "lifespan.shutdown"]


async def test_a_stream_ends_with_the_client(load: Load) -> None:
    app = load(PLAIN)
    reply = await speak(app, "/stream")
    assert reply.stream is not None
    assert [await anext(reply.stream) for _ in range(3)] == [b"0 ", b"1 ", b"2 "]
    await reply.stream.aclose()  # type: ignore[attr-defined]
    async with asyncio.timeout(60):
        while "stream ended" not in app._app.__globals__["events"]:
            await asyncio.sleep(0.01)


async def test_a_handler_that_blocks_leaves_our_loop_free(load: Load, tmp_path: Path) -> None:
    app, gate = load(PLAIN), tmp_path / "gate"
    asked = asyncio.create_task(speak(app, "/slow", query=str(gate)))
    assert (await while_our_loop_turns(asked, gate)).status == 204


async def test_what_an_application_raises_is_a_500_with_its_reason(load: Load) -> None:
    app = load(PLAIN)
    with pytest.raises(Refusal, match="The application failed: KeyError: '/nowhere'") as refused:
        await speak(app, "/nowhere")
    assert refused.value.status == 500


async def test_websockets_are_refused_by_name(load: Load) -> None:
    with pytest.raises(Refusal, match="WebSockets do not go through this server"):
        await speak(load(PLAIN), "/echo", upgrade="websocket")


def test_an_application_that_fails_to_start_does_not_load(load: Load) -> None:
    with pytest.raises(CannotLoad, match="The application does not start: no database"):
        load("""
        async def app(scope, receive, send):
            await receive()
            await send({"type": "lifespan.startup.failed", "message": "no database"})
        """)


async def test_an_application_without_a_lifespan_is_served(load: Load) -> None:
    app = load("""
    async def app(scope, receive, send):
        assert scope["type"] == "http"
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"ok"})
    """)
    assert (await speak(app, "/")).body == b"ok"


async def test_fastapi_is_served_whole(load: Load) -> None:
    pytest.importorskip("fastapi", reason="fastapi is not installed")
    app = load("""
    from contextlib import asynccontextmanager
    from fastapi import FastAPI, HTTPException
    from fastapi.responses import StreamingResponse
    from pydantic import BaseModel

    @asynccontextmanager
    async def lifespan(app):
        app.state.factor = 3
        yield

    app = FastAPI(lifespan=lifespan)

    class Order(BaseModel):
        price: float

    @app.post("/price")
    async def price(order: Order):
        if order.price < 0:
            raise HTTPException(422, "A price is not negative.")
        return {"price": order.price * app.state.factor}

    @app.post("/words")
    def words():
        return StreamingResponse(iter(["one ", "two "]), media_type="text/plain")
    """)
    kind = {"content-type": "application/json"}
    assert (await app.speak("POST", "/price", "", kind, b'{"price": 2}')).body == b'{"price":6.0}'
    assert (await app.speak("POST", "/price", "", kind, b'{"price": -2}')).status == 422
    assert (await app.speak("POST", "/price", "", kind, b"{}")).status == 422
    reply = await app.speak("POST", "/words", "", {}, b"")
    assert reply.stream is not None
    assert b"".join([chunk async for chunk in reply.stream]) == b"one two "
