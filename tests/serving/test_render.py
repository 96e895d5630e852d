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
from fairway.serving import reading
from fairway.serving.kinds import RENDERED
from fairway.serving.reading import Surroundings
from fairway.serving.render import children as rendering
from fairway.serving.render import marks
from fairway.serving.render.children import Children
from fairway.serving.render.place import Place
from fairway.serving.runtimes import built_in
from fairway.serving.runtimes.selection import Runtimes
from fairway.serving.spec import steering
from fairway.serving.spec.refusals import NotSupported
from fairway.serving.status import judging
from fairway.serving.status.seen import Seen

GOLDEN = Path(__file__).parent / "golden"
PLACE = Place("example.com", "http://127.0.0.1:8080")
AROUND = Surroundings(Runtimes(cluster=built_in.objects()))
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
    if steering.stopped(isvc):
        return {"status": judging.of_stopped(isvc, NOW)}
    try:
        asked = reading.read(isvc, AROUND)
    except NotSupported as refusal:
        there = Seen(deployments={meta.name(one): one for one in seen.get("deployments") or ()})
        return {"status": judging.of_refused(isvc, refusal, there, NOW)}
    children = rendering.children(isvc, asked, PLACE)
    judged = judging.of_running(isvc, asked, children, _seen(children, seen), PLACE, NOW)
    return {
        "children": [*children.deployments, *children.services, *children.routes, *children.scalers],
        "status": judged,
    }


def _seen(children: Children, seen: dict[str, Any]) -> Seen:
    """What says `version: new` is of the rendered version, by its name; a pod is so by its Deployment's."""
    rendered = {meta.name(one): one for one in children.deployments}
    routes = {meta.name(one): one for one in children.routes}

    def versioned(obj: dict[str, Any], like: dict[str, Any]) -> dict[str, Any]:
        version = marks.digest(like) if obj["version"] == "new" else "before"
        found = {**meta.annotations(obj), RENDERED: version}
        return {**obj, "metadata": {**obj["metadata"], "labels": meta.labels(like), "annotations": found}}

    return Seen(
        {meta.name(one): versioned(one, rendered[meta.name(one)]) for one in seen.get("deployments") or ()},
        tuple(versioned(route, routes[meta.name(route)]) for route in seen.get("routes") or ()),
        tuple(versioned(pod, rendered[meta.name(pod).rpartition("-")[0]]) for pod in seen.get("pods") or ()),
    )


class Plain(yaml.SafeDumper):
    """Without anchors: every part is read where it stands."""

    def ignore_aliases(self, data: Any) -> bool:
        return True
