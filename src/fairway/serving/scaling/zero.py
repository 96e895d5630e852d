"""Whether a wish may be carried out, and above all whether the last pod may go: Knative's bounds and timeouts. Pure.

A component is activating (requests wait for its first pods), active, or inactive (the activator stands before it).
From active it becomes inactive, from inactive it goes to zero after a grace, in which gateways learn of the
activator. `loop` keeps the `Activity` and does what a `Step` says.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

UNKNOWN = -1
ACTIVATION_BUFFER = 30.0
"""Seconds that a failed start has beyond the progress deadline, in which it is said why it failed."""
PROXY_LOOK_AGAIN = 3.0


class State(Enum):
    ACTIVATING = "Activating"
    ACTIVE = "Active"
    INACTIVE = "Inactive"


@dataclass(frozen=True, slots=True)
class Activity:
    state: State
    since: float
    initialized: bool = False
    """Whether it has once had as many pods as it was to begin with."""
    timed_out: bool = False

    def lasted(self, now: float) -> float:
        return now - self.since


@dataclass(frozen=True, slots=True)
class Bounds:
    """`most` is 0 where there is none. What nobody reaches (`reachable` False) needs no least number."""

    least: int = 0
    most: int = 0
    initial: int = 1
    reachable: bool | None = True

    def floor(self) -> int:
        return 0 if self.reachable is False else self.least


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds for everything. `retention` is how long the last pod stays for sure."""

    stable_window: float = 60.0
    grace: float = 30.0
    retention: float = 0.0
    progress_deadline: float = 600.0
    to_zero: bool = True
    """Whether anything may go to zero at all."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """Whether the activator stands before the pods: `asked` for, `proven` by what was seen, and for how long."""

    asked: bool = False
    proven: bool = True
    lasted: float = 0.0


@dataclass(frozen=True, slots=True)
class Step:
    """`pods` is the wish as bounded; `apply` whether to set it now; `again` when to look again."""

    pods: int
    apply: bool
    again: float | None = None
    prove: bool = False
    """The activator is not proven to stand in the path: find out."""


def step(wanted: int, activity: Activity, bounds: Bounds, patience: Patience, proxy: Proxy, now: float) -> Step:
    """`wanted` is UNKNOWN while nothing was measured."""
    if wanted < 0 and activity.state is not State.ACTIVATING:
        return Step(wanted, False)
    least = bounds.floor()
    if bounds.initial > 1 and not activity.initialized and bounds.reachable is not False:
        least = max(least, bounds.initial)
    bounded = max(wanted, least)
    if bounds.most and bounded > bounds.most:
        bounded = bounds.most
    if bounded != 0:
        return Step(bounded, bounded > 0)
    if not patience.to_zero:
        return Step(1, True)
    return _to_zero(activity, bounds, patience, proxy, now)


def _to_zero(activity: Activity, bounds: Bounds, patience: Patience, proxy: Proxy, now: float) -> Step:
    lasted = activity.lasted(now)
    if activity.state is State.ACTIVATING:
        limit = patience.progress_deadline + ACTIVATION_BUFFER
        return Step(0, True) if lasted >= limit else Step(UNKNOWN, False, limit - lasted)
    if activity.state is State.ACTIVE:
        if lasted >= patience.stable_window:
            return Step(0, False, PROXY_LOOK_AGAIN if proxy.asked else None)
        return Step(1, True, patience.stable_window - lasted)
    if not proxy.proven:
        return Step(0, False, prove=True)
    retention = 0.0 if bounds.reachable is False else patience.retention
    if lasted >= max(patience.grace, retention):
        return Step(0, True)
    if lasted < retention:
        return Step(0, False, retention - lasted)
    left = patience.grace - proxy.lasted
    return Step(0, True) if left <= 0 else Step(0, False, left)


def advance(activity: Activity, wanted: int, ready: int, bounds: Bounds, now: float) -> Activity:
    """What it has become, given the wish of the last step and the pods that answer."""
    least = max(bounds.floor(), 1 if activity.initialized else bounds.initial)
    if ready >= least and not activity.initialized:
        activity = replace(activity, initialized=True)
    if wanted == 0 or least == 0:
        failed = activity.state is State.ACTIVATING and least > 0
        return _become(activity, State.INACTIVE, now, timed_out=failed or activity.timed_out)
    if wanted < 0 and activity.state is State.INACTIVE:
        return activity
    if ready < least:
        return _become(activity, State.ACTIVATING, now)
    return _become(activity, State.ACTIVE, now)


def _become(activity: Activity, state: State, now: float, *, timed_out: bool = False) -> Activity:
    if activity.state is state:
        return activity
    return replace(activity, state=state, since=now, timed_out=timed_out and state is State.INACTIVE)
