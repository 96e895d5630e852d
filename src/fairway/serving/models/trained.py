"""What a server of many models is to have, and what each TrainedModel says of itself. Pure.

A model is ready when every pod of its server has loaded it; the pods' pullers say so in the model's status.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from fairway.kernel.objects import conditions, meta, quantities
from fairway.kernel.objects.errors import BadRequest
from fairway.kernel.objects.kinds import CONFIG_MAP, Object
from fairway.serving.models.kinds import CONFIG_FILE, CONFIG_LABEL, config_name
from fairway.serving.pods import models
from fairway.serving.spec import defaults
from fairway.serving.storage import uris

Condition = tuple[str, "bool | None", str, str]

PODS = "pods"
"""In a model's status: by pod, whether it was loaded there, and why not."""


@dataclass(frozen=True)
class Around:
    """What decides about one model: its service, all models of that service in the order of their age, and the names
    of the service's pods: those that answer, and those that are `coming`. `mirrors` are those of the platform."""

    service: Object | None
    siblings: Sequence[Object] = ()
    pods: frozenset[str] = frozenset()
    coming: frozenset[str] = frozenset()
    mirrors: tuple[str, ...] = ()


def config(namespace: str, service: str, wanted: Iterable[Object]) -> Object:
    """The ConfigMap that the pullers follow."""
    listed = [
        {"modelName": meta.name(one), "modelSpec": dict(one["spec"]["model"])} for one in sorted(wanted, key=meta.name)
    ]
    obj = CONFIG_MAP.new(config_name(service), namespace, data={CONFIG_FILE: json.dumps(listed, sort_keys=True)})
    return {**obj, "metadata": {**obj["metadata"], "labels": {CONFIG_LABEL: service}}}


def admitted(service: Object, siblings: Sequence[Object], mirrors: Iterable[str]) -> list[Object]:
    """Those that the server is to load: the oldest that fit into its memory, without mistakes."""
    if not _serves_many(service):
        return []
    limit, taken, result = _memory_limit(service), Decimal(0), []
    for one in siblings:
        amount = _memory(one)
        if amount is None or list(_mistakes(one, mirrors)) or (limit is not None and taken + amount > limit):
            continue
        taken += amount
        result.append(one)
    return result


def status(model: Object, around: Around, now: str) -> Object:
    old = model.get("status") or {}
    # A pod says what it has loaded before it answers: that is not to be forgotten until then.
    told = {pod: said for pod, said in (old.get(PODS) or {}).items() if pod in around.pods | around.coming}
    judged = list(_judged(model, around, told))
    judged.append(_ready(judged))
    result: Object = {
        "observedGeneration": model["metadata"].get("generation", 0),
        "conditions": conditions.merged(old.get("conditions"), now, *judged),
        PODS: told,
    }
    there = (around.service or {}).get("status") or {}
    if there.get("url") and around.service is not None:
        path = _path(around.service, meta.name(model))
        result["url"] = there["url"] + path
        result["address"] = {"url": (there.get("address") or {}).get("url", "") + path}
    return result


def _judged(model: Object, around: Around, told: Mapping[str, Any]) -> Iterable[Condition]:
    service, name = around.service, model["spec"]["inferenceService"]
    if service is None:
        text = f"There is no InferenceService {name} in this namespace; create it, with a predictor without a model."
        yield "InferenceServiceReady", False, "InferenceServiceNotFound", text
        return
    ready = conditions.is_true(service, "Ready")
    text = "" if ready else f"The InferenceService {name} is not ready."
    yield "InferenceServiceReady", ready, "" if ready else "InferenceServiceNotReady", text
    yield _is_multi_model(service, name)
    yield _fits(model, around, service)
    mistakes = list(_mistakes(model, around.mirrors))
    if mistakes:
        yield "ModelLoaded", False, "InvalidSpec", " ".join(mistakes)
    else:
        yield _loaded(around.pods, told)


def _is_multi_model(service: Object, name: str) -> Condition:
    if _serves_many(service):
        return "IsMMSPredictor", True, "", ""
    text = f"The predictor of {name} has a model of its own; leave its storageUri out, so that it serves many."
    return "IsMMSPredictor", False, "IsNotMMSPredictor", text


def _fits(model: Object, around: Around, service: Object) -> Condition:
    if _memory(model) is None:
        text = f"spec.model.memory {model['spec']['model'].get('memory')!r} is no amount; write one such as 256Mi."
        return "MemoryResourceAvailable", False, "InvalidSpec", text
    others = admitted(service, around.siblings, around.mirrors)
    if (
        not _serves_many(service)
        or meta.name(model) in map(meta.name, others)
        or list(_mistakes(model, around.mirrors))
    ):
        return "MemoryResourceAvailable", True, "", ""
    text = "The models of the service ask for more than its memory limit; raise it, or ask for less."
    return "MemoryResourceAvailable", False, "MemoryResourceNotAvailable", text


def _loaded(pods: frozenset[str], told: Mapping[str, Any]) -> Condition:
    wrong = next((said for said in told.values() if not said.get("loaded")), None)
    if wrong:
        return "ModelLoaded", False, "ModelLoadFailed", str(wrong.get("message") or "see the log of the puller")
    if pods and all(pod in told for pod in pods):
        return "ModelLoaded", True, "", ""
    return "ModelLoaded", None, "Loading", "The model is being fetched and loaded."


def _ready(judged: Sequence[Condition]) -> Condition:
    for bad in (False, None):
        for _, state, reason, message in judged:
            if state is bad:
                return "Ready", bad, reason, message
    return "Ready", True, "", ""


def _mistakes(model: Object, mirrors: Iterable[str]) -> Iterable[str]:
    uri = model["spec"]["model"].get("storageUri")
    yield from uris.mistakes(uri, "spec.model.storageUri", mirrors)
    if str(uri).startswith("pvc://"):
        yield "spec.model.storageUri: a claim cannot be mounted into a server that runs; copy the model elsewhere."


def _serves_many(service: Object) -> bool:
    predictor = service["spec"].get("predictor") or {}
    found = defaults.model(predictor)
    if found:
        return models.is_multi_model(predictor, found[1])
    return any(models.says_multi_model(one) for one in predictor.get("containers") or ())


def _memory_limit(service: Object) -> Decimal | None:
    """None where the server has no limit."""
    predictor = service["spec"].get("predictor") or {}
    _, block = defaults.model(predictor) or ("", next(iter(predictor.get("containers") or ()), {}))
    limit = ((block.get("resources") or {}).get("limits") or {}).get("memory")
    return _amount(limit) if limit else None


def _memory(model: Object) -> Decimal | None:
    return _amount(model["spec"]["model"].get("memory") or 0)


def _amount(said: str | int) -> Decimal | None:
    """None where it is none. What is below zero makes no room for others."""
    try:
        return max(Decimal(0), quantities.parse(said))
    except BadRequest:
        return None


def _path(service: Object, name: str) -> str:
    _, block = defaults.model(service["spec"].get("predictor") or {}) or ("", {})
    return f"/v2/models/{name}/infer" if block and defaults.protocol(block) == "v2" else f"/v1/models/{name}:predict"
