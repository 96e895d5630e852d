"""The columns of pods. STATUS is computed from everything that a pod reports, as upstream's printPod does it:
users judge a system by this word, and the ML SDKs' documents quote it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fairway.cluster.api.printing import durations
from fairway.cluster.api.printing.columns import AGE, NAME, NONE, WIDE, Column, at, value
from fairway.kernel.objects import conditions
from fairway.kernel.objects.kinds import Object


@dataclass
class _Summary:
    """What is found while the containers are read."""

    reason: str
    ready: int = 0
    restarts: int = 0
    last_restart: str = ""

    def add_restarts(self, status: Object) -> None:
        self.restarts += int(status.get("restartCount") or 0)
        finished = value(status, "lastState.terminated.finishedAt") or ""
        self.last_restart = max(self.last_restart, finished)  # RFC 3339 in UTC: the order of texts is that of times


def _summary(pod: Object) -> _Summary:
    phase = str(value(pod, "status.phase") or "")
    result = _Summary(str(value(pod, "status.reason") or phase))
    scheduled = conditions.find(pod, "PodScheduled")
    if scheduled and scheduled.get("reason") == "SchedulingGated":
        result.reason = "SchedulingGated"
    initializing, sidecars = _read_init_containers(pod, result)
    if not initializing or conditions.is_true(pod, "Initialized"):
        # From here on only the restarts of what still runs are told.
        result.restarts, result.last_restart = sidecars.restarts, sidecars.last_restart
        _read_containers(pod, result)
    if value(pod, "metadata.deletionTimestamp"):
        if value(pod, "status.reason") == "NodeLost":
            result.reason = "Unknown"
        elif phase not in ("Succeeded", "Failed"):
            result.reason = "Terminating"
    return result


def _read_init_containers(pod: Object, result: _Summary) -> tuple[bool, _Summary]:
    """Whether the pod is still initializing, and the restarts of its sidecars."""
    specs: Mapping[str, Object] = {each["name"]: each for each in value(pod, "spec.initContainers") or ()}
    sidecars = _Summary("")
    for index, status in enumerate(value(pod, "status.initContainerStatuses") or ()):
        result.add_restarts(status)
        sidecar = (specs.get(status.get("name")) or {}).get("restartPolicy") == "Always"
        if sidecar:
            sidecars.add_restarts(status)
        terminated, waiting = value(status, "state.terminated"), value(status, "state.waiting.reason")
        if terminated is not None and not terminated.get("exitCode"):
            continue
        if sidecar and status.get("started"):
            result.ready += bool(status.get("ready"))
            continue
        if terminated is not None:
            result.reason = "Init:" + _ending(terminated)
        elif waiting and waiting != "PodInitializing":
            result.reason = f"Init:{waiting}"
        else:
            result.reason = f"Init:{index}/{len(specs)}"
        return True, sidecars
    return False, sidecars


def _read_containers(pod: Object, result: _Summary) -> None:
    running = False
    # Backwards: the word of the first container that has one is what counts.
    for status in reversed(value(pod, "status.containerStatuses") or ()):
        result.add_restarts(status)
        waiting, terminated = value(status, "state.waiting.reason"), value(status, "state.terminated")
        if waiting:
            result.reason = waiting
        elif terminated is not None:
            result.reason = _ending(terminated)
        elif status.get("ready") and value(status, "state.running") is not None:
            running = True
            result.ready += 1
    if result.reason == "Completed" and running:
        result.reason = "Running" if conditions.is_true(pod, "Ready") else "NotReady"


def _ending(terminated: Object) -> str:
    if terminated.get("reason"):
        return str(terminated["reason"])
    if terminated.get("signal"):
        return f"Signal:{terminated['signal']}"
    return f"ExitCode:{terminated.get('exitCode', 0)}"


def _ready(pod: Object, now: float) -> str:
    sidecars = sum(each.get("restartPolicy") == "Always" for each in value(pod, "spec.initContainers") or ())
    return f"{_summary(pod).ready}/{len(value(pod, 'spec.containers') or ()) + sidecars}"


def _restarts(pod: Object, now: float) -> str:
    summary = _summary(pod)
    if summary.restarts and summary.last_restart:
        return f"{summary.restarts} ({durations.since(summary.last_restart, now)} ago)"
    return str(summary.restarts)


def _readiness_gates(pod: Object, now: float) -> str:
    gates = [gate["conditionType"] for gate in value(pod, "spec.readinessGates") or ()]
    return f"{sum(conditions.is_true(pod, gate) for gate in gates)}/{len(gates)}" if gates else NONE


COLUMNS = (
    NAME,
    Column("Ready", _ready),
    Column("Status", lambda pod, now: _summary(pod).reason),
    Column("Restarts", _restarts),
    AGE,
    Column("IP", at("status.podIP", default=NONE), priority=WIDE),
    Column("Node", at("spec.nodeName", default=NONE), priority=WIDE),
    Column("Nominated Node", at("status.nominatedNodeName", default=NONE), priority=WIDE),
    Column("Readiness Gates", _readiness_gates, priority=WIDE),
)
