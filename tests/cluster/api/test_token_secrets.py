"""Secrets that hold a token of a service account: born with it, and the token dies with them."""

from __future__ import annotations

import base64

import pytest

from fairway.kernel.client.client import Client
from fairway.kernel.feature import Identity
from fairway.kernel.objects import errors
from fairway.kernel.objects.kinds import CONFIG_MAP, SECRET, SERVICE_ACCOUNT, Object
from tests.cluster.api.world import World

ACCOUNT = "kubernetes.io/service-account.name"
PODS = "/api/v1/namespaces/default/pods"


@pytest.fixture
async def admin(world: World) -> Client:
    client = Client(world.server.transport(Identity("admin", ("system:masters",))))
    await client.create(SERVICE_ACCOUNT, SERVICE_ACCOUNT.new("bot", "default"))
    await client.create(CONFIG_MAP, CONFIG_MAP.new("kube-root-ca.crt", "default", data={"ca.crt": "authority"}))
    return client


def secret(account: str = "bot") -> Object:
    annotations = {ACCOUNT: account} if account else {}
    metadata = {"annotations": annotations}
    return SECRET.new("token", "default", metadata=metadata, type="kubernetes.io/service-account-token")


def value(made: Object, key: str) -> str:
    return base64.b64decode(made["data"][key]).decode()


async def test_such_a_secret_is_born_with_all_that_a_client_needs(world: World, admin: Client) -> None:
    made = await admin.create(SECRET, secret())
    assert (value(made, "namespace"), value(made, "ca.crt")) == ("default", "authority")
    account = await admin.get(SERVICE_ACCOUNT, "bot", "default")
    assert made["metadata"]["annotations"]["kubernetes.io/service-account.uid"] == account["metadata"]["uid"]
    token = value(made, "token")
    assert (await world.raw("GET", PODS, token=token))[0] == 200
    await admin.patch(SECRET, "token", "default", {"metadata": {"labels": {"a": "b"}}})
    assert value(await admin.get(SECRET, "token", "default"), "token") == token


@pytest.mark.parametrize("what", [SECRET, SERVICE_ACCOUNT])
async def test_the_token_dies_with_either(world: World, admin: Client, what: object) -> None:
    token = value(await admin.create(SECRET, secret()), "token")
    if what is SECRET:
        await admin.delete(SECRET, "token", "default")
    else:
        await admin.delete(SERVICE_ACCOUNT, "bot", "default")
    assert (await world.raw("GET", PODS, token=token))[0] == 401


async def test_a_token_that_was_taken_out_comes_back(world: World, admin: Client) -> None:
    await admin.create(SECRET, secret())
    made = await admin.patch(SECRET, "token", "default", {"data": {"token": None}})
    assert (await world.raw("GET", PODS, token=value(made, "token")))[0] == 200


async def test_it_names_a_service_account_that_is_there(admin: Client) -> None:
    with pytest.raises(errors.Invalid, match="service-account"):
        await admin.create(SECRET, secret(""))
    with pytest.raises(errors.NotFound):
        await admin.create(SECRET, secret("absent"))
