"""When a step counts as done before: by ids or by content of its artifacts, and for how long."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from places import Here
from specs import In, Out, Spec, task
from sqlalchemy import select
from test_deciding import World, good

from fairway.pipelines import digests
from fairway.pipelines.render.model import Hit, Instance, Outcome
from fairway.pipelines.settings import PipelinesSettings
from fairway.pipelines.tables import artifacts, cache_entries


def env(value: str) -> list[dict[str, str]]:
    return [{"name": "FAIRWAY_STEP_CACHE", "value": value}] if value else []


# Digests


def test_a_file_is_its_bytes_and_a_folder_all_that_is_in_it(tmp_path: Path) -> None:
    def folder(name: str, change: Callable[[Path], Any] = lambda _: None) -> str:
        place = tmp_path / name
        (place / "inner" / "empty").mkdir(parents=True)
        (place / "a").write_text("1")
        (place / "inner" / "b").write_text("2")
        (place / "link").symlink_to("a")
        change(place)
        return digests.of(str(place))

    (tmp_path / "file").write_bytes(b"hello")
    assert digests.of(str(tmp_path / "file")) == "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    assert digests.of(str(tmp_path / "none")) == digests.NOTHING
    same = [folder("one"), folder("two", lambda place: os.utime(place / "a", (1, 1)))]
    others = [
        folder("three", lambda place: (place / "a").write_text("2")),
        folder("four", lambda place: (place / "a").rename(place / "c")),
        folder("five", lambda place: (place / "inner" / "more").mkdir()),
        folder("six", lambda place: (place / "inner" / "b").rename(place / "b")),
        folder("seven", lambda place: [(place / "link").unlink(), (place / "link").symlink_to("inner")]),
    ]
    assert len(set(same)) == 1
    assert len({*same, *others}) == 6


def test_what_cannot_be_read_to_its_end_is_not_begun(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert digests.of(str(tmp_path / "pipe")) == digests.NOTHING
    assert len(digests.of(str(tmp_path))) == 64


# What a graph asks for


def chain(cache: str = "by=content") -> dict[str, Any]:
    spec = Spec().step("make", outputs={"data": "Dataset"}).step("use", {"data": "Dataset"}, env=env(cache))
    return spec.compiled({"make": task("make"), "use": task("use", {}, {"data": Out("make", "data")}, cached=True)})


def making(digest: str, **metadata: Any) -> Callable[[Instance], Outcome]:
    told = {"data": {"digest": digest, "metadata": metadata}}
    return lambda each: Outcome(True, {}, told if each.name == "make" else {})


RUNS = ("3f0c7e86-52a5-4c49-9d5e-5f6f1f3c6a10", "7d1bb9a2-61c5-4f57-8a43-0a3c4be6a001")


def fingerprint(run: str, end: Callable[[Instance], Outcome], cache: str = "by=content", **given: Any) -> str:
    return World(chain(cache), end, run=run, **given).settle().at("use").fingerprint


def test_by_content_the_same_bytes_and_metadata_are_the_same_in_every_run() -> None:
    first = fingerprint(RUNS[0], making("d1", rows=3))
    assert first == fingerprint(RUNS[1], making("d1", rows=3))
    assert first != fingerprint(RUNS[1], making("d2", rows=3))
    assert first != fingerprint(RUNS[1], making("d1", rows=4))


def test_by_id_the_same_bytes_of_another_run_are_others() -> None:
    assert fingerprint(RUNS[0], making("d1"), "") != fingerprint(RUNS[1], making("d1"), "")
    assert fingerprint(RUNS[0], making("d1"), "", cache_by="content") == fingerprint(
        RUNS[1], making("d1"), "", cache_by="content"
    )
    assert fingerprint(RUNS[0], making("d1"), "by=id", cache_by="content") != fingerprint(
        RUNS[1], making("d1"), "by=id", cache_by="content"
    )


def test_what_brings_no_digest_is_read_and_each_artifact_once() -> None:
    spec = Spec().step("make", outputs={"data": "Dataset"}).step("use", {"data": "Dataset"}, env=env("by=content"))
    spec.dag("body", {"use": task("use", {}, {"data": In("data")}, cached=True)}, {"item": int, "data": "Dataset"})
    loop = task("body", {}, {"data": Out("make", "data")}, each=[1, 2])
    world = World(spec.compiled({"make": task("make"), "loop": loop}), good)
    graph = world.graph
    (make,) = graph.decide().starts
    graph.ended(make.id, 0, Outcome(True), "file:///f", 0.0)
    wanted = graph.decide().reads
    assert [each.path for each in wanted] == ["loop[0]/use", "loop[1]/use"]
    (item,) = make.outputs.artifacts["data"]
    graph.read([each.id for each in wanted], {item.id: "d"}, 0.0)
    asks = graph.decide().asks
    assert len({each.fingerprint for each in asks}) == 1
    graph.answer({asks[0].id: Hit("old", asks[0].outputs), asks[1].id: None}, 0.0)
    assert world.settle().order == ["loop[1]/use#0"]


def test_termination_ends_steps_whose_inputs_are_being_read() -> None:
    world = World(chain(), good)
    (make,) = world.graph.decide().starts
    world.graph.ended(make.id, 0, Outcome(True), "file:///f", 0.0)
    wanted = world.graph.decide().reads
    world.graph.cancel(1.0)
    world.graph.read([each.id for each in wanted], {make.outputs.artifacts["data"][0].id: "d"}, 2.0)
    assert str(world.settle().graph.state) == "CANCELED"
    assert world.order == []


# On a cluster


def files(where: Path, cache: str = "", *, cached: bool = False) -> dict[str, Any]:
    """A step copies a file or a folder into its artifact, and another one takes that."""
    copy = ["sh", "-c", f"cp -r {where} $0", "{{$.outputs.artifacts['data'].path}}"]
    spec = Spec().step("make", outputs={"data": "Dataset"}, command=copy)
    spec.step("use", {"data": "Dataset"}, env=env(cache))
    using = task("use", {}, {"data": Out("make", "data")}, cached=True)
    return spec.compiled({"make": task("make", cached=cached), "use": using})


def imported(where: Path) -> dict[str, Any]:
    spec = Spec().step("use", {"data": "Dataset"}, env=env("by=content"))
    using = task("use", {}, {"data": Out("import", "data")}, cached=True)
    document = spec.compiled({"import": task("import"), "use": using})
    type_ = {"schemaTitle": "system.Dataset", "schemaVersion": "0.0.1"}
    importer = {"artifactUri": {"constant": f"file://{where}"}, "typeSchema": type_}
    document["deploymentSpec"]["executors"]["exec-import"] = {"importer": importer}
    outputs = {"artifacts": {"data": {"artifactType": type_}}}
    document["components"]["import"] = {"executorLabel": "exec-import", "outputDefinitions": outputs}
    return document


async def state_of_use(here: Here, document: dict[str, Any]) -> str:
    run = await here.submit(document)
    assert (await here.ended(run))["status"]["phase"] == "SUCCEEDED"
    return (await here.states(run))["use"]


async def kept_digests(here: Here) -> list[str]:
    return list(await here.records.read(lambda c: c.execute(select(artifacts.c.digest)).scalars().all()))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["file", "folder"])
async def test_a_step_that_is_given_the_same_again_is_taken_from_the_cache(
    here: Here, tmp_path: Path, kind: str
) -> None:
    where = inner = tmp_path / "source"
    if kind == "folder":
        (where / "deep").mkdir(parents=True)
        inner = where / "deep" / "file"
    states = []
    async with here.engine():
        for content in ("one", "one", "two", "one"):
            inner.write_text(content)
            states.append(await state_of_use(here, files(where, "by=content")))
    assert states == ["SUCCEEDED", "CACHED", "SUCCEEDED", "CACHED"]
    kept = await kept_digests(here)
    assert (len(kept), len(set(kept))) == (4, 2)


@pytest.mark.slow
async def test_what_is_imported_is_read_in_every_run(here: Here, tmp_path: Path) -> None:
    where, states = tmp_path / "source", []
    async with here.engine():
        for content in ("one", "one", "two"):
            where.write_text(content)
            states.append(await state_of_use(here, imported(where)))
    assert states == ["SUCCEEDED", "CACHED", "SUCCEEDED"]
    assert set(await kept_digests(here)) == {""}


@pytest.mark.slow
async def test_while_large_artifacts_are_read_the_runs_of_others_go_on_and_this_one_can_be_ended(
    here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done, of = threading.Event(), digests.of

    def slowly(path: str) -> str:
        assert done.wait(120)
        return of(path)

    monkeypatch.setattr(digests, "of", slowly)
    where = tmp_path / "source"
    where.write_text("one")
    try:
        async with here.engine():
            reading = [await here.submit(imported(where)) for _ in range(10)]
            for run in reading:
                await here.until(lambda run=run: _begun(here, run))
            other = await here.submit(Spec().step("s").compiled({"s": task("s")}))
            assert (await here.ended(other))["status"]["phase"] == "SUCCEEDED"
            await here.terminate(reading[0])
            assert (await here.ended(reading[0]))["status"]["phase"] == "CANCELED"
            done.set()
            for run in reading[1:]:
                assert (await here.ended(run))["status"]["phase"] == "SUCCEEDED"
    finally:
        done.set()


async def _begun(here: Here, run: str) -> bool:
    return (await here.states(run)).get("import") == "SUCCEEDED"


@pytest.mark.slow
async def test_what_an_older_run_made_is_read_once(here: Here, tmp_path: Path) -> None:
    where = tmp_path / "source"
    where.write_text("one")
    async with here.engine():
        await state_of_use(here, files(where, cached=True))
        assert await kept_digests(here) == [""]
        assert await state_of_use(here, files(where, "by=content", cached=True)) == "SUCCEEDED"
    assert await kept_digests(here) == [digests.of(str(where))]


@pytest.mark.slow
@pytest.mark.parametrize(("option", "setting"), [("max_age=1h", ""), ("", "1h")])
async def test_what_is_too_old_runs_again(here: Here, tmp_path: Path, option: str, setting: str) -> None:
    where = tmp_path / "source"
    where.write_text("one")
    here.settings = PipelinesSettings(cache_max_age=setting)
    document = files(where, option, cached=True)

    async def age(seconds: float) -> None:
        at = here.cluster.platform.clock.now() - seconds
        await here.records.write(lambda c: c.execute(cache_entries.update().values(created_at=at)))

    async with here.engine():
        assert await state_of_use(here, document) == "SUCCEEDED"
        await age(3000)
        assert await state_of_use(here, document) == "CACHED"
        await age(3700)
        assert await state_of_use(here, document) == "SUCCEEDED"
        assert await state_of_use(here, document) == "CACHED"
