"""What the end of a pod means for its Job: podFailurePolicy, and what successPolicy asks for. Pure.

The first rule that fits decides. Messages are upstream's.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from fairway.cluster.workloads import pods
from fairway.cluster.workloads.jobs import indexes
from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import Object


@dataclass(frozen=True)
class Verdict:
    """What a failed pod means. `action` is empty where no rule fits."""

    action: str = ""
    message: str = ""

    @property
    def counts(self) -> bool:
        """Whether it is one of the failures that backoffLimit allows."""
        return self.action != "Ignore"


def replaces_only_failed(job: Object) -> bool:
    """Whether a pod that is being stopped holds its place until it has ended."""
    spec = job["spec"]
    return spec.get("podReplacementPolicy") == "Failed" or spec.get("podFailurePolicy") is not None


def failed(job: Object, pod: Object) -> bool:
    """Whether the pod is one of the Job's failures, or on its way to be one."""
    phase = pods.phase(pod)
    if phase in ("Failed", "Succeeded"):
        return phase == "Failed"
    if replaces_only_failed(job):
        return pods.gone(pod)
    return meta.being_deleted(pod)


def judge(job: Object, pod: Object) -> Verdict:
    """What podFailurePolicy says of a failed pod."""
    for index, rule in enumerate((job["spec"].get("podFailurePolicy") or {}).get("rules") or ()):
        what = _ended_with(rule, pod)
        if what:
            action = rule["action"]
            return Verdict(action, f"{what} matching {action} rule at index {index}")
    return Verdict()


def succeeded(job: Object, done: Collection[int]) -> str:
    """Which rule of successPolicy the finished indexes satisfy, as a sentence; empty where none does."""
    completions = int(job["spec"].get("completions") or 0)
    for number, rule in enumerate((job["spec"].get("successPolicy") or {}).get("rules") or ()):
        within, least = rule.get("succeededIndexes"), rule.get("succeededCount")
        named, there = (completions, len(done)) if within is None else indexes.named(within, completions, done)
        if there >= (named if least is None else int(least)):
            return f"Matched rules at index {number}"
    return ""


def _ended_with(rule: Object, pod: Object) -> str:
    where = f"{meta.namespace(pod)}/{meta.name(pod)}"
    if (codes := rule.get("onExitCodes")) is not None:
        container, code = _exit(codes, pod)
        return f"Container {container} for pod {where} failed with exit code {code}" if container else ""
    said = {item["type"]: item.get("status") for item in (pod.get("status") or {}).get("conditions") or ()}
    for pattern in rule.get("onPodConditions") or ():
        if said.get(pattern["type"]) == pattern.get("status", "True"):
            return f"Pod {where} has condition {pattern['type']}"
    return ""


def _exit(codes: Object, pod: Object) -> tuple[str, int]:
    """The first container that ended as the rule says, and its exit code; success never fits."""
    status = pod.get("status") or {}
    for container in (*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ())):
        if codes.get("containerName") not in (None, container["name"]):
            continue
        end = (container.get("state") or {}).get("terminated")
        code = int(end.get("exitCode") or 0) if end else 0
        if code and (code in codes["values"]) == (codes["operator"] == "In"):
            return container["name"], code
    return "", 0
