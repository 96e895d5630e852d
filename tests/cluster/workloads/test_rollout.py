"""The arithmetic of a rollout, over all sizes that matter, and a Deployment rolled on the real API."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some
from pretend_cluster import Here

from fairway.cluster.workloads import deployments, replicasets, rollout
from fairway.cluster.workloads.rollout import Limits, Size
from fairway.kernel.objects import conditions, meta
from fairway.kernel.objects.kinds import CONFIG_MAP, DEPLOYMENT, POD, REPLICA_SET, REPLICATION_CONTROLLER, Object


@given(
    replicas=some.integers(0, 12),
    surge=some.one_of(some.integers(0, 5), some.sampled_from(["0%", "25%", "50%", "100%"])),
    unavailable=some.one_of(some.integers(0, 5), some.sampled_from(["0%", "25%", "50%", "100%"])),
    old=some.lists(some.integers(0, 12), max_size=3),
    order=some.randoms(use_true_random=False),
)
def test_a_rollout_ends_and_never_breaks_its_limits(replicas, surge, unavailable, old, order) -> None:
    allowed = rollout.limits(replicas, surge, unavailable)
    assert allowed.surge or allowed.unavailable
    sets = {f"old-{n}": [size, size] for n, size in enumerate(old)} | {"new": [0, 0]}  # name: [wanted, available]
    most = max(replicas + allowed.surge, sum(old))
    least = min(replicas - allowed.unavailable, sum(old))
    for _ in range(500):
        sizes = [Size(name, *state) for name, state in sets.items()]
        changes = rollout.plan(sizes[-1], sizes[:-1], allowed)
        for name, wanted in changes.items():
            sets[name][0] = wanted
            sets[name][1] = min(sets[name])
        assert sum(state[0] for state in sets.values()) <= most
        assert sum(state[1] for state in sets.values()) >= least
        waiting = [state for state in sets.values() if state[1] < state[0]]
        if not changes and not waiting:
            break
        if waiting:  # some pod that was asked for becomes available
            order.choice(waiting)[1] += 1
    assert {name: state[0] for name, state in sets.items() if state[0]} == ({"new": replicas} if replicas else {})


def test_percentages_round_as_upstream_does() -> None:
    assert rollout.limits(10, "25%", "25%") == Limits(10, 3, 2)
    assert rollout.limits(1, "25%", "25%") == Limits(1, 1, 0)
    assert rollout.limits(3, 0, 0) == Limits(3, 0, 1)


@pytest.mark.parametrize(
    ("before", "after", "surge", "sets", "wanted"),
    [
        (10, 12, 0, [10], [12]),
        (5, 10, 0, [3, 2], [6, 4]),
        (5, 3, 0, [3, 2], [2, 1]),
        (9, 4, 0, [1, 8], [0, 4]),
        (7, 10, 0, [2, 3, 2], [3, 4, 3]),
        (13, 8, 0, [3, 8, 2], [2, 5, 1]),
        (3, 4, 0, [1, 1, 1], [1, 1, 2]),
        (3, 2, 0, [1, 1, 1], [0, 1, 1]),
        (4, 5, 0, [2, 2], [2, 3]),
        (6, 0, 0, [1, 2, 3], [0, 0, 0]),
        (0, 6, 0, [0, 0, 0], [0, 0, 6]),
        (10, 20, (2, 2), [6, 6], [11, 11]),
        (10, 50, (3, 6), [8, 5], [34, 22]),
        (10, 14, 0, [3, 7], [4, 10]),
        (10, 10, (3, 3), [8, 5], [8, 5]),
    ],
)
def test_another_size_is_shared_among_the_versions_as_upstream_shares_it(
    before: int, after: int, surge: int | tuple[int, int], sets: list[int], wanted: list[int]
) -> None:
    """Upstream's table (TestScale), from the oldest set to the newest."""
    earlier, later = surge if isinstance(surge, tuple) else (surge, surge)
    sizes = [Size(f"v{number}", size, size) for number, size in enumerate(sets)]
    changes = rollout.scaled(sizes, Limits(after, later, 1), dict.fromkeys((s.name for s in sizes), before + earlier))
    assert [changes.get(size.name, size.wanted) for size in sizes] == wanted


