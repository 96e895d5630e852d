from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from places import Here

from fairway.artifacts.store import open_store
from fairway.pipelines.kinds import KINDS
from fairway.records.database import Database
from fairway.testing.cluster import cluster


@pytest.fixture
async def here(tmp_path: Path) -> AsyncGenerator[Here, None]:
    async with cluster(tmp_path, node=True, kinds=KINDS) as running:
        records = Database.open(running.platform.records_url)
        try:
            yield Here(running, records, open_store(running.platform.artifacts_url))
        finally:
            await records.close()
