"""The arithmetic of a Deployment's rollout: from the sizes of its ReplicaSets to the next sizes. Pure.

`plan` never goes over `replicas + surge` pods, and never takes away an available pod while fewer than
`replicas - unavailable` would remain. It is asked again after each change, until nothing is left to do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
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


def scaled(sets: list[Size], allowed: Limits, before: Mapping[str, int], *, rolls: bool = True) -> dict[str, int]:
    """The sizes that change because the Deployment has another size, by name. `sets` are from oldest to newest.

    In the middle of a rollout what comes and what goes is shared among the sets in proportion to their sizes, so that
    a version that is not proven yet does not get it all; `before` says of each how many pods all sets together were
    allowed when it was sized. What rounding leaves over is the largest set's. Nothing is shared where versions do not
    run beside each other (`rolls`).
    """
    active = [size for size in sets if size.wanted > 0]
    if len(active) < 2:
        one = (active or sets)[-1:]
        return {size.name: allowed.replicas for size in one if size.wanted != allowed.replicas}
    if not rolls:
        return {}
    most = allowed.replicas + allowed.surge if allowed.replicas else 0
    more = most - sum(size.wanted for size in active)
    places = {size.name: place for place, size in enumerate(active)}
    active.sort(key=lambda size: (-size.wanted, -places[size.name] if more > 0 else places[size.name]))
    sizes, left = {}, more
    for size in active:
        change = _share(size.wanted, most, before.get(size.name, 0)) if allowed.replicas else -size.wanted
        change = min(change, left) if more > 0 else max(change, left)
        change = change if left else 0
        sizes[size.name], left = size.wanted + change, left - change
    sizes[active[0].name] = max(0, sizes[active[0].name] + left)
    return {size.name: sizes[size.name] for size in active if sizes[size.name] != size.wanted}


def _share(wanted: int, most: int, before: int) -> int:
    return math.floor(wanted * most / before + 0.5) - wanted if before else 0


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
