"""Questions to any origin, with answers whole or piece by piece: for whoever is no mere relay.

An answer's body is given as it is meant, without chunks. Who stops reading closes, and the origin sees it.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from fairway.serving.inpod.relay import names
from fairway.serving.inpod.relay.framing import AnswerHead
from fairway.serving.inpod.relay.outbound import Origin, Sending

MOST_WHOLE = 256 * 1024 * 1024
_MOST_UNREAD = 1024 * 1024


class Unanswered(Exception):
    """There is no answer; the text says why. `sent` is False where the question cannot have reached the origin."""

    def __init__(self, why: str, *, sent: bool) -> None:
        super().__init__(why)
        self.sent = sent


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes


class Web:
    """Origins by scheme, host and port, each with its idle connections."""

    def __init__(self, *, trusted: str = "", namespace: str = "") -> None:
        """`trusted` is a file of certificates to trust beside the machine's own; `namespace` is the pod's."""
        self._origins: dict[tuple[str, str, int], Origin] = {}
        self._trusted, self._namespace = trusted, namespace

    async def ask(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes = b"", *, timeout: float | None = None
    ) -> Reply:
        """The whole answer. Raises Unanswered."""
        try:
            async with asyncio.timeout(timeout):
                answer = await self.open(method, url, headers, body)
                return Reply(answer.head.status, answer.head.headers, await answer.whole())
        except TimeoutError:
            raise Unanswered(f"{_place(url)} gave no answer within {timeout:g} seconds", sent=True) from None

    async def open(self, method: str, url: str, headers: Mapping[str, str], body: bytes = b"") -> Answering:
        """The answer once its head is there. Raises Unanswered; cancelled, the question is taken back."""
        origin, target, host = self._find(url)
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"{method} {target} HTTP/1.1\r\nhost: {host}\r\n{lines}content-length: {len(body)}\r\n\r\n"
        answering = Answering(origin, method, head.encode("latin-1"), body)
        await answering.begun()
        return answering

    def close(self) -> None:
        for origin in self._origins.values():
            origin.close()

    def _find(self, url: str) -> tuple[Origin, str, str]:
        try:
            parts = urlsplit(url)
            port = parts.port or {"http": 80, "https": 443}[parts.scheme]
            host = parts.hostname or ""
            if not host or not url.isascii() or any(sign in url for sign in " {}\r\n"):
                raise ValueError("it names no host" if not host else "it has signs that are to be percent-encoded")
        except (ValueError, KeyError) as wrong:
            raise Unanswered(f"{url!r} is not an address such as http://host:port/path: {wrong}", sent=False) from None
        key = parts.scheme, host, port
        if key not in self._origins:
            where = names.address(host, port, self._namespace, os.environ)
            self._origins[key] = Origin(*where, secure=self._secure() if parts.scheme == "https" else None)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return self._origins[key], target, parts.netloc.rpartition("@")[2]

    def _secure(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self._trusted or None)


class Answering:
    """One answer that arrives."""

    def __init__(self, origin: Origin, method: str, head: bytes, body: bytes) -> None:
        self._asker = _Asker()
        self._sending: Sending = origin.send(method, head, self._asker, body)
        self._asker.sending = self._sending
        self._sending.copy = self._asker.take

    @property
    def head(self) -> AnswerHead:
        return self._asker.head_seen.result()

    async def begun(self) -> None:
        try:
            await self._asker.head_seen
        except asyncio.CancelledError:
            self.close()
            raise

    async def whole(self, most: int = MOST_WHOLE) -> bytes:
        """Raises Unanswered where the answer breaks off or is longer than `most`."""
        parts: list[bytes] = []
        size = 0
        async for piece in self.pieces():
            parts.append(piece)
            size += len(piece)
            if size > most:
                raise Unanswered(f"the answer is larger than {most} bytes", sent=True)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def pieces(self) -> AsyncIterator[bytes]:
        try:
            while (piece := await self._asker.next()) is not None:
                yield piece
        finally:
            self.close()

    def close(self) -> None:
        """Whoever is not read to its end is told so."""
        if not self._asker.over:
            self._asker.over = True
            self._sending.give_up()


class _Asker:
    """What the connection tells, kept until it is read."""

    def __init__(self) -> None:
        self.head_seen: asyncio.Future[AnswerHead] = asyncio.get_running_loop().create_future()
        self.sending: Sending | None = None
        self.over = False
        self._pieces: asyncio.Queue[bytes | Unanswered | None] = asyncio.Queue()
        self._unread = 0

    async def next(self) -> bytes | None:
        piece = await self._pieces.get()
        if isinstance(piece, Unanswered):
            raise piece
        if piece is not None:
            self._unread -= len(piece)
            if self.sending and not self.over and self._unread < _MOST_UNREAD <= self._unread + len(piece):
                self.sending.hold(False)
        return piece

    def take(self, payload: bytes) -> None:
        self._unread += len(payload)
        self._pieces.put_nowait(payload)
        if self.sending and self._unread >= _MOST_UNREAD:
            self.sending.hold(True)

    def head(self, head: AnswerHead) -> None:
        if not self.head_seen.done():
            self.head_seen.set_result(head)

    def piece(self, raw: bytes) -> None:
        """It is taken without its chunks."""

    def ended(self) -> None:
        self.over = True
        self._pieces.put_nowait(None)

    def failed(self, why: str, *, sent: bool) -> None:
        self.over = True
        problem = Unanswered(why, sent=sent)
        if self.head_seen.done():
            self._pieces.put_nowait(problem)
        else:
            self.head_seen.set_exception(problem)

    def origin_slow(self, slow: bool) -> None:
        """The question is whole from its start, and waits in the connection's buffer."""


def _place(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2] or url
