"""The workspace of a run: a folder that its steps share, and artifacts that are brought there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from places import Here
from player import Player
from specs import In, Out, Spec, task
from test_deciding import World

from fairway.pipelines import ir
from fairway.pipelines.kinds import RUN
from fairway.pipelines.render import folders
from fairway.pipelines.render.model import Artifact
from fairway.pipelines.tables import runs

PLATFORM = {"platforms": {"kubernetes": {"pipelineConfig": {"workspace": {"size": "1Gi"}}}}}
READ = "def run(data: Input[Dataset]) -> str:\n    return open(data.path).read() + ' of ' + data.uri.split('/')[-1]\n"


def _importer(spec: Spec, **settings: Any) -> Spec:
    spec.executors["exec-fetch"] = {
        "importer": {
            "artifactUri": {"runtimeParameter": "uri"},
            "typeSchema": {"schemaTitle": "system.Dataset", "schemaVersion": "0.0.1"},
            "downloadToWorkspace": True,
            "metadata": {"key": "value"},
            **settings,
        }
    }
    spec.components["fetch"] = {
        "executorLabel": "exec-fetch",
        "inputDefinitions": {"parameters": {"uri": {"parameterType": "STRING"}}},
        "outputDefinitions": {"artifacts": {"artifact": {"artifactType": {"schemaTitle": "system.Dataset"}}}},
    }
    return spec


def _fetching(reader: Spec, uri: str) -> dict[str, Any]:
    tasks = {
        "fetch": task("fetch", {"uri": In("uri")}),
        "read": task("read", {}, {"data": Out("fetch", "artifact")}),
    }
    document = _importer(reader).compiled(tasks, {"uri": str}, {"Output": str}, Output=Out("read"))
    document["root"]["inputDefinitions"]["parameters"]["uri"]["defaultValue"] = uri
    return document


def test_a_download_without_a_workspace_is_refused_with_what_to_write() -> None:
    spec = Spec().python("read", READ, {"data": "Dataset"}, {"Output": str})
    with pytest.raises(ir.InvalidPipeline, match=r"WorkspaceConfig\(size"):
        ir.load(_fetching(spec, "/data"))


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_steps_read_the_copy_and_know_the_address(tmp_path: Path, scheme: str) -> None:
    (tmp_path / "data.csv").write_text("a,b")
    spec = Spec().python("read", READ, {"data": "Dataset"}, {"Output": str})
    graph = Player(tmp_path / "root").play(_fetching(spec, f"{scheme}{tmp_path}/data.csv"), platform=PLATFORM)
    assert graph.root.outputs.parameters == {"Output": "a,b of data.csv"}
    fetched = next(each for each in graph.instances.values() if each.name == "fetch")
    (artifact,) = fetched.outputs.artifacts["artifact"]
    assert artifact.uri == f"file://{tmp_path}/data.csv"
    assert artifact.metadata == {"key": "value"}
    workspace = graph.run.workspace(graph.pipeline)
    assert artifact.copy == f"{workspace}/.artifacts/{artifact.id}/data.csv"
    Path(artifact.copy).write_text("changed")
    assert (tmp_path / "data.csv").read_text() == "a,b"  # it is a copy


@pytest.mark.parametrize(
    ("uri", "name", "file"),
    [
        ("s3://bucket/data.csv", "x", "data.csv"),
        ("https://host/get?file=1", "report", "get"),
        ("https://host/a/?b/?c", "report", "report"),
        ("https://host/a/?b", "../../../../.ssh/authorized_keys", "artifact"),
        ("s3://bucket/..", "..", "artifact"),
        ("s3://bucket/" + "x" * 300, "short", "short"),
        ("s3://bucket/a\0b", "", "artifact"),
    ],
)
def test_a_copy_stays_in_the_folder_that_it_is_brought_to(uri: str, name: str, file: str) -> None:
    item = Artifact("1", name, "system.Dataset", "", uri)
    assert folders.copy("/task", item) == f"/task/inputs/1/{file}"


def test_a_placeholder_that_nobody_knows_fails_the_download_and_nothing_else() -> None:
    reader = Spec().step("read", {"data": "Dataset"}, {"Output": str})
    document = _fetching(reader, "/data")
    metadata = {"key": "{{$.inputs.parameters['other']}}"}
    document["deploymentSpec"]["executors"]["exec-fetch"]["importer"]["metadata"] = metadata
    world = World(document, platform=PLATFORM).settle()
    assert world.states == {"fetch": "FAILED", "read": "SKIPPED"}
    assert "no input parameter 'other'" in world.at("fetch").message


@pytest.mark.slow
async def test_a_download_that_failed_is_begun_again_by_a_retry(here: Here, tmp_path: Path) -> None:
    spec = Spec().python("read", READ, {"data": "Dataset"}, {"Output": str})
    where = tmp_path / "data.csv"
    async with here.engine():
        run = await here.submit(_fetching(spec, str(where)), PLATFORM)
        assert (await here.ended(run))["status"]["phase"] == "FAILED"
        where.write_text("a,b")
        again = {"state": "RUNNING", "retries": 1}
        await here.records.write(lambda c: c.execute(runs.update().where(runs.c.id == run).values(**again)))
        await here.cluster.client.patch(RUN, run, "default", {"spec": {"retries": 1}})
        assert (await here.ended(run, retries=1))["status"]["phase"] == "SUCCEEDED"
        assert (await here.rows(run))["fetch"]["attempts"] == 2


def test_a_folder_is_brought_whole_and_commands_are_led_to_it(tmp_path: Path) -> None:
    (tmp_path / "data" / "part").mkdir(parents=True)
    (tmp_path / "data" / "part" / "0").write_text("zero")
    command = ["sh", "-c", 'cat "$0/part/0" > "$1"; echo "$2" | grep -q "/.artifacts/"']
    args = [
        "{{$.inputs.artifacts['data'].path}}",
        "{{$.outputs.parameters['Output'].output_file}}",
        "{{$}}",  # who reads this takes addresses for paths
    ]
    spec = Spec().step("read", {"data": "Dataset"}, {"Output": str}, command=command, args=args)
    graph = Player(tmp_path / "root").play(_fetching(spec, f"{tmp_path}/data"), platform=PLATFORM)
    assert graph.root.outputs.parameters == {"Output": "zero"}


def test_what_is_not_there_is_said_with_its_place(tmp_path: Path) -> None:
    spec = Spec().python("read", READ, {"data": "Dataset"}, {"Output": str})
    graph = Player(tmp_path / "root").play(_fetching(spec, f"{tmp_path}/gone.csv"), platform=PLATFORM)
    assert f"there is nothing at {tmp_path}/gone.csv" in graph.root.failure


def test_a_graph_that_is_built_again_knows_the_copies() -> None:
    spec = Spec().step("read", {"data": "Dataset"}, {"Output": str})
    document = _fetching(spec, "/data/x")
    first = World(document, platform=PLATFORM).settle()
    known = {key: row for key, row in first.rows.items() if first.graph.instances[key].name == "fetch"}
    for row in known.values():  # the records know of no copies
        row.outputs.artifacts["artifact"] = first.at("fetch").outputs.artifacts["artifact"]
    again = World(document, platform=PLATFORM, known=known).settle()
    assert again.order == ["read#0"]
    assert again.at("read").inputs.artifacts["data"][0].copy.endswith("/x")


def test_another_run_has_another_workspace_for_the_cache_too() -> None:
    source = "def run(path: str) -> str:\n    return open('/kfp-workspace/x').read()\n"
    spec = Spec().python("use", source, {"path": str}, {"Output": str})
    tasks = {"use": task("use", {"path": "x"}, cached=True)}

    def fingerprint(run: str, platform: Any) -> str:
        return World(spec.compiled(tasks), platform=platform, run=run).settle().at("use").fingerprint

    one, other = "3f0c7e86-52a5-4c49-9d5e-5f6f1f3c6a10", "3f0c7e86-52a5-4c49-9d5e-5f6f1f3c6a11"
    assert fingerprint(one, PLATFORM) != fingerprint(other, PLATFORM)
    assert fingerprint(one, None) == fingerprint(other, None)


@pytest.mark.slow
async def test_steps_share_the_workspace_by_its_path_and_at_upstreams_place(here: Here) -> None:
    write = "def run(path: str):\n    open(f'{path}/shared', 'w').write('hello')\n"
    read = "def run() -> str:\n    return open('/kfp-workspace/shared').read()\n"
    spec = Spec().python("write", write, {"path": str}).python("read", read, outputs={"Output": str})
    spec.step("list", command=["sh", "-c", "test $(ls $PLACE) = shared"])
    spec.executors["exec-list"]["container"]["env"] = [{"name": "PLACE", "value": "{{$.workspace_path}}"}]
    tasks = {
        "write": task("write", {"path": "{{$.workspace_path}}"}),
        "read": task("read", after=("write",)),
        "list": task("list", after=("write",)),
    }
    async with here.engine():
        run = await here.ended(await here.submit(spec.compiled(tasks), PLATFORM))
    assert run["status"]["phase"] == "SUCCEEDED", run["status"]
