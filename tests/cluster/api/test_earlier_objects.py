"""Objects that an earlier Fairway stored are served as if they had had today's defaults always."""

from __future__ import annotations

import ast
from collections.abc import AsyncGenerator
from importlib import resources as files
from pathlib import Path
from typing import Any

import orjson
import pytest

from fairway.cluster.api import resources
from fairway.cluster.api.defaults import stored
from fairway.cluster.api.identity.tokens import Issuer
from fairway.cluster.api.server import ApiServer
from fairway.cluster.api.strategies import builtin_strategy
from fairway.cluster.store.protocol import Key
from fairway.cluster.store.sqlite import SQLiteStore
from fairway.cluster.workloads import deployments, revisions
from fairway.kernel.client.client import Client
from fairway.kernel.clock import FakeClock
from fairway.kernel.feature import Identity
from fairway.kernel.objects import errors, meta
from fairway.kernel.objects.kinds import (
    CONFIG_MAP,
    CONTROLLER_REVISION,
    DAEMON_SET,
    DEPLOYMENT,
    LIMIT_RANGE,
    POD,
    REPLICA_SET,
    Kind,
    Object,
)
from tests.cluster.api.world import WIDGET

LABELS = {"app": "x"}
POD_SPEC = {"containers": [{"name": "c", "image": "busybox:1", "resources": {"limits": {"cpu": 0.5}}}]}
TEMPLATE = {"metadata": {"labels": LABELS}, "spec": POD_SPEC}
MARKED = {"metadata": {"labels": {**LABELS, deployments.HASH: "older"}}, "spec": POD_SPEC}
EARLIER: list[tuple[Kind, str, Object]] = [
    (DEPLOYMENT, "d", {"spec": {"selector": {"matchLabels": LABELS}, "template": TEMPLATE}}),
    (
        REPLICA_SET,
        "d-older",
        {
            "metadata": {"labels": {**LABELS, deployments.HASH: "older"}},
            "spec": {"selector": {"matchLabels": LABELS}, "template": MARKED},
        },
    ),
    (DAEMON_SET, "s", {"spec": {"selector": {"matchLabels": LABELS}, "template": TEMPLATE}}),
    (
        CONTROLLER_REVISION,
        "s-older",
        {"revision": 1, "data": {"spec": {"template": {"$patch": "replace", **TEMPLATE}}}},
    ),
    (POD, "p", {"spec": POD_SPEC}),
    (POD, "q", {"spec": POD_SPEC}),
    (LIMIT_RANGE, "l", {"spec": {"limits": [{"type": "Container", "max": {"memory": "1024Mi"}}]}}),
    (CONFIG_MAP, "c", {"data": {"memory": "1024Mi"}}),
    (CONFIG_MAP, "broken", {"binaryData": {"a": "abc"}}),
    (WIDGET.kind, "w", {"spec": {"limits": {"cpu": 0.5}}}),
]


@pytest.fixture
async def earlier(tmp_path: Path) -> Path:
    """A database from before there were defaults."""
    file = tmp_path / "objects.db"
    store = await SQLiteStore.open(file)
    for kind, name, fields in EARLIER:
        made = kind.new(name, "default", **orjson.loads(orjson.dumps(fields)))
        made["metadata"] |= {"uid": f"uid-{name}", "generation": 1, "creationTimestamp": "2026-01-01T00:00:00Z"}
        await store.create(Key(kind.resource, "default", name), made)
    await store.close()
    return file


@pytest.fixture
async def store(earlier: Path) -> AsyncGenerator[SQLiteStore, None]:
    store = await SQLiteStore.open(earlier, completion=stored.completion())
    yield store
    await store.close()


@pytest.fixture
def client(store: SQLiteStore, keys: Path) -> Client:
    server = ApiServer(store, clock=FakeClock(), issuer=Issuer.load(keys))
    return Client(server.transport(Identity("admin", ("system:masters",))))


