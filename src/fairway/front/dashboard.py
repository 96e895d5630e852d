"""The dashboard's files as the build left them, and what they ask first: who am I, and which pages are there.

Names of assets carry a hash of their contents, so browsers may keep those for ever; index.html is asked for anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from aiohttp import web

from fairway.front.login import asset
from fairway.front.routing import Access, Entry
from fairway.kernel.feature import IDENTITY, Page

BUILT = Path(__file__).parent / "static"
_FOR_EVER = "public, max-age=31536000, immutable"


class Dashboard:
    def __init__(self, files: Path, pages: Sequence[Page], public_url: str) -> None:
        self._files = files
        self._pages = [asdict(page) for page in pages]
        self._public_url = public_url

    def routes(self) -> list[Entry]:
        return [
            Entry("GET", "/", self.index, Access.OWNER),
            Entry("GET", "/assets/{name}", self.built_asset, Access.OWNER),
            Entry("GET", "/front/session", self.session, Access.OWNER),
        ]

    async def index(self, request: web.Request) -> web.StreamResponse:
        page = self._files / "index.html"
        if not page.is_file():
            return web.Response(text=asset("unbuilt.html"), content_type="text/html", status=503)
        return web.FileResponse(page, headers={"Cache-Control": "no-cache"})

    async def built_asset(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        file = self._files / "assets" / name
        if "/" in name or "\\" in name or not file.is_file():
            raise web.HTTPNotFound
        return web.FileResponse(file, headers={"Cache-Control": _FOR_EVER})

    async def session(self, request: web.Request) -> web.Response:
        identity = request[IDENTITY]
        return web.json_response(
            {
                "user": identity.user,
                "groups": identity.groups,
                "pages": self._pages,
                "publicUrl": self._public_url,
            }
        )