async def test_a_rollout_that_is_paused_stays_as_it_is_and_is_scaled_in_proportion(here: Here) -> None:
    limits = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    await here.client.create(DEPLOYMENT, deployment("first", 3, strategy=limits))
    await here.until(DEPLOYMENT, "web", rolled_out)
    here.node.behave = lambda pod: None
    await change_image(here, "second")
    await here.until_pods(lambda pods: len(pods) == 4)
    await here.client.patch(DEPLOYMENT, "web", "default", {"spec": {"paused": True}})

    async def sizes() -> list[int]:
        return sorted(one["spec"]["replicas"] for one in (await here.client.list(REPLICA_SET, "default")).items)

    def paused(obj: Object) -> bool:
        return (conditions.find(obj, "Progressing") or {}).get("reason") == "DeploymentPaused"

    await here.until(DEPLOYMENT, "web", paused)
    assert await sizes() == [1, 3]
    await here.client.patch(DEPLOYMENT, "web", "default", {"spec": {"replicas": 6}})
    await here.until_pods(lambda pods: len(pods) == 7)
    assert await sizes() == [2, 5]


def test_broken_old_pods_go_before_healthy_ones() -> None:
    changes = rollout.plan(Size("new", 1, 0), [Size("old", 4, 2)], Limits(4, 1, 2))
    assert changes == {"old": 2}


def deployment(image: str, replicas: int = 3, **spec: object) -> Object:
    template = {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "web", "image": image}], "terminationGracePeriodSeconds": 0},
    }
    selector = {"matchLabels": {"app": "web"}}
    return DEPLOYMENT.new(
        "web", "default", spec={"replicas": replicas, "selector": selector, "template": template, **spec}
    )


def rolled_out(obj: Object) -> bool:
    """What `kubectl rollout status` waits for."""
    status, replicas = obj.get("status") or {}, obj["spec"]["replicas"]
    return (
        status.get("observedGeneration") == obj["metadata"]["generation"]
        and status.get("updatedReplicas") == status.get("replicas") == replicas
        and status.get("availableReplicas") == replicas
    )


async def change_image(here: Here, image: str) -> None:
    containers = [{"name": "web", "image": image}]
    patch = {"spec": {"template": {"spec": {"containers": containers}}}}
    await here.client.patch(DEPLOYMENT, "web", "default", patch)


async def test_a_new_image_replaces_all_pods_within_the_limits(here: Here) -> None:
    await here.client.create(DEPLOYMENT, deployment("first", 4))
    first = await here.until(DEPLOYMENT, "web", rolled_out)
    counts: list[int] = []

    def count(seen: list[Object]) -> bool:
        counts.append(sum(1 for pod in seen if conditions.is_true(pod, "Ready") and not meta.being_deleted(pod)))
        images = {pod["spec"]["containers"][0]["image"] for pod in seen}
        return images == {"second"} and len(seen) == 4

    await change_image(here, "second")
    await here.until_pods(count)
    assert min(counts) >= 3 and max(counts) <= 5
    last = await here.until(DEPLOYMENT, "web", rolled_out)
    assert meta.annotations(first)["deployment.kubernetes.io/revision"] == "1"
    assert meta.annotations(last)["deployment.kubernetes.io/revision"] == "2"
    progressing = conditions.find(last, "Progressing")
    assert progressing and progressing["reason"] == "NewReplicaSetAvailable"

    await change_image(here, "first")  # an old template comes back: its set is used again, as the newest
    back = await here.until(
        DEPLOYMENT, "web", lambda d: rolled_out(d) and meta.annotations(d)["deployment.kubernetes.io/revision"] == "3"
    )
    sets = (await here.client.list(REPLICA_SET, "default")).items
    earlier = [meta.annotations(one).get("deployment.kubernetes.io/revision-history") for one in sets]
    assert sorted(map(str, earlier)) == ["1", "None"], "the set that came back was number 1 before"
    assert back["status"]["unavailableReplicas"] == 0


async def test_pods_that_do_not_become_ready_stop_the_rollout(here: Here) -> None:
    await here.client.create(DEPLOYMENT, deployment("good"))
    await here.until(DEPLOYMENT, "web", rolled_out)
    ready = here.node.running
    here.node.behave = lambda pod: {"phase": "Running"} if pod["spec"]["containers"][0]["image"] == "bad" else ready()
    await change_image(here, "bad")
    await here.until(DEPLOYMENT, "web", lambda d: d["status"].get("updatedReplicas") == 1)
    stuck = await here.until(DEPLOYMENT, "web", lambda d: d["status"].get("unavailableReplicas") == 1)
    assert stuck["status"]["availableReplicas"] == 3
    assert conditions.is_true(stuck, "Available")


