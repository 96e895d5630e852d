"""Deployment: one ReplicaSet for each version of the template, and a rollout from the old ones to the new one.

A ReplicaSet is named by the hash of its template, so the set of a template is always the same set; one that was made
when the template had fewer defaults keeps its name. How far a step of the rollout may go is `rollout.plan`; what the
Deployment says of itself is `deployment_status`.
Only sets of the current template that nobody owns are adopted.
"""

from __future__ import annotations

from fairway.cluster.workloads import deployment_status, pods, rollout
from fairway.kernel.control import controller as control
from fairway.kernel.control import events
from fairway.kernel.control.controller import Controller, World
from fairway.kernel.objects import errors, meta, names
from fairway.kernel.objects.kinds import DEPLOYMENT, POD, REPLICA_SET, Object

HASH = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
_HISTORY = "deployment.kubernetes.io/revision-history"
_DESIRED = "deployment.kubernetes.io/desired-replicas"
_MAX = "deployment.kubernetes.io/max-replicas"
_LONGEST_HISTORY = 2000  # characters, as upstream
_WAIT_FOR_PODS = 0.1  # Recreate: seconds between looks at pods that are still ending


def controller() -> Controller:
    return Controller(
        "deployments",
        DEPLOYMENT,
        reconcile,
        watches=((REPLICA_SET, control.owner(DEPLOYMENT)),),
        reads=(POD,),
    )


async def reconcile(world: World, namespace: str, name: str) -> float | None:
    deployment = world.mirror(DEPLOYMENT).get(namespace, name)
    if deployment is None or meta.being_deleted(deployment):
        return None
    sets = sorted(world.mirror(REPLICA_SET).owned(deployment), key=_revision)
    wanted = new_set(deployment, sets)
    new = next((one for one in sets if meta.name(one) == meta.name(wanted)), None)
    old = [one for one in sets if one is not new]
    paused = bool(deployment["spec"].get("paused"))
    again: float | None = None
    if paused or _was_scaled(deployment, sets):
        await _scale(world, deployment, new, sets)
    elif new is None:
        if not _recreates(deployment) or not (again := await _clear(world, deployment, old)):
            await _create(world, deployment, wanted)
    else:
        await _renew_annotations(world, deployment, new, wanted)
        if _recreates(deployment):
            again = await _clear(world, deployment, old)
            if not again:
                await _resize(world, deployment, sets, {meta.name(new): _replicas(deployment)})
        else:
            await _resize(world, deployment, sets, next_sizes(deployment, new, old))
        await _forget_history(world, deployment, old)
    return await _report(world, deployment, new, sets, again)


def new_set(deployment: Object, sets: list[Object]) -> Object:
    """The ReplicaSet of the Deployment's template as it is now."""
    spec = deployment["spec"]
    template = spec["template"]
    there = next((one for one in reversed(sets) if _is_of(one, template)), None)
    digest = meta.labels(there).get(HASH, "") if there else pods.fingerprint(template)
    name = meta.name(there) if there else names.child(meta.name(deployment), digest)
    metadata = template.get("metadata") or {}
    labels = {**(metadata.get("labels") or {}), HASH: digest}
    selector = spec.get("selector") or {}
    replicas = _replicas(deployment)
    allowed = _limits(deployment)
    room = max(0, replicas + allowed.surge - sum(_replicas(one) for one in sets))
    return REPLICA_SET.new(
        name,
        meta.namespace(deployment),
        metadata={
            "labels": labels,
            "annotations": {
                **_passed_on(deployment),
                _DESIRED: str(replicas),
                _MAX: str(replicas + allowed.surge),
                **_numbers(name, sets),
            },
            "ownerReferences": [meta.owner_reference(deployment)],
        },
        spec={
            "replicas": replicas if _recreates(deployment) else min(replicas, room),
            "minReadySeconds": spec.get("minReadySeconds", 0),
            "selector": {**selector, "matchLabels": {**(selector.get("matchLabels") or {}), HASH: digest}},
            "template": {**template, "metadata": {**metadata, "labels": labels}},
        },
    )


def _is_of(replica_set: Object, template: Object) -> bool:
    """Whether the set has this template, but for the label that tells it apart."""
    own = replica_set["spec"].get("template") or {}
    return bool(meta.labels(replica_set).get(HASH)) and _without_hash(own) == _without_hash(template)


