"""A client that costs little: requests written beforehand, over one kept TLS connection.

What a benchmark of a server on the same cores needs; it reads just enough HTTP to know where an answer ends.
"""

import asyncio
import json
import re
import ssl
from typing import Self
from urllib.parse import urlsplit

from fairway.kernel.client.kubeconfig import Access

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_LARGEST = 16 * 1024 * 1024


class Wire:
    def __init__(self, access: Access, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._access, self._reader, self._writer = access, reader, writer

    @classmethod
    async def open(cls, access: Access) -> Self:
        tls = access.tls()
        assert isinstance(tls, ssl.SSLContext)
        address = urlsplit(access.server)
        return cls(access, *await asyncio.open_connection(address.hostname, address.port, ssl=tls, limit=_LARGEST))

    def request(self, method: str, path: str, body: object = None) -> bytes:
        """The bytes of a request, to be sent as often as one likes."""
        data = b"" if body is None else json.dumps(body).encode()
        head = (
            f"{method} {path} HTTP/1.1",
            f"Host: {urlsplit(self._access.server).netloc}",
            f"Authorization: Bearer {self._access.token}",
            "Accept: application/json",
            "Content-Type: application/json",
            f"Content-Length: {len(data)}",
        )
        return "\r\n".join((*head, "", "")).encode() + data

    async def ask(self, request: bytes) -> bytes:
        """Send a request and wait for all of its answer, which must be a success."""
        self._writer.write(request)
        found = _LENGTH.search(await self._head())
        assert found is not None, "an answer of known length"
        return await self._reader.readexactly(int(found[1]))

    async def watch(self, request: bytes) -> None:
        self._writer.write(request)
        await self._head()

    async def event(self) -> bytes:
        """The next chunk of a watch, which is one event of this server's."""
        size = int(await self._reader.readuntil(b"\r\n"), 16)
        return (await self._reader.readexactly(size + 2))[:size]

    def close(self) -> None:
        self._writer.transport.abort()

    async def _head(self) -> bytes:
        head = await self._reader.readuntil(b"\r\n\r\n")
        assert head[9:10] == b"2", head.decode() + (await self._reader.read(1000)).decode()
        return head
