"""Counting a Job's pods so that none is lost and none counts twice, whatever dies in between. Pure.

A pod that has ended keeps the finalizer `batch.kubernetes.io/job-tracking` until it is counted, in three
steps as upstream takes them: its uid is written to status.uncountedTerminatedPods; its finalizer goes; the
uid leaves that list in the same write that raises the counter. After a crash each step can be told from
what is stored. For a success of an Indexed Job the index in status.completedIndexes is the note.

With backoffLimitPerIndex the last failed pod of an index is kept until the index has another pod: the number
of failures so far stands in an annotation of the newest one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from fairway.cluster.workloads import pods
from fairway.cluster.workloads.jobs import indexes, policies
from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import Object

TRACKING = "batch.kubernetes.io/job-tracking"
INDEX = "batch.kubernetes.io/job-completion-index"
FAILURES = "batch.kubernetes.io/job-index-failure-count"
IGNORED_FAILURES = "batch.kubernetes.io/job-index-ignored-failure-count"


@dataclass(frozen=True)
class Counts:
    """`succeeded` and `failed` are all that ended so far; `counted_*` are those that no list must remember."""

    counted_succeeded: int
    counted_failed: int
    uncounted_succeeded: tuple[str, ...] = ()
    uncounted_failed: tuple[str, ...] = ()
    completed_indexes: frozenset[int] | None = None
    """None where the Job has no indexes."""
    failed_indexes: frozenset[int] | None = None
    """None where no index has a limit of its own."""
    release: tuple[Object, ...] = ()
    """Pods whose finalizer may go: they are noted in the stored status, or they do not count."""
    awaited: Mapping[int, Object] = field(default_factory=dict)
    """The failed pods that are kept until their index has another one."""
    unnoted: int = 0
    """How many of `awaited` will count as failures."""
    fresh_indexes: int = 0
    """How many of `completed_indexes` are not in the stored status yet."""

    @property
    def succeeded(self) -> int:
        return self.counted_succeeded + len(self.uncounted_succeeded)

    @property
    def failed(self) -> int:
        return self.counted_failed + len(self.uncounted_failed) + self.unnoted

    @property
    def settled(self) -> bool:
        waiting = self.uncounted_succeeded or self.uncounted_failed or self.fresh_indexes or self.awaited
        return not waiting and not self.release

    def status(self) -> Object:
        uncounted = {
            "succeeded": list(self.uncounted_succeeded) or None,
            "failed": list(self.uncounted_failed) or None,
        }
        status: Object = {
            "succeeded": self.counted_succeeded or None,
            "failed": self.counted_failed or None,
            "uncountedTerminatedPods": uncounted,
        }
        if self.completed_indexes is not None:
            status["completedIndexes"] = indexes.text(self.completed_indexes) or None
        if self.failed_indexes is not None:
            status["failedIndexes"] = indexes.text(self.failed_indexes)
        return status


def count(job: Object, owned: Iterable[Object], *, ending: bool = False) -> Counts:
    """`ending`: the Job is about to end, so no failed pod needs to wait for one that takes its place."""
    owned = list(owned)
    good, bad = _noted(job, "succeeded", owned), _noted(job, "failed", owned)
    fresh = [pod for pod in owned if tracked(pod) and meta.uid(pod) not in good.uids | bad.uids]
    fresh.sort(key=meta.name)
    ended = [pod for pod in fresh if pods.phase(pod) == "Succeeded"]
    lost = [pod for pod in fresh if policies.failed(job, pod)]
    by_index = _by_index(job, owned, ended, lost, ending) if indexed(job) else None
    awaited = by_index.awaited if by_index else {}
    kept = {meta.uid(pod) for pod in awaited.values()}
    lost = [pod for pod in lost if meta.uid(pod) not in kept]
    dropped = [pod for pod in lost if _nobodys(job, pod)]
    counted = [pod for pod in lost if not _nobodys(job, pod)]
    return Counts(
        counted_succeeded=len(by_index.done) if by_index else good.counted,
        counted_failed=bad.counted,
        uncounted_succeeded=() if by_index else _uids(good.waiting, ended),
        uncounted_failed=_uids(bad.waiting, counted),
        completed_indexes=by_index.done if by_index else None,
        failed_indexes=by_index.failed if by_index else None,
        release=(*good.waiting, *bad.waiting, *(by_index.release if by_index else ()), *dropped),
        awaited=awaited,
        unnoted=sum(1 for pod in awaited.values() if not _nobodys(job, pod)),
        fresh_indexes=by_index.fresh if by_index else 0,
    )


def tracked(pod: Object) -> bool:
    return TRACKING in (pod["metadata"].get("finalizers") or ())


def indexed(job: Object) -> bool:
    return bool(job["spec"].get("completionMode") == "Indexed")


def per_index(job: Object) -> bool:
    return indexed(job) and job["spec"].get("backoffLimitPerIndex") is not None


def index_of(pod: Object) -> int | None:
    return _number(pod, INDEX)


def failures_of(pod: Object) -> int:
    """How often the pod's index had failed before it."""
    return _number(pod, FAILURES) or 0