async def test_recreate_never_runs_two_versions_at_once(here: Here) -> None:
    await here.client.create(DEPLOYMENT, deployment("first", 2, strategy={"type": "Recreate"}))
    await here.until(DEPLOYMENT, "web", rolled_out)
    mixed = []

    def watch(seen: list[Object]) -> bool:
        images = {pod["spec"]["containers"][0]["image"] for pod in seen}
        mixed.append(len(images) > 1)
        return images == {"second"} and len(seen) == 2

    await change_image(here, "second")
    await here.until_pods(watch)
    assert not any(mixed)


async def test_a_deleted_pod_is_replaced_and_scaling_down_removes_the_rest(here: Here) -> None:
    await here.client.create(DEPLOYMENT, deployment("first"))
    await here.until(DEPLOYMENT, "web", rolled_out)
    victim = (await here.pods())[0]
    await here.client.delete(POD, meta.name(victim), "default")
    await here.until_pods(lambda pods: len(pods) == 3 and meta.uid(victim) not in {meta.uid(pod) for pod in pods})
    await here.client.patch(DEPLOYMENT, "web", "default", {"spec": {"replicas": 1}})
    await here.until_pods(lambda pods: len(pods) == 1)
    await here.client.delete(DEPLOYMENT, "web", "default")
    await here.until_pods(lambda pods: not pods)
    assert not (await here.client.list(REPLICA_SET, "default")).items


async def test_a_paused_deployment_does_not_roll_but_scales(here: Here) -> None:
    await here.client.create(DEPLOYMENT, deployment("first", 2))
    await here.until(DEPLOYMENT, "web", rolled_out)
    await here.client.patch(DEPLOYMENT, "web", "default", {"spec": {"paused": True}})
    await change_image(here, "second")
    await here.client.patch(DEPLOYMENT, "web", "default", {"spec": {"replicas": 3}})
    pods = await here.until_pods(lambda pods: len(pods) == 3)
    assert {pod["spec"]["containers"][0]["image"] for pod in pods} == {"first"}
    await here.client.patch(DEPLOYMENT, "web", "default", {"spec": {"paused": None}})
    done = await here.until(DEPLOYMENT, "web", rolled_out)
    assert done["status"]["availableReplicas"] == 3


async def test_a_deployment_that_comes_back_takes_up_what_it_left(here: Here) -> None:
    await here.client.create(DEPLOYMENT, deployment("first"))
    await here.until(DEPLOYMENT, "web", rolled_out)
    before = {meta.uid(pod) for pod in await here.pods()}
    await here.client.delete(DEPLOYMENT, "web", "default", propagation="Orphan")
    await here.until_gone(DEPLOYMENT, "web")
    again = await here.client.create(DEPLOYMENT, deployment("first"))
    await here.until(DEPLOYMENT, "web", rolled_out)
    (kept,) = (await here.client.list(REPLICA_SET, "default")).items
    assert meta.owned_by(kept, again)
    assert {meta.uid(pod) for pod in await here.pods()} == before


async def test_a_replication_controller_keeps_pods_too(here: Here) -> None:
    container = {"name": "main", "image": "busybox"}
    template = {"metadata": {"labels": {"app": "old"}}, "spec": {"containers": [container]}}
    made = REPLICATION_CONTROLLER.new("old", "default", spec={"replicas": 2, "template": template})
    assert (await here.client.create(REPLICATION_CONTROLLER, made))["spec"]["selector"] == {"app": "old"}
    ready = await here.until(
        REPLICATION_CONTROLLER, "old", lambda one: (one.get("status") or {}).get("readyReplicas") == 2
    )
    assert ready["status"]["observedGeneration"] == 1
    await here.client.patch(REPLICATION_CONTROLLER, "old", "default", {"spec": {"replicas": 1}})
    (left,) = await here.until_pods(lambda pods: len(pods) == 1)
    await here.client.delete(POD, meta.name(left), "default")
    await here.until_pods(lambda pods: len(pods) == 1 and meta.name(pods[0]) != meta.name(left))


