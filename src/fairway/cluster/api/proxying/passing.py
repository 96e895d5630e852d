"""A proxied request and its answer, passed on as streams; nothing of either is kept or read.

The client's token stays here, and who it acts for: they are for this API and for nobody behind it.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any

import aiohttp
from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from fairway.cluster.api.auditing.visits import AUDIT_ID
from fairway.cluster.api.proxying import upgrading
from fairway.cluster.api.proxying.targets import Target
from fairway.kernel.objects import errors

Answer = aiohttp.ClientResponse

_FOR_THE_CONNECTION = frozenset(
    (
        "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
        "transfer-encoding", "upgrade", "content-length",
    )
)  # fmt: skip
_NOT_PASSED = _FOR_THE_CONNECTION | {"authorization"}
SENDER = "x-remote-"
"""How the headers begin by which a server of an aggregated API is told who asks: nobody else's of them go on to it."""

_CHUNK = 64 * 1024
_CONNECTED_WITHIN = 30.0


class Proxy:
    """Keeps connections to what is asked often."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._session:
            await self._session.close()

    async def answer(self, request: web.BaseRequest, target: Target) -> web.StreamResponse:
        """Raises ApiError where nobody answers."""
        query = f"?{request.rel_url.raw_query_string}" if request.rel_url.raw_query_string else ""
        if not target.path and request.method in ("GET", "HEAD"):
            # A page's own links are relative to a folder.
            return web.Response(status=301, headers={"Location": f"{target.place}/{query}"})
        if request.headers.get("Upgrade"):
            return await upgrading.answer(request, target, f"{target.path or '/'}{query}", _headers(request, target))
        return await self._pass(request, target, query)

    async def _pass(self, request: web.BaseRequest, target: Target, query: str) -> web.StreamResponse:
        url = URL(f"{target.address}{target.path or '/'}{query}", encoded=True)
        body = request.content.iter_chunked(_CHUNK) if request.can_read_body else None
        headers = _headers(request, target)
        if body is not None and (length := request.headers.get("Content-Length")):
            headers["Content-Length"] = length
        try:
            async with self._send(target, request.method, url, headers=headers, data=body) as found:
                return await _answered(request, target, found)
        except (aiohttp.ClientConnectionError, aiohttp.InvalidURL, TimeoutError) as failure:
            raise unreachable(failure) from failure

    def open(self, target: Target, method: str, path: str, **options: Any) -> AbstractAsyncContextManager[Answer]:
        """A request of this server's own to the target. Raises aiohttp.ClientError."""
        return self._send(target, method, URL(target.address + path), **options)

    def _send(self, target: Target, method: str, url: URL, **options: Any) -> AbstractAsyncContextManager[Answer]:
        tls = target.tls or False
        return self._opened().request(
            method, url, allow_redirects=False, ssl=tls, server_hostname=target.server_name, **options
        )

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECTED_WITHIN),
                auto_decompress=False,
                skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            )
        return self._session


def unreachable(failure: BaseException) -> errors.Unavailable:
    return errors.Unavailable(f"error trying to reach service: {failure}")


async def _answered(request: web.BaseRequest, target: Target, found: aiohttp.ClientResponse) -> web.StreamResponse:
    response = web.StreamResponse(status=found.status, reason=found.reason)
    for name, value in found.headers.items():
        if name.lower() not in _FOR_THE_CONNECTION:
            response.headers.add(name, moved(value, target) if name.lower() == "location" else value)
    if (length := found.headers.get("Content-Length")) is not None:
        response.headers["Content-Length"] = length
    await response.prepare(request)
    try:
        async for piece in found.content.iter_chunked(_CHUNK):
            await response.write(piece)
    except aiohttp.ClientPayloadError:
        # It broke off in the middle; so must we, or half an answer would look whole.
        if request.transport is not None:
            request.transport.abort()
        return response
    await response.write_eof()
    return response


def moved(location: str, target: Target) -> str:
    """Where a redirection leads, under the path of the proxy where it stays with the same server."""
    url = URL(location, encoded=True)
    if url.absolute and (url.host, url.port) != (target.host, target.port):
        return location
    if not url.raw_path.startswith("/"):
        return location
    return f"{target.place}{url.raw_path}" + (f"?{url.raw_query_string}" if url.raw_query_string else "")


def _headers(request: web.BaseRequest, target: Target) -> CIMultiDict[str]:
    headers: CIMultiDict[str] = CIMultiDict()
    kept_here = ("impersonate-", SENDER, AUDIT_ID.lower()) if target.sender else ("impersonate-",)
    for name, value in _listed(request.headers):
        if name.lower() not in _NOT_PASSED and not name.lower().startswith(kept_here):
            headers.add(name, value)
    headers.extend(target.sender)
    headers["X-Forwarded-Uri"] = f"{target.place}{target.path or '/'}"
    headers["X-Forwarded-Host"] = request.headers.get("Host", "")
    headers["X-Forwarded-Proto"] = "https" if request.secure else "http"
    return headers


def _listed(headers: CIMultiDictProxy[str]) -> list[tuple[str, str]]:
    dropped = {word.strip().lower() for word in headers.get("Connection", "").split(",")}
    return [(name, value) for name, value in headers.items() if name.lower() not in dropped]
