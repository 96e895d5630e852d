"""Quotas: what would be too much is refused, however many ask at once, and what goes makes room."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from fairway.cluster.api.identity.tokens import Issuer
from fairway.cluster.api.server import ApiServer
from fairway.cluster.store.sqlite import SQLiteStore
from fairway.kernel.client.client import Client
from fairway.kernel.clock import SystemClock
from fairway.kernel.feature import Identity
from fairway.kernel.objects import errors
from fairway.kernel.objects.kinds import (
    CONFIG_MAP,
    DEPLOYMENT,
    PERSISTENT_VOLUME_CLAIM,
    POD,
    RESOURCE_QUOTA,
    SERVICE,
    Object,
)
from tests.cluster.api.world import WIDGET, World, define, pod

ADMIN = Identity("admin", ("system:masters",))


@pytest.fixture
def client(world: World) -> Client:
    return Client(world.server.transport(ADMIN))


@pytest.fixture
async def durable(keys: Path, tmp_path: Path) -> AsyncGenerator[Client, None]:
    """On a store with a disk, where writes of many are on their way at once."""
    store = await SQLiteStore.open(tmp_path / "store.db")
    server = ApiServer(store, clock=SystemClock(), issuer=Issuer.load(keys))
    yield Client(server.transport(ADMIN))
    await store.close()


async def limit(client: Client, name: str = "q", *, spec: Object | None = None, **hard: str) -> None:
    limits = {key.replace("__", ".").replace("_", "/"): value for key, value in hard.items()}
    await client.create(RESOURCE_QUOTA, RESOURCE_QUOTA.new(name, "default", spec={"hard": limits, **(spec or {})}))


def sized(name: str, cpu: str = "", memory: str = "", **spec: Any) -> Object:
    amounts = {key: value for key, value in (("cpu", cpu), ("memory", memory)) if value}
    made = pod(name)
    made["spec"]["containers"][0]["resources"] = {"requests": amounts} if amounts else {}
    made["spec"] |= spec
    return made


async def refusal(client: Client, made: Object) -> str:
    with pytest.raises(errors.Forbidden) as refused:
        await client.create(POD, made)
    return refused.value.message


async def attempts(client: Client, made: list[Object]) -> int:
    """How many of them were created, all asked for at once; the others were refused for the quota."""
    answers = await asyncio.gather(*(client.create(POD, each) for each in made), return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, BaseException)]
    assert all("exceeded quota" in str(answer) for answer in refused)
    return len(answers) - len(refused)


async def test_of_many_at_once_no_more_come_in_than_fit(durable: Client) -> None:
    await limit(durable, pods="10")
    assert await attempts(durable, [pod(f"p{number}") for number in range(32)]) == 10
    assert len((await durable.list(POD, "default")).items) == 10
    await durable.delete(POD, (await durable.list(POD, "default")).items[0]["metadata"]["name"], "default")
    assert await attempts(durable, [pod(f"q{number}") for number in range(32)]) == 1


async def test_what_is_too_much_is_told_in_upstreams_words(client: Client) -> None:
    await limit(client, "compute", pods="3", requests__cpu="1", requests__memory="1Gi")
    await client.create(POD, sized("a", "500m", "512Mi"))
    assert await refusal(client, sized("b", "600m", "1Gi")) == (
        'pods "b" is forbidden: exceeded quota: compute, requested: requests.cpu=600m,requests.memory=1Gi, '
        "used: requests.cpu=500m,requests.memory=512Mi, limited: requests.cpu=1,requests.memory=1Gi"
    )
    assert await refusal(client, sized("c", cpu="1m")) == (
        'pods "c" is forbidden: failed quota: compute: must specify requests.memory for: main'
    )
    await client.create(POD, sized("d", "500m", "512Mi"))


async def test_what_ends_and_what_goes_makes_room(client: Client) -> None:
    await limit(client, pods="1", count_pods="3")
    await client.create(POD, pod("a"))
    assert "exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1" in await refusal(client, pod("b"))
    await client.patch_status(POD, "a", "default", {"phase": "Succeeded"})
    await client.create(POD, pod("b"))
    await client.delete(POD, "b", "default")
    await client.create(POD, pod("c"))
    await client.delete(POD, "c", "default")
    await client.create(POD, pod("d"))
    await client.patch_status(POD, "d", "default", {"phase": "Failed"})
    await client.create(POD, pod("e"))
    await client.patch_status(POD, "e", "default", {"phase": "Failed"})
    assert "used: count/pods=3" in await refusal(client, pod("f")), "pods that are over are objects still"


async def test_a_write_that_fails_or_is_a_dry_run_counts_nothing(client: Client) -> None:
    await limit(client, pods="2")
    await client.create(POD, pod("a"))
    for _ in range(3):
        with pytest.raises(errors.AlreadyExists):
            await client.create(POD, pod("a"))
        await client.transport.request("POST", POD.path("default"), query={"dryRun": "All"}, body=pod("b"))
    await client.create(POD, pod("b"))
    with pytest.raises(errors.Forbidden, match="exceeded quota"):
        await client.transport.request("POST", POD.path("default"), query={"dryRun": "All"}, body=pod("c"))


async def test_a_quota_that_changes_or_comes_late_counts_what_is_there(client: Client) -> None:
    await client.create(POD, pod("a"))
    await limit(client, pods="1")
    assert "used: pods=1" in await refusal(client, pod("b"))
    await client.patch(RESOURCE_QUOTA, "q", "default", {"spec": {"hard": {"pods": "2"}}})
    await client.create(POD, pod("b"))
    await client.patch(RESOURCE_QUOTA, "q", "default", {"spec": {"hard": {"pods": "1"}}})
    assert "used: pods=2, limited: pods=1" in await refusal(client, pod("c"))
    await client.delete(RESOURCE_QUOTA, "q", "default")
    await client.create(POD, pod("c"))


async def test_objects_of_every_kind_are_counted(client: Client) -> None:
    await define(client)
    await limit(client, configmaps="1", services__nodeports="1", **{"count_deployments.apps": "1"})
    await limit(client, "widgets", **{"count_widgets.example.dev": "1"})
    await client.create(CONFIG_MAP, CONFIG_MAP.new("a", "default"))
    with pytest.raises(errors.Forbidden, match="requested: configmaps=1, used: configmaps=1"):
        await client.create(CONFIG_MAP, CONFIG_MAP.new("b", "default"))
    template = {"metadata": {"labels": {"a": "b"}}, "spec": pod("x")["spec"]}
    spec = {"selector": {"matchLabels": {"a": "b"}}, "template": template}
    await client.create(DEPLOYMENT, DEPLOYMENT.new("a", "default", spec=spec))
    with pytest.raises(errors.Forbidden, match=r'deployments.apps "b" is forbidden: exceeded quota: q'):
        await client.create(DEPLOYMENT, DEPLOYMENT.new("b", "default", spec=spec))
    await client.create(WIDGET.kind, WIDGET.kind.new("a", "default", spec={"size": 1}))
    with pytest.raises(errors.Forbidden, match=r"exceeded quota: widgets, requested: count/widgets.example.dev=1"):
        await client.create(WIDGET.kind, WIDGET.kind.new("b", "default", spec={"size": 1}))


async def test_what_grows_is_judged_by_what_is_added(client: Client) -> None:
    await limit(client, services="2", services__nodeports="1")
    port = {"name": "a", "port": 80}
    await client.create(SERVICE, SERVICE.new("s", "default", spec={"ports": [port]}))
    await client.patch(SERVICE, "s", "default", {"spec": {"type": "NodePort"}})
    more = {"spec": {"ports": [port, {"name": "b", "port": 81}]}}
    with pytest.raises(errors.Forbidden, match=r"requested: services.nodeports=1, used: services.nodeports=1"):
        await client.patch(SERVICE, "s", "default", more)
    await client.patch(SERVICE, "s", "default", {"metadata": {"labels": {"a": "b"}}})


async def test_storage_is_counted_by_class(client: Client) -> None:
    name = "fast.storageclass.storage.k8s.io_requests.storage"
    await limit(client, requests__storage="3Gi", **{name: "1Gi"})

    def claim(name: str, size: str, class_: str = "") -> Object:
        spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}
        return PERSISTENT_VOLUME_CLAIM.new(
            name, "default", spec={**spec, **({"storageClassName": class_} if class_ else {})}
        )

    await client.create(PERSISTENT_VOLUME_CLAIM, claim("a", "1Gi", "fast"))
    with pytest.raises(errors.Forbidden, match=r"requested: fast.storageclass.storage.k8s.io/requests.storage=1Gi"):
        await client.create(PERSISTENT_VOLUME_CLAIM, claim("b", "1Gi", "fast"))
    await client.create(PERSISTENT_VOLUME_CLAIM, claim("b", "2Gi"))
    with pytest.raises(errors.Forbidden, match=r"used: requests.storage=3Gi"):
        await client.create(PERSISTENT_VOLUME_CLAIM, claim("c", "1Mi"))


@pytest.mark.parametrize(
    ("spec", "counted", "free"),
    [
        ({"scopes": ["Terminating"]}, {"activeDeadlineSeconds": 5}, {}),
        ({"scopes": ["NotTerminating"]}, {}, {"activeDeadlineSeconds": 5}),
        ({"scopes": ["BestEffort"]}, {}, {"cpu": "1"}),
        ({"scopes": ["NotBestEffort"]}, {"cpu": "1"}, {}),
        (
            {
                "scopeSelector": {
                    "matchExpressions": [
                        {"scopeName": "PriorityClass", "operator": "In", "values": ["system-node-critical"]}
                    ]
                }
            },
            {"priorityClassName": "system-node-critical"},
            {},
        ),
        (
            {"scopes": ["CrossNamespacePodAffinity"]},
            {
                "affinity": {
                    "podAffinity": {
                        "requiredDuringSchedulingIgnoredDuringExecution": [
                            {"topologyKey": "kubernetes.io/hostname", "namespaces": ["other"]}
                        ]
                    }
                }
            },
            {},
        ),
    ],
)
async def test_a_quota_with_scopes_is_for_some_pods_only(client: Client, spec: Object, counted: Any, free: Any) -> None:
    await limit(client, spec=spec, pods="0")
    await client.create(POD, sized("free", **free))
    assert "exceeded quota" in await refusal(client, sized("counted", **counted))


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({"hard": {"bananas": "1"}}, "must be a standard resource for quota"),
        ({"hard": {"pods": "1500m"}}, "must be an integer"),
        ({"hard": {"pods": "-1"}}, "must be greater than or equal to 0"),
        ({"hard": {"pods": "1"}, "scopes": ["BestEffort", "NotBestEffort"]}, "conflicting scopes"),
        ({"hard": {"services": "1"}, "scopes": ["Terminating"]}, "unsupported scope applied to resource"),
        ({"hard": {"pods": "1"}, "scopes": ["Sunday"]}, "unsupported scope"),
    ],
)
async def test_a_quota_that_cannot_be(client: Client, spec: Object, text: str) -> None:
    with pytest.raises(errors.Invalid, match=text):
        await client.create(RESOURCE_QUOTA, RESOURCE_QUOTA.new("q", "default", spec=spec))


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_comes_and_goes_the_quota_holds_and_nothing_leaks(durable: Client, seed: int) -> None:
    """Creations, ends and deletions at once, some of them given up: never too many, and never one too few."""
    chance, most = random.Random(seed), 6
    await limit(durable, pods=str(most))
    highest = 0

    async def someone(_: int) -> None:
        nonlocal highest
        for _ in range(8):
            name = f"p{chance.randrange(12)}"
            try:
                match chance.randrange(4):
                    case 0:
                        await durable.delete(POD, name, "default")
                    case 1:
                        await durable.patch_status(POD, name, "default", {"phase": "Failed"})
                    case 2:
                        async with asyncio.timeout(chance.choice([0, 0.0005, 0.002])):
                            await durable.create(POD, pod(name))
                    case _:
                        await durable.create(POD, pod(name))
            except (errors.ApiError, TimeoutError):
                pass
            highest = max(highest, await living())

    async def living() -> int:
        found = (await durable.list(POD, "default")).items
        return sum((each.get("status") or {}).get("phase") not in ("Failed", "Succeeded") for each in found)

    await asyncio.gather(*map(someone, range(16)))
    await durable.create(CONFIG_MAP, CONFIG_MAP.new("after", "default"))  # comes after all that is still on its way
    left = most - await living()
    assert highest <= most
    assert await attempts(durable, [pod(f"last{number}") for number in range(most + 4)]) == left


async def test_what_was_used_beside_something_huge_is_still_used_when_that_has_gone(client: Client) -> None:
    for name, cpu in (("huge", "1e40"), ("small", "5")):
        await client.create(POD, sized(name, cpu=cpu))
    await limit(client, cpu="10")
    assert "exceeded quota" in await refusal(client, sized("more", cpu="1"))
    await client.delete(POD, "huge", "default", grace_seconds=0)
    assert "used: cpu=5" in await refusal(client, sized("more", cpu="6"))
