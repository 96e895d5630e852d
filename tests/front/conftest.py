from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.front.doorway import House, serving


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with serving(tmp_path) as it:
        yield it