async def test_a_pod_whose_labels_are_changed_is_let_go_and_replaced(here: Here) -> None:
    container = {"name": "main", "image": "busybox"}
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}}
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    await here.client.create(REPLICA_SET, REPLICA_SET.new("web", "default", spec=spec))
    (first,) = await here.until_pods(lambda pods: len(pods) == 1)
    await here.client.patch(POD, meta.name(first), "default", {"metadata": {"labels": {"app": "looked-at"}}})
    await here.until_pods(lambda pods: len(pods) == 2)
    kept = await here.until(POD, meta.name(first), lambda pod: not meta.controller_of(pod))
    assert not meta.being_deleted(kept)


async def test_a_pod_that_is_nobodys_is_taken_by_who_selects_it(here: Here) -> None:
    container = {"name": "main", "image": "busybox"}
    labels = {"metadata": {"labels": {"app": "web"}}}
    alone = POD.new("alone", "default", **labels, spec={"containers": [container]})
    await here.client.create(POD, alone)
    template = {**labels, "spec": {"containers": [container]}}
    made = REPLICATION_CONTROLLER.new("web", "default", spec={"replicas": 1, "template": template})
    await here.client.create(REPLICATION_CONTROLLER, made)
    taken = await here.until(POD, "alone", meta.controller_of)
    assert (meta.controller_of(taken) or {})["kind"] == "ReplicationController"
    await here.until(REPLICATION_CONTROLLER, "web", lambda one: (one.get("status") or {}).get("readyReplicas") == 1)
    assert [meta.name(pod) for pod in await here.pods()] == ["alone"]
    await here.client.create(POD, {**alone, "metadata": {**alone["metadata"], "name": "late"}})
    await here.until_pods(lambda pods: len(pods) == 1)  # one too many


def test_numbers_of_revisions_are_whatever_somebody_wrote_and_their_history_ends() -> None:
    def set_of(image: str, **annotations: str) -> Object:
        made = deployments.new_set(deployment(image), [])
        return {**made, "metadata": {**made["metadata"], "annotations": annotations}}

    history = "deployment.kubernetes.io/revision-history"
    current = set_of("web:1", **{deployments.REVISION: "1000", history: ",".join(map(str, range(1000)))})
    others = [set_of("web:0", **{deployments.REVISION: "two"}), set_of("web:2", **{deployments.REVISION: "1001"})]
    told = meta.annotations(deployments.new_set(deployment("web:1"), [*others, current]))
    assert told[deployments.REVISION] == "1002"
    assert len(told[history]) <= 2000 and told[history].endswith(",999,1000")


def test_of_pods_that_are_alike_the_one_whose_going_costs_least_goes_first() -> None:
    def pod(name: str, cost: str | None, *, running: bool = True) -> Object:
        notes = {"annotations": {"controller.kubernetes.io/pod-deletion-cost": cost}} if cost is not None else {}
        made = POD.new(name, "default", metadata={"uid": name, **notes}, spec={"nodeName": "here"})
        return {**made, "status": {"phase": "Running" if running else "Pending"}}

    owned = [pod("a", "10"), pod("b", "-5"), pod("c", None), pod("d", "many"), pod("e", "100", running=False)]
    found = replicasets.decide({"metadata": {}, "spec": {"replicas": 1}}, owned, 0.0)
    assert [meta.name(one) for one in found.delete] == ["e", "b", "c", "d"]


async def test_a_pod_is_its_controllers_and_nobody_elses_who_is_named_as_an_owner(here: Here) -> None:
    await here.client.create(DEPLOYMENT, deployment("first", 1))
    await here.until(DEPLOYMENT, "web", rolled_out)
    (replica_set,) = (await here.client.list(REPLICA_SET, "default")).items
    other = await here.client.create(CONFIG_MAP, CONFIG_MAP.new("other", "default"))
    owners = [meta.owner_reference(other), meta.owner_reference(replica_set, controller=False)]
    spec = {"containers": [{"name": "c", "image": "busybox"}]}
    await here.client.create(POD, POD.new("shared", "default", metadata={"ownerReferences": owners}, spec=spec))
    await here.client.patch(DEPLOYMENT, "web", "default", {"spec": {"replicas": 3}})
    await here.until_pods(lambda pods: len(pods) == 3, labels="app=web")
    assert meta.owned_by(await here.client.get(POD, "shared", "default"), replica_set)
