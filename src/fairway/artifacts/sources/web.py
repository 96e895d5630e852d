"""A file on the web. One GET tells what it is and gives its bytes; where it breaks off, it goes on from there.

Servers differ in HEAD, and signed addresses allow GET only, so nothing else is asked. What a header of the credentials
says goes to the host that it is for, also where the address leads on to another. Addresses of a cloud's own metadata
are refused (see `endpoints`), also where a name leads to one.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Mapping
from urllib.parse import unquote, urlsplit

import aiohttp
from aiohttp import ClientResponse, ClientSession, ClientTimeout
from yarl import URL

from fairway.artifacts.failures import CannotFetch, Changed, NothingThere, Unreachable
from fairway.artifacts.sources.endpoints import is_metadata
from fairway.artifacts.sources.source import Item, Listing

CHUNK = 1 << 20
MOST_REDIRECTS = 10
MOST_BREAKS = 5
"""Of an answer that does not get on any more."""
_GETS_ON = 64 << 10
_PATIENCE = ClientTimeout(total=None, sock_connect=15, sock_read=60)
_ZIP = ("application/zip", "application/x-zip-compressed", "application/zip-compressed")
_TAR = ("application/x-tar", "application/x-gtar")


class WebSource:
    ranges = False

    def __init__(self, uri: str, credentials: Mapping[str, str]) -> None:
        parts = urlsplit(uri)
        self.shown = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        """Without what may be a secret: the query, and a user's name."""
        self.name = f"{parts.scheme}://{parts.netloc}"
        self._uri, self._credentials = uri, credentials
        self._session: ClientSession | None = None
        self._open: ClientResponse | None = None

    async def listing(self) -> Listing:
        self._drop()
        self._open = answer = await self._get({})
        if answer.status != 200:
            raise _refusal(self.shown, answer.status)
        name = unquote(urlsplit(self._uri).path).rstrip("/").rpartition("/")[2] or "index.html"
        size = None if answer.headers.get("Content-Encoding") else answer.content_length
        version = answer.headers.get("ETag") or answer.headers.get("Last-Modified") or ""
        return Listing((Item(name, self._uri, size, version),), single=True, archive=_packed(answer))

    async def read(self, item: Item, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        del end  # never asked for: ranges is false
        breaks = 0
        while breaks < MOST_BREAKS:
            begin = start
            answer = self._open if self._open is not None and start == 0 else await self._again(item, start)
            self._open = None
            try:
                async with answer:
                    async for chunk in answer.content.iter_chunked(CHUNK):
                        start += len(chunk)
                        yield chunk
                return
            except (aiohttp.ClientError, TimeoutError) as failure:
                if not item.version.startswith('"'):
                    raise Unreachable(f"{self.shown} broke off after {start:,} bytes") from failure
                breaks = 0 if start - begin >= _GETS_ON else breaks + 1
        raise Unreachable(f"{self.shown} broke off {MOST_BREAKS} times after {start:,} bytes")

    async def close(self) -> None:
        self._drop()
        if self._session is not None:
            await self._session.close()

    async def _again(self, item: Item, start: int) -> ClientResponse:
        headers = {"Range": f"bytes={start}-", "If-Range": item.version} if start else {}
        answer = await self._get(headers)
        if answer.status not in (200, 206):
            answer.release()
            raise _refusal(self.shown, answer.status)
        if (answer.status == 206) != bool(start):
            answer.close()
            raise Changed(f"{self.shown} changed while it was read")
        return answer

    async def _get(self, headers: Mapping[str, str]) -> ClientResponse:
        """The answer of whoever has the file, after all redirections. Raises CannotFetch."""
        if self._session is None:
            connector = aiohttp.TCPConnector(resolver=_Resolver())
            self._session = ClientSession(timeout=_PATIENCE, auto_decompress=False, connector=connector)
        try:
            url = URL(self._uri, encoded="%" in self._uri)
            for _ in range(MOST_REDIRECTS):
                _check(url, self.shown)
                answer = await self._session.get(
                    url, headers={**self._headers_for(url), **headers}, allow_redirects=False
                )
                if answer.status not in (301, 302, 303, 307, 308) or "Location" not in answer.headers:
                    return answer
                answer.release()
                url = url.join(URL(answer.headers["Location"], encoded=True))
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as failure:
            raise Unreachable(f"{self.shown} cannot be reached: {_said(failure)}") from failure
        raise CannotFetch(f"{self.shown} leads on more than {MOST_REDIRECTS} times")

    def _headers_for(self, url: URL) -> dict[str, str]:
        """KServe's spelling: a variable HOST-headers with a JSON object."""
        given = self._credentials.get(f"{url.host}-headers")
        try:
            found = json.loads(given) if given else {}
            return {str(key): str(value) for key, value in found.items()}
        except (ValueError, AttributeError) as wrong:
            raise CannotFetch(f"the credential {url.host}-headers is no JSON object of headers") from wrong

    def _drop(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None


class _Resolver(aiohttp.ThreadedResolver):
    """Names that lead to a cloud's metadata lead nowhere."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[aiohttp.abc.ResolveResult]:
        found = await super().resolve(host, port, family)
        if any(is_metadata(each["host"]) for each in found):
            raise OSError("the address is one of this machine's cloud, and not for fetching")
        return found


def _check(url: URL, shown: str) -> None:
    if url.scheme not in ("http", "https"):
        raise CannotFetch(f"{shown} leads on to an address that is neither http nor https")
    if is_metadata(url.host or ""):
        raise CannotFetch(f"{shown} is an address of this machine's cloud, and not for fetching")


def _packed(answer: ClientResponse) -> str:
    kind = answer.content_type
    return "zip" if kind in _ZIP else "tar" if kind in _TAR else ""


def _refusal(shown: str, status: int) -> CannotFetch:
    if status in (404, 410):
        return NothingThere(f"there is nothing at {shown} (HTTP {status})")
    if status in (401, 403):
        return CannotFetch(
            f"{shown} is not for us (HTTP {status}): give what it asks for in the credential HOST-headers"
        )
    if status in (408, 429) or status >= 500:
        return Unreachable(f"{shown} cannot be read now (HTTP {status})")
    return CannotFetch(f"{shown} cannot be read (HTTP {status})")


def _said(failure: BaseException) -> str:
    if isinstance(failure, (asyncio.TimeoutError, TimeoutError)):
        return "no answer in time"
    if isinstance(failure, aiohttp.ClientConnectorError):
        return failure.os_error.strerror or str(failure.os_error)
    return type(failure).__name__
