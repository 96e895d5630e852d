"""A cache that somebody deleted leaves: claims, downloads, then its files on every node, then the object itself.

Each step is begun again as often as it takes, and the next begins when the one before is seen to be done: a stop in the
middle leaves nothing behind. A folder that another cache has too stays. What decides is in the objects: a cache of the
same address that comes meanwhile begins to download when this one is gone (`arriving_after`).
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from fairway.kernel.control import children, finalizers
from fairway.kernel.control.controller import World
from fairway.kernel.objects import conditions, errors, meta
from fairway.kernel.objects.kinds import (
    JOB,
    NAMESPACE,
    NODE,
    PERSISTENT_VOLUME,
    PERSISTENT_VOLUME_CLAIM,
    Kind,
    Object,
)
from fairway.serving.caches import matching, render
from fairway.serving.caches.kinds import (
    FINALIZERS,
    LOCAL_MODEL_CACHE,
    LOCAL_MODEL_NAMESPACE_CACHE,
    LOCAL_MODEL_NODE_GROUP,
    REMOVAL_LABEL,
)
from fairway.serving.caches.matching import Folder

CACHES = (LOCAL_MODEL_CACHE, LOCAL_MODEL_NAMESPACE_CACHE)


def arriving_after(world: World, cache: Object) -> list[Object]:
    """Caches of the same address that are leaving: what they take away may be where this one is to be."""
    return [one for one in _of_the_address(world, cache) if matching.is_leaving(one)]


async def leave(world: World, kind: Kind, cache: Object) -> str:
    """The next step. Gives what stands in the way, where it is not only a matter of time."""
    if await _mounted(world, cache) or await _downloading(world, cache):
        return ""
    jobs = [one for one in world.mirror(JOB).all(render.JOBS_NAMESPACE) if _removes(one, cache)]
    # What is begun is ended: who came since waits for it.
    folders = (_folders(world, cache) - _needed(world, cache)) | set(map(_removed_by, jobs))
    done = {_removed_by(job) for job in jobs if conditions.is_true(job, "Complete")}
    if remaining := [one for one in folders if one not in done]:
        return await _remove(world, cache, sorted(remaining, key=str), jobs)
    for job in jobs:
        await world.client.delete(JOB, meta.name(job), render.JOBS_NAMESPACE, uid=meta.uid(job))
    await finalizers.remove(world.client, kind, cache, FINALIZERS[kind.kind])
    return ""


async def bring_volumes(world: World, cache: Object, wanted: Iterable[Object]) -> None:
    """They have no owner: what belongs to no namespace cannot have one that does."""
    there = {meta.name(one): one for one in _volumes(world, cache)}
    for volume in wanted:
        if there.pop(meta.name(volume), None) is None:
            with suppress(errors.AlreadyExists):
                await world.client.create(PERSISTENT_VOLUME, volume)
    for surplus in there.values():
        if not meta.being_deleted(surplus):
            await world.client.delete(PERSISTENT_VOLUME, meta.name(surplus), uid=meta.uid(surplus))


async def ensure_namespace(world: World, name: str) -> None:
    if not await world.client.find(NAMESPACE, name):
        with suppress(errors.AlreadyExists):
            await world.client.create(NAMESPACE, NAMESPACE.new(name))


async def _mounted(world: World, cache: Object) -> bool:
    """A claim stays as long as a pod has it, and its volume with it."""
    claims = world.mirror(PERSISTENT_VOLUME_CLAIM).owned(cache)
    await children.apply(world.client, PERSISTENT_VOLUME_CLAIM, cache, (), claims)
    if claims:
        return True
    await bring_volumes(world, cache, ())
    return bool(_volumes(world, cache))


def _volumes(world: World, cache: Object) -> list[Object]:
    mine = render.labels(cache)
    return [one for one in world.mirror(PERSISTENT_VOLUME).all() if render.cache_labels(one) == mine]


async def _downloading(world: World, cache: Object) -> bool:
    """A download that is under way is stopped, and keeps its Job: that says where the files are."""
    jobs = [one for one in world.mirror(JOB).owned(cache) if not _is_quiet(one)]
    running = [one for one in jobs if _is_there(world, render.downloaded_to(one))]
    for job in running:
        if not job["spec"].get("suspend") and not meta.being_deleted(job):
            await world.client.patch(JOB, meta.name(job), meta.namespace(job), {"spec": {"suspend": True}})
    return bool(running)


def _is_quiet(job: Object) -> bool:
    over = any(conditions.is_true(job, word) for word in ("Complete", "Failed", "Suspended"))
    status = job.get("status") or {}
    return over and not status.get("active") and not status.get("terminating")


async def _remove(world: World, cache: Object, folders: Iterable[Folder], jobs: Iterable[Object]) -> str:
    there = {_removed_by(job): job for job in jobs}
    await ensure_namespace(world, render.JOBS_NAMESPACE)
    for folder in folders:
        job = there.get(folder)
        if job is None:
            with suppress(errors.AlreadyExists):
                await world.client.create(JOB, render.removal(cache, folder))
        elif conditions.is_true(job, "Failed"):
            return (
                f"The folder {folder.path} on node {folder.node} cannot be taken away; the log of the pod of Job "
                f"{render.JOBS_NAMESPACE}/{meta.name(job)} says why. Delete the Job to have it tried again."
            )
    return ""


def _removes(job: Object, cache: Object) -> bool:
    return meta.labels(job).get(REMOVAL_LABEL) == meta.uid(cache) and not meta.being_deleted(job)


def _removed_by(job: Object) -> Folder:
    pod = job["spec"]["template"]["spec"]
    name = pod["containers"][0]["args"][0].rpartition("/")[2]
    return Folder(pod["nodeName"], f"{pod['volumes'][0]['hostPath']['path']}/{name}")


def _folders(world: World, cache: Object) -> set[Folder]:
    """Where its files may be: its downloads say it, and its groups where the downloads are gone before it."""
    found = {render.downloaded_to(job) for job in world.mirror(JOB).owned(cache)} | _wanted(world, cache)
    return {folder for folder in found if _is_there(world, folder)}


def _is_there(world: World, folder: Folder) -> bool:
    """What was on a node that is no more went with the node."""
    return world.mirror(NODE).get("", folder.node) is not None


def _needed(world: World, cache: Object) -> set[Folder]:
    others = [one for one in _of_the_address(world, cache) if not matching.is_leaving(one)]
    jobs = [job for one in others for job in world.mirror(JOB).owned(one)]
    return {folder for one in others for folder in _wanted(world, one)} | set(map(render.downloaded_to, jobs))


def _wanted(world: World, cache: Object) -> set[Folder]:
    groups = [world.mirror(LOCAL_MODEL_NODE_GROUP).get("", one) for one in cache["spec"]["nodeGroups"]]
    nodes = world.mirror(NODE).all()
    return {
        Folder(meta.name(node), matching.place(cache, group))
        for group in groups
        if group is not None and matching.volume_path(group)
        for node in matching.nodes(group, nodes)
    }


def _of_the_address(world: World, cache: Object) -> list[Object]:
    """The other caches of it, of both kinds."""
    uri, uid = cache["spec"]["sourceModelUri"], meta.uid(cache)
    caches = (one for kind in CACHES for one in world.mirror(kind).all())
    return [one for one in caches if one["spec"]["sourceModelUri"] == uri and meta.uid(one) != uid]
