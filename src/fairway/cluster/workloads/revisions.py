"""ControllerRevisions: the versions of a template that a StatefulSet or DaemonSet has had, for rollouts and for undo.

A revision is named by the hash of its template, so a template that comes back is the same revision with a new number;
one that was made when the template had fewer defaults keeps its name.
"""

from __future__ import annotations

from collections.abc import Iterable

from fairway.cluster.workloads import pods
from fairway.kernel.control.controller import World
from fairway.kernel.objects import errors, meta, names
from fairway.kernel.objects.kinds import CONTROLLER_REVISION, Object

HASH = "controller-revision-hash"


def name_of(owner: Object, revisions: Iterable[Object]) -> str:
    """The name of the revision of the owner's template as it is now."""
    template = owner["spec"]["template"]
    there = [one for one in revisions if _template(one) == template]
    if there:
        return meta.name(max(there, key=_number))
    return names.child(meta.name(owner), pods.fingerprint(template))


def template_of(owner: Object, revisions: Iterable[Object], name: str) -> Object:
    """The template of a revision; the owner's own where that revision is not there any more."""
    found = next((one for one in revisions if meta.name(one) == name), None)
    template: Object = _template(found) if found else owner["spec"]["template"]
    return template


async def ensure(world: World, owner: Object) -> str:
    """The current revision is there and has the highest number. Gives its name."""
    others = world.mirror(CONTROLLER_REVISION).owned(owner)
    name, namespace = name_of(owner, others), meta.namespace(owner)
    mine = next((one for one in others if meta.name(one) == name), None)
    highest = max((_number(one) for one in others if meta.name(one) != name), default=0)
    if mine is None:
        made = _new(owner, name, highest + 1)
        try:
            await world.client.create(CONTROLLER_REVISION, made)
        except errors.AlreadyExists:
            await _adopt(world, owner, name)
    elif _number(mine) <= highest:
        await world.client.patch(CONTROLLER_REVISION, name, namespace, {"revision": highest + 1})
    return name


async def _adopt(world: World, owner: Object, name: str) -> None:
    """Made before, and the mirror does not show it yet; or left behind by an owner that was deleted alone."""
    found = await world.client.find(CONTROLLER_REVISION, name, meta.namespace(owner))
    if found is None or meta.controller_of(found) is not None:
        return
    references = [*(found["metadata"].get("ownerReferences") or ()), meta.owner_reference(owner)]
    patch = {"metadata": {"ownerReferences": references, "resourceVersion": found["metadata"]["resourceVersion"]}}
    await world.client.patch(CONTROLLER_REVISION, name, meta.namespace(owner), patch)


async def forget(world: World, owner: Object, used: set[str]) -> None:
    """Of the revisions that nothing uses, keep as many as revisionHistoryLimit says."""
    limit = int(owner["spec"].get("revisionHistoryLimit", 10))
    idle = [one for one in world.mirror(CONTROLLER_REVISION).owned(owner) if meta.name(one) not in used]
    idle.sort(key=_number)
    for one in idle[: max(0, len(idle) - limit)]:
        if not meta.being_deleted(one):
            await world.client.delete(CONTROLLER_REVISION, meta.name(one), meta.namespace(one), uid=meta.uid(one))


def _template(revision: Object) -> Object:
    template = ((revision.get("data") or {}).get("spec") or {}).get("template") or {}
    return {key: value for key, value in template.items() if key != "$patch"}


def _number(revision: Object) -> int:
    return int(revision.get("revision") or 0)


def _new(owner: Object, name: str, number: int) -> Object:
    template = owner["spec"]["template"]
    labels = {**((template.get("metadata") or {}).get("labels") or {}), HASH: pods.fingerprint(template)}
    metadata = {"labels": labels, "ownerReferences": [meta.owner_reference(owner)]}
    if annotations := meta.annotations(owner):
        metadata["annotations"] = annotations  # why it changed, for `kubectl rollout history`
    return CONTROLLER_REVISION.new(
        name,
        meta.namespace(owner),
        metadata=metadata,
        # In the form that kubectl's undo sends back as a patch.
        data={"spec": {"template": {"$patch": "replace", **template}}},
        revision=number,
    )
