"""What of a graph cannot run, each as a sentence: upstream's rules, and those of what upstream would ignore. Pure.

All of them are found, not only the first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import urlsplit

from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import Object
from fairway.serving.graphs.kinds import MODE, PROPAGATE, STOP
from fairway.serving.graphs.router import paths
from fairway.serving.graphs.router.plan import ROOT
from fairway.serving.render import traffic

MOST_NODES = 100
"""One after the other on the way of a request, which is inside of all of them."""

_NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_TARGETS = ("nodeName", "serviceName", "serviceUrl")
_TYPES = ("Sequence", "Splitter", "Ensemble", "Switch")
_FIELDS = {
    "spec": (
        "nodes", "resources", "affinity", "tolerations", "nodeSelector", "nodeName", "serviceAccountName", "timeout",
        "routerTimeouts", "minReplicas", "maxReplicas", "scaleTarget", "scaleMetric",
    ),
    "node": ("routerType", "steps", "merge"),
    "step": (
        *_TARGETS, "name", "data", "mapPredictionsToInstances", "weight", "condition", "dependency", "default",
        "timeout", "retries",
    ),
    "timeouts": ("serverRead", "serverWrite", "serverIdle", "serviceClient"),
}  # fmt: skip
_ANNOTATIONS = {MODE: ("Standard", "RawDeployment", "Knative", "Serverless"), STOP: ("true", "false")}


def mistakes(graph: Object) -> Iterator[str]:
    spec = graph.get("spec") or {}
    nodes = spec.get("nodes") or {}
    yield from _about_name(graph)
    yield from _about_annotations(graph)
    yield from _unknown("spec", spec, "spec")
    yield from _unknown("spec.routerTimeouts", spec.get("routerTimeouts") or {}, "timeouts")
    yield from _about_numbers(spec)
    if ROOT not in nodes:
        yield f"The graph has no node called {ROOT}, at which requests begin; name one of them so."
    for name, node in nodes.items():
        yield from _about_node(name, node, nodes)
    yield from _about_circles(nodes)


def _about_name(graph: Object) -> Iterator[str]:
    name = meta.name(graph)
    if not _NAME.fullmatch(name):
        yield f"The name {name!r} must start with a letter and hold only a-z, 0-9 and dashes; create it under another."
    if len(f"{name}-{meta.namespace(graph)}") > 63:
        yield "Name and namespace together are longer than the 62 characters of a host name; shorten one of them."


def _about_annotations(graph: Object) -> Iterator[str]:
    for key, value in sorted(meta.annotations(graph).items()):
        if key.startswith("serving.kserve.io/") and value not in (accepted := _ANNOTATIONS.get(key, ())):
            how = f"use {' or '.join(accepted)}" if accepted else "remove it"
            yield f"The annotation {key}: {value} is not supported; {how}."
    yield from traffic.mistakes(graph)
    for unserved in (traffic.MIRROR, traffic.BY_HEADER):
        if meta.annotations(graph).get(unserved):
            yield f"The annotation {unserved} is for services and not for graphs; remove it."
    for pattern in meta.annotations(graph).get(PROPAGATE, "").split(","):
        try:
            re.compile(pattern)
        except (re.error, OverflowError, RecursionError) as wrong:
            yield f"The annotation {PROPAGATE} has the pattern {pattern[:100]!r}, which cannot be read: {wrong}."


def _about_numbers(spec: Object) -> Iterator[str]:
    least, most = spec.get("minReplicas", 1), spec.get("maxReplicas") or 0
    if least < 0 or most < 0 or 0 < most < least:
        yield "spec.minReplicas must not be negative, and maxReplicas not below it."
    timeouts = spec.get("routerTimeouts") or {}
    numbers = {"spec.timeout": spec.get("timeout"), **{f"spec.routerTimeouts.{k}": v for k, v in timeouts.items()}}
    for place, number in numbers.items():
        if isinstance(number, int) and number < 0:
            yield f"{place} must not be negative."


def _about_node(name: str, node: Object, nodes: Mapping[str, Object]) -> Iterator[str]:
    place = f"spec.nodes.{name}"
    steps: Sequence[Object] = node.get("steps") or ()
    kind = node.get("routerType")
    yield from _unknown(place, node, "node")
    if kind not in _TYPES:
        yield f"{place}.routerType is {kind!r}; use {', '.join(_TYPES)}."
    if not steps:
        yield f"{place} has no steps; give it one."
    if node.get("merge") and kind != "Ensemble":
        yield f"{place}.merge is for an Ensemble, whose answers there are to merge; remove it."
    names = [step["name"] for step in steps if step.get("name")]
    for twice in sorted({one for one in names if names.count(one) > 1}):
        yield f"{place} has more than one step with the name {twice!r}; name them apart."
    for number, step in enumerate(steps):
        yield from _about_step(f"{place}.steps[{number}]", step, kind, nodes)
    if kind == "Splitter":
        yield from _about_weights(place, steps)
    if kind == "Switch" and sum(bool(step.get("default")) for step in steps) > 1:
        yield f"{place} has more than one default; a Switch takes one step."


def _about_step(place: str, step: Object, kind: str | None, nodes: Mapping[str, Object]) -> Iterator[str]:
    yield from _unknown(place, step, "step")
    targets = [target for target in _TARGETS if step.get(target)]
    if len(targets) != 1:
        found = " and ".join(targets) if targets else "none"
        yield f"{place} must have exactly one of {', '.join(_TARGETS)}, and has {found}."
    if step.get("nodeName") and step["nodeName"] not in nodes:
        yield f"{place}.nodeName: the graph has no node {step['nodeName']!r}."
    if step.get("serviceUrl") and not _is_address(step["serviceUrl"]):
        yield f"{place}.serviceUrl {step['serviceUrl']!r} is not an address such as http://host:port/path."
    if step.get("data") not in (None, "", "$request", "$response"):
        yield f"{place}.data {step['data']!r} is neither $request nor $response; a part of an answer cannot be named."
    if step.get("default") and kind != "Switch":
        yield f"{place}.default is for the steps of a Switch; remove it."
    if kind == "Switch" and not step.get("condition") and not step.get("default"):
        yield f"{place} would never be taken: give it a condition, or default: true."
    for field in ("timeout", "retries"):
        if isinstance(step.get(field), int) and step[field] < 0:
            yield f"{place}.{field} must not be negative."
    try:
        paths.parse(step.get("condition") or "")
    except paths.Unreadable as wrong:
        yield f"{place}.condition {step['condition'][:100]!r} cannot be read: {wrong}."


def _about_weights(place: str, steps: Sequence[Object]) -> Iterator[str]:
    weights = [step.get("weight") for step in steps]
    known = [weight for weight in weights if isinstance(weight, int)]
    if len(known) < len(weights):
        yield f"{place} is a Splitter and has a step without weight; give each its percent."
    elif sum(known) != 100 or min(known, default=0) < 0:
        yield f"{place} is a Splitter whose weights are {sum(known)} together; they must be 100."


def _about_circles(nodes: Mapping[str, Object]) -> Iterator[str]:
    """A node that leads to itself would never end, and a way that is too long would not fit into one request."""
    longest: dict[str, int] = {}  # ways, by where they begin

    def visit(name: str, way: tuple[str, ...]) -> Iterator[str]:
        if name in way:
            yield f"The nodes {' -> '.join((*way[way.index(name) :], name))} lead in a circle, which would never end."
            return
        if name in longest or len(way) > MOST_NODES:
            return
        after = [step["nodeName"] for step in (nodes.get(name) or {}).get("steps") or () if step.get("nodeName")]
        for one in after:
            yield from visit(one, (*way, name))
        longest[name] = 1 + max((longest.get(one, MOST_NODES) for one in after), default=0)

    for name in nodes:
        yield from visit(name, ())
    if max(longest.values(), default=0) > MOST_NODES:
        yield f"The graph has a way through more than {MOST_NODES} nodes, one inside the other; make it shorter."


def _unknown(place: str, part: Object, kind: str) -> Iterator[str]:
    for field, value in sorted(part.items()):
        if field not in _FIELDS[kind] and value not in (None, [], {}, ""):
            yield f"{place}.{field} is not supported; remove it."


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        (parts.hostname or "").encode("idna")
    except ValueError:  # of a name that no resolver can be asked for, too
        return False
    plain = url.isascii() and url.isprintable() and not any(sign in url for sign in " {}")
    return plain and parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.username
