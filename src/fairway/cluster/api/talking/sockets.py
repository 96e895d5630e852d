"""A talk over a WebSocket: each message begins with the number of its channel.

0 is standard input, 1 output, 2 standard error, 3 the end, 4 the size of the terminal as JSON. The end is a Status; in
the oldest protocol, which is also that of a client that names none, it is a sentence where something went wrong. In the
newest a message of 255 and a channel closes that channel, which is how input ends.
"""

from __future__ import annotations

import asyncio

import orjson
from aiohttp import WSMsgType, web

from fairway.cluster.api.pods.podexec import Talk
from fairway.cluster.api.talking import ending
from fairway.cluster.api.talking.asking import Wanted

_PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io", "channel.k8s.io")
_INPUT, _OUTPUT, _ERROR, _END, _SIZE, _CLOSE = 0, 1, 2, 3, 4, 255


async def carry(request: web.BaseRequest, talk: Talk, asked: Wanted) -> web.StreamResponse:
    socket = web.WebSocketResponse(protocols=_PROTOCOLS, max_msg_size=0)
    try:
        await socket.prepare(request)
        listening = asyncio.create_task(_listen(socket, talk, asked))
        try:
            await _say(socket, talk, asked)
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
    except ConnectionError:
        pass  # the client has gone
    finally:
        await talk.close()
    await socket.close()
    return socket


async def _say(socket: web.WebSocketResponse, talk: Talk, asked: Wanted) -> None:
    heard = {_OUTPUT: asked.output, _ERROR: asked.errors}
    while (piece := await talk.read()) is not None:
        channel, data = piece
        if heard.get(channel):
            await socket.send_bytes(bytes([channel]) + data)
    end = await ending.status(talk)
    if socket.ws_protocol in _PROTOCOLS[:2]:
        await socket.send_bytes(bytes([_END]) + orjson.dumps(end))
    elif end["status"] != "Success":
        await socket.send_bytes(bytes([_END]) + str(end["message"]).encode())


async def _listen(socket: web.WebSocketResponse, talk: Talk, asked: Wanted) -> None:
    if not asked.input:
        talk.end_input()
    async for message in socket:
        # The Python clients send what they are given as text in messages of text.
        piece = message.data.encode() if message.type is WSMsgType.TEXT else message.data
        if message.type not in (WSMsgType.BINARY, WSMsgType.TEXT) or not piece:
            continue
        channel, data = piece[0], piece[1:]
        if channel == _INPUT and asked.input:
            await talk.write(data)
        elif channel == _CLOSE and data[:1] == bytes([_INPUT]):
            talk.end_input()
        elif channel == _SIZE:
            resize(talk, data)
    talk.end_input()


def resize(talk: Talk, data: bytes) -> None:
    try:
        size = orjson.loads(data)
        talk.resize(int(size["Width"]), int(size["Height"]))
    except (ValueError, KeyError, TypeError):
        return  # a size that is none changes nothing
