"""The logs of a run as one stream of (step, line): of one step, or of all steps, also while they come into being."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator

from fairway.pipelines import sdk
from fairway.pipelines.sdk import steps

_Line = tuple[str, str]
_Word = _Line | sdk.Step | sdk.Failure | None
"""A line; a step that has begun; what went wrong; or the end of a thread."""


def lines(run: sdk.Run, step: str, *, follow: bool) -> Iterator[_Line]:
    """The path of a step and a line of its log. Raises sdk.Failure."""
    if not step and follow:
        yield from _as_they_come(run)
        return
    chosen = [run.step(step)] if step else [each for each in steps.doing(run.snapshot().steps) if each.logged]
    for each in chosen:
        for line in run.lines(each) if follow else run.log(each).splitlines():
            yield each.path, line


def _as_they_come(run: sdk.Run) -> Iterator[_Line]:
    """One thread tells of steps that begin, and one for each of these reads its log. All end with the run."""
    words: queue.Queue[_Word] = queue.Queue(maxsize=10_000)
    _start(words, lambda: _begun(run))
    threads = 1
    while threads:
        word = words.get()
        if isinstance(word, sdk.Failure):
            raise word
        if isinstance(word, sdk.Step):
            _start(words, _reading(run, word))
            threads += 1
        elif word is None:
            threads -= 1
        else:
            yield word


def _start(words: queue.Queue[_Word], source: Callable[[], Iterator[_Word]]) -> None:
    def read() -> None:
        try:
            for word in source():
                words.put(word)
            words.put(None)
        except sdk.Failure as problem:
            words.put(problem)

    threading.Thread(target=read, daemon=True).start()  # whoever presses Ctrl-C waits for no log


def _begun(run: sdk.Run) -> Iterator[sdk.Step]:
    seen: set[str] = set()
    for snapshot in run.follow():
        for step in steps.doing(snapshot.steps):
            if step.logged and step.id not in seen:
                seen.add(step.id)
                yield step


def _reading(run: sdk.Run, step: sdk.Step) -> Callable[[], Iterator[_Line]]:
    return lambda: ((step.path, line) for line in run.lines(step))
