"""The annotations and labels by which KServe is steered: each is honoured, or refused by name. Pure, mostly data."""

from __future__ import annotations

from collections.abc import Iterator

from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import Object

STOP = "serving.kserve.io/stop"
MODE = "serving.kserve.io/deploymentMode"
VISIBILITY = "networking.kserve.io/visibility"

_STEERING = ("serving.kserve.io/", "autoscaling.knative.dev/", "serving.knative.dev/", "storage.kserve.io/")
_ACCEPTED = {
    MODE: ("Standard", "RawDeployment"),
    "serving.kserve.io/autoscalerClass": ("none", "hpa"),
    STOP: ("true", "false"),
    "serving.kserve.io/enable-prometheus-scraping": ("true", "false"),
}
NOT_FOR_PODS = ("kubectl.kubernetes.io/last-applied-configuration", STOP, MODE)
"""What says something of the service and nothing of a pod: a change of it starts no pod anew."""


def stopped(isvc: Object) -> bool:
    return meta.annotations(isvc).get(STOP, "").lower() == "true"


def cluster_local(isvc: Object) -> bool:
    """Reached from inside only."""
    return meta.labels(isvc).get(VISIBILITY) == "cluster-local"


def checked(isvc: Object) -> Iterator[str]:
    for key, value in sorted(meta.annotations(isvc).items()):
        if not key.startswith(_STEERING):
            continue
        accepted = _ACCEPTED.get(key, ())
        if value not in accepted:
            how = f"use {' or '.join(accepted)}, or remove it" if accepted else "remove it"
            yield f"The annotation {key}: {value} is not supported; {how}."
    visibility = meta.labels(isvc).get(VISIBILITY)
    if visibility not in (None, "", "cluster-local"):
        yield f"The label {VISIBILITY}: {visibility} is not known; use cluster-local, or remove it."
