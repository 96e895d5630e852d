"""Why a pod does not serve, read from the pod's own words. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fairway.kernel.objects import conditions, meta, pod_statuses
from fairway.kernel.objects.kinds import Object
from fairway.serving.component import PREDICTOR
from fairway.serving.kinds import COMPONENT_LABEL

_JUST_STARTING = ("ContainerCreating", "PodInitializing", "CrashLoopBackOff", "BuildingEnvironment")


@dataclass(frozen=True, slots=True)
class Failure:
    """`reason` is KServe's word, `message` a sentence for the person who deployed the model."""

    reason: str
    message: str
    pod: str = ""
    exit_code: int | None = None
    at: str = ""

    def wire(self) -> Object:
        info: Object = {"reason": self.reason, "message": self.message}
        if self.pod:
            info["location"] = self.pod
        if self.at:
            info["time"] = self.at
        if self.exit_code is not None:
            info["exitCode"] = self.exit_code
        return info


def first(pods: Iterable[Object]) -> Failure | None:
    return next(filter(None, map(of_pod, pods)), None)


def of_pod(pod: Object) -> Failure | None:
    """Of the first of its containers that failed: what fetches the model comes before what serves it."""
    if conditions.is_true(pod, "Ready"):
        return None
    return next(filter(None, (_of_container(pod, one) for one in pod_statuses.of_containers(pod))), None)


def waiting(pods: Iterable[Object]) -> str:
    """Why a pod has no node yet, in the scheduler's words."""
    for pod in pods:
        scheduled = conditions.find(pod, "PodScheduled")
        if scheduled and scheduled.get("status") == "False":
            return str(scheduled.get("message") or scheduled.get("reason") or "")
    return ""


def _of_container(pod: Object, container: Object) -> Failure | None:
    """The server wrote why it ended into its termination message."""
    if container.get("ready"):
        return None
    state, last = container.get("state") or {}, container.get("lastState") or {}
    ended = state.get("terminated") or last.get("terminated") or {}
    code = ended.get("exitCode", 0)
    if code:
        text = _last_words(pod, container["name"], ended)
        reason = "ModelLoadFailed" if code == 1 and _loads_a_model(pod) else "RuntimeUnhealthy"
        return Failure(reason, text, meta.name(pod), code, ended.get("finishedAt") or "")
    held = state.get("waiting") or {}
    if held.get("reason") and held["reason"] not in _JUST_STARTING:
        text = f"{held['reason']}: {held.get('message') or 'the pod cannot start'}"
        return Failure("RuntimeUnhealthy", text, meta.name(pod))
    return None


def _last_words(pod: Object, name: str, ended: Object) -> str:
    """A program that gives up says why, and ends with 1. What was ended, or ended by itself, has only been talking."""
    said = (ended.get("message") or "").strip()
    if ended.get("reason") == "OOMKilled":
        why = f"{name} used more memory than its limit{_memory_limit(pod, name)} and was killed: raise the limit"
    elif ended["exitCode"] == 1 and said:
        return said
    else:
        why = f"{name} ended with exit code {ended['exitCode']}"
    return f"{why}. It said last:\n{said}" if said else f"{why}; see its log."


def _memory_limit(pod: Object, name: str) -> str:
    for container in (pod.get("spec") or {}).get("containers") or ():
        if container["name"] == name and (
            limit := ((container.get("resources") or {}).get("limits") or {}).get("memory")
        ):
            return f" of {limit}"
    return ""


def _loads_a_model(pod: Object) -> bool:
    return meta.labels(pod).get(COMPONENT_LABEL, PREDICTOR) == PREDICTOR
