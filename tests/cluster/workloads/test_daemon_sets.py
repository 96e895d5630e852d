"""DaemonSets on the real API: a pod on each node that may have one, and new versions node by node."""

from __future__ import annotations

from typing import Any

import pytest
from pretend_cluster import Here, add_node, new_node

from fairway.cluster.workloads import pods
from fairway.kernel.objects import errors, meta
from fairway.kernel.objects.kinds import CONTROLLER_REVISION, DAEMON_SET, NODE, Object


def daemon(image: str = "busybox:1", pod: Object | None = None, **spec: Any) -> Object:
    labels = {"app": "log"}
    template = {
        "metadata": {"labels": labels},
        "spec": {"containers": [{"name": "main", "image": image}], **(pod or {})},
    }
    return DAEMON_SET.new("log", "default", spec={"selector": {"matchLabels": labels}, "template": template, **spec})


def nodes(found: list[Object]) -> list[str]:
    return sorted(pods.node_name(pod) for pod in found)


async def test_each_node_gets_one_and_a_new_node_too(here: Here) -> None:
    await add_node(here.client, new_node("second"))
    await here.client.create(DAEMON_SET, daemon())
    await here.until_pods(lambda found: nodes(found) == ["here", "second"])
    await add_node(here.client, new_node("third"))
    await here.until_pods(lambda found: nodes(found) == ["here", "second", "third"])
    told = await here.until(DAEMON_SET, "log", lambda obj: obj["status"].get("numberAvailable") == 3)
    assert told["status"]["desiredNumberScheduled"] == 3


async def test_a_set_that_comes_back_takes_the_pod_that_it_left_behind(here: Here) -> None:
    await here.client.create(DAEMON_SET, daemon())
    (before,) = await here.until_pods(lambda found: nodes(found) == ["here"])
    await here.client.delete(DAEMON_SET, "log", "default", propagation="Orphan")
    await here.until_gone(DAEMON_SET, "log")
    again = await here.client.create(DAEMON_SET, daemon())
    (taken,) = await here.until_pods(lambda found: any(meta.owned_by(pod, again) for pod in found))
    assert meta.uid(taken) == meta.uid(before)


async def test_only_nodes_that_fit_get_one(here: Here) -> None:
    await here.client.patch(NODE, "here", None, {"metadata": {"labels": {"disk": "fast"}}})
    tainted = new_node("tainted")
    tainted["metadata"]["labels"] = {"disk": "fast"}
    tainted["spec"] = {"taints": [{"key": "gpu", "effect": "NoSchedule"}], "unschedulable": True}
    await add_node(here.client, tainted)
    await add_node(here.client, new_node("slow"))
    await here.client.create(DAEMON_SET, daemon(pod={"nodeSelector": {"disk": "fast"}}))
    await here.until_pods(lambda found: nodes(found) == ["here"])
    tolerant = {"nodeSelector": {"disk": "fast"}, "tolerations": [{"operator": "Exists"}]}
    await here.client.patch(DAEMON_SET, "log", "default", {"spec": daemon(pod=tolerant)["spec"]})
    await here.until_pods(lambda found: nodes(found) == ["here", "tainted"])


async def test_a_pod_on_a_node_that_no_longer_fits_goes(here: Here) -> None:
    await here.client.patch(NODE, "here", None, {"metadata": {"labels": {"disk": "fast"}}})
    await here.client.create(DAEMON_SET, daemon(pod={"nodeSelector": {"disk": "fast"}}))
    await here.until_pods(lambda found: nodes(found) == ["here"])
    await here.client.patch(NODE, "here", None, {"metadata": {"labels": {"disk": None}}})
    await here.until_pods(lambda found: not found)
    await here.until(DAEMON_SET, "log", lambda obj: obj["status"]["desiredNumberScheduled"] == 0)
    await here.client.patch(NODE, "here", None, {"metadata": {"labels": {"disk": "fast"}}})
    await here.until_pods(lambda found: nodes(found) == ["here"])


async def test_a_new_version_replaces_node_by_node(here: Here) -> None:
    await add_node(here.client, new_node("second"))
    await here.client.create(DAEMON_SET, daemon())
    await here.until(DAEMON_SET, "log", lambda obj: (obj.get("status") or {}).get("numberAvailable") == 2)
    await here.client.patch(
        DAEMON_SET, "log", "default", {"spec": {"template": daemon("busybox:2")["spec"]["template"]}}
    )
    await here.until_pods(lambda found: [pod["spec"]["containers"][0]["image"] for pod in found] == ["busybox:2"] * 2)
    await here.until(DAEMON_SET, "log", lambda obj: obj["status"].get("updatedNumberScheduled") == 2)


async def test_surge_is_refused_by_name(here: Here) -> None:
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    with pytest.raises(errors.Invalid, match=r"spec\.updateStrategy\.rollingUpdate\.maxSurge"):
        await here.client.create(DAEMON_SET, daemon(updateStrategy=rolling))


async def test_a_revision_remembers_why_it_was_made(here: Here) -> None:
    why = {"kubernetes.io/change-cause": "first"}
    given = daemon()
    await here.client.create(DAEMON_SET, {**given, "metadata": {**given["metadata"], "annotations": why}})
    await here.until_pods(lambda found: nodes(found) == ["here"])
    (revision,) = (await here.client.list(CONTROLLER_REVISION, "default")).items
    assert revision["metadata"]["annotations"] == why
