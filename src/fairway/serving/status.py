"""What an InferenceService says of itself, from what was seen of its children. Pure.

The words are KServe's. Ready means that a model answers: some pod passed its readiness, and the gateway took the
routes. It stays true while a new version loads or fails to; LatestDeploymentReady and modelStatus tell of that one,
and never call a version up to date that is not the one of observedGeneration.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from fairway.kernel.objects import conditions, meta
from fairway.kernel.objects.kinds import Object
from fairway.serving import render
from fairway.serving.render import Children, Place
from fairway.serving.spec import NotSupported, Predictor

Condition = tuple[str, "bool | None", str, str]
"""Type, status (None is unknown), reason, message."""

_JUST_STARTING = ("ContainerCreating", "PodInitializing", "CrashLoopBackOff")
_REVISION = "deployment.kubernetes.io/revision"


@dataclass(frozen=True)
class Seen:
    """The children as they are; `pods` are all that carry the service's label."""

    deployment: Object | None = None
    routes: tuple[Object, ...] = ()
    pods: tuple[Object, ...] = ()


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a pod of the newest version does not serve."""

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


def of_running(isvc: Object, predictor: Predictor, wanted: Children, seen: Seen, place: Place, now: str) -> Object:
    """`wanted` is what was rendered."""
    (deployment,) = wanted.deployments
    available, rolled_out = _progress(deployment, seen.deployment)
    newest = [pod for pod in seen.pods if render.digest(pod) == render.digest(deployment)]
    failure = None if rolled_out else next(filter(None, map(_failure, newest)), None)
    waiting = "" if rolled_out else next(filter(None, map(_waiting, newest)), "")
    predictor_ready = _predictor_ready(available, failure, waiting)
    ingress_ready = _ingress_ready(wanted.routes, seen.routes)
    judged = [ingress_ready, predictor_ready, _latest_ready(rolled_out, failure, waiting)]
    if predictor.most_replicas > predictor.replicas:
        text = f"Runs minReplicas ({predictor.replicas}) and does not scale up; set minReplicas to run more."
        judged.append(("AutoscalerReady", False, "NotSupported", text))
    status = _frame(isvc, now, *judged, _ready(predictor_ready, ingress_ready))
    loading = any((pod.get("status") or {}).get("phase") == "Running" for pod in newest)
    status["modelStatus"] = _model_status(available, rolled_out, failure, loading=loading, pods=seen.pods)
    status["url"] = f"http://{render.hosts(isvc, place)[0]}"
    status["address"] = {"url": f"{place.public_url}{render.path_prefix(isvc)}"}
    status["components"] = {"predictor": _component(isvc, seen.deployment, status, rolled_out=rolled_out)}
    status["deploymentMode"] = "Standard"
    status["clusterServingRuntimeName"] = predictor.runtime.name
    return status


def of_refused(isvc: Object, refusal: NotSupported, seen: Seen, now: str) -> Object:
    """What runs is left as it is; the condition says what must change before the new spec can be served."""
    old = isvc.get("status") or {}
    available, _ = _progress({}, seen.deployment)
    text = f"{refusal} Until then the last version goes on serving." if available else str(refusal)
    judged: Condition = ("PredictorReady", False, refusal.reason, text)
    latest: Condition = ("LatestDeploymentReady", False, refusal.reason, str(refusal))
    kept = [one for one in old.get("conditions") or () if one["type"] != "Stopped"]
    status = {
        **old,
        "observedGeneration": isvc["metadata"].get("generation", 0),
        "conditions": conditions.merged(kept, now, judged, latest, ("Ready", False, refusal.reason, text)),
    }
    states = {"activeModelState": "Loaded" if available else "", "targetModelState": "FailedToLoad"}
    info = Failure(refusal.reason, str(refusal)).wire()
    status["modelStatus"] = {"transitionStatus": "InvalidSpec", "states": states, "lastFailureInfo": info}
    return status


def of_stopped(isvc: Object, now: str) -> Object:
    text = "Stopped by its annotation; remove serving.kserve.io/stop to start it."
    off: list[Condition] = [(type_, False, "Stopped", text) for type_ in ("IngressReady", "PredictorReady", "Ready")]
    return {**_frame(isvc, now, ("Stopped", True, "Stopped", text), *off), "deploymentMode": "Standard"}


def up_to_date(status: Object, *, of: Object | None = None) -> bool:
    """Whether it says that the newest version serves, and that version is the one `of` this object where given."""
    newest = of is None or status.get("observedGeneration") == of["metadata"].get("generation")
    return newest and (status.get("modelStatus") or {}).get("transitionStatus") == "UpToDate"


def _frame(isvc: Object, now: str, *judged: Condition) -> Object:
    """The part of every status; conditions that are not judged any more go."""
    types = {condition[0] for condition in judged}
    old = [one for one in (isvc.get("status") or {}).get("conditions") or () if one["type"] in types]
    return {
        "observedGeneration": isvc["metadata"].get("generation", 0),
        "conditions": conditions.merged(old, now, *judged),
    }


def _progress(wanted: Object, deployment: Object | None) -> tuple[int, bool]:
    """How many pods answer, and whether all of them are of the wanted version and no other is left."""
    if deployment is None:
        return 0, False
    status = deployment.get("status") or {}
    available = int(status.get("availableReplicas") or 0)
    if not wanted or render.digest(deployment) != render.digest(wanted):
        return available, False
    replicas = wanted["spec"]["replicas"]
    seen = int(status.get("observedGeneration") or 0) >= int(deployment["metadata"].get("generation") or 0)
    counts = [int(status.get(field) or 0) for field in ("replicas", "updatedReplicas", "availableReplicas")]
    return available, seen and all(count == replicas for count in counts)


def _failure(pod: Object) -> Failure | None:
    """Read from the pod's own words: the server wrote why it ended into the termination message."""
    container = _container_status(pod)
    if container.get("ready"):
        return None
    state, last = container.get("state") or {}, container.get("lastState") or {}
    ended = state.get("terminated") or last.get("terminated") or {}
    code = ended.get("exitCode", 0)
    if code:
        text = (ended.get("message") or "").strip() or f"The model server ended with exit code {code}; see its log."
        reason = "ModelLoadFailed" if code == 1 else "RuntimeUnhealthy"
        return Failure(reason, text, meta.name(pod), code, ended.get("finishedAt") or "")
    waiting = state.get("waiting") or {}
    if waiting.get("reason") and waiting["reason"] not in _JUST_STARTING:
        text = f"{waiting['reason']}: {waiting.get('message') or 'the pod cannot start'}"
        return Failure("RuntimeUnhealthy", text, meta.name(pod))
    return None


