"""What of a graph cannot run is said in sentences, all of them, and the rest is accepted."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from fairway.serving.graphs import checks, render, services, status
from fairway.serving.graphs.kinds import MODE, PROPAGATE
from fairway.serving.render.place import Place

PLACE = Place("example.com", "http://127.0.0.1:8080")
URL = "http://a.example.com/predict"


def graph(nodes: Any, *, name: str = "g", annotations: dict[str, str] | None = None, **spec: Any) -> Any:
    metadata = {"name": name, "namespace": "default", "uid": "u", "generation": 1, "annotations": annotations or {}}
    return {"metadata": metadata, "spec": {"nodes": nodes, **spec}}


def root(kind: str, *steps: Any, **more: Any) -> Any:
    return {"root": {"routerType": kind, "steps": list(steps), **more}}


STEP = {"serviceUrl": URL}


@pytest.mark.parametrize(
    "given",
    [
        graph(root("Sequence", STEP, {**STEP, "condition": "predictions.#(label==dog)", "data": "$response"})),
        graph(root("Splitter", {**STEP, "weight": 20}, {"serviceName": "a", "weight": 80, "condition": "x"})),
        graph(root("Switch", {**STEP, "condition": "[@this].#(a==b)"}, {**STEP, "default": True})),
        graph(root("Ensemble", {**STEP, "name": "a"}, {**STEP, "name": "b"}, merge="average")),
        graph(root("Sequence", STEP), annotations={MODE: "RawDeployment", PROPAGATE: "X-.*,authorization"}),
        graph(root("Sequence", STEP), routerTimeouts={"serverRead": 1}, timeout=5, minReplicas=2, scaleMetric="rps"),
        graph({**root("Sequence", {"nodeName": "n"}, {"nodeName": "n"}), "n": {"routerType": "Switch", "steps": [
            {**STEP, "default": True}]}}),
    ],
)  # fmt: skip
def test_it_is_accepted(given: Any) -> None:
    assert list(checks.mistakes(given)) == []


def _chain(length: int) -> Any:
    """Each node leads to the next."""
    names = ["root", *(f"n{number}" for number in range(length))]
    nodes = {name: root("Sequence", {"nodeName": after})["root"] for name, after in pairwise(names)}
    return {**nodes, names[-1]: root("Sequence", STEP)["root"]}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (graph(root("Sequence", STEP), name="1g"), "must start with a letter"),
        (graph(root("Sequence", STEP), name="g" * 60), "longer than"),
        (graph({"a": {"routerType": "Sequence", "steps": [STEP]}}), "no node called root"),
        (graph(root("Sequence")), "has no steps"),
        (graph(root("Sequence", {})), "exactly one of nodeName, serviceName, serviceUrl, and has none"),
        (graph(root("Sequence", {**STEP, "serviceName": "a"})), "has serviceName and serviceUrl"),
        (graph(root("Sequence", {**STEP, "name": "a"}, {**STEP, "name": "a"})), "more than one step with the name 'a'"),
        (graph(root("Splitter", {**STEP, "weight": 20}, STEP)), "a step without weight"),
        (graph(root("Splitter", {**STEP, "weight": 20})), "are 20 together; they must be 100"),
        (graph(root("Sequence", {"nodeName": "x"})), "no node 'x'"),
        (graph(root("Sequence", {"nodeName": "root"})), "root -> root lead in a circle"),
        (graph(root("Sequence", {"serviceUrl": "http://x.{$domain}/"})), "is not an address"),
        (graph(root("Sequence", {"serviceUrl": "http://u:p@host/"})), "is not an address"),
        (graph(root("Sequence", {"serviceUrl": "http://host/caf\u00e9"})), "is not an address"),
        (graph(root("Sequence", {"serviceUrl": f"http://{'a' * 64}.example/"})), "is not an address"),
        (graph(root("Sequence", {**STEP, "data": "$response.predictions"})), "neither $request nor $response"),
        (graph(root("Switch", STEP)), "would never be taken"),
        (graph(root("Switch", {**STEP, "default": True}, {**STEP, "default": True})), "more than one default"),
        (graph(root("Switch", {**STEP, "condition": "a|b"})), "cannot be read: it has a |"),
        (graph(root("Switch", {**STEP, "condition": "#(" * 2000 + "a" + ")" * 2000})), "nested too deeply"),
        (graph(root("Switch", {**STEP, "condition": ".".join("a" * 2000)})), "more than 100 parts"),
        (graph(_chain(2000)), "through more than 100 nodes"),
        (graph(dict(reversed(_chain(2000).items()))), "through more than 100 nodes"),
        (graph(root("Sequence", {**STEP, "default": True})), "is for the steps of a Switch"),
        (graph(root("Sequence", STEP, merge="average")), "is for an Ensemble"),
        (graph(root("Sequence", {**STEP, "mystery": 1})), "steps[0].mystery is not supported"),
        (graph(root("Sequence", STEP), minReplicas=3, maxReplicas=2), "maxReplicas not below it"),
        (graph(root("Sequence", STEP), annotations={PROPAGATE: "a["}), "cannot be read"),
        (graph(root("Sequence", STEP), annotations={PROPAGATE: "a{4294967296}"}), "cannot be read"),
        (graph(root("Sequence", STEP), annotations={PROPAGATE: "(" * 9000}), "cannot be read"),
        (graph(root("Sequence", STEP), annotations={MODE: "ModelMesh"}), "ModelMesh is not supported"),
    ],
)
def test_it_is_refused_with_a_sentence(given: Any, says: str) -> None:
    assert any(says in sentence for sentence in checks.mistakes(given))


@pytest.mark.parametrize(
    ("predictor", "address"),
    [
        ({"sklearn": {}}, "v1/models/a:predict"),
        ({"sklearn": {"args": ["--model_name", "iris"]}}, "v1/models/iris:predict"),
        ({"model": {"modelFormat": {"name": "sklearn"}, "protocolVersion": "v2"}}, "v2/models/a/infer"),
        ({"model": {"modelFormat": {"name": "x"}, "runtime": "kserve-mlserver"}}, "v2/models/a/infer"),
        ({"containers": [{"args": ["--model_name=mine"]}]}, "v1/models/mine:predict"),
    ],
)
def test_services_are_asked_by_their_models_name_and_protocol(predictor: Any, address: str) -> None:
    isvc = {"metadata": {"name": "a", "namespace": "ns"}, "spec": {"predictor": predictor}}
    assert services.address(isvc, PLACE) == f"http://127.0.0.1:8080/serving/ns/a/{address}"


def test_golden() -> None:
    """The graph and all that is made of it."""
    case = yaml.safe_load((Path(__file__).parent / "golden.yaml").read_text())
    given = case["object"]
    isvc = {"metadata": {"name": "iris", "namespace": "default"}, "spec": {"predictor": {"sklearn": {}}}}
    children = render.children(given, services.resolved(given, {"iris": isvc}, PLACE), PLACE)
    said = status.of_running(given, children, (), (), PLACE, "2026-01-01T00:00:00Z")
    made = [*children.deployments, *children.services, *children.routes]
    assert {"children": made, "status": said} == case["outcome"]
