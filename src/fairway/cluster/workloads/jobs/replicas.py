"""Which of a Job's pods go, and which come: how many, with what index, after what delay. Pure.

Names are made of the Job's uid and a slot, so that a repeated creation is refused by the API instead of
making one pod too many.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from fairway.cluster.workloads import pods
from fairway.cluster.workloads.jobs import counting, policies
from fairway.cluster.workloads.jobs.counting import FAILURES, IGNORED_FAILURES, INDEX, TRACKING, Counts
from fairway.kernel.objects import meta, names
from fairway.kernel.objects.kinds import Object

_LONGEST_DELAY = 600.0
_BURST = 500  # pods created in one go, as upstream


@dataclass(frozen=True)
class Seen:
    owned: list[Object]
    active: list[Object]
    leaving: list[Object]
    """Asked to go, and not over yet."""
    counts: Counts


@dataclass(frozen=True)
class Change:
    create: tuple[Object, ...] = ()
    delete: tuple[Object, ...] = ()
    wait: float | None = None
    """Seconds until one more may be created."""


def change(job: Object, seen: Seen, now: float, retry_delay: float) -> Change:
    wanted = _wanted(job, seen)
    if surplus := _surplus(job, seen, wanted):
        return Change(delete=tuple(surplus))
    held = len(seen.leaving) if policies.replaces_only_failed(job) else 0
    missing = min(wanted - len(seen.active) - held, _BURST)
    if missing <= 0:
        return Change()
    if counting.indexed(job):
        return _indexed(job, seen, missing, now, retry_delay)
    if wait := _retry_wait(seen.owned, now, retry_delay):
        return Change(wait=wait)
    taken = {meta.name(pod) for pod in seen.owned}
    fresh = (name for name in _names(job) if name not in taken)
    return Change(create=tuple(_pod(job, name) for name in itertools.islice(fresh, missing)))


def _wanted(job: Object, seen: Seen) -> int:
    """How many pods should be active now."""
    parallelism = int(job["spec"].get("parallelism", 1))
    completions = job["spec"].get("completions")
    if completions is None:
        # A work queue: once one pod has said that the work is done, no new one starts.
        return min(len(seen.active), parallelism) if seen.counts.succeeded else parallelism
    left = int(completions) - seen.counts.succeeded - len(seen.counts.failed_indexes or ())
    return max(0, min(parallelism, left))


def _surplus(job: Object, seen: Seen, wanted: int) -> list[Object]:
    """Pods of an index that another one has, or that is none of the Job's, go first."""
    active = sorted(seen.active, key=_worth)
    extra: list[Object] = []
    if counting.indexed(job):
        best = {counting.index_of(pod): meta.name(pod) for pod in active}
        limit = int(job["spec"]["completions"])
        for pod in active:
            index = counting.index_of(pod)
            if index is None or index >= limit or best[index] != meta.name(pod):
                extra.append(pod)
    others = [pod for pod in active if pod not in extra]
    return extra + others[: max(0, len(others) - wanted)]


def _worth(pod: Object) -> tuple[bool, bool, int, str]:
    return bool(pods.node_name(pod)), pods.ready(pod), -(counting.index_of(pod) or 0), meta.name(pod)


def _indexed(job: Object, seen: Seen, missing: int, now: float, retry_delay: float) -> Change:
    counts = seen.counts
    busy = {counting.index_of(pod) for pod in seen.active} | (counts.completed_indexes or frozenset())
    busy |= counts.failed_indexes or frozenset()
    if policies.replaces_only_failed(job):
        busy |= {counting.index_of(pod) for pod in seen.leaving}
    free = (index for index in range(int(job["spec"]["completions"])) if index not in busy)
    pending = list(itertools.islice(free, missing))
    if counting.per_index(job):
        waits = {index: _index_wait(counts.awaited.get(index), now, retry_delay) for index in pending}
    else:
        waits = dict.fromkeys(pending, _retry_wait(seen.owned, now, retry_delay))
    taken = {meta.name(pod) for pod in seen.owned}
    made = tuple(
        _indexed_pod(job, next(name for name in _names(job, index) if name not in taken), index, counts)
        for index in pending
        if waits[index] <= 0
    )
    return Change(create=made, wait=min((wait for wait in waits.values() if wait > 0), default=None))


