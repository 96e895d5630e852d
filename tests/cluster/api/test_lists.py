"""Lists: selectors, pages, revisions."""

from __future__ import annotations

import asyncio

import pytest

from fairway.kernel.client.client import Client
from fairway.kernel.objects import errors, meta
from fairway.kernel.objects.kinds import CONFIG_MAP, EVENT, POD, Kind
from tests.cluster.api.world import World, pod


async def fill(client: Client, count: int) -> None:
    for n in range(count):
        await client.create(CONFIG_MAP, CONFIG_MAP.new(f"c{n}", "default", metadata={"labels": {"n": str(n % 2)}}))


@pytest.mark.parametrize(
    ("labels", "fields", "expected"),
    [
        ("", "", ["c0", "c1", "c2"]),
        ("n=0", "", ["c0", "c2"]),
        ("n notin (0)", "", ["c1"]),
        ("", "metadata.name=c2,", ["c2"]),
        ("n=0", "metadata.name!=c2", ["c0"]),
        ("n=0,n!=1", "", ["c0", "c2"]),
        ("n in (0,1), n == 1", "", ["c1"]),
        ("n=0,n=1", "", []),
        ("missing", "", []),
    ],
)
async def test_selectors(client: Client, labels: str, fields: str, expected: list[str]) -> None:
    await fill(client, 3)
    found = await client.list(CONFIG_MAP, "default", labels=labels, fields=fields)
    assert [meta.name(item) for item in found.items] == expected


async def test_fields_that_cannot_be_selected_are_named(client: Client) -> None:
    with pytest.raises(errors.BadRequest, match=r"field label not supported: spec.colour"):
        await client.list(POD, fields="spec.colour=red")


async def test_pods_are_found_by_node_and_phase(client: Client) -> None:
    for name in ("a", "b"):
        await client.create(POD, pod(name))
    await client.transport.request("POST", POD.path("default", "a", "binding"), body={"target": {"name": "here"}})
    assert [meta.name(item) for item in (await client.list(POD, fields="spec.nodeName=here")).items] == ["a"]
    assert [meta.name(item) for item in (await client.list(POD, fields="spec.nodeName=")).items] == ["b"]
    assert len((await client.list(POD, fields="status.phase!=Running")).items) == 2


async def test_pages_show_the_moment_of_the_first(client: Client) -> None:
    await fill(client, 5)
    first = await client.list(CONFIG_MAP, "default", limit=2)
    await client.delete(CONFIG_MAP, "c3", "default")
    await client.create(CONFIG_MAP, CONFIG_MAP.new("c9", "default"))
    seen, page = list(first.items), first
    while page.continue_token:
        page = await client.list(CONFIG_MAP, "default", limit=2, continue_token=page.continue_token)
        assert page.revision == first.revision
        seen += page.items
    assert [meta.name(item) for item in seen] == ["c0", "c1", "c2", "c3", "c4"]


async def test_a_page_too_old_says_how_to_go_on(client: Client, world: World) -> None:
    await fill(client, 3)
    first = await client.list(CONFIG_MAP, "default", limit=1)
    await fill_more(client)
    await world.store.compact(world.store.revision)
    with pytest.raises(errors.Expired, match="continue parameter is too old"):
        await client.list(CONFIG_MAP, "default", limit=1, continue_token=first.continue_token)
    with pytest.raises(errors.BadRequest, match="continue key is not valid"):
        await client.list(CONFIG_MAP, "default", limit=1, continue_token="nonsense")


async def fill_more(client: Client) -> None:
    await client.create(CONFIG_MAP, CONFIG_MAP.new("later", "default"))


async def test_a_revision_of_the_future_is_refused(client: Client) -> None:
    with pytest.raises(errors.Timeout, match="Too large resource version"):
        await client.transport.request("GET", CONFIG_MAP.path("default"), query={"resourceVersion": "99999"})


async def test_events_have_two_faces(client: Client) -> None:
    new = Kind("events.k8s.io", "v1", "Event", "events")
    about = {"kind": "Pod", "name": "p", "namespace": "default"}
    await client.create(new, new.new("e", "default", regarding=about, note="hello", reason="Because", type="Normal"))
    old = (await client.list(EVENT, "default", fields="involvedObject.name=p")).items[0]
    assert (old["apiVersion"], old["message"], old["involvedObject"]) == ("v1", "hello", about)
    again = (await client.list(new, "default", fields="regarding.name=p")).items[0]
    assert (again["apiVersion"], again["note"]) == ("events.k8s.io/v1", "hello")


async def test_many_readers_and_writers_agree(client: Client) -> None:
    async def write(n: int) -> None:
        await client.create(CONFIG_MAP, CONFIG_MAP.new(f"w{n}", "default"))

    await asyncio.gather(*(write(n) for n in range(30)))
    assert len((await client.list(CONFIG_MAP, "default")).items) == 30


@pytest.mark.parametrize(
    ("query", "error", "text"),
    [
        ({"resourceVersionMatch": "Exact"}, errors.Invalid, "is forbidden unless resourceVersion is provided"),
        (
            {"resourceVersionMatch": "Exact", "resourceVersion": "0"},
            errors.Invalid,
            'forbidden for resourceVersion "0"',
        ),
        ({"resourceVersionMatch": "Newest", "resourceVersion": "1"}, errors.Invalid, 'Unsupported value: "Newest"'),
        (
            {"resourceVersionMatch": "Exact", "resourceVersion": "99999999"},
            errors.Timeout,
            "Too large resource version",
        ),
        ({"resourceVersion": "1", "continue": "e30"}, errors.BadRequest, "not allowed when using continue"),
        ({"continue": "e30"}, errors.BadRequest, "continue key is not valid"),
    ],
)
async def test_what_a_list_cannot_ask_for(
    client: Client, query: dict[str, str], error: type[errors.ApiError], text: str
) -> None:
    with pytest.raises(error, match=text):
        await client.transport.request("GET", CONFIG_MAP.path("default"), query=query)


async def test_a_list_at_a_revision_shows_that_moment(client: Client) -> None:
    first = await client.create(CONFIG_MAP, CONFIG_MAP.new("first", "default"))
    await client.create(CONFIG_MAP, CONFIG_MAP.new("second", "default"))
    revision = first["metadata"]["resourceVersion"]
    query = {"resourceVersion": revision, "resourceVersionMatch": "Exact"}
    then = await client.transport.request("GET", CONFIG_MAP.path("default"), query=query)
    assert ([one["metadata"]["name"] for one in then["items"]], then["metadata"]["resourceVersion"]) == (
        ["first"],
        revision,
    )
    query["resourceVersionMatch"] = "NotOlderThan"
    now = await client.transport.request("GET", CONFIG_MAP.path("default"), query=query)
    assert [one["metadata"]["name"] for one in now["items"]] == ["first", "second"]
