"""Counting a Job's pods so that none is lost and none counts twice, whatever dies in between. Pure.

A pod that has ended keeps the finalizer `batch.kubernetes.io/job-tracking` until it is counted, in three
steps as upstream takes them: its uid is written to status.uncountedTerminatedPods; its finalizer goes; the
uid leaves that list in the same write that raises the counter. After a crash each step can be told from
what is stored.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fairway.cluster.workloads import indexes, pods
from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import Object

TRACKING = "batch.kubernetes.io/job-tracking"
INDEX = "batch.kubernetes.io/job-completion-index"


@dataclass(frozen=True)
class Counts:
    """`succeeded` and `failed` are all that ended so far; `counted_*` are those that no list must remember."""

    counted_succeeded: int
    counted_failed: int
    uncounted_succeeded: tuple[str, ...]
    uncounted_failed: tuple[str, ...]
    completed_indexes: frozenset[int]
    release: tuple[Object, ...]
    """Pods whose finalizer may go: their uid is in the stored status, or they do not count."""

    @property
    def succeeded(self) -> int:
        return self.counted_succeeded + len(self.uncounted_succeeded)

    @property
    def failed(self) -> int:
        return self.counted_failed + len(self.uncounted_failed)

    @property
    def settled(self) -> bool:
        return not self.uncounted_succeeded and not self.uncounted_failed

    def status(self, *, indexed: bool) -> Object:
        uncounted = {
            "succeeded": list(self.uncounted_succeeded) or None,
            "failed": list(self.uncounted_failed) or None,
        }
        status: Object = {
            "succeeded": self.counted_succeeded or None,
            "failed": self.counted_failed or None,
            "uncountedTerminatedPods": uncounted,
        }
        if indexed:
            status["completedIndexes"] = indexes.text(self.completed_indexes) or None
        return status


def count(job: Object, owned: Iterable[Object]) -> Counts:
    status = job.get("status") or {}
    listed = status.get("uncountedTerminatedPods") or {}
    by_uid = {meta.uid(pod): pod for pod in owned}
    known_good, known_bad = list(listed.get("succeeded") or ()), list(listed.get("failed") or ())
    counted_good, waiting_good = _settle(known_good, by_uid)
    counted_bad, waiting_bad = _settle(known_bad, by_uid)
    listed_now = {*known_good, *known_bad}
    fresh = [pod for uid, pod in by_uid.items() if uid not in listed_now and tracked(pod)]
    done = indexes.parse(status.get("completedIndexes") or "")
    limit = int(job["spec"].get("completions") or 0)
    new_good, new_bad, dropped = [], [], []
    for pod in sorted(fresh, key=meta.name):
        if job["spec"].get("suspend") and meta.being_deleted(pod) and pods.phase(pod) != "Succeeded":
            dropped.append(pod)  # it was stopped by the suspension, which is nobody's failure
        elif pods.phase(pod) == "Succeeded":
            index = index_of(pod)
            if index is not None:
                if index in done or index >= limit:
                    continue  # the index is complete already: an extra pod is nobody's success
                done.add(index)
            new_good.append(meta.uid(pod))
        elif pods.phase(pod) == "Failed" or meta.being_deleted(pod):
            new_bad.append(meta.uid(pod))
    return Counts(
        counted_succeeded=int(status.get("succeeded") or 0) + counted_good,
        counted_failed=int(status.get("failed") or 0) + counted_bad,
        uncounted_succeeded=(*waiting_good, *new_good),
        uncounted_failed=(*waiting_bad, *new_bad),
        completed_indexes=frozenset(done),
        release=tuple(by_uid[uid] for uid in (*waiting_good, *waiting_bad)) + tuple(dropped),
    )


def tracked(pod: Object) -> bool:
    return TRACKING in (pod["metadata"].get("finalizers") or ())


def index_of(pod: Object) -> int | None:
    text = meta.annotations(pod).get(INDEX)
    return int(text) if text is not None and text.isdigit() else None


def _settle(uids: list[str], by_uid: dict[str, Object]) -> tuple[int, list[str]]:
    """How many of the listed pods have lost their finalizer and may be counted, and which still wait."""
    waiting = [uid for uid in uids if uid in by_uid and tracked(by_uid[uid])]
    return len(uids) - len(waiting), waiting
