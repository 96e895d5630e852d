"""A start writes what is missing or wrong; one that finds everything as it should be writes none of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from fairway.cluster.store.sqlite import SQLiteStore
from fairway.features import FEATURES
from fairway.kernel.objects.kinds import CRD, NAMESPACE, PRIORITY_CLASS, STORAGE_CLASS
from fairway.serving.runtimes.kinds import CLUSTER_SERVING_RUNTIME
from fairway.testing.cluster import cluster

LASTING = {kind.resource for kind in (CRD, CLUSTER_SERVING_RUNTIME, NAMESPACE, PRIORITY_CLASS, STORAGE_CLASS)}


@pytest.mark.slow
async def test_a_second_start_writes_nothing_that_was_right(tmp_path: Path) -> None:
    async with cluster(tmp_path, store=await SQLiteStore.open(tmp_path / "objects.db"), features=FEATURES) as here:
        definition = (await here.client.list(CRD)).items[0]
        versions = [{**version, "additionalPrinterColumns": []} for version in definition["spec"]["versions"]]
        spoiled = {"spec": {"versions": versions}}
        await here.client.patch(CRD, definition["metadata"]["name"], None, spoiled)
    store = await SQLiteStore.open(tmp_path / "objects.db")
    before = store.revision
    async with cluster(tmp_path, store=store, features=FEATURES):
        written = [change.record for change in store.changes(before) if change.record.key.resource in LASTING]
        assert {record.key.name for record in written} == {definition["metadata"]["name"]}
        assert written[-1].object["spec"] == definition["spec"]
