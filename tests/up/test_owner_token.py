"""The owner's token: it ends, and a platform that runs for longer than it puts another in its place."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

from fairway.cluster.api.identity.tokens import Issuer
from fairway.kernel.clock import FakeClock
from fairway.up.owner import SECONDS, OwnerToken


async def test_another_token_takes_its_place_halfway_and_once(tmp_path: Path) -> None:
    clock, written, full = FakeClock(), list[str](), False
    issuer = Issuer.load(tmp_path)

    def write(token: str) -> None:
        if full:
            raise OSError("the disk is full")
        written.append(token)

    token = OwnerToken(issuer, clock, write)
    assert written == [token.now()]
    keeping = asyncio.ensure_future(token.keep())
    await asyncio.sleep(0)
    await clock.advance(SECONDS / 2 - 7200)
    assert len(written) == 1
    full = True
    await clock.advance(3 * 3600)
    assert not keeping.done()
    full = False
    await clock.advance(3600)
    assert len(written) == 2
    assert token.now() == written[-1]
    assert issuer.verify(token.now()).user == "fairway:admin"
    await clock.advance(SECONDS / 2 - 7200)
    assert len(written) == 2
    keeping.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await keeping
