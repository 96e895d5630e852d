"""The chain of admission: who is asked when, what a refusal leaves behind, and who is told how a write ended."""

from __future__ import annotations

import pytest

from fairway.cluster.api.admission.chain import Chain, Step
from fairway.cluster.api.admission.request import Request
from fairway.kernel.client.client import Client
from fairway.kernel.objects import errors
from fairway.kernel.objects.kinds import CONFIG_MAP, SECRET
from tests.cluster.api.world import World


class Witness(Step):
    """Writes down what it is asked about config maps, marks them, and refuses those that ask for it."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.ended: list[bool] = []

    def wants(self, request: Request) -> bool:
        return request.resource == "configmaps"

    async def mutate(self, request: Request) -> None:
        self.seen.append(f"mutate {request.operation}")
        if request.operation != "DELETE":
            request.object.setdefault("data", {})["marked"] = "yes"

    async def validate(self, request: Request) -> None:
        self.seen.append(f"validate {request.operation}")
        request.afterwards.append(self.ended.append)
        if (request.object.get("data") or {}).get("refuse"):
            raise errors.Forbidden("the witness does not want it")


@pytest.fixture
def witness(world: World) -> Witness:
    witness = Witness()
    world.server.pipeline.backend.admission = Chain([witness])
    return witness


def config(**data: str) -> dict[str, object]:
    return {"metadata": {"name": "one"}, "data": data}


async def test_a_step_completes_and_judges_each_kind_of_write(client: Client, witness: Witness) -> None:
    made = await client.create(CONFIG_MAP, config(a="1"), namespace="default")
    assert made["data"] == {"a": "1", "marked": "yes"}
    changed = await client.patch(CONFIG_MAP, "one", "default", {"data": {"b": "2", "marked": None}})
    assert changed["data"] == {"a": "1", "b": "2", "marked": "yes"}
    await client.delete(CONFIG_MAP, "one", namespace="default")
    operations = ("CREATE", "UPDATE", "DELETE")
    assert witness.seen == [f"{half} {what}" for what in operations for half in ("mutate", "validate")]
    assert witness.ended == [True, True, True]


async def test_a_refused_write_stores_nothing_and_is_told_so(client: Client, witness: Witness) -> None:
    with pytest.raises(errors.Forbidden, match="the witness does not want it"):
        await client.create(CONFIG_MAP, config(refuse="yes"), namespace="default")
    with pytest.raises(errors.NotFound):
        await client.get(CONFIG_MAP, "one", namespace="default")
    assert witness.ended == [False]


async def test_a_dry_run_and_a_name_that_is_taken_count_as_not_stored(client: Client, witness: Witness) -> None:
    path = CONFIG_MAP.path("default")
    shown = await client.transport.request("POST", path, query={"dryRun": "All"}, body=config())
    assert shown["data"] == {"marked": "yes"}
    await client.create(CONFIG_MAP, config(), namespace="default")
    with pytest.raises(errors.AlreadyExists):
        await client.create(CONFIG_MAP, config(), namespace="default")
    assert witness.ended == [False, True, False]


class OfSecrets(Witness):
    resources = ("secrets",)

    def wants(self, request: Request) -> bool:
        self.seen.append(f"asked about {request.resource}")
        return False


async def test_a_step_for_one_resource_is_not_even_asked_about_others(client: Client, world: World) -> None:
    step = OfSecrets()
    world.server.pipeline.backend.admission = Chain([step])
    await client.create(CONFIG_MAP, config(a="1"), namespace="default")
    assert not step.seen
    await client.create(SECRET, {"metadata": {"name": "one"}}, namespace="default")
    assert step.seen == ["asked about secrets"] * 2
