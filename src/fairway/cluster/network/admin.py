"""Asks Envoy what it knows, over its admin socket. Envoy has no way to tell us when it has read a file."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp

from fairway.cluster.network.bootstrap import ADMIN_SOCKET

_ROUTES = "http.public.rds.public"


class Admin:
    """Each question raises OSError where nobody answers, or only half of it: Envoy is starting, or gone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def live(self) -> bool:
        return (await self._ask("/ready")).strip() == "LIVE"

    async def clusters(self) -> set[str]:
        """The names of clusters that are in use, with their endpoints."""
        answer = await self._ask("/clusters?format=json")
        with _understood():
            return {str(cluster["name"]) for cluster in json.loads(answer).get("cluster_statuses") or ()}

    async def filled(self) -> set[str]:
        """The names of clusters that it has endpoints of."""
        answer = await self._ask("/stats?type=Gauges&filter=^cluster[.].*[.]membership_total$")
        counts = (line.rsplit(": ", 1) for line in answer.splitlines() if ": " in line)
        with _understood():
            return {name.removeprefix("cluster.").rsplit(".", 1)[0] for name, count in counts if int(count)}

    async def listeners(self) -> set[str]:
        """The names of listeners that listen."""
        answer = await self._ask("/listeners?format=json")
        with _understood():
            return {str(listener["name"]) for listener in json.loads(answer).get("listener_statuses") or ()}

    async def route_updates(self) -> tuple[int, int]:
        """How many tables of routes it has taken in, and how many it has refused."""
        answer = await self._ask(f"/stats?filter=^{_ROUTES}.update_(success|rejected)$")
        counts = dict(line.rsplit(": ", 1) for line in answer.splitlines() if ": " in line)
        with _understood():
            return int(counts.get(f"{_ROUTES}.update_success", 0)), int(counts.get(f"{_ROUTES}.update_rejected", 0))

    async def _ask(self, path: str) -> str:
        # A unix socket's path is short by law of the kernel; the folder's descriptor makes any folder do.
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            connector = aiohttp.UnixConnector(f"/proc/self/fd/{folder}/{ADMIN_SOCKET}")
            timeout = aiohttp.ClientTimeout(total=2)
            async with (
                aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
                session.get(f"http://envoy{path}") as answer,
            ):
                return await answer.text()
        except (aiohttp.ClientError, TimeoutError) as failure:
            raise ConnectionError(str(failure)) from failure
        finally:
            os.close(folder)


@contextmanager
def _understood() -> Iterator[None]:
    """What is no answer comes from one that is about to go."""
    try:
        yield
    except (ValueError, LookupError, TypeError, AttributeError) as failure:
        raise ConnectionError(f"what Envoy answers is not understood: {failure!r}") from failure
