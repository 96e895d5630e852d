"""What was seen of a service's children, and how far each component has come. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import Object
from fairway.serving.render import marks
from fairway.serving.status import failures
from fairway.serving.status.failures import Failure


@dataclass(frozen=True)
class Seen:
    """The children as they are: Deployments by name, and all pods that carry the service's label."""

    deployments: Mapping[str, Object] = field(default_factory=dict)
    routes: tuple[Object, ...] = ()
    pods: tuple[Object, ...] = ()


@dataclass(frozen=True)
class Progress:
    """How far one component's Deployment is from what was rendered. `loading`: some pod of the newest version runs."""

    available: int = 0
    rolled_out: bool = False
    failure: Failure | None = None
    waiting: str = ""
    loading: bool = False
    beside: int = 0
    """Pods of other versions that answer."""
    asleep: bool = False
    """It has no pod because nobody asks for one, and wakes when somebody does."""


def progress(wanted: Object, seen: Seen) -> Progress:
    """`wanted` is the Deployment as rendered."""
    available, rolled_out = counted(wanted, seen.deployments.get(meta.name(wanted)))
    if rolled_out:
        return Progress(available, rolled_out=True, asleep=not available)
    newest = [pod for pod in seen.pods if marks.digest(pod) == marks.digest(wanted) and _is_of(pod, wanted)]
    loading = any((pod.get("status") or {}).get("phase") == "Running" for pod in newest)
    return Progress(available, False, failures.first(newest), failures.waiting(newest), loading)


def counted(wanted: Object | None, deployment: Object | None) -> tuple[int, bool]:
    """How many pods answer, and whether all of them are of the wanted version and no other is left."""
    if deployment is None:
        return 0, False
    status = deployment.get("status") or {}
    available = int(status.get("availableReplicas") or 0)
    if wanted is None or marks.digest(deployment) != marks.digest(wanted):
        return available, False
    replicas = (deployment.get("spec") or wanted["spec"]).get("replicas", 1)
    fresh = int(status.get("observedGeneration") or 0) >= int(deployment["metadata"].get("generation") or 0)
    counts = [int(status.get(name) or 0) for name in ("replicas", "updatedReplicas", "availableReplicas")]
    return available, fresh and all(count == replicas for count in counts)


def pods_of(seen: Seen, deployment: Object) -> list[Object]:
    """Of all versions."""
    return [pod for pod in seen.pods if _is_of(pod, deployment)]


def _is_of(pod: Object, deployment: Object) -> bool:
    selector = deployment["spec"]["selector"]["matchLabels"]
    labels = meta.labels(pod)
    return all(labels.get(key) == value for key, value in selector.items())
