"""`set_debug_pause`: a step stands still before it begins, after it ran, or when it failed, until told to go on."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest
from places import Here
from player import Player
from specs import Spec, task

from fairway.pipelines import stopping
from fairway.pipelines.render.model import State


def _document(script: str, *places: str) -> dict[str, Any]:
    env = [{"name": f"ARGO_DEBUG_PAUSE_{place}", "value": "true"} for place in places]
    return Spec().step("s", command=["sh", "-c", script], env=env).compiled({"s": task("s")})


class Visitor(threading.Thread):
    """Somebody who looks at each stop and lets the step go on. `seen` has where it stood, and whether it had run."""

    def __init__(self, root: Path, marks: Path) -> None:
        super().__init__(daemon=True)
        self.root, self.marks, self.leave, self.seen = root, marks, threading.Event(), []

    def run(self) -> None:
        while not self.leave.is_set():
            for found in self.root.rglob(stopping.STOPPED):
                where = (found.read_text(), self.marks.exists())
                if not self.seen or self.seen[-1] != where:
                    self.seen.append(where)
                    (found.parent / stopping.CONTINUE).touch()
            time.sleep(0.02)


@pytest.mark.parametrize(
    ("places", "end", "stops"),
    [
        (("BEFORE",), "true", [("before", False)]),
        (("AFTER",), "true", [("after", True)]),
        (("BEFORE", "AFTER"), "true", [("before", False), ("after", True)]),
        (("AFTER",), "false", [("on_error", True)]),
        (("ON_ERROR",), "false", [("on_error", True)]),
        (("ON_ERROR",), "true", []),
    ],
)
def test_it_stops_where_it_was_asked_to(tmp_path: Path, places: tuple[str, ...], end: str, stops: Any) -> None:
    marks = tmp_path / "marks"
    visitor = Visitor(tmp_path / "root", marks)
    visitor.start()
    graph = Player(tmp_path / "root").play(_document(f"touch {marks}; {end}", *places), limit=20)
    visitor.leave.set()
    visitor.join()
    assert visitor.seen == stops
    assert graph.state is (State.SUCCEEDED if end == "true" else State.FAILED)


def test_a_word_that_was_said_twice_does_not_count_for_the_next_stop(tmp_path: Path) -> None:
    go_on = tmp_path / stopping.CONTINUE
    go_on.touch()
    step = threading.Thread(target=stopping.stop, args=(str(tmp_path), stopping.AFTER), daemon=True)
    step.start()
    deadline = time.monotonic() + 60
    while not (tmp_path / stopping.STOPPED).exists() and step.is_alive():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert step.is_alive()
    assert not go_on.exists()
    go_on.touch()
    step.join(60)
    assert not step.is_alive()


@pytest.mark.slow
async def test_its_task_says_that_it_stands_still_and_where(here: Here, tmp_path: Path) -> None:
    async with here.engine():
        run_id = await here.submit(_document("true", "BEFORE"))
        message = await here.message(run_id, "s")
        assert message.startswith("stopped before the step begins, for a look: `kubectl logs s-")
        assert await here.states(run_id) == {"s": "RUNNING"}
        (told,) = tmp_path.rglob(stopping.STOPPED)
        (told.parent / stopping.CONTINUE).touch()
        assert (await here.ended(run_id))["status"]["phase"] == "SUCCEEDED"


@pytest.mark.slow
async def test_a_run_that_stands_still_can_be_terminated(here: Here) -> None:
    async with here.engine():
        run_id = await here.submit(_document("true", "BEFORE"))
        await here.message(run_id, "s")
        await here.terminate(run_id)
        assert (await here.ended(run_id))["status"]["phase"] == "CANCELED"
