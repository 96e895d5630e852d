"""Pods run as accounts that exist, and get what these say."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from fairway.kernel.client.client import Client
from fairway.kernel.feature import Identity
from fairway.kernel.objects import errors
from fairway.kernel.objects.kinds import NAMESPACE, POD, SERVICE_ACCOUNT, Object
from tests.cluster.api.world import World


@pytest.fixture
def client(world: World) -> Client:
    return Client(world.server.transport(Identity("admin", ("system:masters",))))


def pod(name: str, namespace: str = "default", **spec: Any) -> Object:
    return POD.new(name, namespace, spec={"containers": [{"name": "c", "image": "busybox:1"}], **spec})


async def account(client: Client, name: str, **fields: Any) -> None:
    await client.create(SERVICE_ACCOUNT, SERVICE_ACCOUNT.new(name, "default", **fields))


async def test_an_account_has_to_be_there(client: Client) -> None:
    with pytest.raises(errors.Forbidden) as refused:
        await client.create(POD, pod("p", serviceAccountName="nope"))
    assert refused.value.message == (
        'pods "p" is forbidden: error looking up service account default/nope: serviceaccount "nope" not found'
    )


async def test_pods_right_after_their_namespace_bring_its_default_account(client: Client) -> None:
    await client.create(NAMESPACE, NAMESPACE.new("team"))
    made = await asyncio.gather(*(client.create(POD, pod(f"p{number}", "team")) for number in range(8)))
    assert {each["spec"]["serviceAccountName"] for each in made} == {"default"}
    found = await client.get(SERVICE_ACCOUNT, "default", "team")
    assert found["metadata"]["uid"]


async def test_a_dry_run_makes_no_account(client: Client) -> None:
    await client.create(NAMESPACE, NAMESPACE.new("team"))
    await client.transport.request("POST", POD.path("team"), query={"dryRun": "All"}, body=pod("p", "team"))
    assert await client.find(SERVICE_ACCOUNT, "default", "team") is None


async def test_what_an_account_says_of_tokens_and_images_goes_for_its_pods(client: Client) -> None:
    await account(client, "quiet", automountServiceAccountToken=False, imagePullSecrets=[{"name": "mine"}])
    spec = (await client.create(POD, pod("p", serviceAccountName="quiet")))["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["imagePullSecrets"] == [{"name": "mine"}]
    own = pod("q", serviceAccountName="quiet", automountServiceAccountToken=True, imagePullSecrets=[{"name": "own"}])
    spec = (await client.create(POD, own))["spec"]
    assert spec["automountServiceAccountToken"] is True
    assert spec["imagePullSecrets"] == [{"name": "own"}]


async def test_an_account_may_hold_its_pods_to_its_own_secrets(client: Client) -> None:
    noted = {"annotations": {"kubernetes.io/enforce-mountable-secrets": "true"}}
    await account(client, "strict", metadata=noted, secrets=[{"name": "mine"}])
    volumes = [{"name": "v", "secret": {"secretName": "mine"}}]
    await client.create(POD, pod("p", serviceAccountName="strict", volumes=volumes))
    with pytest.raises(errors.Forbidden) as refused:
        foreign = [{"name": "v", "secret": {"secretName": "yours"}}]
        await client.create(POD, pod("q", serviceAccountName="strict", volumes=foreign))
    assert refused.value.message.endswith(
        'volume with secret.secretName="yours" is not allowed because service account strict does not reference that '
        "secret"
    )
    with pytest.raises(errors.Forbidden, match=r'imagePullSecrets\[0\].name="pull" is not allowed'):
        await client.create(POD, pod("q", serviceAccountName="strict", imagePullSecrets=[{"name": "pull"}]))
