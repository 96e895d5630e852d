"""Bells wake whoever listens: once for many rings, at once for a ring that came before, and not without one. Who waits
for a moment goes by the clock, however it is set."""

import asyncio

from fairway.kernel.clock import FakeClock
from fairway.pipelines.waking import Bell


class SetClock(FakeClock):
    """One that somebody sets: what sleeps goes by the time that has passed."""

    ahead = 0.0

    def now(self) -> float:
        return super().now() + self.ahead


async def test_a_ring_ends_every_wait_before_its_time() -> None:
    bell, clock = Bell(), FakeClock()
    ears = [bell.ear(), bell.ear()]
    waits = [asyncio.ensure_future(ear.wait(clock, 60)) for ear in ears]
    await asyncio.sleep(0)
    assert not any(wait.done() for wait in waits)
    bell.ring()
    await asyncio.wait_for(asyncio.gather(*waits), 60)


async def test_many_rings_before_a_wait_are_one() -> None:
    bell, clock = Bell(), FakeClock()
    ear = bell.ear()
    bell.ring()
    bell.ring()
    await asyncio.wait_for(ear.wait(clock, 60), 60)
    again = asyncio.ensure_future(ear.wait(clock, 60))
    await asyncio.sleep(0.01)
    assert not again.done()
    await clock.advance(60)
    await asyncio.wait_for(again, 60)


async def begun(clock: FakeClock, *, until: float) -> asyncio.Task[None]:
    """A wait for this moment, of 300 seconds at most."""
    wait = asyncio.create_task(Bell().ear().wait(clock, 300, until))
    while not clock._sleepers:
        await asyncio.sleep(0)
    return wait


async def test_a_wait_ends_when_its_moment_has_come() -> None:
    clock = FakeClock()
    wait = await begun(clock, until=clock.now() + 100)
    await clock.advance(99)
    assert not wait.done()
    await clock.advance(1)
    await asyncio.wait_for(wait, 60)


async def test_a_moment_that_came_because_the_clock_was_set_is_noticed_soon() -> None:
    clock = SetClock()
    wait = await begun(clock, until=clock.now() + 200)
    await clock.advance(20)
    clock.ahead = 3600
    await clock.advance(15)
    await asyncio.wait_for(wait, 60)


async def test_a_clock_that_was_set_back_does_not_make_a_wait_longer_than_it_may_be() -> None:
    clock = SetClock()
    wait = await begun(clock, until=clock.now() + 200)
    clock.ahead = -3600
    await clock.advance(299)
    assert not wait.done()
    await clock.advance(1)
    await asyncio.wait_for(wait, 60)
