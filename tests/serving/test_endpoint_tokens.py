"""Endpoint tokens against the real API: what is made, what it is good for there (nothing), and how it is taken back."""

from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest

from fairway.cluster.api.identity.tokens import Issuer
from fairway.cluster.api.server import ApiServer
from fairway.cluster.network import guards
from fairway.cluster.store.memory import MemoryStore
from fairway.kernel.client.client import Client
from fairway.kernel.clock import SystemClock
from fairway.kernel.feature import Identity
from fairway.kernel.objects.errors import Unauthorized
from fairway.kernel.objects.kinds import NAMESPACE, SECRET, SERVICE_ACCOUNT
from fairway.serving import endpoint_tokens
from fairway.serving.render import traffic

WEEK = timedelta(days=7)


@pytest.fixture
async def client(tmp_path: Path) -> AsyncGenerator[Client, None]:
    api = ApiServer(MemoryStore(), clock=SystemClock(), issuer=Issuer.load(tmp_path))
    made = Client(api.transport(Identity("admin", ("system:masters",))))
    if not await made.find(NAMESPACE, "default"):
        await made.create(NAMESPACE, NAMESPACE.new("default"))
    if not await made.find(SERVICE_ACCOUNT, "default", "default"):
        await made.create(SERVICE_ACCOUNT, SERVICE_ACCOUNT.new("default", "default"))
    yield made
    await made.close()


async def make(client: Client, name: str = "t", opens: str = "iris", lasts: timedelta = WEEK) -> Any:
    return await endpoint_tokens.create(client, SystemClock(), name, "default", [opens], lasts)


async def test_it_is_what_the_gateway_looks_for_and_the_api_does_not_know_it(client: Client, tmp_path: Path) -> None:
    _, token = await make(client)
    said = jwt.decode(token, options={"verify_signature": False})
    assert said["aud"] == [guards.ENDPOINT_AUDIENCE]
    secrets = (await client.list(SECRET, labels=guards.TOKEN_LABEL)).items
    assert guards.tokens(secrets) == {("default", "iris"): (said["kubernetes.io"]["secret"]["uid"],)}
    assert not [secret for secret in secrets if secret.get("data")]
    with pytest.raises(Unauthorized):
        Issuer.load(tmp_path).verify(token)


async def test_it_is_listed_and_revoked(client: Client) -> None:
    await make(client, "one")
    await make(client, "two", "*")
    assert [(one.name, one.opens) for one in await endpoint_tokens.everyone(client, SystemClock())] == [
        ("one", ("iris",)),
        ("two", ("*",)),
    ]
    await endpoint_tokens.revoke(client, "one", "default")
    assert [one.name for one in await endpoint_tokens.everyone(client, SystemClock())] == ["two"]


async def test_what_cannot_be_is_a_sentence(client: Client) -> None:
    await make(client)
    await client.create(SECRET, SECRET.new("other", "default"))
    with pytest.raises(endpoint_tokens.Refused, match="choose another name"):
        await make(client)
    with pytest.raises(endpoint_tokens.Refused, match="10 minutes to a year"):
        await make(client, "long", lasts=timedelta(days=400))
    for name in ("other", "absent"):
        with pytest.raises(endpoint_tokens.Refused, match="no endpoint token"):
            await endpoint_tokens.revoke(client, name, "default")
    assert await client.find(SECRET, "other", "default")


def test_both_sides_say_the_same_words() -> None:
    ours = endpoint_tokens.LABEL, endpoint_tokens.OPENS, endpoint_tokens.AUDIENCE, traffic.ENDPOINT
    theirs = guards.TOKEN_LABEL, guards.OPENS_ANNOTATION, guards.ENDPOINT_AUDIENCE, guards.ENDPOINT_ANNOTATION
    assert ours == theirs
