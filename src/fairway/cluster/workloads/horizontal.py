"""How many replicas a HorizontalPodAutoscaler wants, by upstream's rules. Pure but for what it remembers.

    usage of the pods -> ratio to the target -> wish -> stabilised over a window -> within the policies -> within bounds

A ratio within a tenth of one changes nothing, unless `behavior` says another tolerance. Of several metrics the one that
wants most counts; one that cannot be read keeps the number from falling. `metric_wishes` has those of others.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

from fairway.cluster.workloads import pods as of_pods
from fairway.kernel.objects import meta, quantities
from fairway.kernel.objects.kinds import Object

TOLERANCE = 0.1
_UP: dict[str, Any] = {
    "stabilizationWindowSeconds": 0,
    "selectPolicy": "Max",
    "policies": [
        {"type": "Pods", "value": 4, "periodSeconds": 15},
        {"type": "Percent", "value": 100, "periodSeconds": 15},
    ],
}
_DOWN: dict[str, Any] = {
    "stabilizationWindowSeconds": 300,
    "selectPolicy": "Max",
    "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
}


class Tolerances(NamedTuple):
    """How far from the target nothing is changed, in either direction."""

    up: float = TOLERANCE
    down: float = TOLERANCE

    def hold(self, ratio: float) -> bool:
        return 1 - self.down <= ratio <= 1 + self.up


USUAL = Tolerances()

Usages = Mapping[str, Mapping[str, float]]
"""By pod, then by resource: cores or bytes."""


class CannotMeasure(Exception):
    """A metric cannot be read; `reason` is upstream's word for it."""

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Wish:
    replicas: int
    current: Object
    """What was measured, as status.currentMetrics has it."""


@dataclass
class Memory:
    """What is remembered of one autoscaler: its wishes and its steps, with their moments."""

    wishes: list[tuple[float, int]] = field(default_factory=list)
    steps: list[tuple[float, int]] = field(default_factory=list)

    def forget(self, before: float) -> None:
        self.wishes = [one for one in self.wishes if one[0] >= before]
        self.steps = [one for one in self.steps if one[0] >= before]


def container_of(metric: Object) -> str:
    """The one container that the metric looks at; empty where it is the whole pod."""
    return str((metric.get("containerResource") or {}).get("container") or "")


def wish(metric: Object, pods: Iterable[Object], usages: Usages, replicas: int, tolerances: Tolerances = USUAL) -> Wish:
    """Of a metric of type Resource or ContainerResource; `usages` are of what it looks at. Raises CannotMeasure."""
    part, container = f"{metric['type'][0].lower()}{metric['type'][1:]}", container_of(metric)
    resource, target = metric[part]["name"], metric[part]["target"]
    failed = f"FailedGet{metric['type']}Metric"
    here = [pod for pod in pods if of_pods.active(pod) and _has(pod, container)]
    ready = [pod for pod in here if of_pods.ready(pod) and meta.name(pod) in usages]
    if not ready:
        raise CannotMeasure(failed, f"no ready pod says how much {resource} it uses")
    silent = [pod for pod in here if of_pods.ready(pod) and meta.name(pod) not in usages]
    waiting = [pod for pod in here if not of_pods.ready(pod)]
    used = sum(usages[meta.name(pod)].get(resource, 0.0) for pod in ready)
    shown: Object = {"averageValue": _quantity(resource, used / len(ready))}
    if target.get("averageUtilization") is not None:
        asked = {meta.name(pod): float(_requests(pod, container).get(resource, 0)) for pod in here}
        total = sum(asked[meta.name(pod)] for pod in ready)
        if not total:
            raise CannotMeasure(failed, f"the pods request no {resource}: set it in their resources")
        shown["averageUtilization"] = int(100 * used / total)
        share = float(target["averageUtilization"]) / 100
        due = {name: share * amount for name, amount in asked.items()}
        assumed = {name: max(1.0, share) * amount for name, amount in asked.items()}
    elif target.get("averageValue") is not None:
        due = assumed = dict.fromkeys(map(meta.name, here), float(quantities.parse(target["averageValue"])))
    else:
        raise CannotMeasure("InvalidMetricSourceType", f"the target of {resource} has neither utilisation nor value")
    seen, unseen, coming = ([meta.name(pod) for pod in group] for group in (ready, silent, waiting))
    wanted = _wanted(used, (seen, unseen, coming), due, assumed, replicas, tolerances)
    current = {"name": resource, **({"container": container} if container else {}), "current": shown}
    return Wish(wanted, {"type": metric["type"], part: current})


