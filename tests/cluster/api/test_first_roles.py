"""The roles that are always there: made at the first start, mended at each, never against an administrator's word."""

from __future__ import annotations

from pathlib import Path

import pytest

from fairway.cluster.api.identity.tokens import Issuer
from fairway.cluster.api.server import ApiServer
from fairway.cluster.store.memory import MemoryStore
from fairway.kernel.client.client import Client
from fairway.kernel.clock import SystemClock
from fairway.kernel.feature import Identity
from fairway.kernel.objects.kinds import CLUSTER_ROLE, CLUSTER_ROLE_BINDING, NAMESPACE


async def start(store: MemoryStore, folder: Path) -> Client:
    server = ApiServer(store, clock=SystemClock(), issuer=Issuer.load(folder))
    client = Client(server.transport(Identity("admin", ("system:masters",))))
    await client.list(NAMESPACE)
    return client


@pytest.fixture
async def store(keys: Path) -> MemoryStore:
    store = MemoryStore()
    await start(store, keys)
    return store


async def test_a_second_start_writes_nothing(store: MemoryStore, keys: Path) -> None:
    before = store.revision
    await start(store, keys)
    assert store.revision == before


async def test_what_was_taken_away_comes_back_and_what_was_added_stays(store: MemoryStore, keys: Path) -> None:
    client = await start(store, keys)
    own = {"apiGroups": ["example.dev"], "resources": ["widgets"], "verbs": ["get"]}
    await client.patch(CLUSTER_ROLE, "system:discovery", None, {"rules": [own]})
    await client.delete(CLUSTER_ROLE, "view")
    subject = {"kind": "User", "name": "ann"}
    await client.patch(CLUSTER_ROLE_BINDING, "system:discovery", None, {"subjects": [subject]})
    await start(store, keys)
    rules = (await client.get(CLUSTER_ROLE, "system:discovery"))["rules"]
    assert own in rules and any("/apis" in rule.get("nonResourceURLs", ()) for rule in rules)
    assert (await client.get(CLUSTER_ROLE, "view"))["rules"]
    subjects = (await client.get(CLUSTER_ROLE_BINDING, "system:discovery"))["subjects"]
    assert [each["name"] for each in subjects] == ["ann", "system:authenticated"]


async def test_an_annotation_keeps_the_server_from_mending(store: MemoryStore, keys: Path) -> None:
    client = await start(store, keys)
    change = {"metadata": {"annotations": {"rbac.authorization.kubernetes.io/autoupdate": "false"}}, "rules": []}
    await client.patch(CLUSTER_ROLE, "system:discovery", None, change)
    await start(store, keys)
    assert (await client.get(CLUSTER_ROLE, "system:discovery")).get("rules") in (None, [])


async def test_a_binding_that_was_led_astray_is_made_anew(store: MemoryStore, keys: Path) -> None:
    client = await start(store, keys)
    await client.delete(CLUSTER_ROLE_BINDING, "system:discovery")
    reference = {"apiGroup": CLUSTER_ROLE.group, "kind": "ClusterRole", "name": "view"}
    await client.create(CLUSTER_ROLE_BINDING, CLUSTER_ROLE_BINDING.new("system:discovery", roleRef=reference))
    await start(store, keys)
    assert (await client.get(CLUSTER_ROLE_BINDING, "system:discovery"))["roleRef"]["name"] == "system:discovery"
