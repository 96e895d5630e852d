"""A service that sleeps, is woken by a request and goes to sleep again, with real pods behind the real gateway.

The first tests need no InferenceService: whatever has servers can be scaled.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from fairway.kernel.feature import Feature, Parts, Platform
from fairway.kernel.objects import conditions, meta
from fairway.kernel.objects.kinds import DEPLOYMENT, ENDPOINT_SLICE, HTTP_ROUTE, SERVICE, Object
from fairway.serving.scaling import contract as contracts
from fairway.serving.scaling import proxying
from fairway.serving.scaling.contract import Contract
from fairway.serving.scaling.controller import Autoscaler
from fairway.serving.scaling.decider import Spec
from tests.serving.scaling.conftest import House, open_house

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

FAST = Contract(
    scaler="kpa",
    service="iris",
    least=0,
    most=3,
    spec=Spec(target=7, total=10, stable_window=6.0),
    panic_window=1.0,
    timeout=20,
)
ONES = (200, '{"predictions":[1,1]}')


def _scaling(platform: Platform) -> Parts:
    autoscaler = Autoscaler(platform.clock, grace=1.0)
    return Parts(controllers=(autoscaler.controller(),), services=autoscaler.services())


@pytest.fixture
async def plain(tmp_path: Path) -> AsyncGenerator[House, None]:
    """With nothing of serving but the autoscaler."""
    async with open_house(tmp_path, Feature("scaling", _scaling)) as here:
        yield here


def _deployment(model: Path, contract: Contract) -> Object:
    flags = [f"--model_dir={model}", "--model_name=iris", "--host=$(POD_IP)"]
    container = {
        "name": "server",
        "image": "kserve/sklearnserver:latest",
        "command": ["python3", "-m", "fairway.serving.inpod"],
        "args": flags,
        "env": [{"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
        "readinessProbe": {"httpGet": {"path": "/v2/models/iris/ready", "port": 8080}, "periodSeconds": 50},
    }
    template = {
        "metadata": {"labels": {"app": "iris"}, "annotations": {"fairway.dev/warm": "sklearn-server"}},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 20},
    }
    spec = {"selector": {"matchLabels": {"app": "iris"}}, "template": template}
    return contracts.written(DEPLOYMENT.new("iris", "default", spec=spec), contract)


async def _deploy(house: House, model: Path, contract: Contract = FAST) -> None:
    client = house.cluster.client
    ports = [{"name": "http", "port": 80, "targetPort": 8080}]
    await client.create(SERVICE, SERVICE.new("iris", "default", spec={"selector": {"app": "iris"}, "ports": ports}))
    rewrite = {"type": "URLRewrite", "urlRewrite": {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}}
    rule = {
        "matches": [{"path": {"type": "PathPrefix", "value": "/iris"}}],
        "filters": [rewrite],
        "backendRefs": [{"name": "iris", "port": 80}],
    }
    parents = [{"name": "fairway", "namespace": "fairway-system"}]
    await client.create(HTTP_ROUTE, HTTP_ROUTE.new("iris", "default", spec={"parentRefs": parents, "rules": [rule]}))
    await client.create(DEPLOYMENT, _deployment(model, contract))
    await house.replicas(1)


async def test_asleep_without_requests_and_awake_at_the_first(plain: House, models: Path) -> None:
    await _deploy(plain, models / "iris")
    await plain.replicas(0)
    async with plain.session() as session:
        began = time.monotonic()
        found = await asyncio.gather(*(plain.predict(session) for _ in range(20)))
        took = time.monotonic() - began
        assert set(found) == {ONES}
        print(f"awake in {took * 1000:.0f} ms")
        assert took < 40, "a second is the budget; a busy machine may need more, and a probe's period is longer"
        await plain.replicas(1)
        async with asyncio.timeout(60):  # the activator goes away again
            while any("activator" in meta.name(one) for one in await _slices(plain)):
                await asyncio.sleep(0.1)
        assert await plain.predict(session) == ONES


async def test_no_request_fails_while_a_service_falls_asleep_and_wakes(plain: House, models: Path) -> None:
    await _deploy(plain, models / "iris")
    seen: list[tuple[int, str]] = []
    async with plain.session() as session:
        for pause in (0.0, 7.0, 7.5, 8.0, 8.5, 9.0):  # around the moment when the last pod goes
            await asyncio.sleep(pause)
            seen += await asyncio.gather(*(plain.predict(session) for _ in range(3)))
    assert set(seen) == {ONES}


KPA = {"autoscaling.knative.dev/window": "6s", "autoscaling.knative.dev/target": "2"}


async def test_an_inference_service_sleeps_is_ready_and_a_new_version_shows_that_it_starts(
    house: House, models: Path, two_versions: tuple[Path, Path]
) -> None:
    old, new = two_versions
    await house.deploy(old, annotations=KPA, minReplicas=0, maxReplicas=2)
    ready = await house.until(lambda status: conditions.is_true({"status": status}, "Ready"))
    assert ready["modelStatus"]["states"]["activeModelState"] == "Loaded"
    await house.replicas(0, "iris-predictor")
    asleep = await house.until(lambda status: status["modelStatus"]["states"]["activeModelState"] == "Standby")
    assert conditions.is_true({"status": asleep}, "Ready")
    async with house.session() as session:
        assert await house.predict(session, "/serving/default/iris") == ONES
        await house.replicas(0, "iris-predictor")
        await house.change({"spec": {"predictor": {"model": {"storageUri": str(new)}}}})
        await house.replicas(1, "iris-predictor")
        await house.replicas(0, "iris-predictor")
        assert await house.predict(session, "/serving/default/iris") == (200, '{"predictions":[7,8]}')


async def test_more_pods_under_load_and_no_request_fails_when_they_go(house: House, models: Path) -> None:
    window = {"autoscaling.knative.dev/window": "6s"}
    await house.deploy(models / "iris", annotations=window, scaleMetric="rps", scaleTarget=30, maxReplicas=3)
    await house.until(lambda status: conditions.is_true({"status": status}, "Ready"))
    async with house.calling("/serving/default/iris", clients=8) as heard:
        await house.replicas(3, "iris-predictor")
    async with house.calling("/serving/default/iris", clients=1, pause=0.2) as less:
        await house.replicas(1, "iris-predictor", timeout=60)
    heard.without_failure()
    less.without_failure()


BURST = "autoscaling.knative.dev/target-burst-capacity"


async def test_with_an_endless_burst_capacity_all_requests_pass_the_activator(house: House, models: Path) -> None:
    await house.deploy(models / "iris", annotations={BURST: "-1"}, containerConcurrency=1, maxReplicas=1)
    await house.until(lambda status: conditions.is_true({"status": status}, "Ready"))
    await _stands_before(house, True)
    async with house.session() as session:  # more at once than the pod takes: the activator keeps them, and loses none
        answers = await asyncio.gather(*(house.predict(session, "/serving/default/iris") for _ in range(40)))
    assert set(answers) == {ONES}
    async with house.calling("/serving/default/iris", clients=2) as heard:
        await house.change({"metadata": {"annotations": {BURST: "0"}}})
        await _stands_before(house, False)
        await house.change({"metadata": {"annotations": {BURST: "-1"}}})
        await _stands_before(house, True)
    heard.without_failure()


async def test_a_burst_capacity_that_the_pods_have_needs_no_activator(house: House, models: Path) -> None:
    """One pod has room for ten; seven are wanted for a burst, then twelve."""
    target = {"autoscaling.knative.dev/target": "10"}
    await house.deploy(models / "iris", annotations={**target, BURST: "7"}, minReplicas=1, maxReplicas=1)
    await house.until(lambda status: conditions.is_true({"status": status}, "Ready"))
    await _stands_before(house, False)
    await house.change({"metadata": {"annotations": {BURST: "12"}}})
    await _stands_before(house, True)
    async with house.session() as session:
        assert await house.predict(session, "/serving/default/iris") == ONES


async def _slices(house: House) -> list[Object]:
    return (await house.cluster.client.list(ENDPOINT_SLICE, "default")).items


async def _stands_before(house: House, whether: bool) -> None:
    """Wait until the activator is all that stands behind the Service, or no part of it."""

    def so(service: Object | None) -> bool:
        return service is not None and proxying.hidden(service) == whether

    await house.cluster.client.wait(SERVICE, "iris-predictor", "default", so, timeout=60)
    async with asyncio.timeout(60):
        while True:
            filled = {meta.name(one) for one in await _slices(house) if one.get("endpoints")}
            at_work = {name for name in filled if name.startswith("iris-predictor")}
            activators = {name for name in at_work if name == proxying.slice_name("iris-predictor")}
            if at_work and (at_work == activators if whether else not activators):
                return
            await asyncio.sleep(0.1)


def test_the_contract_on_a_deployment_says_only_what_is_unusual() -> None:
    deployment = contracts.written(DEPLOYMENT.new("iris", "default", spec={}), FAST)
    assert contracts.read(deployment) == FAST
    assert "panic_threshold" not in deployment["metadata"]["annotations"][contracts.ANNOTATION]