def _wanted(
    used: float,
    pods: tuple[list[str], list[str], list[str]],
    due: Mapping[str, float],
    assumed: Mapping[str, float],
    replicas: int,
    tolerances: Tolerances,
) -> int:
    """`pods` are those that are ready and say what they use, those that say nothing, and those that are on their way.

    `due` is what each should use, `assumed` what one that says nothing is taken to use where it goes down; where it
    goes up it uses nothing, nor does one that is on its way.
    """

    def ratio_of(used: float, among: list[str]) -> float:
        return used / (sum(due[name] for name in among) or math.inf)

    ready, silent, waiting = pods
    ratio = ratio_of(used, ready)
    everybody = [*ready, *(silent if ratio != 1 else ()), *(waiting if ratio > 1 else ())]
    new = ratio_of(used + (sum(assumed[name] for name in silent) if ratio < 1 else 0.0), everybody)
    turned = (ratio < 1 < new) or (new < 1 < ratio)
    wanted = replicas if turned or tolerances.hold(new) else math.ceil(round(new * len(everybody), 9))
    if (wanted > replicas and new < 1) or (wanted < replicas and new > 1):
        return replicas  # pods that nobody has seen yet must not turn the direction
    return wanted


def _has(pod: Object, container: str) -> bool:
    return not container or any(one["name"] == container for one in pod["spec"].get("containers") or ())


def _requests(pod: Object, container: str) -> Mapping[str, Decimal]:
    """Of the pod, or of one of its containers."""
    if not container:
        return of_pods.requests(pod)
    chosen = [one for one in pod["spec"].get("containers") or () if one["name"] == container]
    return of_pods.requests({"spec": {"containers": chosen}})


def tolerances(spec: Object) -> Tolerances:
    behavior = spec.get("behavior") or {}
    said = [(behavior.get(rule) or {}).get("tolerance") for rule in ("scaleUp", "scaleDown")]
    return Tolerances(*(TOLERANCE if each is None else float(quantities.parse(each)) for each in said))


def decide(spec: Object, replicas: int, wanted: int, memory: Memory, now: float) -> tuple[int, str]:
    """The number to set, and upstream's reason where it is not the one that was wanted."""
    behavior = spec.get("behavior") or {}
    up, down = {**_UP, **(behavior.get("scaleUp") or {})}, {**_DOWN, **(behavior.get("scaleDown") or {})}
    if not memory.wishes:
        memory.wishes.append((now, replicas))  # who is seen for the first time has wanted what is there
    memory.wishes.append((now, wanted))
    stable = _stabilised(replicas, wanted, up, down, memory, now)
    reason = "" if stable == wanted else "ScaleDownStabilized" if wanted < stable else "ScaleUpStabilized"
    limited = _within(up, down, replicas, stable, memory, now)
    if limited != stable:
        reason = "ScaleUpLimit" if limited < stable else "ScaleDownLimit"
    least, most = int(spec.get("minReplicas") or 1), int(spec["maxReplicas"])
    bounded = min(max(limited, least), most)
    if bounded != limited:
        reason = "TooFewReplicas" if bounded > limited else "TooManyReplicas"
    longest = max(int(one.get("stabilizationWindowSeconds") or 0) for one in (up, down))
    periods = [int(policy["periodSeconds"]) for one in (up, down) for policy in one["policies"]]
    memory.forget(now - max(longest, *periods))
    if bounded != replicas:
        memory.steps.append((now, bounded - replicas))
    return bounded, reason


def _stabilised(replicas: int, wanted: int, up: Object, down: Object, memory: Memory, now: float) -> int:
    """Not more than was wanted at some moment of the window for growth, not less than in that for shrinking."""

    def lately(rule: Object) -> list[int]:
        since = now - int(rule.get("stabilizationWindowSeconds") or 0)
        return [wanted, *(count for at, count in memory.wishes if at > since)]

    least, most = min(lately(up)), max(lately(down))
    return min(max(replicas, least), most)


def _within(up: Object, down: Object, replicas: int, wanted: int, memory: Memory, now: float) -> int:
    if wanted > replicas:
        return min(wanted, max(replicas, _limit(up, replicas, memory, now, 1)))
    if wanted < replicas:
        return max(wanted, min(replicas, _limit(down, replicas, memory, now, -1)))
    return wanted


def _limit(rule: Object, replicas: int, memory: Memory, now: float, sign: int) -> int:
    """How far the policies let it go, from what there was when their periods began."""
    if rule.get("selectPolicy") == "Disabled":
        return replicas
    limits = []
    for policy in rule["policies"]:
        since = now - int(policy["periodSeconds"])
        begun = replicas - sum(step for at, step in memory.steps if at > since)
        if policy["type"] == "Pods":
            limits.append(begun + sign * int(policy["value"]))
        elif sign > 0:
            limits.append(math.ceil(begun * (1 + int(policy["value"]) / 100)))
        else:
            limits.append(math.floor(begun * (1 - int(policy["value"]) / 100)))
    widest = (rule.get("selectPolicy") or "Max") == "Max"
    return max(limits) if widest is (sign > 0) else min(limits)


def _quantity(resource: str, value: float) -> str:
    return f"{round(value * 1000)}m" if resource == "cpu" else str(round(value))