def _waiting(pod: Object) -> str:
    """Why a pod has no node yet, in the scheduler's words."""
    scheduled = conditions.find(pod, "PodScheduled")
    if scheduled and scheduled.get("status") == "False":
        return str(scheduled.get("message") or scheduled.get("reason") or "")
    return ""


def _container_status(pod: Object) -> Object:
    for container in (pod.get("status") or {}).get("containerStatuses") or ():
        if container.get("name") == render.CONTAINER:
            return dict(container)
    return {}


def _predictor_ready(available: int, failure: Failure | None, waiting: str) -> Condition:
    if available:
        return "PredictorReady", True, "", ""
    if failure:
        return "PredictorReady", False, failure.reason, failure.message
    if waiting:
        return "PredictorReady", None, "Unschedulable", f"The pod waits for a node: {waiting}"
    return "PredictorReady", None, "Loading", "The model server has not answered yet."


def _latest_ready(rolled_out: bool, failure: Failure | None, waiting: str) -> Condition:
    if rolled_out:
        return "LatestDeploymentReady", True, "", ""
    if failure:
        return "LatestDeploymentReady", False, failure.reason, failure.message
    text = f"The pod waits for a node: {waiting}" if waiting else "The newest version is being rolled out."
    return "LatestDeploymentReady", None, "RollingOut", text


def _ingress_ready(wanted: Iterable[Object], seen: Iterable[Object]) -> Condition:
    """True once every route is there as rendered, and was accepted by its gateway at its present generation."""
    there = {(meta.name(route), render.digest(route)): route for route in seen}
    waits = False
    for rendered in wanted:
        route = there.get((meta.name(rendered), render.digest(rendered)))
        judged = _judged_by_gateways(route) if route else []
        for one in judged:
            if one.get("type") in ("Accepted", "ResolvedRefs") and one.get("status") == "False":
                text = f"HTTPRoute {meta.name(rendered)}: {one.get('message') or 'not accepted by the gateway'}"
                return "IngressReady", False, str(one.get("reason") or "RouteRefused"), text
        waits = waits or not any(one.get("type") == "Accepted" and one.get("status") == "True" for one in judged)
    if waits:
        return "IngressReady", None, "WaitingForGateway", "No gateway has taken the routes yet."
    return "IngressReady", True, "", ""


def _judged_by_gateways(route: Object) -> list[Object]:
    parents = (route.get("status") or {}).get("parents") or ()
    return [one for parent in parents for one in parent.get("conditions") or () if _is_fresh(one, route)]


def _is_fresh(condition: Object, obj: Object) -> bool:
    observed = condition.get("observedGeneration")
    return observed is None or int(observed) >= int(obj["metadata"].get("generation") or 0)


def _ready(*parts: Condition) -> Condition:
    """The first that is false, else the first that is unknown, else true."""
    for bad in (False, None):
        for _, status, reason, message in parts:
            if status is bad:
                return "Ready", bad, reason, message
    return "Ready", True, "", ""


def _model_status(
    available: int, rolled_out: bool, failure: Failure | None, *, loading: bool, pods: Iterable[Object]
) -> Object:
    target = "Loaded" if rolled_out else "FailedToLoad" if failure else "Loading" if loading else "Pending"
    transition = "UpToDate" if rolled_out else "BlockedByFailedLoad" if failure else "InProgress"
    status: Object = {
        "transitionStatus": transition,
        "states": {"activeModelState": "Loaded" if available else "", "targetModelState": target},
        "copies": {"totalCopies": available, "failedCopies": sum(_failure(pod) is not None for pod in pods)},
    }
    if failure:
        status["lastFailureInfo"] = failure.wire()
    return status


def _component(isvc: Object, deployment: Object | None, status: Object, *, rolled_out: bool) -> Object:
    """Revisions are numbered as Knative numbers them, from the Deployment's own revision."""
    old = ((isvc.get("status") or {}).get("components") or {}).get("predictor") or {}
    component: dict[str, Any] = {"url": status["url"], "restUrl": status["url"], "address": status["address"]}
    number = meta.annotations(deployment).get(_REVISION) if deployment else None
    created = f"{render.workload_name(isvc)}-{int(number):05d}" if number else ""
    component["latestCreatedRevision"] = created
    serving = created if rolled_out else old.get("latestReadyRevision", "")
    previous = old.get("latestRolledoutRevision", "")
    if previous and previous != serving:
        component["previousRolledoutRevision"] = previous
    elif old.get("previousRolledoutRevision"):
        component["previousRolledoutRevision"] = old["previousRolledoutRevision"]
    if serving:
        component["latestReadyRevision"] = component["latestRolledoutRevision"] = serving
        component["traffic"] = [{"latestRevision": True, "percent": 100, "revisionName": serving}]
    return component
