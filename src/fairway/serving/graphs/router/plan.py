"""The graph as the router reads it: what `--graph-json` says, in the words of InferenceGraph's spec. Pure.

What stands there was checked before; a router that is started by hand is told what it cannot read all the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fairway.serving.graphs.router import paths
from fairway.serving.graphs.router.paths import Path

ROOT = "root"


class NoGraph(Exception):
    """The text is a sentence."""


@dataclass(frozen=True, slots=True)
class Step:
    """`authorize`: its address is one of the platform's own services, which are called with the pod's token."""

    name: str
    node: str
    url: str
    authorize: bool
    takes_answer: bool
    renames: bool
    weight: int
    condition: Path | None
    hard: bool
    default: bool
    timeout: float | None
    retries: int


@dataclass(frozen=True, slots=True)
class Node:
    type: str
    steps: tuple[Step, ...]
    merge: str = ""


@dataclass(frozen=True, slots=True)
class Timeouts:
    read: float = 60.0
    write: float = 60.0
    idle: float = 180.0
    step: float | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    nodes: Mapping[str, Node]
    timeouts: Timeouts = Timeouts()


def read(text: str) -> Plan:
    """Raises NoGraph."""
    try:
        spec = json.loads(text)
        nodes = {name: _node(node) for name, node in spec["nodes"].items()}
        return Plan(nodes, _timeouts(spec.get("routerTimeouts") or {}))
    except paths.Unreadable as wrong:
        raise NoGraph(f"A condition of the graph cannot be read: {wrong}.") from None
    except (ValueError, KeyError, TypeError, AttributeError) as wrong:
        raise NoGraph(f"The graph cannot be read: {wrong!r}.") from None


def _node(node: Mapping[str, Any]) -> Node:
    return Node(node["routerType"], tuple(map(_step, node.get("steps") or ())), node.get("merge") or "")


def _step(step: Mapping[str, Any]) -> Step:
    condition = step.get("condition") or ""
    return Step(
        name=step.get("name") or "",
        node=step.get("nodeName") or "",
        url=step.get("serviceUrl") or "",
        authorize=bool(step.get("authorize")),
        takes_answer=step.get("data") == "$response",
        renames=bool(step.get("mapPredictionsToInstances")),
        weight=int(step.get("weight") or 0),
        condition=paths.parse(condition) if condition else None,
        hard=step.get("dependency") == "Hard",
        default=bool(step.get("default")),
        timeout=float(step["timeout"]) if step.get("timeout") else None,
        retries=int(step.get("retries") or 0),
    )


def _timeouts(given: Mapping[str, Any]) -> Timeouts:
    default = Timeouts()
    return Timeouts(
        read=float(given.get("serverRead") or default.read),
        write=float(given.get("serverWrite") or default.write),
        idle=float(given.get("serverIdle") or default.idle),
        step=float(given["serviceClient"]) if given.get("serviceClient") else None,
    )
