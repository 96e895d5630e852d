"""Where requests wait for a pod: first come first served, bounded, and as many at once as a pod takes."""

from __future__ import annotations

import asyncio
import random

import pytest

from fairway.serving.scaling.activator.hall import CannotWake, Hall, NoRoom


async def _begun(hall: Hall) -> asyncio.Task[str]:
    task = asyncio.create_task(hall.enter())
    await asyncio.sleep(0)
    return task


async def test_who_comes_to_an_empty_hall_waits_for_a_pod() -> None:
    hall = Hall()
    first, second = await _begun(hall), await _begun(hall)
    assert hall.empty
    assert hall.waiting == 2
    hall.told(["a"])
    assert await first == await second == "a"
    assert hall.waiting == 0


async def test_a_pod_takes_as_many_as_its_limit_in_the_order_they_came() -> None:
    hall = Hall(limit=1)
    hall.told(["a"])
    assert await hall.enter() == "a"
    second, third = await _begun(hall), await _begun(hall)
    hall.leave("a")
    assert await second == "a"
    assert not third.done()
    hall.leave("a")
    assert await third == "a"


async def test_a_second_pod_takes_who_waits() -> None:
    hall = Hall(limit=1)
    hall.told(["a"])
    await hall.enter()
    waiting = await _begun(hall)
    hall.told(["a", "b"])
    assert await waiting == "b"


async def test_beyond_the_bound_a_request_is_refused_at_once() -> None:
    hall = Hall(most_waiting=2)
    waiting = [await _begun(hall) for _ in range(2)]
    with pytest.raises(NoRoom):
        await hall.enter()
    waiting[0].cancel()
    await asyncio.sleep(0)
    fourth = await _begun(hall)  # who hung up makes room
    hall.told(["a"])
    assert await waiting[1] == await fourth == "a"


async def test_who_hangs_up_just_as_it_is_its_turn_takes_no_place() -> None:
    hall = Hall(limit=1)
    waiting = await _begun(hall)
    hall.told(["a"])
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await asyncio.wait_for(hall.enter(), 60) == "a"


async def test_a_service_that_cannot_start_keeps_nobody_waiting() -> None:
    hall = Hall()
    waiting = await _begun(hall)
    hall.told([], broken="the model is not there")
    with pytest.raises(CannotWake, match="not there"):
        await waiting
    with pytest.raises(CannotWake):
        await hall.enter()
    hall.told(["a"], broken="the model is not there")  # an older pod still answers
    assert await hall.enter() == "a"


async def test_a_pod_that_did_not_answer_is_left_out_until_it_is_told_of_again() -> None:
    hall = Hall()
    hall.told(["a"])
    hall.without(await hall.enter())
    hall.leave("a")
    waiting = await _begun(hall)
    assert not waiting.done()
    hall.told(["a"])
    assert await waiting == "a"


async def test_without_a_limit_the_emptier_of_two_is_taken() -> None:
    hall = Hall(chance=random.Random(1))
    hall.told(["a", "b"])
    taken = [await hall.enter() for _ in range(10)]
    assert taken.count("a") == taken.count("b") == 5


@pytest.mark.parametrize(("limit", "first"), [(2, ["a", "a", "b", "b"]), (4, ["b", "a", "b", "a"])])
async def test_with_a_small_limit_the_first_is_filled_and_else_all_in_turn(limit: int, first: list[str]) -> None:
    hall = Hall(limit=limit)
    hall.told(["a", "b"])
    assert [await hall.enter() for _ in range(4)] == first


@pytest.mark.parametrize("missed", ["told", "unreachable"])
async def test_a_pod_that_is_missed_for_a_moment_still_has_whom_it_had(missed: str) -> None:
    hall = Hall(limit=1)
    hall.told(["a"])
    assert await hall.enter() == "a"
    if missed == "told":
        hall.told([])
    else:
        hall.without("a")
    assert hall.empty
    hall.told(["a"])
    second, third = await _begun(hall), await _begun(hall)
    assert not second.done()
    hall.leave("a")
    assert await second == "a"
    assert not third.done()
    hall.leave("a")
    assert await third == "a"
