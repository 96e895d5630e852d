"""Containers begin a few at a time, and none holds the others up for long."""

from __future__ import annotations

import asyncio

from fairway.cluster.node.pacing import Pace
from fairway.cluster.node.runtime import ContainerId


def container(number: int) -> ContainerId:
    return ContainerId(f"pod-{number}", "main", 0)


async def test_the_next_begins_when_one_has_ended() -> None:
    pace = Pace(most=2, moment=1000)
    await pace.begin(container(1))
    await pace.begin(container(2))
    third = asyncio.create_task(pace.begin(container(3)))
    await asyncio.sleep(0)
    assert not third.done()
    pace.begun(container(1))
    await asyncio.wait_for(third, 60)


async def test_one_that_stays_is_waited_for_a_moment_only() -> None:
    pace = Pace(most=1, moment=0.01)
    for number in range(5):
        await asyncio.wait_for(pace.begin(container(number)), 60)


async def test_an_end_that_is_told_late_or_twice_gives_no_second_place() -> None:
    pace = Pace(most=1, moment=1000)
    await pace.begin(container(1))
    pace.begun(container(1))
    pace.begun(container(1))
    await pace.begin(container(2))
    third = asyncio.create_task(pace.begin(container(3)))
    await asyncio.sleep(0)
    assert not third.done()
    third.cancel()


async def test_who_is_cancelled_while_waiting_leaves_its_place_to_others() -> None:
    pace = Pace(most=1, moment=1000)
    await pace.begin(container(1))
    second = asyncio.create_task(pace.begin(container(2)))
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.wait({second})
    pace.begun(container(1))
    await asyncio.wait_for(pace.begin(container(3)), 60)
