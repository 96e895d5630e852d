"""/metrics: what the server counts of itself, for those who may read it."""

from __future__ import annotations

import asyncio
import re

import aiohttp

from fairway.kernel.objects.kinds import CONFIG_MAP, SERVICE
from tests.cluster.api.world import World


async def read(world: World) -> str:
    code, headers, body = await world.raw("GET", "/metrics")
    assert (code, headers["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    return body.decode()


def value(text: str, name: str, **labels: str) -> float:
    """The sum of all series with these labels."""
    found = 0.0
    for line in text.splitlines():
        match = re.fullmatch(rf"{name}(?:\{{(.*)\}})? (\S+)", line)
        if match and all(f'{key}="{wanted}"' in (match[1] or "") for key, wanted in labels.items()):
            found += float(match[2])
    return found


async def test_requests_are_counted_by_what_they_asked_for_and_got(world: World) -> None:
    path = CONFIG_MAP.path("default")
    await world.raw("POST", path, data=b'{"metadata":{"name":"one"}}')
    await world.raw("POST", path, data=b'{"metadata":{"name":"one"}}')
    await world.raw("GET", f"{path}/one")
    await world.raw("GET", path)
    text = await read(world)
    name = "apiserver_request_total"
    assert value(text, name, verb="POST", resource="configmaps", code="201") == 1
    assert value(text, name, verb="POST", resource="configmaps", code="409") == 1
    assert value(text, name, verb="GET", resource="configmaps", scope="resource") == 1
    assert value(text, name, verb="LIST", resource="configmaps", scope="namespace") == 1
    duration = "apiserver_request_duration_seconds"
    assert value(text, f"{duration}_count", verb="POST", resource="configmaps") == 2
    assert value(text, f"{duration}_bucket", verb="POST", resource="configmaps", le="+Inf") == 2
    assert value(text, f"{duration}_sum", verb="POST", resource="configmaps") > 0
    assert value(text, "apiserver_resource_objects", group="", resource="configmaps") == 1
    assert value(text, "process_resident_memory_bytes") > 1_000_000
    assert value(text, "process_open_fds") > 3


async def test_each_line_is_one_that_prometheus_reads(world: World) -> None:
    await world.raw("GET", '/api/v1/namespaces/default/pods/a"b')
    series = re.compile(r'[a-z_]+(\{([a-z_]+="[^"\\\n]*",?)*\})? -?[0-9.e+]+')
    for line in (await read(world)).splitlines():
        assert re.match(r"# (HELP|TYPE) [a-z_]+ .+", line) or series.fullmatch(line), line


async def test_open_watches_are_counted_while_they_are_open(world: World) -> None:
    headers = {"Authorization": f"Bearer {world.token()}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        url = world.url + SERVICE.path("default") + "?watch=true"
        async with session.get(url, ssl=world.tls) as watching:
            assert watching.status == 200
            name = "apiserver_longrunning_requests"
            assert value(await read(world), name, verb="WATCH", resource="services") == 1
    async with asyncio.timeout(60):
        while value(await read(world), name, verb="WATCH", resource="services"):
            await asyncio.sleep(0.01)


async def test_only_those_who_may_read_it(world: World) -> None:
    code, _, _ = await world.raw("GET", "/metrics", token=world.token("somebody", ()))
    assert code == 403
    code, _, _ = await world.raw("GET", "/metrics", token="")
    assert code == 401
