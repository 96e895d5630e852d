"""Requests to the pipelines API, with the standard library: JSON both ways, pages, bytes, streams.

Everything else of the SDK goes through here, and everything that goes wrong leaves as a `Failure`.
"""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from fairway.pipelines.sdk.failures import Failure, NoAnswer, NotThere, told

_PAGE = 200
_CHUNK = 1 << 20

Query = str | int | bool | None
"""A value in an address. None, an empty text and False are left out."""


@dataclass(frozen=True, slots=True)
class Api:
    """The front door's address, without a slash at the end, and a bearer token that it takes."""

    url: str
    token: str = field(repr=False)

    def get(self, path: str, /, **query: Query) -> dict[str, Any]:
        """One answer of the API, such as get("runs", page_size="5")."""
        return self._json("GET", path, None, query)

    def post(self, path: str, body: Any = None, /, **query: Query) -> dict[str, Any]:
        return self._json("POST", path, {} if body is None else body, query)

    def put(self, path: str, body: Any) -> dict[str, Any]:
        return self._json("PUT", path, body, {})

    def patch(self, path: str, body: Any) -> dict[str, Any]:
        return self._json("PATCH", path, body, {})

    def delete(self, path: str, /, **query: Query) -> dict[str, Any]:
        return self._json("DELETE", path, None, query)

    def pages(self, path: str, key: str, /, **query: Query) -> Iterator[dict[str, Any]]:
        """All entries of a list, page by page as they are asked for."""
        token = ""
        while True:
            page = self.get(path, **{"page_size": _PAGE, **query, "page_token": token})
            yield from page.get(key, ())
            token = page.get("next_page_token", "")
            if not token:
                return

    def send(self, method: str, path: str, data: bytes | None, kind: str, /, **query: Query) -> bytes:
        """The bytes that answer a request with a body of the media type `kind`."""
        with self._opened(method, path, data, kind, query) as answer:
            content: bytes = answer.read()
        return content

    def read(self, path: str, /, **query: Query) -> bytes:
        return self.send("GET", path, None, "", **query)

    def stream(self, path: str, /, *, quiet: float = 30.0, **query: Query) -> Iterator[bytes]:
        """The bytes as they come. Raises NoAnswer when the server goes, or says nothing for `quiet` seconds."""
        with self._opened("GET", path, None, "", query, timeout=quiet) as answer:
            while chunk := answer.read1(_CHUNK):
                yield chunk

    def _json(self, method: str, path: str, body: Any, query: Mapping[str, Query]) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        text = self.send(method, path, data, "application/json", **query)
        found: dict[str, Any] = json.loads(text) if text else {}
        return found

    @contextmanager
    def _opened(
        self,
        method: str,
        path: str,
        data: bytes | None,
        kind: str,
        query: Mapping[str, Query],
        *,
        timeout: float = 30.0,
    ) -> Iterator[http.client.HTTPResponse]:
        """The answer, once it is known to be good. What goes wrong while it is read is told like the rest."""
        url = f"{self.url}/apis/v2beta1/{urllib.parse.quote(path, safe='/:')}{_suffix(query)}"
        headers = {"Authorization": f"Bearer {self.token}", **({"Content-Type": kind} if data is not None else {})}
        request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310 - the platform's own address
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:  # noqa: S310
                yield answer
        except urllib.error.HTTPError as refused:
            with refused:
                sentence = told(refused.read(), f"{method} {url} was answered with {refused.code}")
            raise (NotThere if refused.code == 404 else Failure)(sentence) from refused
        except (OSError, http.client.HTTPException) as problem:
            raise NoAnswer(f"{self.url} does not answer ({problem}); see `fairway status`") from problem


def _suffix(query: Mapping[str, Query]) -> str:
    wanted = {key: value for key, value in query.items() if value is not None and value is not False and value != ""}
    given = {key: "true" if value is True else value for key, value in wanted.items()}
    return f"?{urllib.parse.urlencode(given)}" if given else ""
