"""A pod that is stopped in the very moment in which its container has ended, and its probes are being ended."""

from __future__ import annotations

import asyncio

import pytest

from fairway.cluster.node.containers import cut_short


async def test_who_is_cancelled_while_it_ends_something_else_is_cancelled() -> None:
    may_end = asyncio.Event()

    async def probing() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await may_end.wait()

    probes = asyncio.create_task(probing())
    await asyncio.sleep(0)
    life = asyncio.create_task(cut_short(probes))
    await asyncio.sleep(0)
    assert not probes.done()
    life.cancel()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await life
    await asyncio.wait({probes})
    assert probes.cancelled()


async def test_what_went_wrong_before_it_was_ended_is_raised() -> None:
    async def failing() -> None:
        raise ValueError("of its own")

    task = asyncio.create_task(failing())
    await asyncio.sleep(0)
    with pytest.raises(ValueError, match="of its own"):
        await cut_short(task)


async def test_what_is_cut_short_is_no_failure() -> None:
    task = asyncio.create_task(asyncio.sleep(3600))
    await asyncio.sleep(0)
    await asyncio.wait_for(cut_short(task), 60)
    assert task.cancelled()
