"""Watches: what is told, in which order, and what a watcher is told when it looks only at a part."""

from __future__ import annotations

import asyncio

import pytest

from fairway.kernel.client.client import Client
from fairway.kernel.client.http import HTTPTransport
from fairway.kernel.objects import errors, meta
from fairway.kernel.objects.kinds import CONFIG_MAP, POD
from tests.cluster.api.world import World, pod, take


def labelled(name: str, **labels: str) -> dict[str, object]:
    return CONFIG_MAP.new(name, "default", metadata={"labels": labels})


async def test_from_a_revision_everything_after_it_comes_in_order(client: Client) -> None:
    first = await client.create(CONFIG_MAP, labelled("a"))
    await client.create(CONFIG_MAP, labelled("b"))
    await client.patch(CONFIG_MAP, "a", "default", {"data": {"x": "1"}})
    await client.delete(CONFIG_MAP, "b", "default")
    events = client.watch(CONFIG_MAP, "default", since=first["metadata"]["resourceVersion"])
    told = await take(events, 3)
    await events.aclose()
    assert [(event.type, meta.name(event.object)) for event in told] == [
        ("ADDED", "b"),
        ("MODIFIED", "a"),
        ("DELETED", "b"),
    ]
    revisions = [meta.revision(event.object) for event in told]
    assert revisions == sorted(set(revisions))


async def test_without_a_revision_what_exists_comes_first(client: Client) -> None:
    await client.create(CONFIG_MAP, labelled("old"))
    events = client.watch(CONFIG_MAP, "default")
    before = await take(events, 1)
    await client.create(CONFIG_MAP, labelled("new"))
    after = await take(events, 1)
    await events.aclose()
    assert [(event.type, meta.name(event.object)) for event in before + after] == [("ADDED", "old"), ("ADDED", "new")]


async def test_an_object_enters_and_leaves_a_selection(client: Client) -> None:
    start = await client.create(CONFIG_MAP, labelled("a", colour="red"))
    events = client.watch(CONFIG_MAP, since=start["metadata"]["resourceVersion"], labels="colour=green")
    await client.patch(CONFIG_MAP, "a", "default", {"metadata": {"labels": {"colour": "green"}}})
    await client.patch(CONFIG_MAP, "a", "default", {"data": {"x": "1"}})
    left = await client.patch(CONFIG_MAP, "a", "default", {"metadata": {"labels": {"colour": "red"}}})
    told = await take(events, 3)
    await events.aclose()
    assert [event.type for event in told] == ["ADDED", "MODIFIED", "DELETED"]
    gone = told[-1].object
    assert gone["metadata"]["labels"] == {"colour": "green"}, "told with its last content in the selection"
    assert gone["metadata"]["resourceVersion"] == left["metadata"]["resourceVersion"]


async def test_a_node_sees_its_pods(client: Client) -> None:
    events = client.watch(POD, since="1", fields="spec.nodeName=here")
    await client.create(POD, pod("p"))
    await client.transport.request("POST", POD.path("default", "p", "binding"), body={"target": {"name": "here"}})
    (event,) = await take(events, 1)
    await events.aclose()
    assert (event.type, event.object["spec"]["nodeName"]) == ("ADDED", "here")


async def test_a_watch_list_says_where_the_beginning_ends(client: Client) -> None:
    await client.create(CONFIG_MAP, labelled("a"))
    query = {
        "sendInitialEvents": "true",
        "resourceVersionMatch": "NotOlderThan",
        "allowWatchBookmarks": "true",
    }
    events = client.transport.watch(CONFIG_MAP.path("default"), {**query, "watch": "true"})
    added, mark = await take(events, 2)
    await client.create(CONFIG_MAP, labelled("b"))
    (later,) = await take(events, 1)
    await events.aclose()
    assert (added.type, mark.type, meta.name(later.object)) == ("ADDED", "BOOKMARK", "b")
    assert mark.object["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    with pytest.raises(errors.Invalid, match="resourceVersionMatch"):
        await take(client.transport.watch(CONFIG_MAP.path("default"), {"watch": "1", "sendInitialEvents": "1"}), 1)
    with pytest.raises(errors.Invalid, match="forbidden for list"):
        await client.transport.request("GET", CONFIG_MAP.path("default"), query=query)


async def test_one_object_is_watched_by_its_path(client: Client) -> None:
    for name in ("a", "b"):
        await client.create(CONFIG_MAP, labelled(name))
    for path in (CONFIG_MAP.path("default", "b"), "/api/v1/watch/namespaces/default/configmaps/b"):
        events = client.transport.watch(path, {"watch": "true"})
        (event,) = await take(events, 1)
        await events.aclose()
        assert meta.name(event.object) == "b"


async def test_a_watch_ends_in_time_with_a_bookmark(client: Client) -> None:
    await client.create(CONFIG_MAP, labelled("a"))
    other = await client.create(POD, pod("p"))
    async with asyncio.timeout(60):
        events = client.watch(CONFIG_MAP, since="1", timeout_seconds=1)
        told = [event async for event in events]
    assert [event.type for event in told] == ["ADDED", "BOOKMARK"]
    assert meta.revision(told[-1].object) == meta.revision(other), "a quiet kind moves on with the others"


async def test_history_that_is_gone_is_expired(client: Client, world: World) -> None:
    for name in ("a", "b", "c"):
        await client.create(CONFIG_MAP, labelled(name))
    await world.store.compact(world.store.revision)
    with pytest.raises(errors.Expired):
        await take(client.watch(CONFIG_MAP, since="1"), 1)


async def test_a_client_that_leaves_frees_its_watch(world: World) -> None:
    before = len(asyncio.all_tasks())
    client = Client(world.server.transport(world.issuer.verify(world.token())))
    remote = Client(HTTPTransport(world.url, token=world.token(), tls=world.tls))
    await client.create(CONFIG_MAP, labelled("a"))
    events = remote.watch(CONFIG_MAP)
    await take(events, 1)
    assert len(asyncio.all_tasks()) > before
    await events.aclose()
    await remote.close()
    async with asyncio.timeout(60):
        while len(asyncio.all_tasks()) > before:
            await asyncio.sleep(0.01)
