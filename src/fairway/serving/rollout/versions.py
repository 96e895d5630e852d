"""canaryTrafficPercent: the newest version gets so many percent, the one before keeps the rest. Pure.

The versions are Deployments; the one before stays as it is, so that going back needs no new pod. At 100 percent, or
without the field, the newest is rolled out and the other goes. Without either the Deployment is updated in place.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from fairway.kernel import clock
from fairway.kernel.objects import conditions, meta
from fairway.kernel.objects.kinds import Object
from fairway.serving.component import PREDICTOR
from fairway.serving.kinds import COMPONENT_LABEL
from fairway.serving.reading import Asked
from fairway.serving.render import marks
from fairway.serving.rollout.arrangement import (
    CANARY,
    ROLLED_BACK,
    STABLE,
    STAGE,
    Arrangement,
    available,
    serves,
    version,
    version_of,
)
from fairway.serving.scaling import asked as durations
from fairway.serving.status.ingress import Condition

DURATION = "serving.knative.dev/rollout-duration"
TAGS = "serving.kserve.io/enable-tag-routing"
_STEP = 1.0
"""Seconds from step to step of a gradual rollout."""


@dataclass(frozen=True)
class _Pair:
    stable: Object | None
    canary: Object | None


def mistakes(isvc: Object) -> Iterator[str]:
    spec = isvc.get("spec") or {}
    percent = (spec.get(PREDICTOR) or {}).get("canaryTrafficPercent")
    if percent is not None and (not isinstance(percent, int) or not 0 <= percent <= 100):
        yield f"spec.predictor.canaryTrafficPercent {percent!r} must be a whole number from 0 to 100."
    if percent not in (None, 100) and spec.get("transformer"):
        yield "spec.predictor.canaryTrafficPercent beside a transformer is not supported; put it into the predictor."
    text = meta.annotations(isvc).get(DURATION)
    try:
        if text:
            durations.seconds(text)
    except ValueError:
        yield f"The annotation {DURATION}: {text} is not a duration such as 120s."


def arrange(isvc: Object, asked: Asked, deployments: Mapping[str, Object], now: float) -> Arrangement:
    wanted = version_of(asked.predictor)
    mine = [one for one in deployments.values() if meta.labels(one).get(COMPONENT_LABEL) == PREDICTOR]
    pair = _pair(mine, wanted, asked.predictor.name)
    percent = isvc["spec"][PREDICTOR].get("canaryTrafficPercent")
    whole = percent in (None, 100)
    if pair.stable is None or version(pair.stable) == wanted:
        return _alone(isvc, asked, pair.stable)
    gradual = durations.seconds(meta.annotations(isvc).get(DURATION) or "0")
    if whole and pair.canary is None and not gradual:
        return _alone(isvc, asked, pair.stable)  # updated in place
    share = _share(pair.canary, 100 if whole else int(percent), gradual, now)
    if whole and share == 100 and pair.canary is not None and serves(pair.canary):
        return _alone(isvc, asked, pair.canary)
    return _beside(isvc, asked, pair, mine, share, again=_STEP if gradual else None)


def _pair(mine: list[Object], wanted: str, base: str) -> _Pair:
    stable = [one for one in mine if meta.annotations(one).get(STAGE) != CANARY]
    # Of two that had everything, the one that is wanted now is the newer.
    stable.sort(key=lambda one: (version(one) != wanted, meta.name(one) != base, -marks.number_of(one)))
    canaries = [one for one in mine if meta.annotations(one).get(STAGE) == CANARY and version(one) == wanted]
    return _Pair(stable[0] if stable else None, canaries[0] if canaries else None)


def _alone(isvc: Object, asked: Asked, deployment: Object | None) -> Arrangement:
    """One version has everything, in the Deployment that it is in."""
    name = meta.name(deployment) if deployment else asked.predictor.name
    named = _named(asked, name)
    return Arrangement(
        asked=named,
        stages={name: STABLE},
        tags={"latest": name} if meta.annotations(isvc).get(TAGS) == "true" else {},
    )


def _beside(
    isvc: Object, asked: Asked, pair: _Pair, mine: Iterable[Object], share: int, *, again: float | None
) -> Arrangement:
    stable = pair.stable
    assert stable is not None
    name = meta.name(pair.canary) if pair.canary else f"{asked.predictor.name}-{_next(mine):05d}"
    shared = share if serves(pair.canary) else 0
    weights = {meta.name(stable): 100 - shared, name: shared}
    tags = {"prev": meta.name(stable), **({"latest": name} if serves(pair.canary) else {})}
    newest = marks.revision(pair.canary) if pair.canary else name
    return Arrangement(
        asked=_named(asked, name),
        kept=(meta.name(stable),),
        weights={service: weight for service, weight in weights.items() if weight},
        stages={name: CANARY},
        beside=available(stable) or int(stable["spec"].get("replicas") == 0),
        traffic=(
            {"latestRevision": True, "percent": shared, "revisionName": newest},
            {"latestRevision": False, "percent": 100 - shared, "revisionName": marks.revision(stable), "tag": "prev"},
        ),
        rolled_out=marks.revision(stable),
        conditions=_rolled_back(pair.canary),
        again=again,
        tags=tags if meta.annotations(isvc).get(TAGS) == "true" else {},
    )


def _rolled_back(canary: Object | None) -> tuple[Condition, ...]:
    why = meta.annotations(canary).get(ROLLED_BACK) if canary else None
    if not why:
        return ()
    text = f"The newest version gets no more requests: {why}. The version before has all of them."
    return (("CanaryPredictorReady", False, "RolledBack", text),)


def _named(asked: Asked, name: str) -> Asked:
    predictor = replace(asked.predictor, name=name, contract=replace(asked.predictor.contract, service=name))
    return replace(asked, predictor=predictor)


def _next(mine: Iterable[Object]) -> int:
    """Above every number that was given."""
    given = [int(meta.annotations(one).get("deployment.kubernetes.io/revision") or 1) for one in mine]
    return max([*given, *map(marks.number_of, mine)], default=0) + 1


def _share(canary: Object | None, percent: int, gradual: float, now: float) -> int:
    """All of it at once, or a little more with each second since it was ready."""
    since = (conditions.find(canary, "Available") or {}).get("lastTransitionTime") if canary else None
    if not gradual or not since:
        return percent if not gradual else 0
    return min(percent, int(percent * (now - clock.parse(since)) / gradual))
