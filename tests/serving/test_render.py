"""Golden pairs: an InferenceService and what was seen, to children and status.

`golden/*.yaml` hold the object, what was seen (pods and routes in short), and the whole outcome. With
FAIRWAY_GOLDEN=write the outcomes are written anew, to be read before they are committed.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from fairway.kernel.objects import meta
from fairway.serving import render, spec, status
from fairway.serving.kinds import RENDERED
from fairway.serving.render import Children, Place
from fairway.serving.status import Seen

GOLDEN = Path(__file__).parent / "golden"
PLACE = Place("example.com", "http://127.0.0.1:8080")
NOW = "2026-01-01T00:00:00Z"


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.yaml")), ids=lambda path: path.stem)
def test_golden(path: Path) -> None:
    case = yaml.safe_load(path.read_text())
    outcome = decide(case["object"], case.get("seen") or {})
    if os.environ.get("FAIRWAY_GOLDEN") == "write":
        with path.open("w") as file:
            yaml.dump({**case, "outcome": outcome}, file, Dumper=Plain, sort_keys=False, width=110)
    assert outcome == case.get("outcome")


def decide(isvc: dict[str, Any], seen: dict[str, Any]) -> dict[str, Any]:
    if spec.stopped(isvc):
        return {"status": status.of_stopped(isvc, NOW)}
    try:
        predictor = spec.read(isvc)
    except spec.NotSupported as refusal:
        there = Seen(deployment=seen.get("deployment"))
        return {"status": status.of_refused(isvc, refusal, there, NOW)}
    children = render.children(isvc, predictor, PLACE)
    judged = status.of_running(isvc, predictor, children, _seen(children, seen), PLACE, NOW)
    return {
        "children": [*children.deployments, *children.services, *children.routes],
        "status": judged,
    }


def _seen(children: Children, seen: dict[str, Any]) -> Seen:
    """What says `version: new` is of the rendered version; a route is so by its name."""
    (deployment,) = children.deployments
    routes = {meta.name(route): route for route in children.routes}

    def versioned(obj: dict[str, Any], rendered: dict[str, Any]) -> dict[str, Any]:
        version = render.digest(rendered) if obj["version"] == "new" else "before"
        return {**obj, "metadata": {**obj["metadata"], "annotations": {**meta.annotations(obj), RENDERED: version}}}

    there = seen.get("deployment")
    return Seen(
        deployment=versioned(there, deployment) if there else None,
        routes=tuple(versioned(route, routes[meta.name(route)]) for route in seen.get("routes") or ()),
        pods=tuple(versioned(pod, deployment) for pod in seen.get("pods") or ()),
    )


class Plain(yaml.SafeDumper):
    """Without anchors: every part is read where it stands."""

    def ignore_aliases(self, data: Any) -> bool:
        return True
