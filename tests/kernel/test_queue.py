"""The queue of names: once each, one worker at a time, again when added meanwhile, later after failures."""

import asyncio

from fairway.kernel.clock import FakeClock
from fairway.kernel.control.queue import FIRST_DELAY, LONGEST_DELAY, WorkQueue

A, B = ("default", "a"), ("default", "b")


async def test_a_name_is_in_the_queue_once() -> None:
    queue = WorkQueue(FakeClock())
    queue.add(A)
    queue.add(A)
    queue.add(B)
    assert [await queue.take(), await queue.take()] == [A, B]
    assert len(queue) == 0


async def test_a_name_added_while_it_is_worked_on_comes_again_afterwards() -> None:
    queue = WorkQueue(FakeClock())
    queue.add(A)
    assert await queue.take() == A
    queue.add(A)
    assert len(queue) == 0
    queue.done(A)
    assert await queue.take() == A


async def test_failures_back_off_and_success_forgets_them() -> None:
    clock = FakeClock()
    queue = WorkQueue(clock)
    for failures in range(3):
        queue.retry(A)
        await asyncio.sleep(0)
        await clock.advance(FIRST_DELAY * 2**failures * 0.9)
        assert len(queue) == 0
        await clock.advance(FIRST_DELAY * 2**failures * 0.2)
        assert await queue.take() == A
        queue.done(A)
    queue.forget(A)
    queue.retry(A)
    await asyncio.sleep(0)
    await clock.advance(FIRST_DELAY * 1.1)
    assert await queue.take() == A


async def test_the_earliest_of_several_moments_counts() -> None:
    clock = FakeClock()
    queue = WorkQueue(clock)
    queue.add_after(A, 10)
    queue.add_after(A, 1)
    queue.add_after(A, 5)
    await asyncio.sleep(0)
    await clock.advance(1.1)
    assert await queue.take() == A
    queue.done(A)
    await clock.advance(20)
    assert len(queue) == 0


async def test_what_has_failed_for_days_is_still_tried_again() -> None:
    clock = FakeClock()
    queue = WorkQueue(clock)
    for _ in range(1100):  # once a minute, this is less than a day
        queue.retry(A)
    await asyncio.sleep(0)
    await clock.advance(LONGEST_DELAY)
    assert await queue.take() == A


async def test_a_race_that_is_lost_for_ever_is_run_less_and_less_often() -> None:
    clock = FakeClock()
    queue = WorkQueue(clock)
    for _ in range(20):
        queue.retry(A, quick=True)
        await asyncio.sleep(0)
        await clock.advance(LONGEST_DELAY)
        assert await queue.take() == A
        queue.done(A)
    queue.retry(A, quick=True)
    await asyncio.sleep(0)
    await clock.advance(LONGEST_DELAY / 2)
    assert len(queue) == 0
