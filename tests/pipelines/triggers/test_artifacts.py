"""Triggers that follow artifacts: what runs make, and files and folders that are looked at."""

import os
from pathlib import Path
from typing import Any

import pytest

from fairway.pipelines.triggers import places
from fairway.pipelines.triggers.loop import Triggers
from tests.pipelines.triggers.conftest import World, pipeline

MACROS = {"parameters": {"text": "[[trigger.artifact_id]] [[trigger.artifact_uri]] [[trigger.run_id]]"}}
MODEL: dict[str, Any] = {"name": "model"}


async def test_an_artifact_starts_a_run_as_soon_as_it_is_made(world: World) -> None:
    trigger = await world.trigger(artifact=MODEL, runtime_config=MACROS)
    upstream = await world.run()
    model = await world.make(upstream, "model")
    await world.look()
    assert await world.texts(trigger) == [f"{model} file:///made/{model} {upstream}"]
    await world.end(upstream)
    await world.look()
    assert len(await world.started(trigger)) == 1


@pytest.mark.parametrize(
    ("source", "fires"),
    [
        ({"name": "model"}, True),
        ({"name": "data"}, False),
        ({"type": "system.Model"}, True),
        ({"type": "Model"}, True),
        ({"type": "Dataset"}, False),
        ({"pipeline_name": "upstream"}, True),
        ({"name": "model", "pipeline_name": "another"}, False),
    ],
)
async def test_which_artifacts_count(world: World, source: dict[str, Any], fires: bool) -> None:
    trigger = await world.trigger(artifact=source)
    await world.make(await world.run(), "model")
    await world.look()
    assert len(await world.started(trigger)) == fires


async def test_what_was_taken_from_the_cache_or_only_read_is_not_new(world: World) -> None:
    maker, user = await world.run(), await world.run()
    model = await world.make(maker, "model")
    await world.clock.advance(3600)
    trigger = await world.trigger(artifact=MODEL)
    await world.make(user, "model", id=model, cached_from="another-task")
    await world.make(user, "model", id=model, output=False)
    await world.end(user)
    await world.look()
    assert await world.started(trigger) == []


async def test_it_is_the_maker_that_an_artifact_is_told_of(world: World) -> None:
    """Not who took it from the cache while it went on."""
    trigger = await world.trigger(artifact=MODEL, runtime_config={"parameters": {"text": "[[trigger.run_id]]"}})
    user, maker = await world.run(), await world.run()
    model = await world.make(maker, "model")
    await world.make(user, "model", id=model, cached_from="another-task")
    await world.end(user)
    await world.look()
    assert await world.texts(trigger) == [maker]


async def test_metrics_are_no_artifacts_of_their_own(world: World) -> None:
    trigger = await world.trigger(artifact={"pipeline_name": "upstream"})
    upstream = await world.run()
    await world.make(upstream, "metrics/accuracy", type="system.Metric", number_value=0.9)
    await world.end(upstream)
    await world.look()
    assert await world.started(trigger) == []


async def test_an_artifact_that_comes_to_light_late_counts_at_the_end_of_its_run(world: World) -> None:
    trigger = await world.trigger(artifact=MODEL)
    upstream = await world.run()
    await world.clock.advance(3600)
    await world.make(upstream, "model", created_at=world.clock.now() - 1800)
    await world.look()
    assert await world.started(trigger) == []
    await world.end(upstream, "FAILED")
    await world.look()
    assert len(await world.started(trigger)) == 1


async def test_what_was_made_while_the_trigger_was_disabled_does_not_count(world: World) -> None:
    trigger = await world.trigger(artifact=MODEL)
    await world.call("POST", f"triggers/{trigger['trigger_id']}:disable")
    upstream = await world.run()
    await world.make(upstream, "model")
    await world.clock.advance(1)
    await world.call("POST", f"triggers/{trigger['trigger_id']}:enable")
    await world.end(upstream)
    await world.look()
    assert await world.started(trigger) == []


async def test_a_model_that_a_triggered_run_makes_does_not_trigger_it_again(world: World) -> None:
    trigger = await world.trigger(artifact=MODEL)
    await world.make(await world.run(), "model")
    await world.look()
    (own,) = await world.started(trigger)
    await world.make(own["id"], "model")
    await world.end(own["id"])
    await world.look()
    assert len(await world.started(trigger)) == 1


# What is looked at


def write(path: Path, text: str, at: float) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    os.utime(path, (at, at))


async def watching(world: World, uri: str) -> Any:
    trigger = await world.trigger(
        artifact={"uri": uri, "every_seconds": 60},
        runtime_config={"parameters": {"text": "[[trigger.artifact_uri]]"}},
        max_concurrency=9,
    )
    await world.look()
    return trigger


async def test_a_file_that_appears_or_changes_starts_a_run(world: World, watched: Path) -> None:
    file = watched / "today.csv"
    trigger = await watching(world, f"file://{file}")
    write(file, "1", 100)
    await world.pass_(60)  # seen once
    assert await world.started(trigger) == []
    await world.pass_(5)  # seen the same again
    assert await world.texts(trigger) == [f"file://{file}"]
    await world.pass_(600)
    assert len(await world.started(trigger)) == 1
    write(file, "2", 200)
    await world.pass_(60)
    await world.pass_(5)
    assert len(await world.started(trigger)) == 2


