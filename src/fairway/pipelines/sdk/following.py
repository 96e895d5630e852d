"""Following a run and its logs while it goes on. Polling, patient with a server that starts again."""

from __future__ import annotations

import time
from collections.abc import Iterator

from fairway.pipelines.sdk import steps
from fairway.pipelines.sdk.failures import Failure, NoAnswer
from fairway.pipelines.sdk.steps import Snapshot
from fairway.pipelines.sdk.wire import Api

_SLOWEST = 2.0
_SLOWER = 1.2
_SHARE = 3.0
"""A look that took so long is followed by a rest of this many times as long: large runs are asked for less often."""
_QUIET, _AGAIN = 60.0, 0.5


def snapshot(api: Api, run_id: str) -> Snapshot:
    # The run first: once it is over its tasks do not change any more.
    run = api.get(f"runs/{run_id}")
    found = tuple(steps.read(task) for task in api.pages(f"runs/{run_id}/tasks", "tasks"))
    message = str((run.get("error") or {}).get("message", ""))
    return Snapshot(run["run_id"], run.get("display_name", ""), run["state"], message, found)


def follow(
    api: Api, run_id: str, *, every: float = 0.25, patience: float = 30.0, timeout: float | None = None
) -> Iterator[Snapshot]:
    """The run now and after each change, until it is over. The last one given is the end.

    Asks every `every` seconds, and less often (up to two seconds) while nothing changes. A server that goes away is
    waited for, `patience` seconds long: runs survive its restart. Raises Failure after `timeout` seconds.
    """
    seen: Snapshot | None = None
    answered, pause = time.monotonic(), every
    deadline = None if timeout is None else answered + timeout
    while True:
        began = time.monotonic()
        try:
            current = snapshot(api, run_id)
        except NoAnswer:
            if time.monotonic() - answered > patience:
                raise
            time.sleep(pause)
            continue
        answered = time.monotonic()
        pause = every if current != seen else min(pause * _SLOWER, max(every, _SLOWEST))
        if current != seen:
            yield current
        if current.over:
            return
        if deadline is not None and answered > deadline:
            raise Failure(f"run {run_id} is still {current.state} after {timeout:g} s; it goes on")
        seen = current
        time.sleep(max(pause, _SHARE * (answered - began)))


def log(api: Api, run_id: str, step: str, *, patience: float = 30.0) -> Iterator[bytes]:
    """What a step (by its id) writes, as it comes, until it ends. Goes on where it was when the server comes back."""
    given, answered = 0, time.monotonic()
    while True:
        skip = given
        try:
            for chunk in api.stream(f"runs/{run_id}/nodes/{step}/log", quiet=_QUIET, follow=True):
                answered = time.monotonic()
                fresh = chunk[skip:]
                skip = max(0, skip - len(chunk))
                given += len(fresh)
                if fresh:
                    yield fresh
            return
        except NoAnswer:
            # A quiet step is no server that is gone: ask for something that it must answer at once.
            if _answers(api, run_id):
                answered = time.monotonic()
            elif time.monotonic() - answered > patience:
                raise
            time.sleep(min(_AGAIN, patience))


def _answers(api: Api, run_id: str) -> bool:
    try:
        api.get(f"runs/{run_id}")
    except NoAnswer:
        return False
    return True
