"""pods/exec and pods/attach: finds the container that is meant and opens the talk. What the API serves under those."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence

from fairway.cluster.node.runtime import CannotStart, ContainerId, PodRuntime, Talk
from fairway.kernel.objects import errors, meta
from fairway.kernel.objects.kinds import Object


class Executions:
    def __init__(self, runtime: PodRuntime) -> None:
        self._runtime = runtime

    async def open(self, pod: Object, container: str, command: Sequence[str], *, terminal: bool) -> Talk:
        """Raises BadRequest where the container does not run, or cannot be talked with."""
        at = self._running(pod, container)
        return await _opened(self._runtime.talk(at, command, terminal=terminal))

    async def attach(self, pod: Object, container: str, *, input: bool) -> Talk:
        """The same of the container's own streams, as its spec has them."""
        spec = next(each for each in _containers(pod) if each["name"] == container)
        if input and not spec.get("stdin"):
            text = (
                f"container {container} has no input to write to: set stdin to true in its spec, or attach without -i"
            )
            raise errors.BadRequest(text)
        at = self._running(pod, container)
        return await _opened(self._runtime.attach(at))

    def _running(self, pod: Object, container: str) -> ContainerId:
        states = [state for state in self._runtime.states(meta.uid(pod)) if state.id.name == container]
        if not states or not states[-1].running:
            raise errors.BadRequest(f'container "{container}" in pod "{meta.name(pod)}" is not running')
        return states[-1].id


async def _opened(opening: Awaitable[Talk]) -> Talk:
    try:
        return await opening
    except CannotStart as reason:
        raise errors.BadRequest(str(reason)) from None
    except OSError as failure:
        text = f"the streams of the command cannot be opened: {failure.strerror or failure}"
        raise errors.InternalError(text) from failure


def _containers(pod: Object) -> list[Object]:
    return [*(pod["spec"].get("initContainers") or ()), *pod["spec"]["containers"]]
