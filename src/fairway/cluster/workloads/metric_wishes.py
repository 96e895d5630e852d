"""What metrics of other servers make an autoscaler want, by upstream's rules. Pure.

    values of a metric -> ratio to the target -> wish

A target `value` is for all replicas together, and so is in proportion to those that are ready; an `averageValue` is for
each of them. Of pods those that are on their way out do not count; one that says nothing is taken to be at the target
where it goes down, and idle where it goes up.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from fairway.cluster.workloads import pods as of_pods
from fairway.cluster.workloads.horizontal import CannotMeasure, Tolerances, Wish
from fairway.kernel.objects import meta, quantities
from fairway.kernel.objects.kinds import Object


def part(metric: Object) -> str:
    """The field that describes the source of a metric: `external` of one whose type is External."""
    kind = str(metric.get("type") or "")
    return kind[:1].lower() + kind[1:]


def of_values(
    metric: Object, values: Sequence[Decimal], pods: Iterable[Object], scale: tuple[int, int], tolerances: Tolerances
) -> Wish:
    """From the values of an External metric, or the one of an Object's. `scale` is what the target's spec says of
    replicas, and what its status does. Raises CannotMeasure."""
    source, total = metric[part(metric)], sum(values, Decimal(0))
    replicas, running = scale
    if source["target"].get("averageValue") is not None:
        each = quantities.parse(source["target"]["averageValue"])
        ratio = float(total / (each * running)) if running else math.inf
        wanted = running if tolerances.hold(ratio) else math.ceil(total / each)
        shown = {"averageValue": _shown(total / running if running else total)}
    else:
        ratio = float(total / quantities.parse(source["target"]["value"]))
        wanted = replicas if tolerances.hold(ratio) else math.ceil(ratio * _ready(metric, pods))
        shown = {"value": _shown(total)}
    described = {"describedObject": source["describedObject"]} if "describedObject" in source else {}
    return Wish(wanted, _current(metric, {**described, "metric": source["metric"], "current": shown}))


def of_pods_values(
    metric: Object, values: Mapping[str, Decimal], pods: Iterable[Object], replicas: int, tolerances: Tolerances
) -> Wish:
    """From what each pod says. Raises CannotMeasure."""
    target = quantities.parse(metric["pods"]["target"]["averageValue"])
    counted = [pod for pod in pods if not meta.being_deleted(pod) and of_pods.phase(pod) != "Failed"]
    waiting = [meta.name(pod) for pod in counted if of_pods.phase(pod) == "Pending"]
    running = [meta.name(pod) for pod in counted if of_pods.phase(pod) != "Pending"]
    said = {name: values[name] for name in running if name in values}
    silent = [name for name in running if name not in values]
    if not said:
        raise CannotMeasure(_failed(metric), "did not receive metrics for any ready pods")
    average = sum(said.values(), Decimal(0)) / len(said)
    shown = {"averageValue": _shown(average)}
    wanted = _by_pods(said, silent, waiting, target, replicas, tolerances)
    return Wish(wanted, _current(metric, {"metric": metric["pods"]["metric"], "current": shown}))


def _by_pods(
    said: Mapping[str, Decimal],
    silent: Sequence[str],
    waiting: Sequence[str],
    target: Decimal,
    replicas: int,
    tolerances: Tolerances,
) -> int:
    ratio = _ratio(said, target)
    rebalanced = waiting if ratio > 1 else ()
    if not silent and not rebalanced:
        return replicas if tolerances.hold(ratio) else math.ceil(ratio * len(said))
    assumed = target if ratio < 1 else Decimal(0)
    everybody = {**said, **dict.fromkeys(silent, assumed), **dict.fromkeys(rebalanced, Decimal(0))}
    new = _ratio(everybody, target)
    turned = (ratio < 1 < new) or (new < 1 < ratio)
    if tolerances.hold(new) or turned:
        return replicas
    wanted = math.ceil(new * len(everybody))
    return replicas if (new < 1 and wanted > replicas) or (new > 1 and wanted < replicas) else wanted


def _ratio(values: Mapping[str, Decimal], target: Decimal) -> float:
    return float(sum(values.values(), Decimal(0)) / len(values) / target)


def _ready(metric: Object, pods: Iterable[Object]) -> int:
    found = list(pods)
    if not found:
        text = "unable to calculate ready pods: no pods returned by selector while calculating replica count"
        raise CannotMeasure(_failed(metric), text)
    return sum(of_pods.phase(pod) == "Running" and of_pods.ready(pod) for pod in found)


def _failed(metric: Object) -> str:
    return f"FailedGet{metric['type']}Metric"


def _shown(amount: Decimal) -> str:
    """In thousandths, rounded up."""
    return quantities.canonical(Decimal(math.ceil(amount * 1000)) / 1000)


def _current(metric: Object, shown: Object) -> Object:
    return {"type": metric["type"], part(metric): shown}
