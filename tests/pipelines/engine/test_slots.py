"""Who holds slots and who waits, when runs are taken up in any order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from fairway.pipelines.engine.slots import Slots
from fairway.pipelines.render.model import Instance
from fairway.pipelines.tables import pools
from fairway.records.database import Database

FIRST, SECOND = ("default", "first"), ("default", "second")


@dataclass(frozen=True)
class Options:
    pool: str = "desk"
    slots: int = 1


@dataclass(frozen=True)
class Step:
    """What slots look at of a step."""

    id: str
    slots: int = 0
    options: Options = Options()


def steps(*ids: str, holding: int = 0) -> list[Instance]:
    return [cast(Instance, Step(each, holding)) for each in ids]


@pytest.fixture
async def slots(tmp_path: Path) -> AsyncIterator[Slots]:
    records = await asyncio.to_thread(Database.open, f"sqlite:///{tmp_path}/records.db")
    desk: dict[str, Any] = {"name": "desk", "slots": 2, "created_at": 0.0}
    await records.write(lambda connection: connection.execute(pools.insert().values(**desk)))
    yield Slots(records, lambda key: None)
    await records.close()


async def test_a_run_that_is_taken_up_keeps_what_it_held_before_others_get_any(slots: Slots) -> None:
    slots.take_up(FIRST, steps("a", "b", holding=1))
    assert await slots.ask(SECOND, steps("c")) == []
    slots.take_up(FIRST, steps("a", "b", holding=1))  # opened again, from its records
    assert slots.given(SECOND) == []
    assert await slots.look(SECOND) == []


async def test_a_pool_that_nobody_made_and_nobody_wants_is_not_remembered(slots: Slots) -> None:
    for number in range(20):
        nowhere = cast(Instance, Step("a", options=Options(f"pool-{number}")))
        assert await slots.ask(FIRST, [nowhere]) == []
        slots.give_back([nowhere])
    await slots.look(FIRST)
    assert set(slots._pools) == {"desk"}


async def test_a_run_of_the_same_name_in_another_namespace_gives_back_nothing_of_it(slots: Slots) -> None:
    slots.take_up(FIRST, steps("a", "b", holding=1))
    slots.forget(("elsewhere", "first"))
    assert await slots.ask(SECOND, steps("c")) == []


async def test_what_it_does_not_hold_any_more_goes_to_who_waits(slots: Slots) -> None:
    slots.take_up(FIRST, steps("a", "b", holding=1))
    await slots.ask(SECOND, steps("c"))
    slots.take_up(FIRST, steps("a", holding=1))
    assert slots.given(SECOND) == ["c"]
    slots.forget(FIRST)
    assert await slots.ask(SECOND, steps("d")) == ["d"]