def _without_hash(template: Object) -> Object:
    metadata = template.get("metadata") or {}
    labels = {key: value for key, value in (metadata.get("labels") or {}).items() if key != HASH}
    return {**template, "metadata": {**metadata, "labels": labels}}


def next_sizes(deployment: Object, new: Object, old: list[Object]) -> dict[str, int]:
    return rollout.plan(_size(new), [_size(one) for one in old], _limits(deployment))


def _was_scaled(deployment: Object, sets: list[Object]) -> bool:
    """Whether some set that runs was sized for another number of replicas."""
    said = (meta.annotations(one).get(_DESIRED) for one in sets if _replicas(one) > 0)
    return any(_is_number(text) and int(text) != _replicas(deployment) for text in said if text)


def scaled_sizes(deployment: Object, new: Object | None, sets: list[Object]) -> dict[str, int]:
    """How the sets share another size of the Deployment; a paused one scales too."""
    wanted = _replicas(deployment)
    if new is not None and _size(new) == rollout.Size(meta.name(new), wanted, wanted) and _sized_for(new) == wanted:
        return {meta.name(one): 0 for one in sets if one is not new and _replicas(one)}
    known = int((deployment.get("status") or {}).get("replicas") or 0)
    before = {meta.name(one): _number(one, _MAX) or known for one in sets}
    return rollout.scaled(list(map(_size, sets)), _limits(deployment), before, rolls=not _recreates(deployment))


def _sized_for(replica_set: Object) -> int:
    return _number(replica_set, _DESIRED)


def _number(replica_set: Object, annotation: str) -> int:
    text = meta.annotations(replica_set).get(annotation) or ""  # which anybody may have written
    return int(text) if _is_number(text) else 0


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 20


def _size(replica_set: Object) -> rollout.Size:
    status = replica_set.get("status") or {}
    available = min(int(status.get("availableReplicas") or 0), _replicas(replica_set))
    return rollout.Size(meta.name(replica_set), _replicas(replica_set), available)


def _limits(deployment: Object) -> rollout.Limits:
    rolling = (deployment["spec"].get("strategy") or {}).get("rollingUpdate") or {}
    if _recreates(deployment):
        return rollout.Limits(_replicas(deployment), 0, _replicas(deployment))
    return rollout.limits(_replicas(deployment), rolling.get("maxSurge", "25%"), rolling.get("maxUnavailable", "25%"))


def _replicas(obj: Object) -> int:
    return int(obj["spec"].get("replicas", 1))


def _recreates(deployment: Object) -> bool:
    return (deployment["spec"].get("strategy") or {}).get("type") == "Recreate"


def _revision(replica_set: Object) -> tuple[int, str]:
    return _number(replica_set, REVISION), meta.name(replica_set)


def _next_revision(name: str, sets: list[Object]) -> int:
    """The set that is current has the highest number: a template that comes back gets a new one."""
    mine = next((_revision(one)[0] for one in sets if meta.name(one) == name), 0)
    highest = max((_revision(one)[0] for one in sets if meta.name(one) != name), default=0)
    return mine if mine > highest else highest + 1


def _numbers(name: str, sets: list[Object]) -> dict[str, str]:
    """The set's number, and those that it had before."""
    number = str(_next_revision(name, sets))
    before = next((meta.annotations(one) for one in sets if meta.name(one) == name), {})
    earlier = [before.get(_HISTORY), before.get(REVISION) if before.get(REVISION) != number else None]
    history = ",".join(filter(None, earlier))
    while len(history) > _LONGEST_HISTORY:
        history = history.partition(",")[2]
    return {REVISION: number, **({_HISTORY: history} if history else {})}


def _passed_on(deployment: Object) -> dict[str, str]:
    kept_back = ("kubectl.kubernetes.io/last-applied-configuration", REVISION, _HISTORY)
    return {key: value for key, value in meta.annotations(deployment).items() if key not in kept_back}


async def _create(world: World, deployment: Object, wanted: Object) -> None:
    try:
        await world.client.create(REPLICA_SET, wanted)
    except errors.AlreadyExists:
        await _adopt(world, deployment, wanted)
        return
    await _say_scaled(world, deployment, meta.name(wanted), 0, _replicas(wanted))


