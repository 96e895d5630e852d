"""What a service says of each of its components: its condition, its revisions, its addresses. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import Object
from fairway.serving.component import PREDICTOR, Component
from fairway.serving.render import marks, place
from fairway.serving.render.place import Place
from fairway.serving.status.ingress import Condition
from fairway.serving.status.seen import Progress

_REVISION = "deployment.kubernetes.io/revision"


def ready(role: str, progress: Progress) -> Condition:
    type_ = f"{role.capitalize()}Ready"
    if progress.available or progress.asleep or progress.beside:
        return type_, True, "", ""
    if progress.failure:
        return type_, False, progress.failure.reason, progress.failure.message
    if progress.waiting:
        return type_, None, "Unschedulable", f"The pod waits for a node: {progress.waiting}"
    if role == PREDICTOR:
        return type_, None, "Loading", "The model server has not answered yet."
    return type_, None, "Starting", f"The {role} has not answered yet."


def as_knative(role: str, progress: Progress) -> Iterator[Condition]:
    """What Knative says of a service: whether its newest version can run, and whether requests reach some version."""
    name = role.capitalize()
    yield (f"{name}ConfigurationReady", *latest_ready(progress)[1:])
    yield (f"{name}RouteReady", *ready(role, progress)[1:])


def latest_ready(progress: Progress) -> Condition:
    """Of the newest version of the predictor."""
    if progress.rolled_out:
        return "LatestDeploymentReady", True, "", ""
    if progress.failure:
        return "LatestDeploymentReady", False, progress.failure.reason, progress.failure.message
    held = f"The pod waits for a node: {progress.waiting}" if progress.waiting else ""
    return "LatestDeploymentReady", None, "RollingOut", held or "The newest version is being rolled out."


def revisions(isvc: Object, component: Component, deployment: Object | None, progress: Progress, at: Place) -> Object:
    """Numbered as Knative numbers them, from the Deployment's own revision."""
    old = ((isvc.get("status") or {}).get("components") or {}).get(component.role) or {}
    result: dict[str, Any] = {**_addresses(isvc, component, at)}
    created = marks.revision(deployment) if deployment and meta.annotations(deployment).get(_REVISION) else ""
    result["latestCreatedRevision"] = created
    serving = created if progress.rolled_out else old.get("latestReadyRevision", "")
    previous = old.get("latestRolledoutRevision", "")
    if previous and previous != serving:
        result["previousRolledoutRevision"] = previous
    elif old.get("previousRolledoutRevision"):
        result["previousRolledoutRevision"] = old["previousRolledoutRevision"]
    if serving:
        result["latestReadyRevision"] = result["latestRolledoutRevision"] = serving
        result["traffic"] = [{"latestRevision": True, "percent": 100, "revisionName": serving}]
    return result


def _addresses(isvc: Object, component: Component, at: Place) -> Object:
    host = place.hosts(isvc, at, component.name)[0]
    result: Object = {"url": f"http://{host}"}
    if component.ports.http:
        result["restUrl"] = f"http://{host}"
    if component.ports.grpc:
        result["grpcUrl"] = f"grpc://{host}"
    return {**result, "address": {"url": f"http://{place.inside(component.name, isvc)}"}}
