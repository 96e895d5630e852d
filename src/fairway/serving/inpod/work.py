"""One prediction on its way: what a protocol gives to the lane of a model, and what it gets back.

`v1`, `v2` and `rpc` make a `Dialogue` of each request; `routes` and `rpc` put it into a `Ticket`; `lanes` carries
tickets to threads, and `batching` lays those together that can be.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from fairway.serving.inpod.messages import Answer, Refusal
from fairway.serving.inpod.model import Array, Inputs, Message, Reply


class Dialogue(Protocol):
    """A request in the words of its protocol, read and answered in a worker's thread."""

    def read(self) -> Inputs:
        """What a model takes. Raises Refusal."""
        ...

    def write(self, outputs: Mapping[str, Array]) -> Answer: ...

    def message(self) -> Message:
        """What a program takes. Raises Refusal."""
        ...

    def reply(self, reply: Reply) -> Answer: ...


Outcome = Answer | Refusal


@dataclass(slots=True)
class Times:
    """Seconds of a request: waiting, read, in the model (all rows of its batch), written. `batch` counts the
    requests that were predicted together, `rows` what of it was this one's."""

    queued: float = 0.0
    read: float = 0.0
    predict: float = 0.0
    write: float = 0.0
    batch: int = 0
    rows: int = 1


@dataclass(slots=True, eq=False)
class Ticket:
    """`done` is called once on the event loop, whatever happens; `alive` says whether anybody still waits."""

    dialogue: Dialogue
    done: Callable[[Outcome], None]
    alive: Callable[[], bool]
    since: float = 0.0
    times: Times = field(default_factory=Times)
    outcome: Outcome | None = None