def ignored_failures_of(pod: Object) -> int:
    return _number(pod, IGNORED_FAILURES) or 0


def _number(pod: Object, annotation: str) -> int | None:
    text = meta.annotations(pod).get(annotation)
    return int(text) if text is not None and text.isdecimal() else None


@dataclass(frozen=True)
class _Noted:
    """What the stored status says of ended pods: `counted` of them have lost their finalizer, `waiting` have not."""

    uids: frozenset[str]
    counted: int
    waiting: tuple[Object, ...]


def _noted(job: Object, field: str, owned: Iterable[Object]) -> _Noted:
    status = job.get("status") or {}
    uids = frozenset((status.get("uncountedTerminatedPods") or {}).get(field) or ())
    waiting = tuple(pod for pod in owned if meta.uid(pod) in uids and tracked(pod))
    return _Noted(uids, int(status.get(field) or 0) + len(uids) - len(waiting), waiting)


def _uids(*groups: Iterable[Object]) -> tuple[str, ...]:
    return tuple(meta.uid(pod) for group in groups for pod in group)


def _nobodys(job: Object, pod: Object) -> bool:
    """Failures that count for nothing: the policy ignores them, or it was the suspension that stopped the pod."""
    if job["spec"].get("suspend") and meta.being_deleted(pod) and not per_index(job):
        return True
    if _outside(job, pod):
        return True
    return not policies.judge(job, pod).counts


def _outside(job: Object, pod: Object) -> bool:
    """The pod's index is none of the Job's (any more): an extra pod is nobody's success and nobody's failure."""
    if not indexed(job):
        return False
    index = index_of(pod)
    return index is None or index >= _completions(job)


def _completions(job: Object) -> int:
    return int(job["spec"].get("completions") or 0)


@dataclass(frozen=True)
class _ByIndex:
    done: frozenset[int]
    fresh: int
    """How many of `done` are not stored yet."""
    failed: frozenset[int] | None
    awaited: Mapping[int, Object]
    release: tuple[Object, ...]


def _by_index(job: Object, owned: list[Object], ended: list[Object], lost: list[Object], ending: bool) -> _ByIndex:
    stored = indexes.parse((job.get("status") or {}).get("completedIndexes") or "", _completions(job))
    mine = {index for pod in ended if not _outside(job, pod) and (index := index_of(pod)) is not None}
    done = frozenset(stored | mine)
    failed = _failed_indexes(job, lost) if per_index(job) else None
    return _ByIndex(
        done,
        fresh=len(done - stored),
        failed=failed,
        awaited={} if failed is None or ending else _awaited(job, owned, lost, done | failed),
        release=tuple(pod for pod in ended if index_of(pod) in stored or index_of(pod) not in done),
    )


def _failed_indexes(job: Object, lost: Iterable[Object]) -> frozenset[int]:
    failed = indexes.parse((job.get("status") or {}).get("failedIndexes") or "", _completions(job))
    limit = int(job["spec"]["backoffLimitPerIndex"])
    for pod in lost:
        index, verdict = index_of(pod), policies.judge(job, pod)
        if index is None or _outside(job, pod):
            continue
        if verdict.action == "FailIndex" or (verdict.counts and failures_of(pod) >= limit):
            failed.add(index)
    return frozenset(failed)


def _awaited(job: Object, owned: Iterable[Object], lost: Iterable[Object], over: frozenset[int]) -> dict[int, Object]:
    busy = {index_of(pod) for pod in owned if pods.active(pod)} | over
    latest: dict[int, Object] = {}
    for pod in lost:
        index = index_of(pod)
        if index is None or index in busy or _outside(job, pod):
            continue
        if index not in latest or _age(pod) >= _age(latest[index]):
            latest[index] = pod
    return latest


def _age(pod: Object) -> tuple[int, float]:
    return failures_of(pod) + ignored_failures_of(pod), pods.ended(pod)
