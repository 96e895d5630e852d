from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from running_gateway import Gateway, gateway


@pytest.fixture
async def here(tmp_path: Path) -> AsyncGenerator[Gateway, None]:
    async with gateway(tmp_path) as found:
        yield found