# Back-off


def _retry_wait(owned: list[Object], now: float, retry_delay: float) -> float:
    """After a failure the next pod waits: `retry_delay` doubling with each failure since the last success."""
    if not any(pods.phase(pod) == "Failed" for pod in owned):
        return 0.0
    over = sorted((pods.ended(pod), pods.phase(pod) == "Failed") for pod in owned if pods.over(pod))
    failures = len(list(itertools.takewhile(lambda end: end[1], reversed(over))))
    return _left(failures, over[-1][0], now, retry_delay) if failures else 0.0


def _index_wait(failed: Object | None, now: float, retry_delay: float) -> float:
    if failed is None:
        return 0.0
    failures = counting.failures_of(failed) + counting.ignored_failures_of(failed) + 1
    return _left(failures, pods.ended(failed), now, retry_delay)


def _left(failures: int, since: float, now: float, retry_delay: float) -> float:
    delay = min(retry_delay * 2.0 ** min(failures - 1, 32), _LONGEST_DELAY)
    return max(0.0, since + delay - now)


# New pods


def _names(job: Object, *parts: int) -> Iterable[str]:
    words = tuple(map(str, parts))
    for slot in itertools.count():
        yield _name(meta.name(job), meta.uid(job), words, slot)


@lru_cache(maxsize=2**15)
def _name(job: str, uid: str, words: tuple[str, ...], slot: int) -> str:
    """Remembered, as a Job asks for the names of all the pods that it has had before it makes one more."""
    return names.child(job, *words, pods.slug(uid, *words, slot))


def _pod(job: Object, name: str) -> Object:
    uid, job_name = meta.uid(job), meta.name(job)
    labels = {
        "batch.kubernetes.io/controller-uid": uid,
        "batch.kubernetes.io/job-name": job_name,
        "controller-uid": uid,
        "job-name": job_name,
    }
    pod = pods.from_template(job["spec"]["template"], name, job, labels=labels)
    finalizers = [*(pod["metadata"].get("finalizers") or ()), TRACKING]
    return {**pod, "metadata": {**pod["metadata"], "finalizers": finalizers}}


def _indexed_pod(job: Object, name: str, index: int, counts: Counts) -> Object:
    pod = _pod(job, name)
    metadata = pod["metadata"]
    metadata["labels"] = {**metadata["labels"], INDEX: str(index)}
    metadata["annotations"] = {**(metadata.get("annotations") or {}), INDEX: str(index)}
    if counting.per_index(job):
        metadata["annotations"] |= _failures_so_far(job, counts.awaited.get(index))
    spec = {**pod["spec"], "containers": [_told_index(c) for c in pod["spec"].get("containers") or ()]}
    if spec.get("initContainers"):
        spec["initContainers"] = [_told_index(container) for container in spec["initContainers"]]
    spec.setdefault("hostname", f"{meta.name(job)}-{index}"[:63].rstrip("-"))
    return {**pod, "spec": spec}


def _failures_so_far(job: Object, failed: Object | None) -> dict[str, str]:
    if failed is None:
        return {FAILURES: "0"}
    counts = policies.judge(job, failed).counts
    said = {FAILURES: str(counting.failures_of(failed) + counts)}
    if ignored := counting.ignored_failures_of(failed) + (not counts):
        said[IGNORED_FAILURES] = str(ignored)
    return said


def _told_index(container: Object) -> Object:
    """The container with its index in its environment, unless its author put something there."""
    env = container.get("env") or ()
    if any(item.get("name") == "JOB_COMPLETION_INDEX" for item in env):
        return container
    path = f"metadata.labels['{INDEX}']"
    told = {"name": "JOB_COMPLETION_INDEX", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}}
    return {**container, "env": [*env, told]}
