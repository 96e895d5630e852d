"""What an InferenceService says of itself. Pure.

The words are KServe's. Ready means that a model answers: some pod of every component passed its readiness, and the
gateway took the routes and knows of pods to send requests to. It stays true while a new version loads or fails to;
LatestDeploymentReady and modelStatus tell of that one, and never call a version up to date that is not the one of
observedGeneration.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from fairway.kernel.objects import conditions, meta
from fairway.kernel.objects.kinds import Object
from fairway.serving.component import PREDICTOR, ROLES
from fairway.serving.reading import Asked
from fairway.serving.render import place
from fairway.serving.render.children import Children
from fairway.serving.render.place import Place
from fairway.serving.runtimes import selection
from fairway.serving.spec import defaults
from fairway.serving.spec.refusals import NotSupported
from fairway.serving.status import failures, ingress, parts, seen
from fairway.serving.status.failures import Failure
from fairway.serving.status.ingress import Condition
from fairway.serving.status.seen import Progress, Seen


def of_running(
    isvc: Object,
    asked: Asked,
    wanted: Children,
    there: Seen,
    at: Place,
    now: str,
    *,
    beside: int = 0,
    more: Iterable[Condition] = (),
) -> Object:
    """`wanted` is what was rendered; `beside` are pods of other versions of the predictor that answer."""
    rendered = {meta.name(one): one for one in wanted.deployments}
    steps = {one.role: seen.progress(rendered[one.name], there) for one in asked.components}
    steps[PREDICTOR] = replace(steps[PREDICTOR], beside=beside)
    answers = [parts.ready(role, step) for role, step in steps.items()]
    predictor = steps[PREDICTOR]
    carried = _ingress(wanted, there, answers[1:], was_ready=conditions.is_true(isvc, "IngressReady"))
    judged = [carried, *answers, parts.latest_ready(predictor), ("Stopped", False, "", ""), *more]
    if asked.mode == "Knative":
        judged += [one for role, step in steps.items() for one in parts.as_knative(role, step)]
        judged.append(("RoutesReady", *answers[0][1:]))
    status = _frame(isvc, now, *judged, _ready(answers[0], carried))
    pods = seen.pods_of(there, rendered[asked.predictor.name])
    status["modelStatus"] = _model_status(predictor, pods)
    status.update(_addresses(isvc, asked, at))
    status["components"] = {
        one.role: parts.revisions(isvc, one, there.deployments.get(one.name), steps[one.role], at)
        for one in asked.components
    }
    status["deploymentMode"] = asked.mode
    if asked.runtime:
        field = "servingRuntimeName" if selection.is_namespaced(asked.runtime) else "clusterServingRuntimeName"
        status[field] = meta.name(asked.runtime)
    return status


def of_refused(isvc: Object, refusal: NotSupported, there: Seen, now: str) -> Object:
    """What runs is left as it is; the condition says what must change before the new spec can be served."""
    old = isvc.get("status") or {}
    running = there.deployments.get(f"{meta.name(isvc)}-{PREDICTOR}")
    available, _ = seen.counted(None, running)
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
    spec = isvc.get("spec") or {}
    there = [f"{role.capitalize()}Ready" for role in ROLES if spec.get(role)]
    off: list[Condition] = [(type_, False, "Stopped", text) for type_ in ("IngressReady", *there, "Ready")]
    if spec.get("canary"):
        off.append(("CanaryPredictorReady", False, "Stopped", text))
    mode = {"deploymentMode": defaults.mode(isvc)}
    return {**_frame(isvc, now, ("Stopped", True, "Stopped", text), *off), **mode}


def up_to_date(status: Mapping[str, object], *, of: Object | None = None) -> bool:
    """Whether it says that the newest version serves, and that version is the one `of` this object where given."""
    newest = of is None or status.get("observedGeneration") == of["metadata"].get("generation")
    model = status.get("modelStatus")
    return newest and isinstance(model, dict) and model.get("transitionStatus") == "UpToDate"


def _frame(isvc: Object, now: str, *judged: Condition) -> Object:
    """The part of every status; conditions that are not judged any more go."""
    types = {condition[0] for condition in judged}
    old = [one for one in (isvc.get("status") or {}).get("conditions") or () if one["type"] in types]
    return {
        "observedGeneration": isvc["metadata"].get("generation", 0),
        "conditions": conditions.merged(old, now, *judged),
    }


def _addresses(isvc: Object, asked: Asked, at: Place) -> Object:
    if asked.cluster_local:
        front = (asked.transformer or asked.predictor).name
        url = f"http://{place.inside(front, isvc)}"
        return {"url": url, "address": {"url": url}}
    return {
        "url": f"http://{place.hosts(isvc, at)[0]}",
        "address": {"url": f"{at.public_url}{place.path_prefix(isvc)}"},
    }


def _ingress(wanted: Children, there: Seen, others: Iterable[Condition], *, was_ready: bool) -> Condition:
    """A transformer or explainer that does not answer holds the way in back, as upstream has it."""
    for type_, status, reason, message in others:
        if status is not True:
            return "IngressReady", status, f"{type_.removesuffix('Ready')}NotReady", message or reason
    found = ingress.judged(wanted.routes, there.routes)
    if found[2] == ingress.WAITING and was_ready and ingress.carried_before(wanted.routes, there.routes):
        return "IngressReady", True, "", ""  # requests go where they went until the gateway has the change
    return found


def _ready(*parts: Condition) -> Condition:
    """The first that is false, else the first that is unknown, else true."""
    for bad in (False, None):
        for _, status, reason, message in parts:
            if status is bad:
                return "Ready", bad, reason, message
    return "Ready", True, "", ""


def _active(step: Progress) -> str:
    return "Loaded" if step.available else "Standby" if step.asleep else ""


def _model_status(step: Progress, pods: Iterable[Object]) -> Object:
    waiting = "Loading" if step.loading else "Pending"
    target = "Loaded" if step.rolled_out else "FailedToLoad" if step.failure else waiting
    transition = "UpToDate" if step.rolled_out else "BlockedByFailedLoad" if step.failure else "InProgress"
    failed = sum(failures.of_pod(pod) is not None for pod in pods)
    status: Object = {
        "transitionStatus": transition,
        "states": {"activeModelState": _active(step), "targetModelState": target},
        "copies": {"totalCopies": step.available, "failedCopies": failed},
    }
    if step.failure:
        status["lastFailureInfo"] = step.failure.wire()
    return status
