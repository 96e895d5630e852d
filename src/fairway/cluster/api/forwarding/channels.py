"""The Python clients' port forwarding: WebSocket messages whose first byte is a channel, two channels for each port.

Channel 2n carries the bytes of the n-th port, channel 2n+1 why it failed. The server begins each with a message that
holds the port's number, low byte first.
"""

from __future__ import annotations

import asyncio

from aiohttp import WSMsgType, web

from fairway.cluster.api.forwarding.connecting import CHUNK, NoConnection, Target
from fairway.kernel.objects import errors

PROTOCOLS = ("v4.channel.k8s.io",)
_MOST_PORTS = 64


def ports(values: list[str]) -> list[int]:
    """The ports of a query: repeated, or with commas between. Raises BadRequest."""
    texts = [text for value in values for text in value.split(",") if text]
    if not texts or len(texts) > _MOST_PORTS:
        raise errors.BadRequest(f"the query must name ports to forward, at most {_MOST_PORTS}")
    if not all(text.isdecimal() and 0 < int(text) < 65536 for text in texts):
        raise errors.BadRequest(f"ports must be numbers between 1 and 65535, not {','.join(texts)}")
    return [int(text) for text in texts]


async def carry(socket: web.WebSocketResponse, target: Target, wanted: list[int]) -> None:
    """Until the client goes."""
    writers: dict[int, asyncio.StreamWriter] = {}
    async with asyncio.TaskGroup() as tasks:
        readers = []
        for index, port in enumerate(wanted):
            for channel in (2 * index, 2 * index + 1):
                await socket.send_bytes(bytes([channel]) + port.to_bytes(2, "little"))
            try:
                reader, writers[2 * index] = await target.connect(port)
            except NoConnection as failure:
                await socket.send_bytes(bytes([2 * index + 1]) + str(failure).encode())
                continue
            readers.append(tasks.create_task(_from_pod(socket, 2 * index, reader)))
        ends = tasks.create_task(_close_after(socket, readers))
        try:
            await _to_pod(socket, writers)
        finally:
            for task in (ends, *readers):
                task.cancel()
            for writer in writers.values():
                writer.close()


async def _from_pod(socket: web.WebSocketResponse, channel: int, reader: asyncio.StreamReader) -> None:
    try:
        while chunk := await reader.read(CHUNK):
            await socket.send_bytes(bytes([channel]) + chunk)
    except ConnectionError as failure:
        if not socket.closed:
            await socket.send_bytes(bytes([channel + 1]) + str(failure).encode())


async def _close_after(socket: web.WebSocketResponse, readers: list[asyncio.Task[None]]) -> None:
    """No port has anything more to say: then the client is told so, by the only sign that there is."""
    if readers:
        await asyncio.wait(readers)
        await socket.close()


async def _to_pod(socket: web.WebSocketResponse, writers: dict[int, asyncio.StreamWriter]) -> None:
    async for message in socket:
        if message.type is not WSMsgType.BINARY or not message.data:
            continue
        if (writer := writers.get(message.data[0])) and not writer.is_closing():
            writer.write(message.data[1:])
            await writer.drain()
