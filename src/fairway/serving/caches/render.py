"""The downloads of a cache, the volumes by which services mount it, and the Jobs that take its files away. Pure.

A download is a Job on one node, which puts the model below the path of the group's volume. A service's namespace gets a
claim of the cache's own, bound to a volume at that path.
"""

from __future__ import annotations

import hashlib
import json

from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import JOB, PERSISTENT_VOLUME, PERSISTENT_VOLUME_CLAIM, Object
from fairway.serving.caches import matching
from fairway.serving.caches.kinds import CACHE_LABEL, NAMESPACE_LABEL, NODE_LABEL, REMOVAL_LABEL
from fairway.serving.caches.matching import Folder
from fairway.serving.kinds import RENDERED
from fairway.serving.render.marks import digest_of
from fairway.serving.runtimes.built_in import MODEL_DIR
from fairway.serving.storage import containers
from fairway.serving.storage.containers import Stores
from fairway.serving.storage.credentials import Given

JOBS_NAMESPACE = "kserve-localmodel-jobs"
"""Of the downloads of caches that belong to no namespace, and of all removals."""


def namespace(cache: Object) -> str:
    return meta.namespace(cache) or JOBS_NAMESPACE


def job_name(cache: Object, node: str) -> str:
    """Of this address on this node: another address is another download."""
    digest = hashlib.sha256(f"{cache['spec']['sourceModelUri']} {node}".encode()).hexdigest()[:8]
    return f"{meta.name(cache)[:40]}-{digest}"


def job(cache: Object, node: str, group: Object, stores: Stores, given: Given) -> Object:
    """Raises NotSupported where no container fetches such addresses."""
    uri = stores.resolved(cache["spec"]["sourceModelUri"])
    fetch = containers.fetching([(uri, MODEL_DIR)], stores, given, named="", like={})
    mount = {"name": "model", "mountPath": MODEL_DIR}
    path = matching.place(cache, group)
    pod: Object = {
        "restartPolicy": "Never",
        "nodeName": node,
        "containers": [{**fetch, "volumeMounts": [*fetch["volumeMounts"], mount]}],
        "volumes": [{"name": "model", "hostPath": {"path": path, "type": "DirectoryOrCreate"}}, *given.volumes],
    }
    marks = {**labels(cache), NODE_LABEL: node}
    obj = JOB.new(
        job_name(cache, node),
        namespace(cache),
        spec={"backoffLimit": 3, "template": {"metadata": {"labels": marks}, "spec": pod}},
    )
    # By which it is seen that a download which failed would be another one today.
    return {**obj, "metadata": {**obj["metadata"], "labels": marks, "annotations": {RENDERED: digest_of(pod)}}}


def removal(cache: Object, folder: Folder) -> Object:
    """It has the folder above, so that it can take the name away. Not in the cache's namespace, which may be going."""
    above, _, name = folder.path.rpartition("/")
    mount = {"name": "models", "mountPath": MODEL_DIR}
    pod: Object = {
        "restartPolicy": "Never",
        "nodeName": folder.node,
        "containers": [{**containers.removing(f"{MODEL_DIR}/{name}"), "volumeMounts": [mount]}],
        "volumes": [{"name": "models", "hostPath": {"path": above, "type": "DirectoryOrCreate"}}],
    }
    digest = hashlib.sha256(f"{meta.uid(cache)} {folder.node} {folder.path}".encode()).hexdigest()[:8]
    marks = {**labels(cache), NODE_LABEL: folder.node, REMOVAL_LABEL: meta.uid(cache)}
    obj = JOB.new(
        f"{meta.name(cache)[:40]}-{digest}-removal",
        JOBS_NAMESPACE,
        spec={"backoffLimit": 3, "template": {"metadata": {"labels": marks}, "spec": pod}},
    )
    return {**obj, "metadata": {**obj["metadata"], "labels": marks}}


def labels(cache: Object) -> dict[str, str]:
    """By which what has no owner is found."""
    at = meta.namespace(cache)
    return {CACHE_LABEL: meta.name(cache), **({NAMESPACE_LABEL: at} if at else {})}


def cache_labels(obj: Object) -> dict[str, str]:
    """Those of its labels that say whose it is."""
    return {name: value for name, value in meta.labels(obj).items() if name in (CACHE_LABEL, NAMESPACE_LABEL)}


def downloaded_to(job: Object) -> Folder:
    """Where a download puts its files."""
    pod = job["spec"]["template"]["spec"]
    (path,) = (one["hostPath"]["path"] for one in pod["volumes"] if one["name"] == "model")
    return Folder(pod["nodeName"], path)


def volume(cache: Object, group: Object, at: str) -> Object:
    """Of the namespace `at`."""
    name = matching.claim_name(cache, meta.name(group))
    spec = {**group["spec"]["persistentVolumeSpec"], "claimRef": {"namespace": at, "name": name}}
    spec.setdefault("persistentVolumeReclaimPolicy", "Retain")
    return _labelled(PERSISTENT_VOLUME.new(f"{name}-{at}", spec=spec), cache)


def claim(cache: Object, group: Object, at: str) -> Object:
    name = matching.claim_name(cache, meta.name(group))
    spec = {**group["spec"]["persistentVolumeClaimSpec"], "volumeName": f"{name}-{at}"}
    return _labelled(PERSISTENT_VOLUME_CLAIM.new(name, at, spec=spec), cache)


def overrides(cache: Object) -> tuple[str, dict[str, str], str]:
    """The storage block: its key, its parameters, and these as text."""
    asked = cache["spec"].get("storage") or {}
    parameters = {str(key): str(value) for key, value in (asked.get("parameters") or {}).items()}
    return str(asked.get("key") or ""), parameters, json.dumps(parameters, sort_keys=True)


def _labelled(obj: Object, cache: Object) -> Object:
    return {**obj, "metadata": {**obj["metadata"], "labels": labels(cache)}}
