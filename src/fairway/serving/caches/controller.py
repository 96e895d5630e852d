"""Reconciles caches of models: downloads on each node of their groups, claims where services want them, status.

One that is deleted stays as it is while services use it; then `leaving` takes away what it had.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from fairway.kernel.clock import timestamp
from fairway.kernel.control import children, controller, events, finalizers
from fairway.kernel.control.controller import Controller, Owners, Reconcile, World
from fairway.kernel.objects import conditions, errors, meta, patching, quantities
from fairway.kernel.objects.kinds import (
    JOB,
    NODE,
    PERSISTENT_VOLUME,
    PERSISTENT_VOLUME_CLAIM,
    Kind,
    Object,
)
from fairway.kernel.objects.meta import Key
from fairway.serving import surroundings
from fairway.serving.caches import failing, leaving, matching, render, status
from fairway.serving.caches.kinds import (
    CACHE_LABEL,
    FINALIZERS,
    LOCAL_MODEL_CACHE,
    LOCAL_MODEL_NAMESPACE_CACHE,
    LOCAL_MODEL_NODE,
    LOCAL_MODEL_NODE_GROUP,
    NAMESPACE_LABEL,
    NODE_LABEL,
)
from fairway.serving.caches.leaving import CACHES
from fairway.serving.kinds import INFERENCE_SERVICE
from fairway.serving.pods import models
from fairway.serving.render.place import Place
from fairway.serving.spec.refusals import NotSupported
from fairway.serving.storage import containers, credentials, uris
from fairway.serving.storage.containers import Stores
from fairway.serving.storage.credentials import Given
from fairway.serving.storage.kinds import CLUSTER_STORAGE_CONTAINER

Condition = tuple[str, "bool | None", str, str]

_MISTAKES = ("InvalidSpec", "InUse", "RemovalFailed", "DownloadFailed")


def build(place: Place) -> tuple[Controller, ...]:
    return (
        _caches("localmodelcaches", LOCAL_MODEL_CACHE, place),
        _caches("localmodelnamespacecaches", LOCAL_MODEL_NAMESPACE_CACHE, place),
        Controller(
            "localmodelnodes",
            NODE,
            _tell_of_node,
            watches=((JOB, _node_of_job), *((kind, _nodes_of_cache) for kind in CACHES)),
        ),
    )


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
            *((child, controller.owner(kind)) for child in (JOB, PERSISTENT_VOLUME_CLAIM)),
            *((child, _cache_of_label(kind)) for child in (JOB, PERSISTENT_VOLUME)),
            *((one, all_of_them) for one in (LOCAL_MODEL_NODE_GROUP, NODE, INFERENCE_SERVICE, *CACHES)),
        ),
        reads=(CLUSTER_STORAGE_CONTAINER,),
    )


def _cache_of_label(kind: Kind) -> Owners:
    """Of what has no owner: volumes, and Jobs that take files away."""

    def find(obj: Object) -> Iterable[Key]:
        labels = meta.labels(obj)
        namespace = labels.get(NAMESPACE_LABEL, "")
        if CACHE_LABEL in labels and kind.namespaced == bool(namespace):
            yield namespace, labels[CACHE_LABEL]

    return find


def _nodes_of_cache(cache: Object) -> Iterable[Key]:
    for node in (cache.get("status") or {}).get("nodeStatus") or ():
        yield "", node


def _node_of_job(job: Object) -> Iterable[Key]:
    if node := meta.labels(job).get(NODE_LABEL):
        yield "", node


def _reconciler(kind: Kind, place: Place, known: set[Key]) -> Reconcile:
    async def reconcile(world: World, namespace: str, name: str) -> None:
        cache = world.mirror(kind).get(namespace, name)
        if cache is None:
            known.discard((namespace, name))
            return
        known.add((namespace, name))
        if meta.being_deleted(cache):
            await _leave(world, kind, cache)
            return
        if FINALIZERS[kind.kind] not in (cache["metadata"].get("finalizers") or ()):
            await finalizers.add(world.client, kind, cache, FINALIZERS[kind.kind])
            return  # and is seen again with it
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


async def _leave(world: World, kind: Kind, cache: Object) -> None:
    if FINALIZERS[kind.kind] not in (cache["metadata"].get("finalizers") or ()):
        return  # somebody else's word holds it; what it had is gone
    if matching.is_leaving(cache):
        if trouble := await leaving.leave(world, kind, cache):
            await _write(world, kind, cache, {}, ("Ready", False, "RemovalFailed", trouble))
    elif user := _mounting(world, cache):
        text = f"{kind.kind} {meta.name(cache)} is being used by InferenceService {meta.namespace(user)}/"
        text += f"{meta.name(user)}: delete that, or give it another storageUri; then the cache and its files go."
        await _write(world, kind, cache, {}, ("Ready", False, "InUse", text))
    else:
        copies = {**cache["status"]["copies"], "available": 0}
        await _write(world, kind, cache, {"copies": copies}, ("Ready", False, "Deleting", "Its files are taken away."))


def _mounting(world: World, cache: Object) -> Object | None:
    """A service that has its model from this cache, and not only from where that has it, too."""
    caches = [one for kind in CACHES for one in world.mirror(kind).all()]
    for isvc in world.mirror(INFERENCE_SERVICE).all(meta.namespace(cache) or None):
        found = (matching.find(uri, isvc, caches) for uri in models.uris_of(isvc))
        if any(one is not None and meta.uid(one.cache) == meta.uid(cache) for one in found):
            return isvc
    return None


def _uses(isvc: Object, cache: Object) -> bool:
    return any(matching.beneath(cache["spec"]["sourceModelUri"], uri) is not None for uri in models.uris_of(isvc))


def _trouble(world: World, cache: Object, groups: list[Object]) -> str:
    uri = cache["spec"]["sourceModelUri"]
    found = [] if containers.taken(uri, _fetchers(world, cache)) else list(uris.mistakes(uri, "spec.sourceModelUri"))
    missing = set(cache["spec"]["nodeGroups"]) - set(map(meta.name, groups))
    found += [f"There is no LocalModelNodeGroup {name}; create it." for name in sorted(missing)]
    if _amount(cache["spec"]["modelSize"]) is None:
        found.append(f"spec.modelSize {cache['spec']['modelSize']!r} is no amount; write one such as 5Gi.")
    for group in groups:
        if not matching.volume_path(group):
            found.append(
                f"LocalModelNodeGroup {meta.name(group)}: persistentVolumeSpec must have local.path or hostPath.path."
            )
        elif (limit := _amount(group["spec"]["storageLimit"])) is None:
            found.append(f"LocalModelNodeGroup {meta.name(group)}: storageLimit is no amount; write one such as 50Gi.")
        elif _asked(world, group) > limit:
            found.append(
                f"The models of LocalModelNodeGroup {meta.name(group)} ask for more than its storageLimit; raise it."
            )
    return " ".join(found)


def _asked(world: World, group: Object) -> Decimal:
    caches = [one for kind in CACHES for one in world.mirror(kind).all()]
    mine = {one["spec"]["sourceModelUri"]: one for one in caches if meta.name(group) in one["spec"]["nodeGroups"]}
    return sum((_amount(one["spec"]["modelSize"]) or Decimal(0) for one in mine.values()), Decimal(0))


def _amount(said: str | int) -> Decimal | None:
    """None where it is none: whose it is says so, and no other cache of the node group stops for that."""
    try:
        return max(Decimal(0), quantities.parse(said))
    except errors.BadRequest:
        return None


async def _download(world: World, cache: Object, groups: list[Object], place: Place) -> None:
    if leaving.arriving_after(world, cache):
        return
    at = render.namespace(cache)
    if at == render.JOBS_NAMESPACE:
        await leaving.ensure_namespace(world, at)
    stores = Stores(place.mirrors, place.model_cache, _fetchers(world, cache))
    given = await _given(world, cache)
    wanted = {
        meta.name(job): job
        for group in groups
        for node in matching.nodes(group, world.mirror(NODE).all())
        for job in (render.job(cache, meta.name(node), group, stores, given),)
    }
    observed = world.mirror(JOB).owned(cache)
    there = set(map(meta.name, observed))
    # A Job never changes: one that is there is left, and its outcome counts. That of a node which left the groups
    # stays as well, as it says where files are until the cache goes.
    fresh = [job for name, job in wanted.items() if name not in there]
    again = failing.outdated(observed, wanted)
    kept = [job for job in observed if meta.name(job) not in again]
    await children.apply(world.client, JOB, cache, [*kept, *fresh], observed)


def _fetchers(world: World, cache: Object) -> Sequence[Object]:
    return containers.of_downloads(cache["spec"]["sourceModelUri"], world.mirror(CLUSTER_STORAGE_CONTAINER).all())


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
    await leaving.bring_volumes(world, cache, [render.volume(cache, *pair) for pair in pairs])
    wanted = {meta.key(claim): claim for claim in (render.claim(cache, *pair) for pair in pairs)}
    observed = world.mirror(PERSISTENT_VOLUME_CLAIM).owned(cache)
    # What is there stays as it is: nearly nothing of a claim may change.
    wanted |= {meta.key(one): one for one in observed if meta.key(one) in wanted}
    await children.apply(world.client, PERSISTENT_VOLUME_CLAIM, cache, wanted.values(), observed)


async def _tell(
    world: World, kind: Kind, cache: Object, nodes: Iterable[Object], users: Iterable[Object], trouble: str
) -> None:
    jobs = {meta.name(one): one for one in world.mirror(JOB).owned(cache)}
    new = status.of_cache(cache, nodes, jobs, users)
    whole = bool(new["copies"]["total"]) and new["copies"]["available"] == new["copies"]["total"]
    if new["copies"]["failed"] and not trouble:
        judged: Condition = ("Ready", False, "DownloadFailed", await failing.why(world, cache))
    else:
        judged = _judged(new, trouble, whole=whole)
    await _write(world, kind, cache, new, judged)


async def _write(world: World, kind: Kind, cache: Object, new: Object, judged: Condition) -> None:
    """What `new` does not name stays. A user's mistake is an event, too."""
    old = cache.get("status") or {}
    new["conditions"] = conditions.merged(old.get("conditions"), timestamp(world.clock.now()), judged)
    changes = patching.diff({name: old[name] for name in new if name in old}, new)
    if not changes:
        return
    patch = {"metadata": {"resourceVersion": cache["metadata"]["resourceVersion"]}, "status": changes}
    await world.client.patch(kind, meta.name(cache), meta.namespace(cache), patch, subresource="status")
    _, _, reason, text = judged
    if reason in _MISTAKES and text != ((conditions.find(cache, "Ready") or {}).get("message")):
        await events.record(world.client, world.clock, cache, reason, text, type="Warning", component="serving")


def _judged(new: Object, trouble: str, *, whole: bool) -> Condition:
    if trouble:
        return "Ready", False, "InvalidSpec", trouble
    if not new["copies"]["total"]:
        return "Ready", False, "NoNodes", "No node is in the node groups; see their nodeAffinity."
    return ("Ready", True, "", "") if whole else ("Ready", None, "Downloading", "The model is being downloaded.")


async def _tell_of_node(world: World, namespace: str, name: str) -> None:
    """A node's list exists while there is something in it."""
    caches = [one for kind in CACHES for one in world.mirror(kind).all()]
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
