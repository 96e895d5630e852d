"""How many pods are wanted, by Knative's rules: a calm view over the stable window, and a panic when load doubles.

`targets` says what one pod should carry; `windows` measured what came; `zero` and the bounds have the last word
after this. Pure but for what it remembers of its own past: since when it panics, and its recent wishes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from fairway.serving.scaling.peaks import Peaks

TICK = 2.0
"""Seconds from decision to decision."""


@dataclass(frozen=True, slots=True)
class Spec:
    """What the decision depends on. `target` is what a pod should carry, `total` what it can."""

    target: float
    total: float
    burst: float = 0.0
    """Requests that the pods must be able to take beyond the present ones; -1: without bound."""
    panic_threshold: float = 2.0
    up_rate: float = 1000.0
    down_rate: float = 2.0
    stable_window: float = 60.0
    scale_down_delay: float = 0.0
    activation_scale: int = 1
    reachable: bool = True
    """Whether requests are routed to it. What nobody reaches may shrink at once."""


@dataclass(frozen=True, slots=True)
class Decision:
    pods: int
    excess: int
    """Free capacity beyond the wanted burst; below zero, the activator stays before the pods."""


class Decider:
    """For one component. Begun with more than one pod it panics at first, so that it does not shrink blindly."""

    def __init__(self, spec: Spec, ready: int, now: float) -> None:
        self.spec = spec
        self.panic_since: float | None = now if ready > 1 else None
        self.most_in_panic = ready
        self._peaks = Peaks(spec.scale_down_delay, TICK) if spec.scale_down_delay > 0 else None

    def update(self, spec: Spec) -> None:
        if spec.scale_down_delay != self.spec.scale_down_delay:
            self._peaks = Peaks(spec.scale_down_delay, TICK) if spec.scale_down_delay > 0 else None
        self.spec = spec

    def decide(self, ready: int, stable: float, panic: float, now: float) -> Decision:
        """`stable` and `panic` are the averages of the two windows over all pods together."""
        spec, pods = self.spec, max(1, ready)
        stable_raw, panic_raw = math.ceil(stable / spec.target), math.ceil(panic / spec.target)
        self._judge_panic(panic_raw / pods >= spec.panic_threshold, now)
        wanted = self._limited(stable_raw, pods)
        if self.panic_since is not None:
            # Never fewer while the panic lasts. The calm view may want more at times.
            self.most_in_panic = max(wanted, self._limited(panic_raw, pods), self.most_in_panic)
            wanted = self.most_in_panic
        if spec.reachable and self._peaks is not None:
            self._peaks.record(now, wanted)
            wanted = self._peaks.largest()
        return Decision(wanted, self._excess(ready, panic))

    def _judge_panic(self, over: bool, now: float) -> None:
        if over:
            self.panic_since = now
        elif self.panic_since is not None and self.panic_since + self.spec.stable_window < now:
            self.panic_since, self.most_in_panic = None, 0

    def _limited(self, raw: int, pods: int) -> int:
        """Within the rates. The first step from zero is at least the activation scale."""
        most = math.ceil(self.spec.up_rate * pods)
        least = math.floor(pods / self.spec.down_rate) if self.spec.reachable else 0
        wanted = min(max(raw, least), most)
        return max(wanted, self.spec.activation_scale) if raw > 0 and self.spec.activation_scale > 1 else wanted

    def _excess(self, ready: int, panic: float) -> int:
        if self.spec.burst == 0:
            return 0
        if self.spec.burst < 0:
            return -1
        return math.floor(ready * self.spec.total - self.spec.burst - panic)
