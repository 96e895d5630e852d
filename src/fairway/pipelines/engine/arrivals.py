"""What became of transfers, in the run's own reconcile: steps whose inputs are there begin, steps whose outputs were
taken are over."""

from __future__ import annotations

from fairway.pipelines.engine import attempts
from fairway.pipelines.engine.play import Play
from fairway.pipelines.engine.transfers import Arrival
from fairway.pipelines.render.model import Outcome


async def settle(play: Play) -> None:
    for arrival in play.transfers.arrived(play.key):
        instance = play.pods.get(arrival.pod)
        if instance is None:
            continue  # it was ended meanwhile
        if arrival.failure is not None:
            attempts.ended(play, arrival.pod, _failed(arrival))
        elif isinstance(arrival.result, Outcome):
            attempts.ended(play, arrival.pod, arrival.result)
        else:
            play.graph.waiting(instance.id, "", play.now)
            await attempts.prepare(play, [instance], arrival.result)
            await attempts.begin(play, [instance])


def _failed(arrival: Arrival) -> Outcome:
    return Outcome(False, message=str(arrival.failure) or type(arrival.failure).__name__, code=1)
