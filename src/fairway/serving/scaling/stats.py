"""Asks pods how busy they are: the page of metrics that our server and the sidecar have, once a second.

Counters are compared with the time before: the requests inside on average, and how many came each second. A pod that
does not answer, or is asked for the first time, says nothing yet.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

import aiohttp

from fairway.kernel.clock import Clock

PORT_ANNOTATION = "prometheus.kserve.io/port"
_USUAL_PORT = 8080
_LARGEST = 4 * 1024 * 1024
_LINE = re.compile(
    rb"^fairway_(request_concurrency_seconds_total|inference_requests_total|inference_requests_inside)"
    rb"(?:\{[^}]*\})? ([0-9.eE+-]+)$",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a pod's metrics are."""

    uid: str
    address: str
    port: int = _USUAL_PORT


@dataclass(frozen=True, slots=True)
class Load:
    """Of all pods together."""

    inside: float
    rate: float


@dataclass(frozen=True, slots=True)
class _Sample:
    at: float
    area: float | None
    count: float
    inside: float


class Stats:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None
        self._last: dict[str, _Sample] = {}

    async def close(self) -> None:
        if self._session:
            await self._session.close()

    async def collect(self, places: Iterable[Place]) -> Load | None:
        """None where no pod said anything."""
        found = [load for load in await asyncio.gather(*map(self._one, places)) if load]
        if not found:
            return None
        return Load(sum(load.inside for load in found), sum(load.rate for load in found))

    def forget_others(self, uids: Iterable[str]) -> None:
        for gone in self._last.keys() - set(uids):
            del self._last[gone]

    async def page(self, place: Place) -> bytes:
        """The page as it is. Raises ClientError and TimeoutError, also where it is larger than any page is."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=10),
                timeout=aiohttp.ClientTimeout(total=1),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        async with self._session.get(f"http://{place.address}:{place.port}/metrics") as answer:
            answer.raise_for_status()
            page = bytearray()
            async for piece in answer.content.iter_any():
                page += piece
                if len(page) > _LARGEST:
                    raise aiohttp.ClientPayloadError(f"the page has more than {_LARGEST} bytes")
            return bytes(page)

    async def _one(self, place: Place) -> Load | None:
        try:
            sample = read(await self.page(place), self._clock.now())
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            return None  # whoever may make pods may have them say anything
        before, self._last[place.uid] = self._last.get(place.uid), sample
        return between(before, sample) if before else None


def read(page: bytes, now: float) -> _Sample:
    """Raises ValueError for what are no numbers."""
    sums: dict[bytes, float] = {}
    for name, value in _LINE.findall(page):
        sums[name] = sums.get(name, 0.0) + float(value)
    if not all(map(math.isfinite, sums.values())):
        raise ValueError("a count without an end is none")
    return _Sample(
        now,
        sums.get(b"request_concurrency_seconds_total"),
        sums.get(b"inference_requests_total", 0.0),
        sums.get(b"inference_requests_inside", 0.0),
    )


def between(before: _Sample, after: _Sample) -> Load | None:
    """None where no time has passed, or the counters began anew because the server did."""
    passed = after.at - before.at
    if passed <= 0 or after.count < before.count:
        return None
    inside = after.inside
    if before.area is not None and after.area is not None:
        inside = max(0.0, (after.area - before.area) / passed)
    return Load(inside, (after.count - before.count) / passed)
