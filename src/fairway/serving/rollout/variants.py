"""The list of canaries (Standard mode), with KServe's rules: what each runs as, how many pods, which share. Pure.

To promote one is to give the predictor its name; its pods stay as they are. To roll back is to drop the entry.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import Object
from fairway.serving import reading
from fairway.serving.component import Component
from fairway.serving.reading import Asked, Surroundings
from fairway.serving.rollout.arrangement import CANARY, ROLLED_BACK, STABLE, Arrangement, available, serves
from fairway.serving.runtimes import merging
from fairway.serving.scaling.contract import Contract
from fairway.serving.spec import defaults
from fairway.serving.spec.refusals import NotSupported
from fairway.serving.status.ingress import Condition

_FIXED = ("maxReplicas", "scaleTarget", "scaleMetric", "autoScaling", "workerSpec")
_IMPLEMENTATIONS = ("model", "containers", *defaults.FRAMEWORKS)


def mistakes(isvc: Object) -> Iterator[str]:
    spec = isvc.get("spec") or {}
    entries, stable = spec.get("canary") or (), spec.get("predictor") or {}
    if not entries:
        return
    if defaults.mode(isvc) != "Standard":
        yield "spec.canary needs deploymentMode Standard; use canaryTrafficPercent in Knative mode."
    if spec.get("transformer"):
        yield "spec.canary beside a transformer is not supported; put the transformation into the predictor."
    if stable.get("canaryTrafficPercent") is not None:
        yield "spec.canary and spec.predictor.canaryTrafficPercent cannot be set both; keep one of them."
    names = [stable.get("name") or ""]
    for number, entry in enumerate(entries):
        name = (entry.get("predictor") or {}).get("name") or ""
        yield from _entry_mistakes(f"spec.canary[{number}]", entry, stable)
        if not name:
            yield f"spec.canary[{number}].predictor.name is missing; give the canary a name of its own."
        elif name in names:
            yield f"spec.canary[{number}].predictor.name {name!r} is taken; give the canary a name of its own."
        names.append(name)
    total = sum(_percent(entry) for entry in entries)
    if total > 100:
        yield f"The trafficPercent of all canaries together is {total}; it must be at most 100."


def arrange(isvc: Object, asked: Asked, around: Surroundings, deployments: Mapping[str, Object]) -> Arrangement:
    """Raises NotSupported where a canary cannot be served."""
    entries = isvc["spec"].get("canary") or ()
    canaries = [_component(isvc, entry, around) for entry in entries]
    there = [deployments.get(one.name) for one in canaries]
    shares = {
        one.name: _percent(entry) for one, entry, found in zip(canaries, entries, there, strict=True) if serves(found)
    }
    ready = sum(one.contract.least for one in canaries if one.name in shares)
    predictor = asked.predictor
    if ready and predictor.contract.scaler != "hpa":
        least = max(predictor.contract.least - ready, min(1, predictor.contract.least))
        predictor = replace(predictor, contract=replace(predictor.contract, least=least))
    weights = {predictor.name: 100 - sum(shares.values()), **shares}
    return Arrangement(
        asked=replace(asked, predictor=predictor),
        canaries=tuple(canaries),
        weights={name: weight for name, weight in weights.items() if weight},
        stages={predictor.name: STABLE, **{one.name: CANARY for one in canaries}},
        beside=sum(map(available, there)),
        status={"canaryStatuses": [_status(*pair) for pair in zip(entries, there, strict=True)]} if entries else {},
        conditions=(_condition(there),) if entries else (),
    )


def replicas(entry: Object, stable: Object) -> int:
    """Its own number, else its share of the stable one's."""
    own = (entry.get("predictor") or {}).get("minReplicas")
    least = stable.get("minReplicas")
    return int(own) if own is not None else math.ceil((1 if least is None else least) * _percent(entry) / 100)


def _component(isvc: Object, entry: Object, around: Surroundings) -> Component:
    stable = isvc["spec"]["predictor"]
    own = {key: value for key, value in entry["predictor"].items() if value is not None}
    base: Mapping[str, Any] = {key: value for key, value in stable.items() if key not in (*_FIXED, "minReplicas")}
    if not any(base.get(one) is not None and own.get(one) is not None for one in _IMPLEMENTATIONS):
        base = {key: value for key, value in base.items() if key not in _IMPLEMENTATIONS}
    part = {**merging.lay(dict(base), own), "minReplicas": 1}
    spec = {key: value for key, value in isvc["spec"].items() if key != "canary"}
    try:
        found = reading.read({**isvc, "spec": {**spec, "predictor": part}}, around).predictor
    except NotSupported as refused:
        raise NotSupported(refused.reason, [f"canary {own.get('name')!r}: {refused}"]) from refused
    contract = Contract("none", found.name, least=replicas(entry, stable), limit=found.contract.limit)
    return replace(found, contract=contract)


def _entry_mistakes(where: str, entry: Object, stable: Object) -> Iterator[str]:
    part = entry.get("predictor") or {}
    percent = entry.get("trafficPercent", 0)
    if not isinstance(percent, int) or not 0 <= percent <= 100:
        yield f"{where}.trafficPercent {percent!r} must be a whole number from 0 to 100."
    for field in _FIXED:
        if part.get(field):
            yield f"{where}.predictor.{field} is not supported; a canary has a fixed number of replicas: remove it."
    if not any(part.get(one) is not None for one in _IMPLEMENTATIONS):
        yield f"{where}.predictor has no model; say which one is to be tried."
    least = stable.get("minReplicas")
    if (part.get("minReplicas") or 0) > (1 if least is None else least):
        yield f"{where}.predictor.minReplicas must not exceed that of the stable predictor."


def _percent(entry: Object) -> int:
    percent = entry.get("trafficPercent") or 0
    return percent if isinstance(percent, int) else 0


def _status(entry: Object, deployment: Object | None) -> Object:
    ready = bool(available(deployment))
    return {"name": entry["predictor"]["name"], "ready": ready, "trafficPercent": _percent(entry)}


def _condition(deployments: list[Object | None]) -> Condition:
    for one in deployments:
        if one is not None and (why := meta.annotations(one).get(ROLLED_BACK)):
            return "CanaryPredictorReady", False, "RolledBack", f"{meta.name(one)} gets no more requests: {why}"
    if all(map(available, deployments)):
        return "CanaryPredictorReady", True, "AllCanariesReady", ""
    return "CanaryPredictorReady", False, "CanariesNotReady", "Requests go to the stable predictor until they are."
