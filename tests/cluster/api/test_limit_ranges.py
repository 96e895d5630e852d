"""Limits of a namespace: what containers get by default, and what is out of bounds."""

from __future__ import annotations

from typing import Any

import pytest

from fairway.kernel.client.client import Client
from fairway.kernel.feature import Identity
from fairway.kernel.objects import errors
from fairway.kernel.objects.kinds import LIMIT_RANGE, PERSISTENT_VOLUME_CLAIM, POD, RESOURCE_QUOTA, Object
from tests.cluster.api.world import World


@pytest.fixture
def client(world: World) -> Client:
    return Client(world.server.transport(Identity("admin", ("system:masters",))))


async def limit(client: Client, type_: str = "Container", name: str = "l", **amounts: Any) -> Object:
    spec = {"limits": [{"type": type_, **amounts}]}
    return await client.create(LIMIT_RANGE, LIMIT_RANGE.new(name, "default", spec=spec))


def pod(name: str = "p", *, init: Object | None = None, **resources: Any) -> Object:
    spec: Object = {"containers": [{"name": "main", "image": "busybox:1", "resources": resources}]}
    if init is not None:
        spec["initContainers"] = [{"name": "first", "image": "busybox:1", "resources": init}]
    return POD.new(name, "default", spec=spec)


async def refusal(client: Client, made: Object) -> str:
    with pytest.raises(errors.Forbidden) as refused:
        await client.create(POD, made)
    return refused.value.message


async def test_defaults_follow_from_bounds(client: Client) -> None:
    made = await limit(client, max={"cpu": "2", "memory": "1Gi"}, min={"memory": "64Mi"}, default={"cpu": "1"})
    (item,) = made["spec"]["limits"]
    assert item["default"] == {"cpu": "1", "memory": "1Gi"}
    assert item["defaultRequest"] == {"cpu": "1", "memory": "1Gi"}


async def test_a_container_gets_what_it_does_not_say(client: Client) -> None:
    await limit(client, default={"cpu": "1", "memory": "512Mi"}, defaultRequest={"cpu": "500m"})
    made = await client.create(POD, pod(init={}, limits={"cpu": "2"}, requests={"cpu": "100m"}))
    (main,), (first,) = made["spec"]["containers"], made["spec"]["initContainers"]
    assert main["resources"] == {
        "limits": {"cpu": "2", "memory": "512Mi"},
        "requests": {"cpu": "100m", "memory": "512Mi"},
    }
    assert first["resources"] == {
        "limits": {"cpu": "1", "memory": "512Mi"},
        "requests": {"cpu": "500m", "memory": "512Mi"},
    }
    assert made["status"]["qosClass"] == "Burstable"
    assert made["metadata"]["annotations"]["kubernetes.io/limit-ranger"] == (
        "LimitRanger plugin set: memory request for container main; memory limit for container main; "
        "cpu, memory request for init container first; cpu, memory limit for init container first"
    )


async def test_quotas_count_what_a_container_got(client: Client) -> None:
    await limit(client, default={"cpu": "1"})
    await client.create(RESOURCE_QUOTA, RESOURCE_QUOTA.new("q", "default", spec={"hard": {"requests.cpu": "1500m"}}))
    await client.create(POD, pod("a"))
    assert "requested: requests.cpu=1, used: requests.cpu=1" in await refusal(client, pod("b"))


@pytest.mark.parametrize(
    ("bounds", "resources", "text"),
    [
        (
            {"max": {"cpu": "800m"}},
            {"limits": {"cpu": "1500m"}},
            "maximum cpu usage per Container is 800m, but limit is 1500m",
        ),
        (
            {"min": {"memory": "500Mi"}},
            {"requests": {"memory": "100Mi"}},
            "minimum memory usage per Container is 500Mi, but request is 100Mi",
        ),
        (
            {"maxLimitRequestRatio": {"cpu": "2"}},
            {"limits": {"cpu": "3"}, "requests": {"cpu": "1"}},
            "cpu max limit to request ratio per Container is 2, but provided ratio is 3.000000",
        ),
        (
            {"maxLimitRequestRatio": {"cpu": "2"}},
            {"limits": {"cpu": "3"}, "requests": {"cpu": "0"}},
            "cpu max limit to request ratio per Container is 2, but no request is specified or request is 0",
        ),
        (
            {"max": {"cpu": "1", "memory": "1Gi"}},
            {"limits": {"cpu": "2", "memory": "2Gi"}},
            "[maximum cpu usage per Container is 1, but limit is 2, "
            "maximum memory usage per Container is 1Gi, but limit is 2Gi]",
        ),
    ],
)
async def test_a_container_out_of_bounds_is_refused(client: Client, bounds: Any, resources: Any, text: str) -> None:
    await limit(client, **bounds)
    assert await refusal(client, pod(**resources)) == f'pods "p" is forbidden: {text}'


async def test_a_pod_is_judged_by_the_sum_of_its_containers(client: Client) -> None:
    await limit(client, "Pod", max={"memory": "1Gi"})
    assert "maximum memory usage per Pod is 1Gi.  No limit is specified" in await refusal(client, pod())
    two = pod(limits={"memory": "600Mi"})
    two["spec"]["containers"].append({**two["spec"]["containers"][0], "name": "other"})
    assert "maximum memory usage per Pod is 1Gi, but limit is 1200Mi" in await refusal(client, two)
    await client.create(POD, pod(init={"limits": {"memory": "1Gi"}}, limits={"memory": "600Mi"}))


async def test_claims_have_bounds(client: Client) -> None:
    await limit(client, "PersistentVolumeClaim", min={"storage": "1Gi"}, max={"storage": "2Gi"})

    def claim(name: str, size: str) -> Object:
        spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}
        return PERSISTENT_VOLUME_CLAIM.new(name, "default", spec=spec)

    for size, text in (
        ("512Mi", "minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 512Mi"),
        ("3Gi", "maximum storage usage per PersistentVolumeClaim is 2Gi, but request is 3Gi"),
    ):
        with pytest.raises(errors.Forbidden, match=text):
            await client.create(PERSISTENT_VOLUME_CLAIM, claim("a", size))
    await client.create(PERSISTENT_VOLUME_CLAIM, claim("a", "1Gi"))


@pytest.mark.parametrize(
    ("type_", "amounts", "text"),
    [
        ("Planet", {}, "Unsupported value"),
        ("Container", {"min": {"cpu": "2"}, "max": {"cpu": "1"}}, "min value 2 is greater than max value 1"),
        ("Container", {"default": {"cpu": "2"}, "max": {"cpu": "1"}}, "default value 2 is greater than max value 1"),
        ("Pod", {"default": {"cpu": "2"}}, "may not be specified when `type` is 'Pod'"),
        ("PersistentVolumeClaim", {}, "either minimum or maximum storage value is required"),
        ("Container", {"maxLimitRequestRatio": {"cpu": "500m"}}, "ratio 500m is less than 1"),
    ],
)
async def test_limits_that_cannot_be(client: Client, type_: str, amounts: Any, text: str) -> None:
    with pytest.raises(errors.Invalid, match=text):
        await limit(client, type_, **amounts)
