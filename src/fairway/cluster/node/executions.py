"""pods/exec: finds the container that is meant and opens the talk. What the API serves under pods/NAME/exec."""

from __future__ import annotations

from collections.abc import Sequence

from fairway.cluster.node.runtime import CannotStart, PodRuntime, Talk
from fairway.kernel.objects import errors, meta
from fairway.kernel.objects.kinds import Object


class Executions:
    def __init__(self, runtime: PodRuntime) -> None:
        self._runtime = runtime

    async def open(self, pod: Object, container: str, command: Sequence[str], *, terminal: bool) -> Talk:
        """Raises BadRequest where the container does not run, or cannot be talked with."""
        states = [state for state in self._runtime.states(meta.uid(pod)) if state.id.name == container]
        if not states or not states[-1].running:
            raise errors.BadRequest(f'container "{container}" in pod "{meta.name(pod)}" is not running')
        try:
            return await self._runtime.talk(states[-1].id, command, terminal=terminal)
        except CannotStart as reason:
            raise errors.BadRequest(str(reason)) from None
        except OSError as failure:
            text = f"the streams of the command cannot be opened: {failure.strerror or failure}"
            raise errors.InternalError(text) from failure
