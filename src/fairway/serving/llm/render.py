"""What serves a language model: an InferenceService of the Hugging Face runtime, and a route at KServe's path. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fairway.kernel.objects import conditions, meta
from fairway.kernel.objects.kinds import HTTP_ROUTE, Object
from fairway.serving.kinds import INFERENCE_SERVICE
from fairway.serving.llm.reading import Language
from fairway.serving.render.place import Place
from fairway.serving.render.routes import GATEWAY
from fairway.serving.spec.refusals import NotSupported
from fairway.serving.status import ingress
from fairway.serving.status.ingress import Condition

OPENAI = "/openai"
"""Where the server has OpenAI's paths; the route takes this off its own."""


@dataclass(frozen=True)
class Seen:
    """The children as they are."""

    service: Object | None = None
    route: Object | None = None


def service_name(llm: Object) -> str:
    return f"{meta.name(llm)}-kserve"


def path(llm: Object) -> str:
    return f"/{meta.namespace(llm)}/{meta.name(llm)}"


def service(llm: Object, asked: Language) -> Object:
    model: Object = {
        "modelFormat": {"name": "huggingface"},
        "storageUri": asked.uri,
        "args": [f"--model_name={asked.name}"],
        "env": list(asked.env),
        "resources": dict(asked.resources or {}),
    }
    predictor: Object = {
        **(asked.pod or {}),
        "minReplicas": asked.replicas,
        "maxReplicas": asked.replicas,
        "labels": dict(asked.labels or {}),
        "annotations": dict(asked.annotations or {}),
        "model": {key: value for key, value in model.items() if value},
    }
    spec = {"predictor": {key: value for key, value in predictor.items() if value not in ({}, [], None)}}
    obj = INFERENCE_SERVICE.new(service_name(llm), meta.namespace(llm), spec=spec)
    return {**obj, "metadata": {**obj["metadata"], "labels": _labels(llm)}}


def route(llm: Object) -> Object:
    """At /{namespace}/{name}/v1/..., as upstream has it."""
    rewrite = {
        "type": "URLRewrite",
        "urlRewrite": {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": OPENAI}},
    }
    backend = {"group": "", "kind": "Service", "name": f"{service_name(llm)}-predictor", "port": 80, "weight": 1}
    rule = {
        "matches": [{"path": {"type": "PathPrefix", "value": path(llm)}}],
        "filters": [rewrite],
        "backendRefs": [backend],
    }
    spec = {"parentRefs": [{"group": "gateway.networking.k8s.io", "kind": "Gateway", **GATEWAY}], "rules": [rule]}
    obj = HTTP_ROUTE.new(f"{meta.name(llm)}-kserve-route", meta.namespace(llm), spec=spec)
    return {**obj, "metadata": {**obj["metadata"], "labels": _labels(llm)}}


def status(llm: Object, asked: Language, seen: Seen, place: Place, now: str) -> Object:
    main = _main(seen.service)
    carried = _carried(seen.route)
    combined: Condition = ("PresetsCombined", True, "", _stands_in(asked))
    judged = [combined, ("MainWorkloadReady", *main), ("WorkloadsReady", *main), ("HTTPRoutesReady", *carried)]
    judged.append(("RouterReady", *carried))
    judged.append(("Ready", *_first_bad([main, carried])))
    url = f"{place.public_url}{path(llm)}"
    return {**_frame(llm, now, judged), "url": url, "address": {"url": url}, "addresses": [{"url": url}]}


def refused(llm: Object, refusal: NotSupported, now: str) -> Object:
    judged: list[Condition] = [
        ("PresetsCombined", False, refusal.reason, str(refusal)),
        ("Ready", False, refusal.reason, str(refusal)),
    ]
    return _frame(llm, now, judged)


Outcome = tuple["bool | None", str, str]


def _main(service: Object | None) -> Outcome:
    said = conditions.find(service or {}, "PredictorReady")
    if said is None:
        return None, "Starting", "The server has not been started yet."
    state = {"True": True, "False": False}.get(str(said.get("status")))
    return state, str(said.get("reason") or ""), str(said.get("message") or "")


def _carried(route: Object | None) -> Outcome:
    if route is None:
        return None, "WaitingForGateway", "The route is not made yet."
    _, state, reason, message = ingress.judged([route], [route])
    return state, reason, message


def _stands_in(asked: Language) -> str:
    return f"Fairway's own server stands in for the image {asked.replaced}." if asked.replaced else ""


def _first_bad(outcomes: Sequence[Outcome]) -> Outcome:
    for bad in (False, None):
        for outcome in outcomes:
            if outcome[0] is bad:
                return outcome
    return True, "", ""


def _frame(llm: Object, now: str, judged: Sequence[Condition]) -> Object:
    types = {one[0] for one in judged}
    old = [one for one in (llm.get("status") or {}).get("conditions") or () if one["type"] in types]
    return {
        "observedGeneration": llm["metadata"].get("generation", 0),
        "conditions": conditions.merged(old, now, *judged),
    }


def _labels(llm: Object) -> dict[str, str]:
    return {
        "app.kubernetes.io/name": meta.name(llm)[:63],
        "app.kubernetes.io/part-of": "llminferenceservice",
    }
