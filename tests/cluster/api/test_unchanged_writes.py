"""What is written once and read may be written again as often as anybody likes: nothing changes, and nobody is told.

One example of every built-in kind, through every kind of write, and through kubectl.
"""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from fairway.cluster.api import resources
from fairway.cluster.api.documents import builtin_schemas
from fairway.cluster.api.resources import Resource
from fairway.kernel.client.client import Client
from fairway.kernel.client.transport import JSON_PATCH, MERGE_PATCH
from fairway.kernel.feature import Identity
from fairway.kernel.objects.kinds import Object
from tests.cluster.api.examples import EXAMPLES
from tests.cluster.api.test_applying import APPLY
from tests.cluster.api.world import World

STRATEGIC = "application/strategic-merge-patch+json"
ROWS = {(row.kind.api_version, row.kind.kind): row for row in resources.builtin() if row.stored and not row.measured}
SERVERS = ("resourceVersion", "managedFields", "uid", "creationTimestamp", "generation")
NOT_REPLACED = {
    "Pod": "what admission put into it may not be taken out again",
    "PersistentVolumeClaim": "its class, which admission chose, may not be taken out again",
    "PersistentVolume": "its finalizer, which admission set, is taken out",
}


def row_of(example: Object) -> Resource:
    return ROWS[example["apiVersion"], example["kind"]]


def copied(obj: Object) -> Any:
    return orjson.loads(orjson.dumps(obj))


@pytest.fixture
def client(world: World) -> Client:
    return Client(world.server.transport(Identity("admin", ("system:masters",))))


def test_there_is_an_example_of_every_kind() -> None:
    assert {(one["apiVersion"], one["kind"]) for one in EXAMPLES} == ROWS.keys()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda one: f"{one['apiVersion']} {one['kind']}")
async def test_what_is_read_and_written_again_changes_nothing(client: Client, example: Object) -> None:
    row = row_of(example)
    path = row.kind.path("default" if row.kind.namespaced else None, example["metadata"]["name"])
    collection = path.rpartition("/")[0]
    send = client.transport.request

    async def same(method: str, body: Any, media: str = "", at: str = path, **query: str) -> None:
        content = {"content_type": media} if media else {}
        after = await send(method, at, query={"fieldManager": "me", **query}, body=copied(body), **content)
        assert after == got, (method, media, at)

    made = await send(
        "POST", collection, query={"fieldManager": "me", "fieldValidation": "Strict"}, body=copied(example)
    )
    got = await send("GET", path)
    assert made == got
    schema = builtin_schemas.of(row.kind)
    assert schema is not None
    assert not schema.check(got), "clients with types find all that upstream promises"
    await same("PUT", got)
    if not row_needs_revision(example):
        bare = {key: value for key, value in got["metadata"].items() if key not in SERVERS}
        await same("PUT", {**got, "metadata": bare})
    if example["kind"] not in NOT_REPLACED and not row_needs_revision(example):
        await same("PUT", example)
    await same("PATCH", got, MERGE_PATCH)
    await same("PATCH", got, STRATEGIC)
    await same("PATCH", example, STRATEGIC)
    await same("PATCH", [{"op": "replace", "path": "", "value": got}], JSON_PATCH)
    if row.has_status:
        await same("PUT", got, at=f"{path}/status")
        await same("PATCH", {"status": got.get("status")}, MERGE_PATCH, at=f"{path}/status")
    got = await send(
        "PATCH", path, query={"fieldManager": "other", "force": "true"}, body=copied(example), content_type=APPLY
    )
    await same("PATCH", example, APPLY, fieldManager="other", force="true")
    whole = {**got, "metadata": {key: value for key, value in got["metadata"].items() if key != "managedFields"}}
    got = await send(
        "PATCH", path, query={"fieldManager": "third", "force": "true"}, body=copied(whole), content_type=APPLY
    )
    whole["metadata"].pop("resourceVersion")
    await same("PATCH", whole, APPLY, fieldManager="third", force="true")


def row_needs_revision(example: Object) -> bool:
    return example["kind"] in (
        "APIService",
        "PodDisruptionBudget",
        "Lease",
        "CustomResourceDefinition",
        "MutatingWebhookConfiguration",
        "ValidatingWebhookConfiguration",
    )


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not on the PATH")
async def test_kubectl_finds_nothing_to_do(world: World, tmp_path: Path) -> None:
    """replace of what was read, apply and diff of what was applied."""
    config = tmp_path / "kubeconfig"
    cluster = {"server": world.url, "insecure-skip-tls-verify": True}
    context = {"cluster": "c", "user": "u", "namespace": "default"}
    config.write_text(
        yaml.safe_dump(
            {
                "clusters": [{"name": "c", "cluster": cluster}],
                "users": [{"name": "u", "user": {"token": world.token()}}],
                "contexts": [{"name": "x", "context": context}],
                "current-context": "x",
            }
        )
    )

    async def kubectl(*arguments: str) -> str:
        started = await asyncio.create_subprocess_exec(
            *("kubectl", f"--kubeconfig={config}", f"--cache-dir={tmp_path}", *arguments),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await started.communicate()
        assert started.returncode == 0, (arguments, out.decode()[-2000:], err.decode()[-2000:])
        return out.decode()

    written = tmp_path / "all.yaml"
    written.write_text(yaml.safe_dump_all(EXAMPLES))
    await kubectl("create", "-f", str(written))
    read = tmp_path / "read.yaml"
    read.write_text(await kubectl("get", "-f", str(written), "-o", "yaml"))
    after = world.store.revision
    await kubectl("replace", "-f", str(read))
    assert world.store.revision == after
    await kubectl("apply", "-f", str(written))
    after = world.store.revision
    said = (await kubectl("apply", "-f", str(written))).splitlines()
    assert len(said) == len(EXAMPLES)
    assert all(line.endswith((" unchanged", " configured")) for line in said), said
    assert world.store.revision == after
    assert (await kubectl("diff", "-f", str(written))) == ""
    await kubectl("apply", "--server-side", "--force-conflicts", "-f", str(written))
    after = world.store.revision
    await kubectl("apply", "--server-side", "-f", str(written))
    assert world.store.revision == after
