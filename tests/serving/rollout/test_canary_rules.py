"""Which canaries are accepted, how many pods they have and which share they get. The rules are KServe's own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fairway.kernel.objects.kinds import DEPLOYMENT, SERVICE, Object
from fairway.serving.component import PREDICTOR
from fairway.serving.kinds import COMPONENT_LABEL, INFERENCE_SERVICE
from fairway.serving.reading import Surroundings
from fairway.serving.render.place import Place
from fairway.serving.rollout import planning, rendering, variants
from fairway.serving.rollout.arrangement import CANARY, ROLLED_BACK, STAGE, VERSION, Arrangement, version_of
from fairway.serving.runtimes import built_in
from fairway.serving.runtimes.selection import Runtimes
from fairway.serving.spec.refusals import NotSupported
from fairway.serving.status.seen import Seen

AROUND = Surroundings(Runtimes(cluster=built_in.objects()))
NOW = 1_767_225_600.0  # 2026-01-01T00:00:00Z
MODEL = {"modelFormat": {"name": "sklearn"}, "storageUri": "/m/1"}
OTHER = {"modelFormat": {"name": "sklearn"}, "storageUri": "/m/2"}


def _service(canary: Any = None, annotations: Any = None, more: Any = None, **predictor: Any) -> Object:
    spec = {"predictor": {"model": MODEL, **predictor}, **(more or {}), **({"canary": canary} if canary else {})}
    return INFERENCE_SERVICE.new("iris", "default", metadata={"annotations": annotations or {}}, spec=spec)


def _canary(name: str = "v2", percent: Any = 20, **predictor: Any) -> Object:
    return {"trafficPercent": percent, "predictor": {"name": name, "model": OTHER, **predictor}}


def _plan(isvc: Object, *deployments: Object, now: float = NOW) -> Arrangement:
    return planning.plan(isvc, AROUND, {one["metadata"]["name"]: one for one in deployments}, now)


def _deployment(name: str, available: int = 1, since: str = "2026-01-01T00:00:00Z", **annotations: str) -> Object:
    condition = {"type": "Available", "status": "True", "lastTransitionTime": since}
    metadata = {"labels": {COMPONENT_LABEL: PREDICTOR}, "annotations": annotations}
    status = {"availableReplicas": available, "conditions": [condition]}
    return DEPLOYMENT.new(name, "default", metadata=metadata, spec={"replicas": 1}, status=status)


@pytest.mark.parametrize(
    ("isvc", "says"),
    [
        (_service([_canary()], {"serving.kserve.io/deploymentMode": "Knative"}), "needs deploymentMode Standard"),
        (_service([_canary(name="")]), "name is missing"),
        (_service([_canary(), _canary()]), "'v2' is taken"),
        (_service([_canary()], name="v2"), "'v2' is taken"),
        (_service([_canary(percent=-1)]), "from 0 to 100"),
        (_service([_canary(percent="20")]), "from 0 to 100"),
        (_service([_canary(percent=60), _canary("v3", 41)]), "together is 101"),
        (_service([_canary(maxReplicas=2)]), "maxReplicas is not supported"),
        (_service([_canary(scaleTarget=2)]), "scaleTarget is not supported"),
        (_service([_canary(scaleMetric="cpu")]), "scaleMetric is not supported"),
        (_service([_canary(autoScaling={"metrics": [{}]})]), "autoScaling is not supported"),
        (_service([_canary(workerSpec={"x": 1})]), "workerSpec is not supported"),
        (_service([_canary(minReplicas=2)]), "must not exceed"),
        (_service([_canary(model=None)]), "has no model"),
        (_service([_canary(model={**OTHER, "modelFormat": {"name": "onyx"}})]), "canary 'v2'"),
        (_service([_canary()], canaryTrafficPercent=3), "cannot be set both"),
        (_service([_canary()], more={"transformer": {"containers": [{"image": "x"}]}}), "beside a transformer"),
        (_service(canaryTrafficPercent=101), "from 0 to 100"),
        (_service(annotations={"serving.knative.dev/rollout-duration": "soon"}), "not a duration"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_refused_by_name(isvc: Object, says: str) -> None:
    with pytest.raises(NotSupported) as refused:
        _plan(isvc)
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("entry", "stable", "count"),
    [
        (_canary(percent=20), 5, 1),
        (_canary(percent=21), 5, 2),
        (_canary(percent=20), None, 1),
        (_canary(percent=0), 4, 0),
        (_canary(percent=50, minReplicas=3), 4, 3),
        (_canary(percent=50, minReplicas=0), 4, 0),
    ],
)
def test_a_canary_has_its_share_of_pods_rounded_up_or_its_own_number(entry: Object, stable: Any, count: int) -> None:
    assert variants.replicas(entry, {"minReplicas": stable}) == count


def test_a_canary_gets_traffic_once_it_is_ready_and_only_then_the_stable_one_shrinks() -> None:
    isvc = _service([_canary(percent=30)], minReplicas=4)
    new = _plan(isvc, _deployment("iris-predictor"))
    assert new.weights == {"iris-predictor": 100}
    assert new.asked.predictor.contract.least == 4
    assert new.conditions[0][:3] == ("CanaryPredictorReady", False, "CanariesNotReady")
    ready = _plan(isvc, _deployment("iris-predictor"), _deployment("iris-v2-predictor", 2))
    assert ready.weights == {"iris-predictor": 70, "iris-v2-predictor": 30}
    assert (ready.asked.predictor.contract.least, ready.canaries[0].contract.least) == (2, 2)
    assert ready.conditions[0][:3] == ("CanaryPredictorReady", True, "AllCanariesReady")


def test_a_canary_is_the_stable_one_with_its_own_fields_over_it() -> None:
    (canary,) = _plan(_service([_canary(timeout=9)], containerConcurrency=3)).canaries
    assert (canary.name, canary.waits, canary.concurrency) == ("iris-v2-predictor", 9, 3)


def test_a_promoted_canary_has_the_same_pods() -> None:
    (canary,) = _plan(_service([_canary()])).canaries
    promoted = _plan({**_service(), "spec": {"predictor": {"name": "v2", "model": OTHER}}})
    assert promoted.asked.predictor.name == canary.name
    assert version_of(promoted.asked.predictor) == version_of(canary)


def test_a_canary_that_was_taken_back_gets_nothing_and_it_is_said_why() -> None:
    taken = _deployment("iris-v2-predictor", 1, **{ROLLED_BACK: "9 % errors"})
    plan = _plan(_service([_canary(percent=30)]), _deployment("iris-predictor"), taken)
    assert plan.weights == {"iris-predictor": 100}
    assert plan.conditions[0][2] == "RolledBack"
    assert "9 % errors" in plan.conditions[0][3]


# canaryTrafficPercent

OLD = {VERSION: "before"}


def _newest(isvc: Object) -> str:
    return version_of(_plan(isvc).asked.predictor)


def test_the_first_version_has_everything_whatever_the_percentage() -> None:
    plan = _plan(_service(canaryTrafficPercent=10))
    assert (plan.asked.predictor.name, plan.weights, plan.kept) == ("iris-predictor", {}, ())


def test_without_a_percentage_it_is_updated_in_place() -> None:
    plan = _plan(_service(), _deployment("iris-predictor", **OLD))
    assert (plan.asked.predictor.name, plan.weights, plan.kept) == ("iris-predictor", {}, ())


@pytest.mark.parametrize(
    ("available", "weights"), [(0, {"iris-predictor": 100}), (1, {"iris-predictor": 90, "iris-predictor-00002": 10})]
)
def test_the_version_before_keeps_the_rest(available: int, weights: dict[str, int]) -> None:
    isvc = _service(canaryTrafficPercent=10)
    canary = _deployment("iris-predictor-00002", available, **{STAGE: CANARY, VERSION: _newest(isvc)})
    plan = _plan(isvc, _deployment("iris-predictor", **OLD), canary)
    assert (plan.asked.predictor.name, plan.kept) == ("iris-predictor-00002", ("iris-predictor",))
    assert plan.weights == weights


def test_the_version_before_is_asked_at_the_port_where_it_listens() -> None:
    isvc = _service(canaryTrafficPercent=10)
    canary = _deployment("iris-predictor-00002", **{STAGE: CANARY, VERSION: _newest(isvc)})
    ports = [{"name": "http", "port": 80, "targetPort": 9000}]
    there = SERVICE.new("iris-predictor", "default", spec={"ports": ports, "selector": {"app": "isvc.iris-predictor"}})
    plan = _plan(isvc, _deployment("iris-predictor", **OLD), canary)
    assert _targets(isvc, plan, there) == {"iris-predictor": 9000, "iris-predictor-00002": 8080}
    promoted = _plan(_service(), _deployment("iris-predictor", **OLD), canary)
    assert _targets(_service(), promoted, there) == {"iris-predictor": 8080, "iris-predictor-00002": 8080}


def _targets(isvc: Object, plan: Arrangement, *services: Object) -> dict[str, int]:
    """Where the HTTP of each Service goes."""
    made = rendering.children(isvc, plan, Place("example.com", "http://127.0.0.1:8080"), Seen(), services).services
    return {one["metadata"]["name"]: one["spec"]["ports"][0]["targetPort"] for one in made}


def test_promoted_only_when_it_is_ready() -> None:
    isvc = _service(canaryTrafficPercent=100)
    canary = _deployment("iris-predictor-00002", 0, **{STAGE: CANARY, VERSION: _newest(isvc)})
    waits = _plan(isvc, _deployment("iris-predictor", **OLD), canary)
    assert waits.weights == {"iris-predictor": 100}
    ready = {**canary, "status": {"availableReplicas": 1}}
    promoted = _plan(isvc, _deployment("iris-predictor", **OLD), ready)
    assert (promoted.asked.predictor.name, promoted.kept) == ("iris-predictor-00002", ())
    assert promoted.stages == {"iris-predictor-00002": "stable"}


def test_the_next_version_has_a_number_that_was_never_given() -> None:
    older = _deployment("iris-predictor-00004", **OLD)
    plan = _plan(_service(canaryTrafficPercent=10), older)
    assert plan.asked.predictor.name == "iris-predictor-00005"


@pytest.mark.parametrize(("seconds", "share"), [(0, 0), (3, 30), (9.9, 99)])
def test_a_gradual_rollout_has_a_little_more_each_second(seconds: float, share: int) -> None:
    isvc = _service(annotations={"serving.knative.dev/rollout-duration": "10s"})
    canary = _deployment("iris-predictor-00002", **{STAGE: CANARY, VERSION: _newest(isvc)})
    plan = _plan(isvc, _deployment("iris-predictor", **OLD), canary, now=NOW + seconds)
    assert plan.weights.get("iris-predictor-00002", 0) == share
    assert plan.again


def test_tags_have_hosts_of_their_own_where_they_are_asked_for() -> None:
    isvc = _service(annotations={"serving.kserve.io/enable-tag-routing": "true"}, canaryTrafficPercent=10)
    canary = _deployment("iris-predictor-00002", **{STAGE: CANARY, VERSION: _newest(isvc)})
    plan = _plan(isvc, _deployment("iris-predictor", **OLD), canary)
    assert plan.tags == {"prev": "iris-predictor", "latest": "iris-predictor-00002"}
    assert replace(plan, tags={}) == replace(
        _plan(_service(canaryTrafficPercent=10), _deployment("iris-predictor", **OLD), canary),
        tags={},
        asked=plan.asked,
    )
