"""Where events go: to an address that takes CloudEvents, into a folder, or into an object store.

Files have upstream's names: prefix, namespace, service, component, path, then the first event's id and kind. What the
object store asks of its user (keys, endpoint) it reads from the environment, as every client of such stores does.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from fairway.serving.inpod.relay.asking import Unanswered, Web
from fairway.serving.inpod.sidecar import events, records
from fairway.serving.inpod.sidecar.events import Source
from fairway.serving.inpod.sidecar.journal import Event, Sink, Undelivered

EMBEDDED_MARSHALLER = "http://localhost:9083/marshal"
"""Upstream's default address; here the process writes by itself what that one would."""

_PATIENCE = 30.0


class CannotLog(Exception):
    """The text is a sentence for the person who configured it."""


@dataclass(frozen=True, slots=True)
class FileTerms:
    path: str = ""
    format: str = "json"
    marshaller: str = EMBEDDED_MARSHALLER


def sink(url: str, source: Source, web: Web, terms: FileTerms) -> Sink:
    """Raises CannotLog where the address or the format is not served."""
    scheme = urlsplit(url).scheme
    if scheme in ("http", "https"):
        return Posting(url, source, web)
    marshal = _marshaller(source, url, web, terms)
    if scheme == "file":
        return Files(source, terms.path, marshal, Folder(Path(unquote(urlsplit(url).path))))
    if scheme in ("s3", "s3a", "gs", "az", "abfs", "abfss"):
        return Files(source, terms.path, marshal, ObjectStore(url))
    raise CannotLog(f"Events cannot go to {url!r}; use http://, https://, file:///, s3://, gs:// or abfs://.")


class Posting:
    def __init__(self, url: str, source: Source, web: Web) -> None:
        self._url, self._source, self._web = url, source, web

    async def deliver(self, events_: list[Event]) -> None:
        for event in events_:
            headers = events.headers(event, self._source, datetime.now(UTC))
            try:
                reply = await self._web.ask("POST", self._url, headers, event.data, timeout=_PATIENCE)
            except Unanswered as failure:
                raise Undelivered(f"{self._url}: {failure}") from failure
            if reply.status >= 300:
                final = reply.status < 500 and reply.status != 429
                raise Undelivered(f"{self._url} answered with {reply.status}", final=final)


Marshal = Callable[[list[Event]], "Any"]
"""From a batch to the bytes of a file and how its name ends; an awaitable."""


class Files:
    """A batch as a file of `place`."""

    def __init__(self, source: Source, path: str, marshal: Marshal, place: Folder | ObjectStore) -> None:
        parts = (source.namespace, source.service, source.component, path.strip("/"))
        self._prefix = "/".join(part for part in parts if part)
        self._marshal, self._place = marshal, place

    async def deliver(self, events_: list[Event]) -> None:
        data, ending = await self._marshal(events_)
        first = events_[0]
        # An id may come from the caller's header: it names a file and never a folder.
        name = "".join(sign if sign.isalnum() or sign in "-_." else "_" for sign in first.id)[:128].lstrip(".") or "_"
        await self._place.put(f"{self._prefix}/{name}-{first.type.rpartition('.')[2]}.{ending}", data)


class Folder:
    def __init__(self, root: Path) -> None:
        self._root = root

    async def put(self, key: str, data: bytes) -> None:
        await asyncio.to_thread(self._write, self._root / key.lstrip("/"), data)

    def _write(self, path: Path, data: bytes) -> None:
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            beside.write_bytes(data)
            beside.replace(path)
        except OSError as failure:
            raise Undelivered(f"{path}: {failure.strerror or failure}") from failure


class ObjectStore:
    def __init__(self, url: str) -> None:
        try:
            stores = importlib.import_module("obstore.store")
        except ImportError:
            text = f"Events to {url} need the package obstore, which is not installed here: install it, or use http://."
            raise CannotLog(text) from None
        address = url.replace("s3a://", "s3://", 1)
        endpoint = os.environ.get("AWS_ENDPOINT_URL", "")
        options = {"client_options": {"allow_http": True}} if endpoint.startswith("http://") else {}
        try:
            self._store = stores.from_url(address, **options)
        except Exception as wrong:  # its own kinds of errors, in a package that may be absent
            raise CannotLog(f"Events cannot go to {url}: {wrong}") from None

    async def put(self, key: str, data: bytes) -> None:
        try:
            await self._store.put_async(key.lstrip("/"), data)
        except Exception as failure:
            raise Undelivered(f"the object store did not take {key}: {failure}") from failure


def _marshaller(source: Source, url: str, web: Web, terms: FileTerms) -> Marshal:
    if terms.marshaller not in ("", EMBEDDED_MARSHALLER):

        async def ask(batch: list[Event]) -> tuple[bytes, str]:
            body = json.dumps(records.rows(batch, source, url)).encode()
            headers = {"content-type": "application/json"}
            try:
                reply = await web.ask("POST", terms.marshaller, headers, body, timeout=_PATIENCE)
            except Unanswered as failure:
                raise Undelivered(f"the marshaller {terms.marshaller}: {failure}") from failure
            if reply.status != 200:
                raise Undelivered(f"the marshaller {terms.marshaller} answered with {reply.status}")
            return reply.body, reply.headers.get("x-log-marshal-extension", terms.format)

        return ask
    try:
        write = records.writer(terms.format)
    except records.UnknownFormat as unknown:
        raise CannotLog(str(unknown)) from None

    async def marshal(batch: list[Event]) -> tuple[bytes, str]:
        return write(records.rows(batch, source, url)), terms.format

    return marshal
