"""Programs around a class or a function that imports nothing of ours: predict, and what may stand around it.

A class may have load, preprocess, postprocess, explain, close, and an attribute one_at_a_time. Its constructor is
called with what it asks for by name: name, model_dir. Coroutines live on a loop of their own, plain functions run in
the server's worker threads.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Awaitable, Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from fairway.serving.inpod.messages import Refusal
from fairway.serving.inpod.model import CannotLoad, Message, Reply, Signature
from fairway.serving.inpod.programs import arguments, failures, loops, results

_LOCATIONS = ("model_dir", "location", "path", "folder", "model_path")


class PlainProgram:
    """`steps` by name: predict, explain, preprocess, postprocess, each where it is there."""

    def __init__(self, steps: Mapping[str, Callable[..., Any]], owner: Any, name: str, *, one_at_a_time: bool) -> None:
        self._steps, self._owner, self._name = steps, owner, name
        self._turn = threading.Lock() if one_at_a_time else nullcontext()
        self._ways = {verb: arguments.way(step) for verb, step in steps.items() if verb != "postprocess"}
        self._loop = loops.OwnLoop(name) if any(map(_is_async, steps.values())) else None

    @property
    def owner(self) -> Any:
        """The user's object, or the function itself."""
        return self._owner

    @property
    def signature(self) -> Signature:
        first = self._ways.get("preprocess") or self._ways.get("predict")
        return Signature("python", first.inputs if first else (), batches=False)

    @property
    def asynchronous(self) -> bool:
        return self._loop is not None

    def answer(self, message: Message) -> Reply | Awaitable[Reply]:
        if self._loop is None:
            with failures.as_refusals("The program"), self._turn:
                return self._answer(message)
        return self._answer_on(self._loop, message)

    def close(self) -> None:
        for name in ("close", "unload", "stop"):
            if callable(end := getattr(self._owner, name, None)):
                self._settle(end())
                break
        if self._loop is not None:
            self._loop.close()

    def load(self) -> None:
        """Raises CannotLoad."""
        if not callable(load := getattr(self._owner, "load", None)):
            return
        with failures.as_cannot_load(f"The program {self._name}"):
            self._settle(load())

    def _settle(self, value: Any) -> None:
        if inspect.isawaitable(value):
            loop = self._loop or loops.OwnLoop(self._name)
            loop.wait(lambda: loops.settled(value))

    # A request without a coroutine in it, in a worker's thread.

    def _answer(self, message: Message) -> Reply:
        verb, way = self._chosen(message)
        call = arguments.call(way, message)
        found = [self._through(verb, *each) for each in call.arguments]
        if not call.by_row and inspect.isgenerator(found[0]):
            return results.streamed(results.steps(found[0]))
        return results.reply(message, found if call.by_row else found[0], whole=way.form == "body")

    def _through(self, verb: str, positional: tuple[Any, ...], named: dict[str, Any]) -> Any:
        value = None
        if first := self._steps.get("preprocess"):
            value = first(*positional, **named)
            value = self._steps[verb](value)
        else:
            value = self._steps[verb](*positional, **named)
        last = self._steps.get("postprocess")
        return last(value) if last and verb == "predict" else value

    # A request with coroutines in it, on the program's own loop.

    async def _answer_on(self, loop: loops.OwnLoop, message: Message) -> Reply:
        verb, way = self._chosen(message)
        call = arguments.call(way, message)

        async def work() -> list[Any]:
            return [await self._through_async(verb, *each) for each in call.arguments]

        with failures.as_refusals("The program"):
            found = await loop.call(work)
            if not call.by_row and hasattr(found[0], "__anext__"):
                return results.streamed(loop.iterate(found[0]))
            if not call.by_row and inspect.isgenerator(found[0]):
                return results.streamed(results.steps(found[0]))
            return results.reply(message, found if call.by_row else found[0], whole=way.form == "body")

    async def _through_async(self, verb: str, positional: tuple[Any, ...], named: dict[str, Any]) -> Any:
        if first := self._steps.get("preprocess"):
            positional, named = (await _run(first, positional, named),), {}
        value = await _run(self._steps[verb], positional, named)
        last = self._steps.get("postprocess")
        return await _run(last, (value,), {}) if last and verb == "predict" else value

    def _chosen(self, message: Message) -> tuple[str, arguments.Way]:
        verb = "explain" if message.verb == "explain" else "predict"
        if verb not in self._steps:
            raise Refusal(501, f"This program has no {verb}.")
        return verb, self._ways.get("preprocess") or self._ways[verb]


def of_function(function: Callable[..., Any], name: str) -> PlainProgram:
    return PlainProgram({"predict": function}, function, name, one_at_a_time=False)


def of_object(owner: Any, name: str) -> PlainProgram:
    names = ("preprocess", "predict", "explain", "postprocess")
    steps = {step: getattr(owner, step) for step in names if callable(getattr(owner, step, None))}
    return PlainProgram(steps, owner, name, one_at_a_time=bool(getattr(owner, "one_at_a_time", False)))


def construct(kind: type[Any], name: str, folder: Path) -> Any:
    """An object of the class, with what its constructor asks for by name. Raises CannotLoad."""
    given: dict[str, Any] = {}
    with failures.as_cannot_load(f"The class {kind.__name__}"):
        for parameter in inspect.signature(kind).parameters.values():
            if parameter.name in ("name", "model_name"):
                given[parameter.name] = name
            elif parameter.name in _LOCATIONS:
                given[parameter.name] = str(folder)
            elif parameter.default is parameter.empty and parameter.kind not in (
                parameter.VAR_POSITIONAL,
                parameter.VAR_KEYWORD,
            ):
                raise CannotLoad(
                    f"The constructor of {kind.__name__} wants {parameter.name}; it can have name and model_dir, and"
                    " everything else needs a default."
                )
        return kind(**given)


def _is_async(step: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(step) or inspect.isasyncgenfunction(step)


async def _run(step: Callable[..., Any], positional: tuple[Any, ...], named: dict[str, Any]) -> Any:
    if _is_async(step):
        return await loops.settled(step(*positional, **named))
    return await loops.in_thread(lambda: step(*positional, **named))
