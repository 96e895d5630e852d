"""A container that is not ours (an aiohttp application), and the sidecar before it, on real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson
from aiohttp import web

from fairway.serving.inpod.sidecar import flags, program

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Sidecar:
    url: str
    address: tuple[str, int]
    session: aiohttp.ClientSession
    end: asyncio.Event
    done: asyncio.Task[None]

    async def post(self, path: str, body: Any, **headers: str) -> tuple[int, Any]:
        data = body if isinstance(body, bytes) else orjson.dumps(body)
        async with self.session.post(self.url + path, data=data, headers=headers) as answer:
            return answer.status, orjson.loads(await answer.read())

    async def metrics(self) -> dict[str, float]:
        async with self.session.get(f"{self.url}/metrics") as answer:
            lines = [line.rsplit(" ", 1) for line in (await answer.text()).splitlines() if not line.startswith("#")]
        return {name: float(value) for name, value in lines}


@asynccontextmanager
async def listening(handler: Handler) -> AsyncGenerator[int, None]:
    """An HTTP server with one handler for all paths; gives its port."""
    app = web.Application(client_max_size=1 << 30)

    async def answer(request: web.Request) -> web.StreamResponse:
        return await handler(request)

    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@asynccontextmanager
async def before(port: int, *more: str) -> AsyncGenerator[Sidecar, None]:
    """A sidecar before the container at this port."""
    arguments = ["--port=0", f"--component-port={port}", "--host=127.0.0.1", "--component-host=127.0.0.1"]
    options = flags.parse([*arguments, "--linger=0", *more])
    end, address = asyncio.Event(), asyncio.get_running_loop().create_future()
    done = asyncio.create_task(program.serve(options, end, ready=lambda *where: address.set_result(where)))
    await asyncio.wait((done, address), return_when=asyncio.FIRST_COMPLETED)
    if done.done():
        done.result()
    host, number = address.result()
    async with aiohttp.ClientSession() as session:
        yield Sidecar(f"http://{host}:{number}", (host, number), session, end, done)
    end.set()
    await done


async def until(holds: Callable[[], bool]) -> None:
    """Wait for what comes soon."""
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0.005)
