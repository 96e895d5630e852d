"""Models of the Hugging Face hub: hf://owner/model[:revision], by the hub's own HTTP interface, without its package.

The revision is resolved to a commit first, so that what is read is of one piece. The token is HF_TOKEN; HF_ENDPOINT
names another hub.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import quote

from fairway.artifacts.failures import CannotFetch
from fairway.artifacts.sources.source import Item, Listing
from fairway.artifacts.sources.web import WebSource

ENDPOINT = "https://huggingface.co"


class HubSource:
    ranges = False

    def __init__(self, uri: str, credentials: Mapping[str, str]) -> None:
        self._uri = uri
        self._repository, self._revision = _named(uri)
        self._endpoint = (credentials.get("HF_ENDPOINT") or ENDPOINT).rstrip("/")
        self.name = f"{self._endpoint}/{self._repository}"
        self._credentials = _with_token(credentials, self._endpoint)

    async def listing(self) -> Listing:
        path = f"{self._endpoint}/api/models/{self._repository}/revision/{quote(self._revision, safe='')}"
        about = await self._json(f"{path}?blobs=true")
        commit = str(about.get("sha") or self._revision)
        items = tuple(_item(self._endpoint, self._repository, commit, each) for each in about.get("siblings") or ())
        if not items:
            raise CannotFetch(f"{self._uri} has no files")
        return Listing(tuple(sorted(items, key=lambda item: item.path)), single=False)

    async def read(self, item: Item, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        web = WebSource(item.key, self._credentials)
        try:
            found = (await web.listing()).items[0]
            async for chunk in web.read(found, start, end):
                yield chunk
        finally:
            await web.close()

    async def close(self) -> None:
        """Each file has a connection of its own."""

    async def _json(self, address: str) -> dict[str, Any]:
        web = WebSource(address, self._credentials)
        try:
            found = (await web.listing()).items[0]
            content = json.loads(b"".join([chunk async for chunk in web.read(found)]))
        except ValueError as wrong:
            raise CannotFetch(f"{self._uri} cannot be read: {self._endpoint} does not answer as a hub does") from wrong
        finally:
            await web.close()
        return content if isinstance(content, dict) else {}


def _named(uri: str) -> tuple[str, str]:
    """The repository and the revision."""
    rest, _, revision = uri.removeprefix("hf://").rstrip("/").partition(":")
    owner, _, model = rest.partition("/")
    if not owner or not model or "/" in model:
        raise CannotFetch(f"{uri} is not a model of the hub: write hf://OWNER/MODEL or hf://OWNER/MODEL:REVISION")
    return f"{quote(owner)}/{quote(model)}", revision or "main"


def _with_token(credentials: Mapping[str, str], endpoint: str) -> Mapping[str, str]:
    token = credentials.get("HF_TOKEN") or credentials.get("HUGGING_FACE_HUB_TOKEN") or ""
    host = endpoint.partition("://")[2].partition("/")[0].partition(":")[0]
    return (
        {**credentials, f"{host}-headers": json.dumps({"Authorization": f"Bearer {token}"})} if token else credentials
    )


def _item(endpoint: str, repository: str, commit: str, found: Mapping[str, Any]) -> Item:
    path = str(found["rfilename"])
    size = found.get("size")
    version = str((found.get("lfs") or {}).get("sha256") or found.get("blobId") or f"{commit} {path}")
    return Item(path, f"{endpoint}/{repository}/resolve/{commit}/{quote(path)}", size, version)
