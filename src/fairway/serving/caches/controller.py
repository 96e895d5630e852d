"""Reconciles caches of models: downloads on each node of their groups, claims where services want them, status."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from decimal import Decimal

from fairway.kernel.clock import timestamp
from fairway.kernel.control import children, controller, events
from fairway.kernel.control.controller import Controller, Reconcile, World
from fairway.kernel.objects import conditions, errors, meta, patching, quantities
from fairway.kernel.objects.kinds import (
    JOB,
    NAMESPACE,
    NODE,
    PERSISTENT_VOLUME,
    PERSISTENT_VOLUME_CLAIM,
    Kind,
    Object,
)
from fairway.kernel.objects.meta import Key
from fairway.serving import surroundings
from fairway.serving.caches import matching, render, status
from fairway.serving.caches.kinds import (
    LOCAL_MODEL_CACHE,
    LOCAL_MODEL_NAMESPACE_CACHE,
    LOCAL_MODEL_NODE,
    LOCAL_MODEL_NODE_GROUP,
    NODE_LABEL,
)
from fairway.serving.kinds import INFERENCE_SERVICE
from fairway.serving.pods import models
from fairway.serving.render.place import Place
from fairway.serving.spec.refusals import NotSupported
from fairway.serving.storage import credentials, uris
from fairway.serving.storage.containers import Stores
from fairway.serving.storage.credentials import Given
from fairway.serving.storage.kinds import CLUSTER_STORAGE_CONTAINER


def build(place: Place) -> tuple[Controller, ...]:
    return (
        _caches("localmodelcaches", LOCAL_MODEL_CACHE, place),
        _caches("localmodelnamespacecaches", LOCAL_MODEL_NAMESPACE_CACHE, place),
        Controller("localmodelnodes", NODE, _tell_of_node, watches=((JOB, _node_of_job),), reads=_CACHE_KINDS),
    )


_CACHE_KINDS = (LOCAL_MODEL_CACHE, LOCAL_MODEL_NAMESPACE_CACHE)


def _caches(name: str, kind: Kind, place: Place) -> Controller:
    known: set[Key] = set()

    def all_of_them(obj: Object) -> Iterable[Key]:
        """Whatever changes in the cluster may matter to any cache; there are few."""
        return list(known)

    return Controller(
        name=name,
        kind=kind,
        reconcile=_reconciler(kind, place, known),
        watches=(
            (JOB, controller.owner(kind)),
            (LOCAL_MODEL_NODE_GROUP, all_of_them),
            (NODE, all_of_them),
            (INFERENCE_SERVICE, all_of_them),
        ),
        reads=(PERSISTENT_VOLUME, PERSISTENT_VOLUME_CLAIM, CLUSTER_STORAGE_CONTAINER, *_CACHE_KINDS),
    )


def _node_of_job(job: Object) -> Iterable[Key]:
    if node := meta.labels(job).get(NODE_LABEL):
        yield "", node


def _reconciler(kind: Kind, place: Place, known: set[Key]) -> Reconcile:
    async def reconcile(world: World, namespace: str, name: str) -> None:
        cache = world.mirror(kind).get(namespace, name)
        if cache is None or meta.being_deleted(cache):
            known.discard((namespace, name))
            return  # downloads, volumes and claims have an owner, and go with it
        known.add((namespace, name))
        groups = [world.mirror(LOCAL_MODEL_NODE_GROUP).get("", one) for one in cache["spec"]["nodeGroups"]]
        there = [group for group in groups if group is not None]
        nodes = {meta.name(one): one for group in there for one in matching.nodes(group, world.mirror(NODE).all())}
        users = [one for one in world.mirror(INFERENCE_SERVICE).all(namespace or None) if _uses(one, cache)]
        trouble = _trouble(world, cache, there)
        if not trouble:
            try:
                await _download(world, cache, there, place)
                await _claims(world, cache, there, users)
            except NotSupported as refusal:
                trouble = str(refusal)
        await _tell(world, kind, cache, nodes.values(), users, trouble)

    return reconcile


def _uses(isvc: Object, cache: Object) -> bool:
    return any(matching.beneath(cache["spec"]["sourceModelUri"], uri) is not None for uri in models.uris_of(isvc))


def _trouble(world: World, cache: Object, groups: list[Object]) -> str:
    found = list(uris.mistakes(cache["spec"]["sourceModelUri"], "spec.sourceModelUri"))
    missing = set(cache["spec"]["nodeGroups"]) - set(map(meta.name, groups))
    found += [f"There is no LocalModelNodeGroup {name}; create it." for name in sorted(missing)]
    for group in groups:
        if not matching.volume_path(group):
            found.append(
                f"LocalModelNodeGroup {meta.name(group)}: persistentVolumeSpec must have local.path or hostPath.path."
            )
        elif _asked(world, group) > quantities.parse(group["spec"]["storageLimit"]):
            found.append(
                f"The models of LocalModelNodeGroup {meta.name(group)} ask for more than its storageLimit; raise it."
            )
    return " ".join(found)


def _asked(world: World, group: Object) -> Decimal:
    caches = [one for kind in _CACHE_KINDS for one in world.mirror(kind).all()]
    mine = {one["spec"]["sourceModelUri"]: one for one in caches if meta.name(group) in one["spec"]["nodeGroups"]}
    return sum((quantities.parse(one["spec"]["modelSize"]) for one in mine.values()), Decimal(0))


async def _download(world: World, cache: Object, groups: list[Object], place: Place) -> None:
    at = render.namespace(cache)
    if at == render.JOBS_NAMESPACE and not await world.client.find(NAMESPACE, at):
        with suppress(errors.AlreadyExists):
            await world.client.create(NAMESPACE, NAMESPACE.new(at))
    stores = Stores(place.mirrors, place.model_cache, world.mirror(CLUSTER_STORAGE_CONTAINER).all())
    given = await _given(world, cache)
    wanted = {
        meta.name(job): job
        for group in groups
        for node in matching.nodes(group, world.mirror(NODE).all())
        for job in (render.job(cache, meta.name(node), group, stores, given),)
    }
    observed = world.mirror(JOB).owned(cache)
    there = set(map(meta.name, observed))
    # A Job never changes: one that is there is left, and its outcome counts.
    kept = [one for one in observed if meta.name(one) in wanted]
    fresh = [job for name, job in wanted.items() if name not in there]
    await children.apply(world.client, JOB, cache, [*kept, *fresh], observed)


async def _given(world: World, cache: Object) -> Given:
    key, parameters, text = render.overrides(cache)
    if key or parameters:
        return credentials.of_storage(cache, key, parameters, text)
    account = cache["spec"].get("serviceAccountName") or "default"
    found = surroundings.secrets(world.client, render.namespace(cache), account)
    return credentials.of_secrets([one async for one in found])


async def _claims(world: World, cache: Object, groups: list[Object], users: list[Object]) -> None:
    at = sorted({meta.namespace(one) for one in users})
    pairs = [(group, namespace) for group in groups for namespace in at]
    volumes = [render.volume(cache, *pair) for pair in pairs]
    claims = [render.claim(cache, *pair) for pair in pairs]
    for kind, wanted in ((PERSISTENT_VOLUME, volumes), (PERSISTENT_VOLUME_CLAIM, claims)):
        observed = world.mirror(kind).owned(cache)
        there = set(map(meta.name, observed))
        kept = [one for one in observed if meta.name(one) in set(map(meta.name, wanted))]
        await children.apply(
            world.client, kind, cache, [*kept, *(one for one in wanted if meta.name(one) not in there)], observed
        )


async def _tell(
    world: World, kind: Kind, cache: Object, nodes: Iterable[Object], users: Iterable[Object], trouble: str
) -> None:
    jobs = {meta.name(one): one for one in world.mirror(JOB).owned(cache)}
    new = status.of_cache(cache, nodes, jobs, users)
    whole = bool(new["copies"]["total"]) and new["copies"]["available"] == new["copies"]["total"]
    judged = _judged(new, trouble, whole=whole)
    old = cache.get("status") or {}
    new["conditions"] = conditions.merged(old.get("conditions"), timestamp(world.clock.now()), judged)
    changes = patching.diff(old, new)
    if not changes:
        return
    patch = {"metadata": {"resourceVersion": cache["metadata"]["resourceVersion"]}, "status": changes}
    await world.client.patch(kind, meta.name(cache), meta.namespace(cache), patch, subresource="status")
    if trouble and trouble != ((conditions.find(cache, "Ready") or {}).get("message")):
        await events.record(
            world.client, world.clock, cache, "InvalidSpec", trouble, type="Warning", component="serving"
        )


def _judged(new: Object, trouble: str, *, whole: bool) -> tuple[str, bool | None, str, str]:
    if trouble:
        return "Ready", False, "InvalidSpec", trouble
    if new["copies"]["failed"]:
        return "Ready", False, "DownloadFailed", "A download failed; the log of its Job's pod says why."
    if not new["copies"]["total"]:
        return "Ready", False, "NoNodes", "No node is in the node groups; see their nodeAffinity."
    return ("Ready", True, "", "") if whole else ("Ready", None, "Downloading", "The model is being downloaded.")


async def _tell_of_node(world: World, namespace: str, name: str) -> None:
    """A node's list exists while there is something in it."""
    caches = [one for kind in _CACHE_KINDS for one in world.mirror(kind).all()]
    node = world.mirror(NODE).get("", name)
    listed, states = status.of_node(name, caches, world.mirror(JOB).all())
    found = await world.client.find(LOCAL_MODEL_NODE, name)
    if node is None or not listed:
        if found is not None:
            await world.client.delete(LOCAL_MODEL_NODE, name)
        return
    if found is None:
        found = await world.client.create(LOCAL_MODEL_NODE, LOCAL_MODEL_NODE.new(name, spec={"localModels": listed}))
    elif found["spec"].get("localModels") != listed:
        found = await world.client.patch(LOCAL_MODEL_NODE, name, None, {"spec": {"localModels": listed}})
    if changes := patching.diff((found.get("status") or {}).get("modelStatus") or {}, states):
        await world.client.patch_status(LOCAL_MODEL_NODE, name, None, {"modelStatus": changes})
