"""Two versions of a model at once, with requests all along: none may fail, whatever is done."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fairway.cluster.network import gateway
from fairway.kernel.objects import conditions, meta
from fairway.kernel.objects.kinds import DEPLOYMENT, POD, Object
from tests.serving.scaling.conftest import Heard, House

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

PATH = "/serving/default/iris"
OLD, NEW = '{"predictions":[1,1]}', '{"predictions":[7,8]}'


def _ready(status: Object) -> bool:
    return conditions.is_true({"status": status}, "Ready")


def _rolled_out(status: Object) -> bool:
    return _ready(status) and (status.get("modelStatus") or {}).get("transitionStatus") == "UpToDate"


def _traffic(status: Object) -> dict[bool, int]:
    found = status["components"]["predictor"].get("traffic") or ()
    return {entry["latestRevision"]: entry["percent"] for entry in found}


async def _only(heard: Heard, text: str, count: int = 100) -> None:
    """Wait until that many answers in a row are this one."""
    async with asyncio.timeout(60):
        while True:
            before = heard.texts.copy()
            await asyncio.sleep(0.5)
            new = heard.texts - before
            if set(new) == {text} and new.total() >= min(count, 30):
                return


async def _until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not true():
            await asyncio.sleep(0.01)


async def _uids(house: House, deployment: str) -> set[str]:
    found = await house.cluster.client.get(DEPLOYMENT, deployment, "default")
    app = found["spec"]["selector"]["matchLabels"]["app"]
    return {meta.uid(pod) for pod in (await house.cluster.client.list(POD, "default", labels=f"app={app}")).items}


def _no_failure(heard: Heard) -> None:
    heard.without_failure()
    assert heard.count > 50, "there was traffic all along"


def _predictor(uri: Path, **fields: Any) -> Object:
    return {"spec": {"predictor": {"model": {"storageUri": str(uri)}, **fields}}}


async def test_ready_is_told_when_the_gateway_has_the_pods(
    house: House, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway, "_TOGETHER", 0.5)  # it learns of them long after the Deployment is available
    await house.deploy(models / "iris")
    await house.until(_rolled_out)
    async with house.session() as session:
        status, text = await house.predict(session, PATH)
    assert status == 200, text


async def test_a_share_for_the_newest_more_of_it_all_of_it(house: House, two_versions: tuple[Path, Path]) -> None:
    old, new = two_versions
    await house.deploy(old)
    await house.until(_rolled_out)
    async with house.calling(PATH) as heard:
        await house.change(_predictor(new, canaryTrafficPercent=20))
        await house.until(lambda status: _traffic(status) == {True: 20, False: 80})
        await _until(lambda: heard.texts[NEW] > 0)
        before = heard.texts.copy()
        await _until(lambda: (heard.texts - before).total() >= 400)
        shares = heard.texts - before
        assert 0.1 < shares[NEW] / shares.total() < 0.3, shares
        pods = await _uids(house, "iris-predictor-00002")
        await house.change(_predictor(new, canaryTrafficPercent=None))
        status = await house.until(lambda status: _traffic(status) == {True: 100})
        await _only(heard, NEW)
        predictor = status["components"]["predictor"]
        assert predictor["latestRolledoutRevision"] == "iris-predictor-00002"
        assert predictor["previousRolledoutRevision"] == "iris-predictor-00001"
        gone = house.cluster.client.wait(DEPLOYMENT, "iris-predictor", "default", lambda one: one is None, timeout=60)
        await gone
        assert await _uids(house, "iris-predictor-00002") == pods, "promoted without a new pod"
        await asyncio.sleep(2)
        # From here on it is the one version, and is updated in place.
        await house.change(_predictor(old))
        await _only(heard, OLD)
    _no_failure(heard)


async def test_back_to_the_version_before(house: House, two_versions: tuple[Path, Path]) -> None:
    old, new = two_versions
    await house.deploy(old)
    await house.until(_rolled_out)
    pods = await _uids(house, "iris-predictor")
    async with house.calling(PATH) as heard:
        await house.change(_predictor(new, canaryTrafficPercent=50))
        await house.until(lambda status: _traffic(status) == {True: 50, False: 50})
        await house.change(_predictor(new, canaryTrafficPercent=0))
        await house.until(lambda status: _traffic(status) == {True: 0, False: 100})
        await _only(heard, OLD)
        await house.change(_predictor(old, canaryTrafficPercent=None))
        await house.until(lambda status: _traffic(status) == {True: 100})
        await house.cluster.client.wait(
            DEPLOYMENT, "iris-predictor-00002", "default", lambda one: one is None, timeout=60
        )
        await asyncio.sleep(2)
    _no_failure(heard)
    assert await _uids(house, "iris-predictor") == pods


async def test_a_version_that_does_not_start_gets_nothing(house: House, models: Path, tmp_path: Path) -> None:
    await house.deploy(models / "iris")
    await house.until(_rolled_out)
    async with house.calling(PATH) as heard:
        await house.change(_predictor(tmp_path / "nowhere", canaryTrafficPercent=50))
        status = await house.until(lambda status: status["modelStatus"]["transitionStatus"] == "BlockedByFailedLoad")
        assert _ready(status)
        assert _traffic(status) == {True: 0, False: 100}
        await asyncio.sleep(1)
    _no_failure(heard)


async def test_a_gradual_rollout_needs_no_percentage(house: House, two_versions: tuple[Path, Path]) -> None:
    old, new = two_versions
    await house.deploy(old, annotations={"serving.knative.dev/rollout-duration": "6s"})
    await house.until(_rolled_out)
    async with house.calling(PATH) as heard:
        await house.change(_predictor(new))
        between = await house.until(lambda status: 10 < _traffic(status).get(True, 0) < 95)
        assert sum(_traffic(between).values()) == 100
        await house.until(lambda status: _traffic(status) == {True: 100})
        await _only(heard, NEW)
    _no_failure(heard)


def _canary(uri: Path, percent: int = 20, **fields: Any) -> Object:
    model = {"modelFormat": {"name": "sklearn"}, "storageUri": str(uri)}
    return {"trafficPercent": percent, "predictor": {"name": "v2", "model": model, **fields}}


async def test_a_canary_of_the_list_is_tried_and_promoted(house: House, two_versions: tuple[Path, Path]) -> None:
    old, new = two_versions
    await house.deploy(old, minReplicas=2)
    await house.until(_rolled_out)
    async with house.calling(PATH) as heard:
        await house.change({"spec": {"canary": [_canary(new)]}})
        status = await house.until(lambda status: conditions.is_true({"status": status}, "CanaryPredictorReady"))
        assert status["canaryStatuses"] == [{"name": "v2", "ready": True, "trafficPercent": 20}]
        await house.replicas(1, "iris-predictor")  # it makes room only once the canary is ready
        await _until(lambda: heard.texts[NEW] > 0)
        assert heard.texts[NEW] < heard.texts[OLD]
        pods = await _uids(house, "iris-v2-predictor")
        promoted = {"spec": {"canary": None, "predictor": {"name": "v2", "model": {"storageUri": str(new)}}}}
        await house.change(promoted)
        await house.until(_rolled_out)
        await _only(heard, NEW)
        await house.cluster.client.wait(DEPLOYMENT, "iris-predictor", "default", lambda one: one is None, timeout=60)
        await asyncio.sleep(2)
        assert pods <= await _uids(house, "iris-v2-predictor")
    _no_failure(heard)


async def test_a_canary_of_the_list_is_dropped(house: House, two_versions: tuple[Path, Path]) -> None:
    old, new = two_versions
    await house.deploy(old)
    await house.until(_rolled_out)
    async with house.calling(PATH) as heard:
        await house.change({"spec": {"canary": [_canary(new, 50)]}})
        await house.until(lambda status: conditions.is_true({"status": status}, "CanaryPredictorReady"))
        await asyncio.sleep(1)
        await house.change({"spec": {"canary": None}})
        await house.until(lambda status: conditions.find({"status": status}, "CanaryPredictorReady") is None)
        await _only(heard, OLD)
        await house.cluster.client.wait(DEPLOYMENT, "iris-v2-predictor", "default", lambda one: one is None, timeout=60)
        await asyncio.sleep(2)
    _no_failure(heard)


class Failing:
    """A model that fails at every fourth flower it sees, which no test before the rollout found."""

    def __init__(self) -> None:
        self.seen = 0

    def predict(self, rows: Any) -> Any:
        self.seen += 1
        if self.seen % 4 == 0:
            raise RuntimeError("out of cheese")
        return [1] * len(rows)


async def test_a_canary_that_fails_is_taken_back_by_itself(
    house: House, two_versions: tuple[Path, Path], tmp_path: Path
) -> None:
    cloudpickle = pytest.importorskip("cloudpickle", reason="cloudpickle is not installed")
    bad = tmp_path / "bad"
    bad.mkdir()
    cloudpickle.register_pickle_by_value(sys.modules[__name__])  # the pods have no tests
    (bad / "model.pkl").write_bytes(cloudpickle.dumps(Failing()))
    await house.deploy(two_versions[0], annotations={"serving.fairway.dev/rollback-on": "errors>5%"})
    await house.until(_rolled_out)
    async with house.calling(PATH) as heard:
        await house.change(_predictor(bad, canaryTrafficPercent=50))
        status = await house.until(
            lambda status: (
                (conditions.find({"status": status}, "CanaryPredictorReady") or {}).get("reason") == "RolledBack"
            ),
            timeout=60,
        )
        assert _traffic(status) == {True: 0, False: 100}
        assert _ready(status)
        condition = conditions.find({"status": status}, "CanaryPredictorReady")
        assert condition is not None
        assert "errors>5% was set" in condition["message"]
        await _only(heard, OLD)
    assert set(heard.statuses) == {200, 500}
