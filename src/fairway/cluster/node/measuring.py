"""What containers use of the processor and of memory, read from /proc when somebody asks, and not before.

A container is its first process and everything that descends from it. Its share of the processor is what it used since
the sample before, if that is old enough to mean something, else since its beginning.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fairway.cluster.node.runtime import PodRuntime
from fairway.cluster.node.shepherd import records
from fairway.kernel.clock import Clock

_PROC = Path("/proc")
_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_OLD_ENOUGH = 5.0
"""Seconds between samples that are compared."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Cores and bytes, over the last `window` seconds."""

    cpu: float
    memory: int
    window: float


@dataclass(frozen=True, slots=True)
class _Process:
    parent: int
    ticks: int
    """Of the processor, its ended children's with it."""
    pages: int
    started: int
    """In ticks since the machine began."""


@dataclass(frozen=True, slots=True)
class _Sample:
    at: float
    cpu: float


class Measuring:
    """`node` is the name under which the whole machine is told of."""

    def __init__(self, runtime: PodRuntime, clock: Clock, node: str) -> None:
        self._runtime, self._clock, self._node = runtime, clock, node
        self._samples: dict[str, _Sample] = {}

    def pods(self) -> Mapping[str, Mapping[str, Usage]]:
        processes = _processes()
        children: dict[int, list[int]] = {}
        for pid, process in processes.items():
            children.setdefault(process.parent, []).append(pid)
        found: dict[str, dict[str, Usage]] = {}
        seen = set()
        for pod in self._runtime.pods():
            for state in self._runtime.states(pod):
                folder = self._runtime.folder(pod) / f"{state.id.name}.{state.id.attempt}"
                record = records.read(str(folder), records.RECORD) if state.running else None
                first = processes.get(int(record["pid"])) if record else None
                if record is None or first is None:
                    continue
                mine = [processes[pid] for pid in _family(int(record["pid"]), children)]
                key = f"{pod}/{state.id.name}.{state.id.attempt}"
                seen.add(key)
                found.setdefault(pod, {})[state.id.name] = self._usage(key, mine, _age(first))
        for gone in self._samples.keys() - seen:
            del self._samples[gone]
        return found

    def nodes(self) -> Mapping[str, Usage]:
        fields = [int(one) for one in (_PROC / "stat").read_text().split("\n", 1)[0].split()[1:9]]
        busy = (sum(fields) - fields[3] - fields[4]) / _TICK
        lines = (_PROC / "meminfo").read_text().splitlines()
        memory = {name: int(rest.split()[0]) * 1024 for name, rest in (line.split(":", 1) for line in lines)}
        cpu, window = self._rate("", busy, _uptime())
        return {self._node: Usage(cpu, memory["MemTotal"] - memory.get("MemAvailable", 0), window)}

    def _usage(self, key: str, processes: list[_Process], age: float) -> Usage:
        cpu, window = self._rate(key, sum(one.ticks for one in processes) / _TICK, age)
        return Usage(cpu, sum(one.pages for one in processes) * _PAGE, window)

    def _rate(self, key: str, used: float, age: float) -> tuple[float, float]:
        """Cores, and over how many seconds."""
        now = self._clock.now()
        before = self._samples.get(key)
        if before is None or now - before.at >= _OLD_ENOUGH or used < before.cpu:
            self._samples[key] = _Sample(now, used)
        if before is None or used < before.cpu or now <= before.at:
            return used / max(age, 0.01), max(age, 0.01)
        return (used - before.cpu) / (now - before.at), now - before.at


def _family(first: int, children: Mapping[int, list[int]]) -> list[int]:
    found, waiting = [], [first]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting += children.get(pid, ())
    return found


def _processes() -> dict[int, _Process]:
    found = {}
    for entry in os.scandir(_PROC):
        if not entry.name.isdigit():
            continue
        try:
            stat = Path(entry.path, "stat").read_bytes()
        except OSError:  # it has ended meanwhile
            continue
        fields = stat.rpartition(b")")[2].split()
        ticks = sum(map(int, fields[11:15]))
        found[int(entry.name)] = _Process(int(fields[1]), ticks, int(fields[21]), int(fields[19]))
    return found


def _age(process: _Process) -> float:
    return _uptime() - process.started / _TICK


def _uptime() -> float:
    return float((_PROC / "uptime").read_text().split()[0])
