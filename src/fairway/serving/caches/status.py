"""How far the downloads of a cache are, for the cache and for each node. Pure; the words are KServe's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from fairway.kernel.objects import conditions, meta
from fairway.kernel.objects.kinds import Object
from fairway.serving.caches import matching, render
from fairway.serving.caches.kinds import NODE_LABEL

PENDING, DOWNLOADING, DOWNLOADED, FAILED = "DownloadPending", "Downloading", "Downloaded", "DownloadError"


def of_job(job: Object | None) -> str:
    if job is None:
        return PENDING
    if conditions.is_true(job, "Complete"):
        return DOWNLOADED
    if conditions.is_true(job, "Failed"):
        return FAILED
    return DOWNLOADING if ((job.get("status") or {}).get("active") or 0) > 0 else PENDING


def of_cache(cache: Object, nodes: Iterable[Object], jobs: Mapping[str, Object], users: Iterable[Object]) -> Object:
    """`jobs` by their names."""
    found: dict[str, str] = {}
    for node in nodes:
        ready = conditions.is_true(node, "Ready")
        state = of_job(jobs.get(render.job_name(cache, meta.name(node))))
        found[meta.name(node)] = f"Node{state}" if ready or state == DOWNLOADED else "NodeNotReady"
    states = list(found.values())
    copies = {
        "total": len(states),
        "available": states.count(f"Node{DOWNLOADED}"),
        "failed": states.count(f"Node{FAILED}"),
    }
    services = [{"namespace": meta.namespace(one), "name": meta.name(one)} for one in users]
    return {"nodeStatus": found, "copies": copies, "inferenceServices": services}


def of_node(node: str, caches: Iterable[Object], jobs: Iterable[Object]) -> tuple[list[Object], dict[str, str]]:
    """What a node is to have, and how far it is."""
    by_name = {meta.name(job): job for job in jobs if meta.labels(job).get(NODE_LABEL) == node}
    listed: list[Object] = []
    states: dict[str, str] = {}
    for cache in caches:
        if matching.is_leaving(cache):
            continue
        job = by_name.get(render.job_name(cache, node))
        if job is None:
            continue
        key = f"{meta.namespace(cache)}/{meta.name(cache)}".lstrip("/")
        info: Object = {"sourceModelUri": cache["spec"]["sourceModelUri"], "modelName": meta.name(cache)}
        listed.append({**info, **({"namespace": meta.namespace(cache)} if meta.namespace(cache) else {})})
        states[key] = f"Model{of_job(job)}"
    return listed, states
