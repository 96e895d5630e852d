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
        return not (self.uncounted_succeeded or self.uncounted_failed or self.fresh_indexes or self.awaited)

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
    status = job.get("status") or {}
    listed = status.get("uncountedTerminatedPods") or {}
    known_good, known_bad = list(listed.get("succeeded") or ()), list(listed.get("failed") or ())
    by_uid = {meta.uid(pod): pod for pod in owned}
    counted_good, waiting_good = _settle(known_good, by_uid)
    counted_bad, waiting_bad = _settle(known_bad, by_uid)
    listed_now = {*known_good, *known_bad}
    fresh = [pod for uid, pod in by_uid.items() if uid not in listed_now and tracked(pod)]
    fresh.sort(key=meta.name)
    release = [by_uid[uid] for uid in (*waiting_good, *waiting_bad)]
    good = [pod for pod in fresh if pods.phase(pod) == "Succeeded"]
    bad = [pod for pod in fresh if policies.failed(job, pod)]
    total = int(status.get("succeeded") or 0) + counted_good
    done = failed_indexes = None
    awaited: dict[int, Object] = {}
    fresh_indexes = 0
    if indexed(job):
        stored, done = _completed(job, good)
        fresh_indexes, total = len(done - stored), len(done)
        release += [pod for pod in good if index_of(pod) in stored or index_of(pod) not in done]
        good, waiting_good = [], []
        if per_index(job):
            failed_indexes = _failed_indexes(job, bad)
            awaited = {} if ending else _awaited(job, owned, bad, done | failed_indexes)
    staying = {meta.uid(pod) for pod in awaited.values()}
    dropped = [pod for pod in bad if meta.uid(pod) not in staying and _nobodys(job, pod)]
    release += dropped
    staying |= {meta.uid(pod) for pod in dropped}
    return Counts(
        counted_succeeded=total,
        counted_failed=int(status.get("failed") or 0) + counted_bad,
        uncounted_succeeded=(*waiting_good, *map(meta.uid, good)),
        uncounted_failed=(*waiting_bad, *(uid for pod in bad if (uid := meta.uid(pod)) not in staying)),
        completed_indexes=None if done is None else frozenset(done),
        failed_indexes=None if failed_indexes is None else frozenset(failed_indexes),
        release=tuple(release),
        awaited=awaited,
        unnoted=sum(1 for pod in awaited.values() if not _nobodys(job, pod)),
        fresh_indexes=fresh_indexes,
    )


def tracked(pod: Object) -> bool:
    return TRACKING in (pod["metadata"].get("finalizers") or ())


def indexed(job: Object) -> bool:
    return job["spec"].get("completionMode") == "Indexed"


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


def _settle(uids: list[str], by_uid: dict[str, Object]) -> tuple[int, list[str]]:
    """How many of the listed pods have lost their finalizer and may be counted, and which still wait."""
    waiting = [uid for uid in uids if uid in by_uid and tracked(by_uid[uid])]
    return len(uids) - len(waiting), waiting


def _nobodys(job: Object, pod: Object) -> bool:
    """Failures that count for nothing: the policy ignores them, or it was the suspension that stopped the pod."""
    if job["spec"].get("suspend") and meta.being_deleted(pod) and not per_index(job):
        return True
    if _outside(job, pod):
        return True
    return not policies.judge(job, pod).counts


def _outside(job: Object, pod: Object) -> bool:
    """The pod's index is none of the Job's (any more): an extra pod is nobody's success and nobody's failure."""
    index = index_of(pod)
    return indexed(job) and (index is None or index >= _completions(job))


def _completions(job: Object) -> int:
    return int(job["spec"].get("completions") or 0)


def _completed(job: Object, good: Iterable[Object]) -> tuple[set[int], set[int]]:
    """The completed indexes that are stored, and all of them."""
    stored = indexes.parse((job.get("status") or {}).get("completedIndexes") or "", _completions(job))
    ended = {index for pod in good if not _outside(job, pod) and (index := index_of(pod)) is not None}
    return stored, stored | ended


def _failed_indexes(job: Object, bad: Iterable[Object]) -> set[int]:
    stored = indexes.parse((job.get("status") or {}).get("failedIndexes") or "", _completions(job))
    limit = int(job["spec"]["backoffLimitPerIndex"])
    for pod in bad:
        index, verdict = index_of(pod), policies.judge(job, pod)
        if index is None or _outside(job, pod):
            continue
        if verdict.action == "FailIndex" or (verdict.counts and failures_of(pod) >= limit):
            stored.add(index)
    return stored


def _awaited(job: Object, owned: Iterable[Object], bad: Iterable[Object], over: set[int]) -> dict[int, Object]:
    busy = {index_of(pod) for pod in owned if pods.active(pod)} | over
    latest: dict[int, Object] = {}
    for pod in bad:
        index = index_of(pod)
        if index is None or index in busy or _outside(job, pod):
            continue
        if index not in latest or _age(pod) >= _age(latest[index]):
            latest[index] = pod
    return latest


def _age(pod: Object) -> tuple[int, float]:
    return failures_of(pod) + ignored_failures_of(pod), pods.ended(pod)
