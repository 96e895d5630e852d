"""What the autoscaler reads of pods: who answers, where its metrics are, and why none will answer. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from fairway.kernel.objects import conditions, meta, pod_statuses
from fairway.kernel.objects.kinds import Object
from fairway.serving.scaling.stats import PORT_ANNOTATION, Place


def answering(pods: Iterable[Object]) -> list[Object]:
    return [
        pod
        for pod in pods
        if not meta.being_deleted(pod) and conditions.is_true(pod, "Ready") and (pod.get("status") or {}).get("podIP")
    ]


def place(pod: Object) -> Place:
    port = meta.annotations(pod).get(PORT_ANNOTATION, "")
    return Place(meta.uid(pod), str(pod["status"]["podIP"]), int(port) if port.isdigit() else 8080)


def broken(pods: Iterable[Object]) -> str:
    """Why the pods do not start, once one of them has failed and was tried again; empty where nothing is known."""
    for pod in pods:
        for container in pod_statuses.of_containers(pod):
            ended = (container.get("lastState") or {}).get("terminated") or {}
            if not container.get("ready") and container.get("restartCount") and ended.get("exitCode"):
                return str(ended.get("message") or f"its server ended with exit code {ended['exitCode']}").strip()
    return ""
