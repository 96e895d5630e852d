"""A rolling update to pods that listen elsewhere: the Service asks each pod where it listens until all are new."""

from __future__ import annotations

from typing import Any

import pytest

from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import Object
from fairway.serving.kinds import INFERENCE_SERVICE
from fairway.serving.reading import Surroundings
from fairway.serving.render.children import Children
from fairway.serving.render.place import Place
from fairway.serving.rollout import planning, rendering
from fairway.serving.runtimes import built_in
from fairway.serving.runtimes.selection import Runtimes
from fairway.serving.status.seen import Seen

AROUND = Surroundings(Runtimes(cluster=built_in.objects()))
MODEL = {"model": {"modelFormat": {"name": "sklearn"}, "storageUri": "/m/1"}}
LOGGED = {**MODEL, "logger": {"url": "http://sink"}}


def _own(number: int, name: str = "http") -> Object:
    named = {"name": name} if name else {}
    return {"containers": [{"image": "python:3.11", "ports": [{"containerPort": number, **named}]}]}


def _children(predictor: Object, there: Children | None = None, *, complete: bool = True) -> Children:
    """What is made where `there` is what is there already, rolled out or not."""
    counts = dict.fromkeys(("replicas", "updatedReplicas", "availableReplicas"), 1 if complete else 2)
    current = {meta.name(one): {**one, "status": counts} for one in (there.deployments if there else ())}
    isvc = INFERENCE_SERVICE.new("iris", "default", spec={"predictor": predictor})
    plan = planning.plan(isvc, AROUND, current, 0.0)
    services = there.services if there else ()
    return rendering.children(isvc, plan, Place("example.com", "http://127.0.0.1:8080"), Seen(current), services)


def _targets(made: Children) -> list[Any]:
    return [port["targetPort"] for port in made.services[0]["spec"]["ports"]]


def test_a_sidecar_that_comes_is_asked_once_every_pod_has_it() -> None:
    before = _children(MODEL)
    assert _targets(before) == [8080, 8081]
    moving = _children(LOGGED, before)
    assert _targets(moving) == ["http", 8081]
    assert _targets(_children(LOGGED, moving, complete=False)) == ["http", 8081]
    assert _targets(_children(LOGGED, moving)) == [9081, 8081]


def test_one_that_goes_is_asked_no_more_at_once_as_what_is_behind_it_listens_everywhere() -> None:
    assert _targets(_children(MODEL, _children(LOGGED))) == [8080, 8081]


@pytest.mark.parametrize(("name", "target"), [("http", "http"), ("other", 9000)])
def test_a_container_that_listens_elsewhere_is_found_by_the_name_of_its_port(name: str, target: int | str) -> None:
    moving = _children(_own(9000, name), _children(_own(8080)))
    assert _targets(moving) == [target]
    assert _targets(_children(_own(9000, name), moving)) == [9000]


def test_a_port_without_a_name_is_found_too() -> None:
    moving = _children(_own(9000, ""), _children(_own(8080, "")))
    assert _targets(moving) == ["http"]
    assert _targets(_children(_own(9000, ""), moving)) == [9000]
    assert _targets(_children(_own(9000, ""), _children(_own(8080)))) == ["http"]


def test_only_the_port_that_serves_gets_a_name_and_none_that_is_taken() -> None:
    def names(*ports: Object, beside: Object | None = None) -> list[str | None]:
        containers = [{"image": "python:3.11", "ports": list(ports)}, *([beside] if beside else [])]
        (made,) = _children({"containers": containers}).deployments
        return [port.get("name") for port in made["spec"]["template"]["spec"]["containers"][0]["ports"]]

    assert names({"containerPort": 8080}, {"containerPort": 9999}) == ["http", None]
    assert names({"containerPort": 8080}, {"containerPort": 9999, "name": "http"}) == [None, "http"]
    assert names({"containerPort": 9000, "name": "h2c"}, {"containerPort": 8080}) == ["h2c", "http"]
    taken = {"name": "web", "image": "nginx", "ports": [{"containerPort": 80, "name": "http"}]}
    assert names({"containerPort": 8080}, beside=taken) == [None]
    assert names({"containerPort": 8080}, beside={"name": "transformer-container", "image": "x"}) == [None]


def test_where_nothing_moves_the_target_is_a_number_all_along() -> None:
    before = _children(MODEL)
    assert _targets(_children({**MODEL, "timeout": 5, "labels": {"a": "b"}}, before)) == [8080, 8081]
