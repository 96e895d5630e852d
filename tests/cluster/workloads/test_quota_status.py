"""What a namespace uses of its quotas is told in their status, as objects come, end and go."""

from __future__ import annotations

from pretend_cluster import Here

from fairway.kernel.objects import meta
from fairway.kernel.objects.crds import CustomKind
from fairway.kernel.objects.kinds import CONFIG_MAP, CRD, DEPLOYMENT, POD, RESOURCE_QUOTA, Kind, Object

CONTAINER = {"name": "c", "image": "busybox", "resources": {"requests": {"cpu": "250m", "memory": "64Mi"}}}
GADGET = CustomKind(Kind("example.dev", "v1", "Gadget", "gadgets"), {"spec": {"type": "object"}})


def quota(name: str = "q", **hard: str) -> Object:
    return RESOURCE_QUOTA.new(name, "default", spec={"hard": hard})


async def until_used(here: Here, name: str = "q", **amounts: str) -> Object:
    return await here.until(RESOURCE_QUOTA, name, lambda q: (q.get("status") or {}).get("used") == amounts)


async def test_a_quota_tells_what_is_used_of_it(here: Here) -> None:
    await here.client.create(RESOURCE_QUOTA, quota(pods="3", cpu="1", **{"requests.memory": "1Gi"}))
    empty = await until_used(here, pods="0", cpu="0", **{"requests.memory": "0"})
    assert empty["status"]["hard"] == {"pods": "3", "cpu": "1", "requests.memory": "1Gi"}
    for name in ("a", "b"):
        await here.client.create(POD, POD.new(name, "default", spec={"containers": [CONTAINER]}))
    await until_used(here, pods="2", cpu="500m", **{"requests.memory": "128Mi"})
    await here.finish(await here.until(POD, "a", lambda found: found["status"].get("phase") == "Running"))
    await until_used(here, pods="1", cpu="250m", **{"requests.memory": "64Mi"})
    await here.client.delete(POD, "b", "default")
    await until_used(here, pods="0", cpu="0", **{"requests.memory": "0"})


async def test_a_quota_counts_what_was_there_before_and_what_it_comes_to_limit(here: Here) -> None:
    before = len((await here.client.list(CONFIG_MAP, "default")).items)
    await here.client.create(CONFIG_MAP, CONFIG_MAP.new("a", "default"))
    await here.client.create(RESOURCE_QUOTA, quota(pods="3"))
    await until_used(here, pods="0")
    await here.until(CONFIG_MAP, "kube-root-ca.crt", bool)
    await here.client.patch(RESOURCE_QUOTA, "q", "default", {"spec": {"hard": {"pods": None, "configmaps": "9"}}})
    await until_used(here, configmaps="2")
    assert before <= 1


async def test_objects_of_a_kind_that_comes_to_be_served_are_counted(here: Here) -> None:
    await here.client.create(RESOURCE_QUOTA, quota(**{"count/gadgets.example.dev": "2"}))
    await until_used(here, **{"count/gadgets.example.dev": "0"})
    await here.client.create(CRD, GADGET.definition())
    await here.client.create(GADGET.kind, GADGET.kind.new("a", "default", spec={}))
    await until_used(here, **{"count/gadgets.example.dev": "1"})


async def test_a_deployment_that_had_no_room_grows_when_there_is_some(here: Here) -> None:
    await here.client.create(RESOURCE_QUOTA, quota(pods="1"))
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [CONTAINER]}}
    spec = {"replicas": 2, "selector": {"matchLabels": labels}, "template": template}
    await here.client.create(DEPLOYMENT, DEPLOYMENT.new("web", "default", spec=spec))
    (only,) = await here.until_pods(lambda pods: len(pods) == 1, "app=web")
    assert meta.name(only).startswith("web-")
    await here.client.patch(RESOURCE_QUOTA, "q", "default", {"spec": {"hard": {"pods": "5"}}})
    await here.until(DEPLOYMENT, "web", lambda found: (found.get("status") or {}).get("readyReplicas") == 2)
    await until_used(here, pods="2")
