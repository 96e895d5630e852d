"""A pod's status from what is known of its containers. Pure.

The words are the kubelet's, because people, clients and controllers match them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fairway.cluster.node.runtime import ContainerState
from fairway.kernel.clock import timestamp
from fairway.kernel.objects import conditions
from fairway.kernel.objects.kinds import Object

CREATING = ("ContainerCreating", "")
INITIALIZING = ("PodInitializing", "")


@dataclass
class View:
    """What is known of one container: what it does now, how it ended before, how it is."""

    spec: Object
    init: bool = False
    waiting: tuple[str, str] = CREATING
    """(reason, message) while there is no `state`."""
    state: ContainerState | None = None
    last: ContainerState | None = None
    last_message: str = ""
    message: str = ""
    """What it left in its termination message file."""
    attempt: int = 0
    ready: bool = False
    started: bool = False

    @property
    def name(self) -> str:
        return str(self.spec["name"])

    @property
    def sidecar(self) -> bool:
        return self.init and self.spec.get("restartPolicy") == "Always"

    @property
    def running(self) -> bool:
        return self.state is not None and self.state.running

    @property
    def ended(self) -> bool:
        return self.state is not None and not self.state.running

    @property
    def succeeded(self) -> bool:
        return self.state is not None and self.state.exit_code == 0


@dataclass(frozen=True)
class Place:
    """Where the pod is, and since when."""

    host_ip: str
    pod_ip: str
    start_time: str
    handler: str


@dataclass(frozen=True)
class Verdict:
    """An end that the node decided: `DeadlineExceeded`, `Terminated`..."""

    phase: str
    reason: str
    message: str
    disrupted: bool = False
    """The pod is not to blame: DisruptionTarget, which controllers do not count as a failure of its own."""


def pod_status(pod: Object, views: Sequence[View], place: Place, now: float, verdict: Verdict | None = None) -> Object:
    phase = verdict.phase if verdict else phase_of(pod, views)
    status: Object = {
        "phase": phase,
        "conditions": _conditions(pod, views, phase, timestamp(now), verdict),
        "hostIP": place.host_ip,
        "hostIPs": [{"ip": place.host_ip}],
        "podIP": place.pod_ip,
        "podIPs": [{"ip": place.pod_ip}],
        "startTime": place.start_time,
        "qosClass": qos_class(pod),
        "containerStatuses": [_container(view, pod, place) for view in views if not view.init],
        "observedGeneration": pod["metadata"].get("generation", 1),
    }
    if any(view.init for view in views):
        status["initContainerStatuses"] = [_container(view, pod, place) for view in views if view.init]
    old = pod.get("status") or {}
    for name, value in (("reason", verdict and verdict.reason), ("message", verdict and verdict.message)):
        if value:
            status[name] = value
        elif old.get(name):
            status[name] = None  # what an earlier look said, such as why it could not be scheduled
    return status


def phase_of(pod: Object, views: Sequence[View]) -> str:
    """As the kubelet's getPhase; a pod is over when nothing of it runs, sidecars included."""
    phase = _phase_by_containers(pod, views)
    return "Running" if phase in ("Succeeded", "Failed") and any(view.running for view in views) else phase


def _phase_by_containers(pod: Object, views: Sequence[View]) -> str:
    inits = [view for view in views if view.init and not view.sidecar]
    if any(view.ended and not view.succeeded and not runs_again(pod, view) for view in inits):
        return "Failed"
    mains = [view for view in views if not view.init]
    if any(view.state is None and view.last is None for view in mains):
        return "Pending"
    if any(not view.ended or runs_again(pod, view) for view in mains):
        return "Running"
    return "Succeeded" if all(view.succeeded for view in mains) else "Failed"


def runs_again(pod: Object, view: View) -> bool:
    """Whether a container that has ended is started again: by its own rules, then its policy, then the pod's."""
    if any(_applies(rule, view) for rule in view.spec.get("restartPolicyRules") or ()):
        return True
    policy = view.spec.get("restartPolicy") or pod["spec"].get("restartPolicy") or "Always"
    once = view.init and not view.sidecar
    return policy != "Never" and not (view.succeeded and (policy == "OnFailure" or once))


