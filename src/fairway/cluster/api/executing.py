"""pods/exec over a WebSocket: each message begins with the number of its channel.

0 is standard input, 1 output, 2 standard error, 3 the end as a Status, 4 the size of the terminal as JSON. In the
newer of the two protocols a message of 255 and a channel closes that channel, which is how input ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from aiohttp import WSMsgType, web

from fairway.cluster.api import logs, reading
from fairway.cluster.api.backend import Backend
from fairway.cluster.api.calls import Call
from fairway.cluster.api.podexec import Talk
from fairway.kernel.objects import errors
from fairway.kernel.objects.kinds import Object

_PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
_INPUT, _OUTPUT, _ERROR, _END, _SIZE, _CLOSE = 0, 1, 2, 3, 4, 255


@dataclass(frozen=True, slots=True)
class Wanted:
    pod: Object
    container: str
    command: Sequence[str]
    terminal: bool
    input: bool


def wanted(backend: Backend, call: Call, command: Sequence[str]) -> Wanted:
    """Raises ApiError where the request cannot be meant, or the container does not run."""
    pod = reading.found(backend.store, call).object
    if not command:
        raise errors.BadRequest("you must specify at least one command for the container")
    return Wanted(
        pod, logs.container_of(pod, call.query.get("container", "")), command, call.flag("tty"), call.flag("stdin")
    )


async def answer(backend: Backend, request: web.BaseRequest, asked: Wanted) -> web.StreamResponse:
    """Raises ApiError as long as the connection is still HTTP."""
    if request.headers.get("Upgrade", "").lower() != "websocket":
        raise errors.BadRequest(
            "exec is served over a WebSocket here, which kubectl 1.31 and later asks for: update it"
        )
    if backend.executions is None:
        raise errors.Unavailable("nobody runs commands in pods on this server: it runs without a node agent")
    talk = await backend.executions.open(asked.pod, asked.container, asked.command, terminal=asked.terminal)
    socket = web.WebSocketResponse(protocols=_PROTOCOLS, max_msg_size=0)
    try:
        await socket.prepare(request)
        listening = asyncio.create_task(_listen(socket, talk, asked))
        try:
            await _say(socket, talk)
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
    except ConnectionError:
        pass  # the client has gone
    finally:
        await talk.close()
    await socket.close()
    return socket


async def _say(socket: web.WebSocketResponse, talk: Talk) -> None:
    while (piece := await talk.read()) is not None:
        channel, data = piece
        await socket.send_bytes(bytes([channel]) + data)
    await socket.send_bytes(bytes([_END]) + orjson.dumps(await _end(talk)))


async def _end(talk: Talk) -> Object:
    try:
        code = await talk.result()
    except Exception as failure:  # whatever kept the command from running is the answer
        text = f"the command could not be run: {failure}"
        return {"metadata": {}, "status": "Failure", "reason": "InternalError", "message": text, "code": 500}
    if code == 0:
        return {"metadata": {}, "status": "Success"}
    causes = [{"reason": "ExitCode", "message": str(code)}]
    text = f"command terminated with non-zero exit code: exit status {code}"
    end: dict[str, Any] = {"metadata": {}, "status": "Failure", "reason": "NonZeroExitCode", "message": text}
    return end | {"details": {"causes": causes}}


async def _listen(socket: web.WebSocketResponse, talk: Talk, asked: Wanted) -> None:
    if not asked.input:
        talk.end_input()
    async for message in socket:
        if message.type is not WSMsgType.BINARY or not message.data:
            continue
        channel, data = message.data[0], message.data[1:]
        if channel == _INPUT and asked.input:
            await talk.write(data)
        elif channel == _CLOSE and data[:1] == bytes([_INPUT]):
            talk.end_input()
        elif channel == _SIZE:
            _resize(talk, data)
    talk.end_input()


def _resize(talk: Talk, data: bytes) -> None:
    try:
        size = orjson.loads(data)
        talk.resize(int(size["Width"]), int(size["Height"]))
    except (ValueError, KeyError, TypeError):
        return  # a size that is none changes nothing
