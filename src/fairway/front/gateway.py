"""Predictions tried from the dashboard: a request to one of our own services, sent on to the gateway's path.

The browser holds no token that services would accept, so the front door adds its own. Only owners come here.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable

import aiohttp
from aiohttp import web
from yarl import URL

from fairway.front.guard import refusal
from fairway.front.routing import Access, Entry

_PASSED_ON = ("Content-Type", "Accept")
_PASSED_BACK = ("Content-Type", "Retry-After")
_SECONDS = 60


class Gateway:
    """`closed` are the front door's own paths: a request must not come around and use the added token there."""

    def __init__(self, public_url: str, token: Callable[[], str], *, closed: Iterable[str]) -> None:
        self._public_url = URL(public_url)
        self._closed = frozenset(path.strip("/") for path in closed)
        self._token = token
        self._session: aiohttp.ClientSession | None = None

    def routes(self) -> list[Entry]:
        return [
            Entry("GET", "/gateway/{path:.+}", self.forward, Access.OWNER),
            Entry("POST", "/gateway/{path:.+}", self.forward, Access.OWNER),
        ]

    async def context(self, app: web.Application) -> AsyncGenerator[None, None]:
        timeout = aiohttp.ClientTimeout(total=_SECONDS, sock_connect=5)
        async with aiohttp.ClientSession(timeout=timeout, auto_decompress=False) as self._session:
            yield

    async def forward(self, request: web.Request) -> web.StreamResponse:
        path = request.match_info["path"]
        segments = path.split("/")
        first = next(filter(None, segments), "")  # whoever passes it on may take two slashes for one
        if first in self._closed or {".", ".."} & set(segments):
            return refusal(403, 7, f"/{path} is not a service behind the gateway.")
        assert self._session, "the application's context opens it"
        url = self._public_url.with_path("/" + path).with_query(request.query)
        headers = {name: request.headers[name] for name in _PASSED_ON if name in request.headers}
        headers["Authorization"] = f"Bearer {self._token()}"
        try:
            async with self._session.request(
                request.method, url, headers=headers, data=await request.read() or None, allow_redirects=False
            ) as answer:
                return await _passed_back(request, answer)
        except TimeoutError:
            return refusal(504, 4, f"/{path} gave no answer within {_SECONDS} seconds. The log of its pod may say why.")
        except aiohttp.ClientError as failure:
            return refusal(502, 14, f"The gateway at {self._public_url} cannot be reached: {failure}.")


async def _passed_back(request: web.Request, answer: aiohttp.ClientResponse) -> web.StreamResponse:
    headers = {name: answer.headers[name] for name in _PASSED_BACK if name in answer.headers}
    # What a model answers is shown as text and never run as a page of ours.
    headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response = web.StreamResponse(status=answer.status, headers=headers)
    await response.prepare(request)
    async for chunk in answer.content.iter_any():
        await response.write(chunk)
    await response.write_eof()
    return response