async def test_they_are_read_with_their_defaults_at_the_revision_that_they_have(client: Client) -> None:
    got = await client.get(DEPLOYMENT, "d", "default")
    assert (meta.revision(got), got["metadata"]["generation"]) == (1, 1)
    assert got["spec"]["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"},
    }
    (container,) = got["spec"]["template"]["spec"]["containers"]
    assert container["resources"] == {"limits": {"cpu": "500m"}, "requests": {"cpu": "500m"}}
    first = await client.list(POD, "default", limit=1)
    rest = await client.list(POD, "default", limit=1, continue_token=first.continue_token)
    assert [pod["spec"]["dnsPolicy"] for pod in (*first.items, *rest.items)] == ["ClusterFirst"] * 2


async def test_a_watch_of_the_past_tells_them_so(client: Client) -> None:
    async for event in client.watch(POD, "default", since="1"):
        assert event.object["spec"]["dnsPolicy"] == "ClusterFirst"
        assert event.object["metadata"]["resourceVersion"] == "5"
        break


async def test_a_patch_finds_them_complete(client: Client) -> None:
    before = await client.get(DEPLOYMENT, "d", "default")
    same = await client.patch(DEPLOYMENT, "d", "default", {"spec": {"revisionHistoryLimit": 10}})
    assert same == before
    after = await client.patch(DEPLOYMENT, "d", "default", {"metadata": {"labels": {"a": "b"}}})
    assert after["metadata"]["generation"] == 1
    assert after["spec"] == before["spec"]


async def test_what_would_be_refused_today_may_stay_and_nothing_worse_may_come(client: Client) -> None:
    await client.patch(CONFIG_MAP, "broken", "default", {"data": {"b": "x"}})
    with pytest.raises(errors.Invalid, match=r"binaryData\[c\]"):
        await client.patch(CONFIG_MAP, "broken", "default", {"binaryData": {"c": "abc"}})


async def test_admission_reads_them_so(client: Client) -> None:
    pod = await client.create(
        POD, POD.new("new", "default", spec={"containers": [{"name": "c", "image": "busybox:1"}]})
    )
    assert pod["spec"]["containers"][0]["resources"]["limits"] == {"memory": "1Gi"}


async def test_other_objects_stay_as_they_are(client: Client, store: SQLiteStore) -> None:
    assert (await client.get(CONFIG_MAP, "c", "default"))["data"] == {"memory": "1024Mi"}
    widget = store.get(Key(WIDGET.kind.resource, "default", "w"))
    assert widget is not None
    assert widget.object["spec"] == {"limits": {"cpu": 0.5}}


async def test_a_template_with_more_defaults_is_the_same_version_of_it(client: Client) -> None:
    """Nothing is rolled out because Fairway was upgraded."""
    found = [await client.get(kind, name, "default") for kind, name, _ in EARLIER[:4]]
    deployment, replica_set, daemon_set, revision = found
    assert meta.name(deployments.new_set(deployment, [replica_set])) == "d-older"
    assert revisions.name_of(daemon_set, [revision]) == "s-older"
    changed: Any = orjson.loads(orjson.dumps(deployment))
    changed["spec"]["template"]["spec"]["dnsPolicy"] = "Default"
    assert meta.name(deployments.new_set(changed, [replica_set])) != "d-older"


def test_all_kinds_with_quantities_are_completed() -> None:
    rows = [row for row in resources.builtin() if row.storage == row.kind and row.stored and not row.measured]
    having = {row.kind.resource for row in rows if builtin_strategy(row).amounts() is not None}
    assert having <= stored.completion().resources


def test_all_that_decides_is_in_the_fingerprint() -> None:
    """The tables of defaults, and what they import that is more than a word."""
    known = {f"{package}.{name.removesuffix('.py')}" for package, names in stored.SOURCES.items() for name in names}
    words = {"fairway.kernel.objects.errors", "fairway.kernel.objects.kinds"}
    tables = [one for one in files.files("fairway.cluster.api.defaults").iterdir() if one.name.endswith("_defaults.py")]
    assert len(tables) >= 2
    for table in tables:
        assert f"fairway.cluster.api.defaults.{table.name.removesuffix('.py')}" in known
        for node in ast.walk(ast.parse(table.read_text())):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("fairway."):
                named = {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
                assert named & (known | words), (table.name, named)
