"""What became of transfers, in the run's own reconcile: steps whose inputs are there begin, steps whose outputs were
taken are over, and steps whose inputs were read are looked up in the cache."""

from __future__ import annotations

from fairway.pipelines.engine import attempts, contents
from fairway.pipelines.engine.play import Play
from fairway.pipelines.engine.transfers import Arrival
from fairway.pipelines.render.model import Outcome


async def settle(play: Play) -> None:
    for arrival in play.transfers.arrived(play.key):
        if isinstance(arrival.result, contents.Read):
            play.graph.read(arrival.result.steps, arrival.result.found, play.now)
            continue
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
