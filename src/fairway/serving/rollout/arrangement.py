"""What is to run of a service's predictor, and who gets which share of its requests. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import Object
from fairway.serving.component import Component
from fairway.serving.reading import Asked
from fairway.serving.render import marks
from fairway.serving.status.ingress import Condition

STAGE = "serving.fairway.dev/stage"
"""On a Deployment: canary while it is one, stable afterwards."""
VERSION = "serving.fairway.dev/version"
"""On a Deployment: a digest of what its pods are, whatever the Deployment is called."""
ROLLED_BACK = "serving.fairway.dev/rolled-back"
"""On a Deployment of a canary: why it gets no requests any more."""
CANARY, STABLE = "canary", "stable"


@dataclass(frozen=True)
class Arrangement:
    """`asked` has the newest version as its predictor. `canaries` run beside it; `kept` Deployments stay as they are.

    `weights` are the shares by the names of Services; empty where the one version has everything.
    """

    asked: Asked
    canaries: tuple[Component, ...] = ()
    kept: tuple[str, ...] = ()
    weights: Mapping[str, int] = field(default_factory=dict)
    stages: Mapping[str, str] = field(default_factory=dict)
    beside: int = 0
    """Pods of other versions that answer."""
    status: Mapping[str, object] = field(default_factory=dict)
    """Fields of the status."""
    traffic: tuple[Object, ...] = ()
    """The predictor's traffic where it is not all at the newest version."""
    rolled_out: str = ""
    """The revision that had all of it last, where that is not the newest."""
    conditions: tuple[Condition, ...] = ()
    again: float | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    """Services by the tags that have hosts of their own."""


def version_of(component: Component) -> str:
    return marks.digest_of(component.template)


def version(deployment: Object) -> str:
    return meta.annotations(deployment).get(VERSION, "")


def available(deployment: Object | None) -> int:
    return int(((deployment or {}).get("status") or {}).get("availableReplicas") or 0)


def serves(deployment: Object | None) -> bool:
    """Whether requests to it are answered: a pod is there, or it sleeps and has shown before that it can wake."""
    if deployment is None or meta.annotations(deployment).get(ROLLED_BACK):
        return False
    return bool(available(deployment)) or deployment["spec"].get("replicas") == 0
