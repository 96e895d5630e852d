"""The annotations and labels by which KServe is steered: each is honoured, or refused by name. Pure, mostly data."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import Object
from fairway.serving.spec import defaults

STOP = "serving.kserve.io/stop"
MODE = "serving.kserve.io/deploymentMode"
VISIBILITY = "networking.kserve.io/visibility"
NO_UPDATES = "serving.kserve.io/disable-auto-update"
"""A change of the runtime does not reach a service that is ready."""
SCRAPING = "serving.kserve.io/enable-prometheus-scraping"
AGGREGATION = "serving.kserve.io/enable-metric-aggregation"
ACCELERATOR = "serving.kserve.io/gke-accelerator"

_STEERING = ("serving.kserve.io/", "autoscaling.knative.dev/", "serving.knative.dev/", "storage.kserve.io/")
_OPEN = "serving.kserve.io/"
"""A prefix in which upstream lets users have marks of their own."""
_YES_OR_NO = ("true", "false")
_ACCEPTED = {
    MODE: ("Standard", "RawDeployment", "Knative", "Serverless"),
    STOP: _YES_OR_NO,
    "serving.kserve.io/enable-tag-routing": _YES_OR_NO,
    NO_UPDATES: _YES_OR_NO,
    SCRAPING: _YES_OR_NO,
    AGGREGATION: _YES_OR_NO,
    "storage.kserve.io/readonly": _YES_OR_NO,
}
_ANY_VALUE = frozenset(
    (
        ACCELERATOR,
        "serving.kserve.io/disable-localmodel",
        "serving.kserve.io/nodegroup",
        "serving.kserve.io/storageSecretName",
        "serving.kserve.io/gpu-resource-types",
        "serving.kserve.io/metrics",
        "serving.kserve.io/targetUtilizationPercentage",
        "serving.knative.dev/rollout-duration",
        "serving.knative.dev/creator",
        "serving.knative.dev/lastModifier",
    )
)
_NO_CLAIMS = "ask for the device in resources: claims of devices are not made here"
_INSTEAD = {
    "serving.kserve.io/logger-secret-name": "name the secret of the sink in the service account",
    "serving.kserve.io/logger-secret-path": "name the secret of the sink in the service account",
    "serving.kserve.io/logger-secret-file": "name the secret of the sink in the service account",
    "serving.kserve.io/exp-dra-device-class": _NO_CLAIMS,
    "serving.kserve.io/exp-dra-cel-selector": _NO_CLAIMS,
    "serving.kserve.io/exp-dra-device-count": _NO_CLAIMS,
    "serving.kserve.io/exp-dra-container-name": _NO_CLAIMS,
    "serving.kserve.io/server-type": "remove it: the runtime says what serves",
    "serving.kserve.io/storage-initializer-uid": "remove it: there is no mesh beside the pods",
    "serving.kserve.io/enable-served-by-header": "remove it: answers do not say which pod they are of",
    "serving.kserve.io/inferencepool-migrated": "remove it: there are no inference pools here",
}
_OF_SCALING = (
    "autoscaling.knative.dev/",
    "serving.kserve.io/autoscalerClass",
    "serving.kserve.io/metrics",
    "serving.kserve.io/targetUtilizationPercentage",
)
_OF_ROLLOUT = ("serving.knative.dev/", "serving.kserve.io/enable-tag-routing", "serving.fairway.dev/rollback-on")
"""Read and checked by `scaling`; they say nothing of a pod either."""
NOT_FOR_PODS = ("kubectl.kubernetes.io/last-applied-configuration", STOP, MODE, NO_UPDATES)
"""What says something of the service and nothing of a pod: a change of it starts no pod anew."""


def of_pods(key: str) -> bool:
    """Whether an annotation of the service is to be on its pods."""
    return key not in NOT_FOR_PODS and not key.startswith((*_OF_SCALING, *_OF_ROLLOUT))


def stopped(isvc: Object) -> bool:
    return meta.annotations(isvc).get(STOP, "").lower() == "true"


def keeps_its_version(isvc: Object) -> bool:
    """Whether a ready service stays as it is while its own spec does not change."""
    return meta.annotations(isvc).get(NO_UPDATES, "").lower() == "true"


def for_pods(isvc: Object) -> dict[str, str]:
    """The service's annotations that its pods have too."""
    return {key: value for key, value in meta.annotations(isvc).items() if of_pods(key)}


def scraped(isvc: Object, of_pod: dict[str, str]) -> dict[str, str]:
    """What tells Prometheus to come, where the service asks for it. `of_pod` are the annotations that its pods have."""
    if meta.annotations(isvc).get(SCRAPING, "").lower() != "true":
        return {}
    return {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": of_pod.get("prometheus.kserve.io/port", "8080"),
        "prometheus.io/path": of_pod.get("prometheus.kserve.io/path", "/metrics"),
    }


def aggregates(isvc: Object) -> bool:
    """Whether the metrics are also to be at the port where KServe lays those of a pod's containers together."""
    return meta.annotations(isvc).get(AGGREGATION, "").lower() == "true"


def node_selector(isvc: Object) -> dict[str, str]:
    accelerator = meta.annotations(isvc).get(ACCELERATOR)
    return {"cloud.google.com/gke-accelerator": accelerator} if accelerator else {}


def cluster_local(isvc: Object) -> bool:
    """Reached from inside only."""
    return meta.labels(isvc).get(VISIBILITY) == "cluster-local"


def checked(isvc: Object) -> Iterator[str]:
    yield from _about_mode(isvc)
    for key, value in sorted(meta.annotations(isvc).items()):
        if not key.startswith(_STEERING) or key.startswith(_OF_SCALING):
            continue
        accepted = _ACCEPTED.get(key, ())
        if value not in accepted and key not in _ANY_VALUE and not _nobodys(key):
            how = f"use {' or '.join(accepted)}, or remove it" if accepted else _INSTEAD.get(key) or _meant(key)
            yield f"The annotation {key}: {value} is not supported; {how}."
    visibility = meta.labels(isvc).get(VISIBILITY)
    if visibility not in (None, "", "cluster-local"):
        yield f"The label {VISIBILITY}: {visibility} is not known; use cluster-local, or remove it."


def _nobodys(key: str) -> bool:
    """Whether it says nothing to KServe either, and is not written almost like what does: a mark of the user's own."""
    return key.startswith(_OPEN) and key not in _ACCEPTED and key not in _INSTEAD and not _like(key)


def _like(key: str) -> str:
    """What KServe knows and is written almost so."""
    known = {one.removeprefix(_OPEN).lower(): one for one in (*_ACCEPTED, *_ANY_VALUE, *_OF_SCALING)}
    close = difflib.get_close_matches(key.removeprefix(_OPEN).lower(), sorted(known), 1, cutoff=0.8)
    return known[close[0]] if close else ""


def _meant(key: str) -> str:
    like = _like(key)
    return f"did you mean {like}? Correct or remove it" if like else "remove it"


def _about_mode(isvc: Object) -> Iterator[str]:
    recorded, asked = defaults.recorded_mode(isvc), defaults.asked_mode(isvc)
    if recorded and asked and recorded != asked:
        yield f"The annotation {MODE} cannot change from {recorded} to {asked}; set it back, or make the service anew."
