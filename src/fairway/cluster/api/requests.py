"""What the server counts of itself, and the text in which Prometheus reads it at /metrics.

The faces tell each request that has ended, and open streams; that costs a look into a table. Everything else (how many
objects there are, what the process uses) is looked up when somebody reads.
"""

from __future__ import annotations

import os
import resource
import sys
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from fairway.cluster.api.calls import Call
from fairway.cluster.api.registry import Served
from fairway.cluster.store.protocol import Store

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_BOUNDS = (0.001, 0.005, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_VERBS = {"create": "POST", "update": "PUT"}


class What(NamedTuple):
    """What was asked for, without names: the labels of a series, of which there are only so many."""

    verb: str
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    scope: str = ""


class _Series:
    __slots__ = ("buckets", "codes", "seconds")

    def __init__(self) -> None:
        self.codes: dict[int, int] = {}
        self.buckets = [0] * (len(_BOUNDS) + 1)
        self.seconds = 0.0


class Requests:
    def __init__(self) -> None:
        self._ended: dict[What, _Series] = {}
        self._open: dict[What, int] = {}

    def ended(self, call: Call | None, method: str, code: int, seconds: float) -> None:
        key = what(call, method)
        series = self._ended.get(key)
        if series is None:
            series = self._ended[key] = _Series()
        series.codes[code] = series.codes.get(code, 0) + 1
        series.buckets[bisect_left(_BOUNDS, seconds)] += 1
        series.seconds += seconds

    @contextmanager
    def open(self, call: Call) -> Iterator[None]:
        """A stream, while the block lasts."""
        key = what(call, "GET")
        self._open[key] = self._open.get(key, 0) + 1
        try:
            yield
        finally:
            self._open[key] -= 1

    def text(self, store: Store, served: Iterable[Served]) -> bytes:
        lines = [*self._counts(), *self._durations(), *self._streams(), *_objects(store, served), *_process()]
        return ("\n".join(lines) + "\n").encode()

    def _counts(self) -> Iterator[str]:
        yield from _head("apiserver_request_total", "counter", "Requests that have ended, by what they asked for.")
        for key, series in self._ended.items():
            for code, count in series.codes.items():
                yield _line("apiserver_request_total", {**key._asdict(), "code": str(code)}, count)

    def _durations(self) -> Iterator[str]:
        name = "apiserver_request_duration_seconds"
        yield from _head(name, "histogram", "How long requests took, from their first line to their answer.")
        for key, series in self._ended.items():
            labels, total = key._asdict(), 0
            for bound, count in zip((*map(str, _BOUNDS), "+Inf"), series.buckets, strict=True):
                total += count
                yield _line(f"{name}_bucket", {**labels, "le": bound}, total)
            yield _line(f"{name}_sum", labels, round(series.seconds, 6))
            yield _line(f"{name}_count", labels, total)

    def _streams(self) -> Iterator[str]:
        name = "apiserver_longrunning_requests"
        yield from _head(name, "gauge", "Watches, logs and connections that are open.")
        for key, count in self._open.items():
            yield _line(name, key._asdict(), count)


def what(call: Call | None, method: str) -> What:
    if call is None:
        return What(method)
    kind = call.served.resource.kind
    verb = "CONNECT" if call.subresource and method == "GET" and call.verb == "create" else _VERBS.get(call.verb)
    scope = "resource" if call.name else "namespace" if call.namespace else "cluster"
    return What(verb or call.verb.upper(), kind.group, kind.version, kind.plural, call.subresource, scope)


def _objects(store: Store, served: Iterable[Served]) -> Iterator[str]:
    yield from _head("apiserver_resource_objects", "gauge", "Objects that are stored, by resource.")
    kinds = {one.resource.storage for one in served if one.resource.stored and not one.resource.measured}
    for kind in sorted(kinds, key=lambda kind: (kind.group, kind.plural, kind.version)):
        first = store.list(kind.resource, limit=1)
        labels = {"group": kind.group, "resource": kind.plural}
        yield _line("apiserver_resource_objects", labels, len(first.records) + first.remaining)
    yield from _head("apiserver_storage_revision", "gauge", "The newest revision of the store.")
    yield _line("apiserver_storage_revision", {}, store.revision)


def _process() -> Iterator[str]:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    yield from _head("process_cpu_seconds_total", "counter", "Processor time of this process.")
    yield _line("process_cpu_seconds_total", {}, round(usage.ru_utime + usage.ru_stime, 2))
    status = Path("/proc/self/statm")
    if status.exists():
        pages = status.read_text().split()
        size = os.sysconf("SC_PAGE_SIZE")
        yield from _head("process_virtual_memory_bytes", "gauge", "Address space of this process.")
        yield _line("process_virtual_memory_bytes", {}, int(pages[0]) * size)
        yield from _head("process_resident_memory_bytes", "gauge", "Memory of this process.")
        yield _line("process_resident_memory_bytes", {}, int(pages[1]) * size)
        yield from _head("process_open_fds", "gauge", "Files and connections that are open.")
        yield _line("process_open_fds", {}, len(os.listdir("/proc/self/fd")))
    yield from _head("process_max_fds", "gauge", "Files and connections that may be open.")
    yield _line("process_max_fds", {}, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    yield from _head("python_info", "gauge", "The interpreter.")
    version = ".".join(map(str, sys.version_info[:3]))
    yield _line("python_info", {"version": version}, 1)


def _head(name: str, kind: str, about: str) -> tuple[str, str]:
    return f"# HELP {name} {about}", f"# TYPE {name} {kind}"


def _line(name: str, labels: dict[str, str], value: float) -> str:
    # No label can hold a quotation mark: they are names of kinds, verbs, and codes.
    inside = ",".join(f'{key}="{text}"' for key, text in labels.items())
    return f"{name}{{{inside}}} {value}" if inside else f"{name} {value}"
