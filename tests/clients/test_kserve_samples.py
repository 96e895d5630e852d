"""Upstream's samples and runtimes, every object of them: accepted, or refused in the words that are written down."""

from __future__ import annotations

import pytest

from tests.clients.kserve_samples import report, samples
from tests.clients.kserve_samples.__main__ import run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


async def test_each_sample_does_what_is_written_down() -> None:
    root = samples.checkout()
    if root is None:
        pytest.skip(f"name a checkout of kserve/kserve in {samples.VARIABLE}")
    found = samples.find(root)
    assert len(found.samples) > 100
    wrong = [f"{one.sample.name}: {one.refused or 'accepted'}" for one in await run(found) if report.is_wrong(one)]
    assert not wrong, "\n".join(wrong)
