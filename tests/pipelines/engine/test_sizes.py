"""Large runs cost what they are large: time and memory of deciding grow with the number of tasks, and not faster.

Time is the processor's, without waiting, and is compared with a run of a tenth of the size. Something that looks at
every task for every task would cost ten times more for each; the limit is three times.
"""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from specs import In, Out, Spec, task
from test_deciding import World

from fairway.pipelines import ir, recording
from fairway.pipelines.render import scopes
from fairway.pipelines.render.model import State

pytestmark = pytest.mark.slow


def loop(count: int) -> dict[str, Any]:
    spec = Spec().step("double", {"n": int}, {"Output": int}).step("use", {"all": list})
    one = task("double", {"n": In("item")}, cached=True)
    spec.dag("body", {"double": one}, {"item": int}, {"Output": list}, Output=Out("double"))
    return spec.compiled({"loop": task("body", each=list(range(count))), "use": task("use", {"all": Out("loop")})})


def bounded_loop(count: int) -> dict[str, Any]:
    spec = Spec().step("s", {"item": int}, {"Output": int})
    return spec.compiled({"loop": task("s", each=list(range(count)), parallel=10)})


def flat(count: int) -> dict[str, Any]:
    return Spec().step("s").compiled({f"t{number}": task("s", cached=True) for number in range(count)})


def chain(count: int) -> dict[str, Any]:
    spec = Spec().step("s", {"x": (str, None)}, {"Output": str})
    tasks = {"t0": task("s")}
    tasks |= {f"t{number}": task("s", {"x": Out(f"t{number - 1}")}) for number in range(1, count)}
    return spec.compiled(tasks)


def funnel(count: int) -> dict[str, Any]:
    tasks = {f"t{number}": task("s") for number in range(count)}
    return Spec().step("s").compiled({**tasks, "last": task("s", after=tuple(tasks))})


def play(document: dict[str, Any]) -> World:
    """A whole run, what the records are told of it, and the run as the next engine finds it."""
    world = World(document).settle()
    assert world.graph.state is State.SUCCEEDED, world.graph.root.failure
    recording.Changes(ir.load(document), world.graph.run, world.graph.instances.values(), 0.0)
    again = World(document, known=world.rows).settle()
    assert again.order == []
    return again


@contextmanager
def undisturbed() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def seconds(document: dict[str, Any]) -> float:
    with undisturbed():
        begin = time.process_time()
        play(document)
        return time.process_time() - begin


SHAPES = (loop, bounded_loop, flat, chain, funnel)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
@pytest.mark.timeout(300)
def test_time_grows_with_the_number_of_tasks(shape: Callable[[int], dict[str, Any]]) -> None:
    small, large = shape(2_000), shape(20_000)
    play(small)  # what is done once is done now
    each_of_small = min(seconds(small) for _ in range(3)) / 2_000
    each_of_large = seconds(large) / 20_000
    assert each_of_large < 3 * each_of_small


@pytest.mark.timeout(300)
def test_memory_grows_with_the_number_of_tasks() -> None:
    def kept(count: int) -> float:
        document = loop(count)
        gc.collect()
        tracemalloc.start()
        try:
            world = World(document).settle()
            assert world.graph.state is State.SUCCEEDED
            return tracemalloc.get_traced_memory()[1] / count
        finally:
            tracemalloc.stop()

    assert kept(10_000) < 1.5 * kept(1_000)


def test_a_pipeline_that_multiplies_itself_fails_before_it_fills_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scopes, "MOST_TASKS", 1_000)
    spec = Spec().step("s", {"item": int}).dag("level-0", {"a": task("s", {"item": 0}), "b": task("s", {"item": 0})})
    for level in range(1, 60):
        inside = task(f"level-{level - 1}")
        spec.dag(f"level-{level}", {"a": inside, "b": inside})
    world = World(spec.compiled({"all": task("level-59")})).settle()
    assert world.graph.state is State.FAILED
    assert "more than 1,000: let one step do more" in world.graph.root.failure
    assert len(world.graph.instances) <= 1_000
    looped = World(Spec().step("s", {"item": int}).compiled({"all": task("s", each=[0] * 1_000)})).settle()
    assert (looped.graph.state, looped.order) == (State.FAILED, [])
    fits = World(Spec().step("s", {"item": int}).compiled({"all": task("s", each=[0] * 998)})).settle()
    assert fits.graph.state is State.SUCCEEDED


def test_a_value_that_is_given_to_many_steps_is_there_once() -> None:
    text = "x" * 1_000_000
    spec = Spec().step("s", {"text": str, "n": int})
    spec.dag("body", {"s": task("s", {"text": In("text"), "n": In("item")})}, {"item": int, "text": str})
    document = spec.compiled({"loop": task("body", {"text": In("text")}, each=list(range(200)))}, {"text": str})
    tracemalloc.start()
    try:
        world = World(document, parameters={"text": text}).settle()
        assert world.at("loop[199]/s").inputs.parameters["text"] is world.graph.root.inputs.parameters["text"]
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()