async def _adopt(world: World, deployment: Object, wanted: Object) -> None:
    """The set is there already: ours and not seen yet, left behind by a Deployment deleted alone, or a stranger's."""
    name, namespace = meta.name(wanted), meta.namespace(wanted)
    found = await world.client.find(REPLICA_SET, name, namespace)
    if found is None or meta.owned_by(found, deployment):
        return
    if owner := meta.controller_of(found):
        message = f"ReplicaSet {name} belongs to {owner['kind']} {owner['name']}: delete it, or rename this Deployment"
        await events.record(world.client, world.clock, deployment, "NameTaken", message, type="Warning")
        raise errors.Conflict(message)
    references = [*(found["metadata"].get("ownerReferences") or ()), meta.owner_reference(deployment)]
    patch = {"metadata": {"ownerReferences": references, "resourceVersion": found["metadata"]["resourceVersion"]}}
    await world.client.patch(REPLICA_SET, name, namespace, patch)


async def _renew_annotations(world: World, deployment: Object, new: Object, wanted: Object) -> None:
    desired = wanted["metadata"]["annotations"]
    if any(meta.annotations(new).get(key) != value for key, value in desired.items()):
        await world.client.patch(
            REPLICA_SET, meta.name(new), meta.namespace(new), {"metadata": {"annotations": desired}}
        )
    number = desired[REVISION]
    if meta.annotations(deployment).get(REVISION) != number:
        patch = {"metadata": {"annotations": {REVISION: number}}}
        await world.client.patch(DEPLOYMENT, meta.name(deployment), meta.namespace(deployment), patch)


async def _clear(world: World, deployment: Object, old: list[Object]) -> float | None:
    """Recreate: the old pods must be gone before a new one starts. Gives when to look again, or None when clear."""
    await _resize(world, deployment, old, {meta.name(one): 0 for one in old})
    left = [pod for one in old for pod in world.mirror(POD).owned(one) if not pods.over(pod)]
    return _WAIT_FOR_PODS if left or any(_replicas(one) for one in old) else None


async def _scale(world: World, deployment: Object, new: Object | None, sets: list[Object]) -> None:
    """Size the sets anew, and note at each that runs for how many replicas it was sized."""
    sizes, allowed = scaled_sizes(deployment, new, sets), _limits(deployment)
    notes = {_DESIRED: str(allowed.replicas), _MAX: str(allowed.replicas + allowed.surge)}
    for one in sets:
        before, after = _replicas(one), sizes.get(meta.name(one), _replicas(one))
        noted = not (before or after) or all(meta.annotations(one).get(key) == text for key, text in notes.items())
        if before == after and noted:
            continue
        metadata = {"resourceVersion": one["metadata"]["resourceVersion"], "annotations": notes}
        patch = {"metadata": metadata, "spec": {"replicas": after}}
        await world.client.patch(REPLICA_SET, meta.name(one), meta.namespace(one), patch)
        if before != after:
            await _say_scaled(world, deployment, meta.name(one), before, after)


async def _resize(world: World, deployment: Object, sets: list[Object], sizes: dict[str, int]) -> None:
    for one in sets:
        before, after = _replicas(one), sizes.get(meta.name(one), _replicas(one))
        if before == after:
            continue
        patch = {"metadata": {"resourceVersion": one["metadata"]["resourceVersion"]}, "spec": {"replicas": after}}
        await world.client.patch(REPLICA_SET, meta.name(one), meta.namespace(one), patch)
        await _say_scaled(world, deployment, meta.name(one), before, after)


async def _forget_history(world: World, deployment: Object, old: list[Object]) -> None:
    limit = int(deployment["spec"].get("revisionHistoryLimit", 10))
    idle = [one for one in old if _replicas(one) == 0 and not (one.get("status") or {}).get("replicas")]
    for one in idle[: max(0, len(idle) - limit)]:
        if not meta.being_deleted(one):
            await world.client.delete(REPLICA_SET, meta.name(one), meta.namespace(one), uid=meta.uid(one))


async def _report(
    world: World, deployment: Object, new: Object | None, sets: list[Object], again: float | None
) -> float | None:
    wanted, due = deployment_status.describe(deployment, new, sets, _limits(deployment), world.clock.now())
    said = deployment.get("status") or {}
    if any(said.get(field) != value for field, value in wanted.items()):
        await world.client.patch_status(DEPLOYMENT, meta.name(deployment), meta.namespace(deployment), wanted)
    return min((moment for moment in (again, due) if moment is not None), default=None)


async def _say_scaled(world: World, deployment: Object, name: str, before: int, after: int) -> None:
    way = "up" if after > before else "down"
    message = f"Scaled {way} replica set {name} from {before} to {after}"
    await events.record(
        world.client, world.clock, deployment, "ScalingReplicaSet", message, component="deployment-controller"
    )
