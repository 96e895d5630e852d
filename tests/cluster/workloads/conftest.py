from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from pretend_cluster import Here, cluster


@pytest.fixture
async def here(tmp_path: Path) -> AsyncGenerator[Here, None]:
    async with cluster(tmp_path) as found:
        yield found
