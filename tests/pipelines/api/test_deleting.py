"""Deleting a run with its artifacts: records first, then bytes, and nothing that anybody else uses."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from fairway.artifacts.settings import ArtifactsSettings
from fairway.artifacts.store import ArtifactsFailed
from fairway.cluster.api.server import ApiServer
from fairway.kernel.client.client import Client
from fairway.kernel.objects.kinds import CRD, POD, Kind
from fairway.pipelines.api.starting import Starting, _not_over
from fairway.pipelines.kinds import RUN
from fairway.pipelines.removing import Removing
from fairway.pipelines.render.pods import RUN_LABEL
from fairway.pipelines.settings import PipelinesSettings
from fairway.pipelines.tables import artifacts, leavings, runs
from fairway.serving.feature import FEATURE as SERVING
from tests.pipelines.world import World, client, records_url, world_at  # noqa: F401 - fixtures

ISVC = Kind("serving.kserve.io", "v1beta1", "InferenceService", "inferenceservices")


@pytest.fixture
async def world(
    cluster: tuple[ApiServer, Client],
    client: Client,  # noqa: F811
    tmp_path: Path,
    records_url: str,  # noqa: F811
) -> AsyncIterator[World]:
    settings = PipelinesSettings(keep_runs_days=30)
    async with world_at(records_url, client, tmp_path / "artifacts", settings) as here:
        yield here


async def made(world: World, run: str, name: str, **columns: Any) -> tuple[str, Path]:
    """A model in the folder of the run, as a step leaves it; its id and its file."""
    uri = world.context.artifacts.address("upstream", run, "train", "a-task", "outputs", name)
    await world.context.artifacts.put(f"{uri}/weights", b"weights")
    await world.context.artifacts.put(f"{uri.rpartition('/outputs/')[0]}/task.json", b"{}")
    path = world.context.artifacts.local_path(f"{uri}/weights")
    assert path is not None
    return await world.make(run, name, uri=uri, **columns), path


async def known(world: World) -> set[str]:
    return set(await world.context.records.read(lambda c: c.execute(select(artifacts.c.id)).scalars().all()))


async def test_bytes_and_records_go_with_the_run_when_they_are_to(world: World) -> None:
    run = await world.run()
    _, path = await made(world, run, "model")
    await world.end(run)
    await world.call("DELETE", f"runs/{run}", artifacts="true")
    assert await known(world) == set()
    await Removing(world.context).look()
    assert not path.exists()
    assert not path.parents[4].exists(), "the folder of the run is left"
    assert await world.context.records.read(lambda c: c.execute(select(leavings)).all()) == []


async def test_no_object_is_left_of_a_run_that_was_deleted_before_it_had_one(world: World) -> None:
    run = await world.run()
    starting = Starting(world.context)
    (row,) = await world.context.records.read(_not_over)
    await world.call("DELETE", f"runs/{run}")
    await starting._apply(row, {})
    assert await world.context.client.find(RUN, run, "default") is None


async def test_without_being_asked_the_artifacts_stay(world: World) -> None:
    run = await world.run()
    id_, path = await made(world, run, "model")
    await world.end(run)
    await world.call("DELETE", f"runs/{run}")
    await Removing(world.context).look()
    assert path.exists()
    assert await known(world) == {id_}
    status, answer = await world.ask("DELETE", f"runs/{run}", artifacts="perhaps")
    assert (status, "must be true or false" in answer["message"]) == (400, True)


async def test_what_another_run_uses_stays_until_that_is_deleted_too(world: World) -> None:
    first, second = await world.run(), await world.run()
    shared, kept = await made(world, first, "shared")
    _, own = await made(world, first, "own")
    cached_from = "a-task"
    await world.make(second, "shared", id=shared, uri="", cached_from=cached_from)
    for run in (first, second):
        await world.end(run)
    await world.call("DELETE", f"runs/{first}", artifacts="true")
    await Removing(world.context).look()
    assert (kept.exists(), own.exists()) == (True, False)
    assert await known(world) == {shared}
    await world.call("DELETE", f"runs/{second}", artifacts="true")
    await Removing(world.context).look()
    assert not kept.exists()
    assert await known(world) == set()


async def test_an_address_that_an_author_chose_is_nobodys_to_delete(world: World) -> None:
    run = await world.run()
    uri = world.context.artifacts.address("elsewhere", "data")
    await world.context.artifacts.put(uri, b"precious")
    await world.make(run, "data", uri=uri)
    await world.end(run)
    await world.call("DELETE", f"runs/{run}", artifacts="true")
    await Removing(world.context).look()
    assert await world.context.artifacts.get(uri) == b"precious"


async def test_a_model_that_is_served_stays(world: World) -> None:
    client = world.context.client  # noqa: F811
    for kind in SERVING.kinds:
        if kind.kind.kind == "InferenceService":
            await client.create(CRD, kind.definition())
    run = await world.run()
    id_, path = await made(world, run, "model")
    storage = {"predictor": {"model": {"modelFormat": {"name": "sklearn"}, "storageUri": str(path.parent)}}}
    await client.create(ISVC, ISVC.new("iris", "default", spec=storage))
    await world.end(run)
    await world.call("DELETE", f"runs/{run}", artifacts="true")
    await Removing(world.context).look()
    assert path.exists()
    assert await known(world) == {id_}


async def test_what_still_runs_still_writes_and_is_waited_for(world: World) -> None:
    client = world.context.client  # noqa: F811
    run = await world.run()
    _, path = await made(world, run, "model")
    await world.end(run)
    pod = {"containers": [{"name": "main", "image": "busybox"}]}
    await client.create(POD, POD.new("step", "default", metadata={"labels": {RUN_LABEL: run}}, spec=pod))
    await world.call("DELETE", f"runs/{run}", artifacts="true")
    await Removing(world.context).look()
    assert path.exists()
    await client.delete(POD, "step", "default", grace_seconds=0)
    await Removing(world.context).look()
    assert not path.exists()


async def test_a_removal_that_was_cut_short_is_taken_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    run = await world.run()
    _, path = await made(world, run, "model")
    await world.end(run)
    await world.call("DELETE", f"runs/{run}", artifacts="true")

    async def fails(*_: object) -> None:
        raise ArtifactsFailed("the disk is away")

    with monkeypatch.context() as away:
        away.setattr(world.context.artifacts, "delete", fails)
        await Removing(world.context).look()
    assert path.exists()
    await Removing(world.context).look()
    assert not path.exists()


async def test_what_nobody_understands_keeps_nothing_behind_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = []
    for _ in range(2):
        run = await world.run()
        _, path = await made(world, run, "model")
        paths.append(path)
        await world.end(run)
        await world.call("DELETE", f"runs/{run}", artifacts="true")
    delete = world.context.artifacts.delete

    async def fails(uri: str) -> None:
        if str(paths[0]).startswith(uri.removeprefix("file://")):
            raise ValueError("no such thing as this address")
        await delete(uri)

    monkeypatch.setattr(world.context.artifacts, "delete", fails)
    await Removing(world.context).look()
    assert [path.exists() for path in paths] == [True, False]


async def test_runs_go_when_their_time_is_over(world: World) -> None:
    old, running = await world.run(), await world.run()
    _, path = await made(world, old, "model")
    await world.end(old)
    await world.clock.advance(31 * 24 * 3600)
    young = await world.run()
    await world.end(young)
    removing = Removing(world.context)
    await removing._remove_old()
    await removing.look()
    left = set(await world.context.records.read(lambda c: c.execute(select(runs.c.id)).scalars().all()))
    assert left == {running, young}
    assert not path.exists()


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(Exception, match="must not be below 0"):
        PipelinesSettings(keep_runs_days=-1)
    with pytest.raises(Exception, match="must not be below 0"):
        ArtifactsSettings(keep_fetched_gib=-1)
