"""Bells wake whoever listens: once for many rings, at once for a ring that came before, and not without one."""

import asyncio

from fairway.kernel.clock import FakeClock
from fairway.pipelines.waking import Bell


async def test_a_ring_ends_every_wait_before_its_time() -> None:
    bell, clock = Bell(), FakeClock()
    ears = [bell.ear(), bell.ear()]
    waits = [asyncio.ensure_future(ear.wait(clock, 60)) for ear in ears]
    await asyncio.sleep(0)
    assert not any(wait.done() for wait in waits)
    bell.ring()
    await asyncio.wait_for(asyncio.gather(*waits), 1)


async def test_many_rings_before_a_wait_are_one() -> None:
    bell, clock = Bell(), FakeClock()
    ear = bell.ear()
    bell.ring()
    bell.ring()
    await asyncio.wait_for(ear.wait(clock, 60), 1)
    again = asyncio.ensure_future(ear.wait(clock, 60))
    await asyncio.sleep(0.01)
    assert not again.done()
    await clock.advance(60)
    await asyncio.wait_for(again, 1)