async def test_a_file_that_is_being_written_waits_until_it_is_whole(world: World, watched: Path) -> None:
    file = watched / "large"
    trigger = await watching(world, f"file://{file}")
    for part in range(1, 5):
        write(file, "x" * part, 100 + part)
        await world.pass_(60)
        assert await world.started(trigger) == []
    await world.pass_(60)
    assert len(await world.started(trigger)) == 1


async def test_what_was_there_before_does_not_count_and_a_restart_forgets_nothing(world: World, watched: Path) -> None:
    file = watched / "there"
    write(file, "1", 100)
    trigger = await watching(world, f"file://{file}")
    write(file, "2", 200)
    await world.pass_(60)
    for _ in range(3):
        world.loop = Triggers(world.context)
        await world.look()
        await world.pass_(60)
    assert len(await world.started(trigger)) == 1


async def test_a_folder_changes_with_what_is_in_it(world: World, watched: Path) -> None:
    write(watched / "day" / "a", "1", 100)
    trigger = await watching(world, f"file://{watched}/day")
    write(watched / "day" / "b", "1", 50)  # older than what is there, and new all the same
    for _ in range(2):
        await world.pass_(60)
    assert len(await world.started(trigger)) == 1
    (watched / "day" / "b").unlink()
    (watched / "day" / "a").unlink()
    for _ in range(2):
        await world.pass_(60)
    assert len(await world.started(trigger)) == 1  # nothing there is nothing to run on


async def test_a_change_while_it_is_disabled_does_not_count(world: World, watched: Path) -> None:
    file = watched / "today"
    trigger = await watching(world, f"file://{file}")
    await world.call("POST", f"triggers/{trigger['trigger_id']}:disable")
    write(file, "1", 100)
    await world.pass_(60)
    await world.call("POST", f"triggers/{trigger['trigger_id']}:enable")
    for _ in range(3):
        await world.pass_(60)
    assert await world.started(trigger) == []


async def test_an_address_under_the_artifacts(world: World) -> None:
    uri = world.context.artifacts.address("shared/data")
    trigger = await watching(world, uri)
    await world.context.artifacts.put(f"{uri}/part", b"1")
    for _ in range(2):
        await world.pass_(60)
    assert await world.texts(trigger) == [uri]


@pytest.mark.parametrize(
    "uri", ["file:///etc/passwd", "file:///nothing", "/etc/passwd", "s3://bucket/key", "file://{artifacts}"]
)
async def test_nobody_finds_out_what_else_is_on_the_disk(world: World, uri: str) -> None:
    """There or not there, the answer is the same."""
    refused = await refusal(world, uri.format(artifacts=world.context.artifacts.root.removeprefix("file://")))
    assert "whoever runs the platform has not put its folder into the setting watched_paths" in refused


async def test_links_and_dots_lead_nowhere(world: World, watched: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (watched / "link").symlink_to(tmp_path / "secret")
    for uri in (f"file://{watched}/link", f"file://{watched}/../secret"):
        assert "watched_paths" in await refusal(world, uri), uri


async def test_a_link_that_leads_to_itself_holds_up_no_other_trigger(world: World, watched: Path) -> None:
    round_, other = await watching(world, f"file://{watched}/a"), await watching(world, f"file://{watched}/b")
    (watched / "a").symlink_to("a")
    write(watched / "b", "1", 100)
    for _ in range(2):
        await world.pass_(60)
    assert len(await world.started(other)) == 1
    assert await world.started(round_) == []
    assert "error" in await world.call("GET", f"triggers/{round_['trigger_id']}")


async def refusal(world: World, uri: str) -> str:
    fields = {"pipeline_spec": pipeline("downstream"), "runtime_config": {"parameters": {"text": "hi"}}}
    status, answer = await world.ask("POST", "triggers", {"display_name": "x", "artifact": {"uri": uri}, **fields})
    assert status == 403
    return str(answer["message"])


async def test_the_whole_watched_folder(world: World, watched: Path) -> None:
    trigger = await watching(world, f"file://{watched}")
    write(watched / "file", "1", 100)
    for _ in range(2):
        await world.pass_(60)
    assert len(await world.started(trigger)) == 1


async def test_a_folder_of_too_many_files_is_told(world: World, watched: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "MOST_FILES", 2)
    trigger = await watching(world, f"file://{watched}/many")
    for name in "abc":
        write(watched / "many" / name, "1", 100)
    await world.pass_(60)
    one = f"triggers/{trigger['trigger_id']}"
    assert "more than 2 files" in (await world.call("GET", one))["error"]["message"]
    (watched / "many" / "c").unlink()
    for _ in range(2):
        await world.pass_(60)
    assert "error" not in await world.call("GET", one)
    assert len(await world.started(trigger)) == 1
