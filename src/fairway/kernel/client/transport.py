"""What carries a request to an API server. Two implementations: HTTP (here) and in-process (cluster.api).

Both raise the errors of `kernel.objects.errors`, and both give objects that are shared: read only.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from fairway.kernel.objects.kinds import Object

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """`type` is ADDED, MODIFIED, DELETED or BOOKMARK; an ERROR event is raised as its error instead."""

    type: str
    object: Object


class Transport(Protocol):
    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = JSON,
    ) -> Object:
        """Send one request, give the decoded answer. Raises ApiError, or Unavailable when nobody answers."""
        ...

    def watch(self, path: str, query: Mapping[str, str]) -> AsyncGenerator[WatchEvent, None]:
        """Stream the events of a collection; ends when the server ends it. Raises Expired when too old."""
        ...

    def stream(self, path: str, query: Mapping[str, str]) -> AsyncGenerator[bytes, None]:
        """Stream the bytes of an answer that is not JSON: a pod's log."""
        ...

    async def close(self) -> None: ...
