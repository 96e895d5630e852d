"""Paths of objects: a name is one segment of them, whoever wrote it."""

import asyncio

import pytest

from fairway.kernel.client.client import Client
from fairway.kernel.client.http import HTTPTransport
from fairway.kernel.objects import errors
from fairway.kernel.objects.kinds import NAMESPACE, SECRET

ELSEWHERE = ["a/b", "../secrets/key", "..", ".", "a?x=", "a#", "%2e%2e", "a%2fb", "a\nb", ".\t."]


@pytest.mark.parametrize("name", ELSEWHERE)
def test_what_leads_elsewhere_is_no_name(name: str) -> None:
    with pytest.raises(errors.NotFound):
        SECRET.path("team", name)
    with pytest.raises(errors.NotFound):
        SECRET.path(name)
    with pytest.raises(errors.NotFound):
        NAMESPACE.path(None, name)


@pytest.mark.parametrize("name", ["web", "system:masters", "v1.apps", "a..b", "..a", "ä@b"])
def test_a_name_is_written_as_it_is(name: str) -> None:
    assert SECRET.path("team", name) == f"/api/v1/namespaces/team/secrets/{name}"


async def test_a_pods_name_in_a_record_does_not_lead_to_a_secret() -> None:
    asked = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readline())
        writer.close()

    listening = await asyncio.start_server(answer, "127.0.0.1", 0)
    transport = HTTPTransport(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}")
    try:
        with pytest.raises(errors.NotFound):
            _ = [chunk async for chunk in Client(transport).logs("../../other/secrets/key?x=", "team")]
        assert await Client(transport).find(SECRET, "../../other/secrets/key", "team") is None
    finally:
        await transport.close()
        listening.close()
    assert not asked
