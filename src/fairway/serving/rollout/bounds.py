"""The bounds that a canary must keep, and whether its counters keep them. Pure.

>>> [str(bound) for bound in read("errors>5%, p99>500ms")]
['errors>5%', 'p99>500ms']
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

ANNOTATION = "serving.fairway.dev/rollback-on"
ENOUGH = 20
"""Requests before anything is concluded."""

_ERRORS = re.compile(r"errors\s*>\s*(\d+(?:\.\d+)?)\s*%")
_LATENCY = re.compile(r"p(50|90|95|99)\s*>\s*(\d+(?:\.\d+)?)\s*(ms|s)")
_COUNTER = re.compile(r'^fairway_inference_requests_total\{[^}]*code="(\d+)"[^}]*\} ([0-9.eE+]+)$', re.MULTILINE)
_BUCKET = re.compile(r'^fairway_request_seconds_bucket\{[^}]*le="([^"]+)"[^}]*\} ([0-9.eE+]+)$', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Bound:
    """`percentile` is 0 where the share of errors is meant, and `limit` a share; else it is in seconds."""

    text: str
    percentile: int
    limit: float

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Counts:
    """What a version answered: requests, failed ones, and how many took at most so many seconds."""

    requests: float = 0.0
    errors: float = 0.0
    buckets: Mapping[float, float] = field(default_factory=dict)

    def since(self, before: Counts) -> Counts:
        """The difference; all of it where the server began anew."""
        if self.requests < before.requests:
            return self
        buckets = {le: count - before.buckets.get(le, 0.0) for le, count in self.buckets.items()}
        return Counts(self.requests - before.requests, self.errors - before.errors, buckets)

    def plus(self, other: Counts) -> Counts:
        bounds = self.buckets.keys() | other.buckets.keys()
        buckets = {le: self.buckets.get(le, 0.0) + other.buckets.get(le, 0.0) for le in bounds}
        return Counts(self.requests + other.requests, self.errors + other.errors, buckets)

    def above(self, seconds: float) -> float:
        """The share that surely took longer: more than the largest bucket that is not below the limit."""
        total = self.buckets.get(float("inf"), 0.0)
        within = [count for le, count in self.buckets.items() if le >= seconds]
        return 1 - min(within, default=total) / total if total else 0.0


def read(text: str) -> tuple[Bound, ...]:
    """Raises ValueError with a sentence."""
    found = []
    for part in filter(None, (one.strip() for one in text.split(","))):
        if errors := _ERRORS.fullmatch(part):
            found.append(Bound(part, 0, float(errors[1]) / 100))
        elif latency := _LATENCY.fullmatch(part):
            found.append(Bound(part, int(latency[1]), float(latency[2]) * (0.001 if latency[3] == "ms" else 1.0)))
        else:
            raise ValueError(f"The annotation {ANNOTATION}: {part!r} is not a bound such as errors>5% or p99>500ms.")
    return tuple(found)


def counts(page: bytes) -> Counts:
    """From a page of metrics: an error is what the server answers with 500 or more."""
    text = page.decode(errors="replace")
    by_code = [(int(code), float(count)) for code, count in _COUNTER.findall(text)]
    buckets: dict[float, float] = {}
    for le, count in _BUCKET.findall(text):
        buckets[float(le)] = buckets.get(float(le), 0.0) + float(count)
    failed = sum(count for code, count in by_code if code >= 500)
    return Counts(sum(count for _, count in by_code), failed, buckets)


def broken(bounds: Iterable[Bound], seen: Counts) -> str:
    """What was measured against the first bound that does not hold; empty while all hold or too little was seen."""
    if seen.requests < ENOUGH:
        return ""
    for bound in bounds:
        if not bound.percentile and seen.errors / seen.requests > bound.limit:
            failed = f"{seen.errors:.0f} of {seen.requests:.0f} requests failed"
            return f"{failed} ({seen.errors / seen.requests:.0%}), and {bound} was set"
        if bound.percentile and seen.above(bound.limit) > 1 - bound.percentile / 100:
            slow = f"{seen.above(bound.limit):.0%} of {seen.requests:.0f} requests took longer"
            return f"{slow}, and {bound} was set"
    return ""
