"""Both stores keep the contract."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fairway.cluster.store.memory import MemoryStore
from fairway.cluster.store.sqlite import SQLiteStore
from fairway.testing.store_contract import StoreContract


class TestMemoryStore(StoreContract):
    @pytest.fixture
    async def store(self) -> AsyncIterator[MemoryStore]:
        store = MemoryStore()
        yield store
        await store.close()


class TestSQLiteStore(StoreContract):
    @pytest.fixture
    async def store(self, tmp_path: Path) -> AsyncIterator[SQLiteStore]:
        store = await SQLiteStore.open(tmp_path / "objects.db")
        yield store
        await store.close()
