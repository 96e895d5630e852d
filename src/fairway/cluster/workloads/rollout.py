"""The arithmetic of a Deployment's rollout: from the sizes of its ReplicaSets to the next sizes. Pure.

`plan` never goes over `replicas + surge` pods, and never takes away an available pod while fewer than
`replicas - unavailable` would remain. It is asked again after each change, until nothing is left to do.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Size:
    """One ReplicaSet: what it was asked for and how many of its pods are available."""

    name: str
    wanted: int
    available: int


@dataclass(frozen=True, slots=True)
class Limits:
    replicas: int
    surge: int
    unavailable: int


def limits(replicas: int, max_surge: int | str, max_unavailable: int | str) -> Limits:
    """Percentages of `replicas`: surge rounds up, unavailable rounds down, and one of them is at least 1.

    >>> limits(4, "25%", "25%")
    Limits(replicas=4, surge=1, unavailable=1)
    >>> limits(1, "0%", "25%")
    Limits(replicas=1, surge=0, unavailable=1)
    """
    surge = resolve(max_surge, replicas, math.ceil)
    unavailable = min(resolve(max_unavailable, replicas, math.floor), replicas)
    if surge == 0 and unavailable == 0:
        unavailable = 1
    return Limits(replicas, surge, unavailable)


def plan(new: Size, old: list[Size], allowed: Limits) -> dict[str, int]:
    """The sizes that change now, by name. `old` is ordered from oldest to newest."""
    grown = _grow(new, old, allowed)
    changes = {new.name: grown} if grown != new.wanted else {}
    if grown > new.wanted:
        # Growth is applied and seen before anything shrinks, as upstream: one step at a time.
        return changes
    shrunk = _shrink(replace(new, wanted=grown), old, allowed)
    return {**changes, **shrunk}


def _grow(new: Size, old: list[Size], allowed: Limits) -> int:
    if new.wanted >= allowed.replicas:
        return allowed.replicas
    room = allowed.replicas + allowed.surge - new.wanted - sum(size.wanted for size in old)
    return new.wanted + max(0, min(room, allowed.replicas - new.wanted))


def _shrink(new: Size, old: list[Size], allowed: Limits) -> dict[str, int]:
    least = allowed.replicas - allowed.unavailable
    everything = new.wanted + sum(size.wanted for size in old)
    not_yet = max(0, new.wanted - new.available)
    budget = everything - least - not_yet
    left = {size.name: size.wanted for size in old}
    for size in old:  # pods that do not answer anyway go first
        broken = min(max(0, size.wanted - size.available), max(0, budget))
        left[size.name] -= broken
        budget -= broken
    spare = new.available + sum(size.available for size in old) - least
    for size in old:
        gone = min(left[size.name], max(0, spare))
        left[size.name] -= gone
        spare -= gone
    return {size.name: left[size.name] for size in old if left[size.name] != size.wanted}


def resolve(amount: int | str, replicas: int, rounding: Callable[[float], int]) -> int:
    if isinstance(amount, str) and amount.endswith("%"):
        return rounding(int(amount[:-1]) * replicas / 100)
    return int(amount)
