"""The autoscaler's mind about one Deployment: what was measured, how it decides, whether it is awake.

`controller` feeds it and carries out what it says; it reads and writes nothing itself. All of it may be lost: a new
one begins from the pods it finds.
"""

from __future__ import annotations

from fairway.serving.scaling.contract import Contract
from fairway.serving.scaling.decider import TICK, Decider
from fairway.serving.scaling.windows import WeightedWindow, Window
from fairway.serving.scaling.zero import UNKNOWN, Activity, Bounds, Patience, Proxy, State, Step, advance, step


class Scaler:
    def __init__(self, contract: Contract, replicas: int, ready: int, now: float) -> None:
        self.contract = contract
        self.excess = 0
        self.due = now
        self.version = ""
        self.activity = _found(replicas, ready, now)
        self._decider = Decider(contract.spec, ready, now)
        self._stable, self._panic = self._windows()
        self._proxied_since: float | None = None

    @property
    def fixed(self) -> bool:
        """Whether there is nothing to decide, whatever is measured."""
        return 0 < self.contract.least == self.contract.most and self.contract.spec.burst == 0

    def update(self, contract: Contract, now: float) -> None:
        if contract == self.contract:
            return
        if contract.weighted != self.contract.weighted:
            self.contract = contract
            self._stable, self._panic = self._windows()
        self.contract = contract
        self._stable.resize(contract.spec.stable_window, now)
        self._panic.resize(contract.panic_window, now)
        self._decider.update(contract.spec)
        self.due = now

    def begin_anew(self, now: float) -> None:
        """Another version is there, which has to show that it starts before it may sleep."""
        self.activity = Activity(State.ACTIVATING, now)
        self.due = now

    def record(self, now: float, value: float) -> None:
        """What the pods and the activator had, all together."""
        self._stable.record(now, value)
        self._panic.record(now, value)

    def poke(self, now: float) -> None:
        """A request came and found nobody: decide now and not at the next tick."""
        if self.activity.state is State.INACTIVE:
            self.record(now, 1.0)
            self.due = now

    def tick(self, now: float, ready: int, *, grace: float) -> Step:
        """What to do now. Call it when it is due."""
        self.due = now + TICK
        wanted = UNKNOWN
        if not self._stable.empty(now):
            decision = self._decider.decide(ready, self._stable.average(now), self._panic.average(now), now)
            wanted, self.excess = decision.pods, decision.excess
        taken = step(wanted, self.activity, self._bounds(), self._patience(grace), self._proxy(now), now)
        self.activity = advance(self.activity, taken.pods, ready, self._bounds(), now)
        return taken

    def behind_activator(self, ready: int) -> bool:
        """Whether requests are to go to the activator: nobody is there, nobody is wanted, or too few for a burst."""
        return self.activity.state is State.INACTIVE or ready == 0 or self.excess < 0

    def proxied(self, now: float, *, is_so: bool) -> None:
        """Whether the activator was seen in the path."""
        if not is_so:
            self._proxied_since = None
        elif self._proxied_since is None:
            self._proxied_since = now

    def _windows(self) -> tuple[Window, Window]:
        kind = WeightedWindow if self.contract.weighted else Window
        return kind(self.contract.spec.stable_window), kind(self.contract.panic_window)

    def _bounds(self) -> Bounds:
        contract = self.contract
        return Bounds(contract.least, contract.most, contract.initial, contract.spec.reachable)

    def _patience(self, grace: float) -> Patience:
        contract = self.contract
        return Patience(contract.spec.stable_window, grace, contract.retention, contract.progress_deadline)

    def _proxy(self, now: float) -> Proxy:
        since = self._proxied_since
        return Proxy(since is not None, since is not None, now - since if since is not None else 0.0)


def _found(replicas: int, ready: int, now: float) -> Activity:
    if replicas == 0:
        return Activity(State.INACTIVE, now, initialized=True)
    if ready:
        return Activity(State.ACTIVE, now, initialized=True)
    return Activity(State.ACTIVATING, now)