def _applies(rule: Object, view: View) -> bool:
    """Upstream's only action is Restart, and its only question the exit code."""
    asked = rule.get("exitCodes") or {}
    code = view.state.exit_code if view.state else None
    return code is not None and (code in (asked.get("values") or ())) is (asked.get("operator") == "In")


def qos_class(pod: Object) -> str:
    """Guaranteed where cpu and memory are limited and requested alike, BestEffort where nothing is."""
    containers = [*(pod["spec"].get("initContainers") or ()), *pod["spec"]["containers"]]
    guaranteed, anything = True, False
    for container in containers:
        resources = container.get("resources") or {}
        limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
        for name in ("cpu", "memory"):
            anything = anything or name in limits or name in requests
            if name not in limits or requests.get(name, limits[name]) != limits[name]:
                guaranteed = False
    if guaranteed and anything:
        return "Guaranteed"
    return "Burstable" if anything else "BestEffort"


def _conditions(pod: Object, views: Sequence[View], phase: str, now: str, verdict: Verdict | None) -> list[Object]:
    done = phase in ("Succeeded", "Failed")
    waiting = [view.name for view in views if view.init and not view.sidecar and not view.succeeded]
    unready = [view.name for view in views if (view.sidecar or not view.init) and not view.ready]
    initialized = (True, "", "")
    if waiting:
        initialized = (False, "ContainersNotInitialized", f"containers with incomplete status: [{' '.join(waiting)}]")
    elif phase == "Succeeded":
        initialized = (True, "PodCompleted", "")
    ready = (True, "", "")
    if done:
        ready = (False, "PodCompleted" if phase == "Succeeded" else "PodFailed", "")
    elif unready:
        ready = (False, "ContainersNotReady", f"containers with unready status: [{' '.join(unready)}]")
    wanted: list[tuple[str, bool | None, str, str]] = [
        ("PodReadyToStartContainers", not done, "", ""),
        ("Initialized", *initialized),
        ("Ready", *_gated(pod, ready)),
        ("ContainersReady", *ready),
        ("PodScheduled", True, "", ""),
    ]
    if verdict and verdict.disrupted:
        wanted.append(("DisruptionTarget", True, "TerminationByKubelet", verdict.message))
    return conditions.merged((pod.get("status") or {}).get("conditions"), now, *wanted)


def _gated(pod: Object, ready: tuple[bool, str, str]) -> tuple[bool, str, str]:
    """Readiness gates: conditions that others set and that count as well."""
    for gate in pod["spec"].get("readinessGates") or ():
        if ready[0] and not conditions.is_true(pod, gate["conditionType"]):
            message = f'the status of pod readiness gate "{gate["conditionType"]}" is not "True", but False'
            return False, "ReadinessGatesNotReady", message
    return ready


def _container(view: View, pod: Object, place: Place) -> Object:
    handler = (view.state and view.state.handler) or place.handler
    identity = f"{handler}://{pod['metadata'].get('uid')}/{view.name}/{view.attempt}"
    status: Object = {
        "name": view.name,
        "image": view.spec["image"],
        "imageID": f"{handler}://{(view.state and view.state.image_id) or view.spec['image']}",
        "ready": view.ready or (view.init and not view.sidecar and view.succeeded),
        "started": view.started and view.running,
        "restartCount": view.attempt,
        "state": _state(view, identity),
        "lastState": {"terminated": _terminated(view.last, view.last_message)} if view.last else {},
    }
    if view.state is not None:
        status["containerID"] = identity
    return status


def _state(view: View, identity: str) -> Object:
    if view.state is None:
        reason, message = view.waiting
        return {"waiting": {"reason": reason, **({"message": message} if message else {})}}
    if view.state.running:
        return {"running": {"startedAt": timestamp(view.state.started_at)}}
    return {"terminated": {**_terminated(view.state, view.message), "containerID": identity}}


def _terminated(state: ContainerState, message: str) -> Object:
    result: Object = {
        "exitCode": state.exit_code,
        "reason": state.reason,
        "startedAt": timestamp(state.started_at),
        "finishedAt": timestamp(state.finished_at),
    }
    if state.signal:
        result["signal"] = state.signal
    if message or state.message:
        result["message"] = message or state.message
    return result
