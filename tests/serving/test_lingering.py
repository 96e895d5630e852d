"""A server that was told to end closes its door when nobody asks any more, and not at a time."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from fairway.serving.inpod import lingering
from tests.serving.conftest import TWO_FLOWERS, serving


async def test_the_door_is_open_while_requests_come_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lingering, "QUIET", 0.01)
    ages = [0.0, 0.0, 1.0]  # of the last request, when it is asked for
    await lingering.linger(0.001, lambda: time.monotonic() - ages.pop(0))
    assert not ages, "it asked again until there was nobody"
    monkeypatch.setattr(lingering, "LONGEST", 0.2)
    await asyncio.wait_for(lingering.linger(0.001, time.monotonic), 60)
    await asyncio.wait_for(lingering.linger(0, lambda: time.monotonic() + 60), 60)


async def test_a_request_that_comes_while_it_drains_is_noticed_and_answered(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noticed: list[float] = []

    async def until_one_came(least: float, asked: object) -> None:
        assert callable(asked)
        while not asked():
            await asyncio.sleep(0.01)
        noticed.append(asked())

    monkeypatch.setattr(lingering, "linger", until_one_came)
    async with serving(models / "iris") as server:
        server.end.set()
        status, _ = await server.post("/v1/models/m:predict", {"instances": TWO_FLOWERS})
        assert status == 200
        await asyncio.wait_for(server.done, 60)
    assert noticed
    assert noticed[0] <= time.monotonic()
