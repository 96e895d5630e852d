"""Children go with their owners, in the three ways that a deletion can ask for; custom kinds too."""

from __future__ import annotations

import asyncio

from pretend_cluster import Here

from fairway.cluster.workloads.adoption import Orphans
from fairway.kernel.clock import SystemClock
from fairway.kernel.control.controller import World
from fairway.kernel.control.mirror import Mirrors
from fairway.kernel.objects import meta
from fairway.kernel.objects.crds import OPEN, CustomKind
from fairway.kernel.objects.kinds import CLUSTER_ROLE, CONFIG_MAP, CRD, DEPLOYMENT, POD, SECRET, Kind, Object

ELDER = CustomKind(Kind("test.fairway.dev", "v1alpha1", "Elder", "elders"), {"spec": OPEN})
"""Of the same group, and not in its preferred version."""
PARENT = CustomKind(Kind("test.fairway.dev", "v1", "Parent", "parents"), {"spec": OPEN})


async def family(here: Here, *, finalizer: str = "") -> tuple[Object, Object]:
    """A ConfigMap and the Secret that it owns."""
    owner = await here.client.create(CONFIG_MAP, CONFIG_MAP.new("owner", "default", data={}))
    references = [meta.owner_reference(owner)]
    metadata: Object = {"ownerReferences": references}
    if finalizer:
        metadata["finalizers"] = [finalizer]
    child = await here.client.create(SECRET, SECRET.new("child", "default", metadata=metadata))
    return owner, child


async def test_a_child_goes_after_its_owner(here: Here) -> None:
    await family(here)
    await here.client.delete(CONFIG_MAP, "owner", "default", propagation="Background")
    await here.until_gone(SECRET, "child")


async def test_an_owner_deleted_in_the_foreground_waits_for_its_children(here: Here) -> None:
    await family(here, finalizer="test.fairway.dev/hold")
    await here.client.delete(CONFIG_MAP, "owner", "default", propagation="Foreground")
    await here.until(SECRET, "child", meta.being_deleted)
    assert meta.being_deleted(await here.client.get(CONFIG_MAP, "owner", "default"))
    await here.client.patch(SECRET, "child", "default", {"metadata": {"finalizers": None}})
    await here.until_gone(SECRET, "child")
    await here.until_gone(CONFIG_MAP, "owner")


async def test_orphans_stay_without_an_owner(here: Here) -> None:
    await family(here)
    await here.client.delete(CONFIG_MAP, "owner", "default", propagation="Orphan")
    await here.until_gone(CONFIG_MAP, "owner")
    child = await here.client.get(SECRET, "child", "default")
    assert not child["metadata"].get("ownerReferences")


async def test_a_child_of_another_object_of_the_same_name_is_garbage(here: Here) -> None:
    owner, _ = await family(here)
    stale = {**meta.owner_reference(owner), "uid": "00000000-0000-0000-0000-000000000000"}
    await here.client.create(SECRET, SECRET.new("late", "default", metadata={"ownerReferences": [stale]}))
    await here.until_gone(SECRET, "late")
    assert await here.client.find(SECRET, "child", "default")


async def test_a_child_with_one_living_owner_stays_and_forgets_the_dead_one(here: Here) -> None:
    owner, child = await family(here)
    other = await here.client.create(CONFIG_MAP, CONFIG_MAP.new("other", "default", data={}))
    both = [meta.owner_reference(owner), meta.owner_reference(other, controller=False)]
    await here.client.patch(SECRET, "child", "default", {"metadata": {"ownerReferences": both}})
    await here.client.delete(CONFIG_MAP, "owner", "default")
    kept = await here.until(SECRET, "child", lambda c: len(c["metadata"]["ownerReferences"]) == 1)
    assert meta.owned_by(kept, other) and meta.uid(kept) == meta.uid(child)


async def test_custom_kinds_own_children_as_soon_as_they_are_defined(here: Here) -> None:
    await here.client.create(CRD, PARENT.definition())
    owner = await here.client.create(PARENT.kind, PARENT.kind.new("mother", "default", spec={}))
    metadata = {"ownerReferences": [meta.owner_reference(owner)]}
    containers = [{"name": "c", "image": "busybox"}]
    await here.client.create(POD, POD.new("child", "default", metadata=metadata, spec={"containers": containers}))
    await here.client.delete(PARENT.kind, "mother", "default")
    await here.until_gone(POD, "child")


async def test_circles_of_owners_do_not_block_each_other(here: Here) -> None:
    owner, child = await family(here)
    circle = {"metadata": {"ownerReferences": [meta.owner_reference(child)]}}
    await here.client.patch(CONFIG_MAP, "owner", "default", circle)
    await here.client.delete(CONFIG_MAP, "owner", "default", propagation="Foreground")
    await here.until_gone(CONFIG_MAP, "owner")
    await here.until_gone(SECRET, "child")
    assert owner


async def test_kinds_that_a_groups_preferred_version_has_not_are_owners_too(here: Here) -> None:
    for kind in (PARENT, ELDER):
        await here.client.create(CRD, kind.definition())
    owner = await here.client.create(ELDER.kind, ELDER.kind.new("elder", "default", spec={}))
    metadata = {"ownerReferences": [meta.owner_reference(owner)]}
    await here.client.create(SECRET, SECRET.new("child", "default", metadata=metadata))
    await here.client.delete(ELDER.kind, "elder", "default", propagation="Background")
    await here.until_gone(SECRET, "child")


async def test_a_set_that_was_deleted_takes_no_pod_back(here: Here) -> None:
    """A mirror may show it as it was; the pods that it left behind would go with it after all."""
    labels = {"app": "left"}
    containers = [{"name": "main", "image": "busybox"}]
    template = {"metadata": {"labels": labels}, "spec": {"containers": containers}}
    spec = {"paused": True, "replicas": 0, "selector": {"matchLabels": labels}, "template": template}
    seen = await here.client.create(DEPLOYMENT, DEPLOYMENT.new("left", "default", spec=spec))
    await here.client.delete(DEPLOYMENT, "left", "default")
    await here.until_gone(DEPLOYMENT, "left")
    pod = await here.client.create(
        POD, POD.new("one", "default", metadata={"labels": labels}, spec={"containers": containers})
    )
    orphans, held = Orphans(DEPLOYMENT), asyncio.get_running_loop().create_future()

    async def look() -> None:
        async with asyncio.TaskGroup() as tasks:
            world = World(here.client, SystemClock(), Mirrors(here.client, SystemClock(), tasks))
            await world.mirror(POD).synced()
            list(orphans.concerned(pod))
            held.set_result(await orphans.held(world, seen))

    looking = asyncio.create_task(look())
    assert await held == []
    looking.cancel()
    assert not (await here.client.get(POD, "one", "default"))["metadata"].get("ownerReferences")


async def test_a_child_of_no_namespace_is_not_garbage_because_its_owner_is_of_one(here: Here) -> None:
    """Upstream leaves it alone: nobody can say in which namespace the owner would be."""
    owner, _ = await family(here)
    made = await here.client.create(
        CLUSTER_ROLE, CLUSTER_ROLE.new("wide", metadata={"ownerReferences": [meta.owner_reference(owner)]}, rules=[])
    )
    await family_is_judged(here)
    assert meta.uid(await here.client.get(CLUSTER_ROLE, "wide")) == meta.uid(made)


async def family_is_judged(here: Here) -> None:
    """Garbage that came after something is gone, so that has been looked at too, or is at this moment."""
    for number in range(20):
        stale = {"apiVersion": "v1", "kind": "ConfigMap", "name": "nobody", "uid": f"nobody-{number}"}
        late = SECRET.new(f"late-{number}", "default", metadata={"ownerReferences": [stale]})
        await here.client.create(SECRET, late)
    for number in range(20):
        await here.until_gone(SECRET, f"late-{number}")
