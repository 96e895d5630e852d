"""Steps on bad days: what is too large, what is missing, and what kills a step are said with what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from places import Here
from player import Player
from specs import In, Out, Spec, task

from fairway.cluster.node.shepherd import memory
from fairway.pipelines import collecting, inpod, outcomes, stopping
from fairway.pipelines.engine import stops
from fairway.pipelines.outcomes import Trace, of_pod
from fairway.pipelines.render import folders
from fairway.pipelines.render.model import Outcome, State

MEGABYTE = 1 << 20


def _chain(end: Spec) -> dict[str, Any]:
    source = f"def run() -> str:\n    return 'x' * {MEGABYTE}\n"
    spec = end.python("make", source, outputs={"Output": str})
    spec.python("pass", "def run(x: str) -> str:\n    return x\n", {"x": str}, {"Output": str})
    tasks = {
        "make": task("make"),
        "pass": task("pass", {"x": Out("make")}),
        "end": task("end", {"x": Out("pass")}),
    }
    return spec.compiled(tasks, None, {"Output": int}, Output=Out("end"))


def test_a_megabyte_passes_through_a_chain_of_functions(tmp_path: Path) -> None:
    end = Spec().python("end", "def run(x: str) -> int:\n    return len(x)\n", {"x": str}, {"Output": int})
    assert Player(tmp_path).play(_chain(end)).root.outputs.parameters == {"Output": MEGABYTE}


def test_what_is_too_long_for_a_command_line_is_said_with_what_to_do(tmp_path: Path) -> None:
    args = ["{{$.inputs.parameters['x']}}"]
    end = Spec().step("end", {"x": str}, {"Output": int}, command=["echo"], args=args)
    graph = Player(tmp_path).play(_chain(end))
    assert graph.state is State.FAILED
    assert "argument 1 of the command has 1,048,576 bytes, and Linux passes at most 131,071" in graph.root.failure


@pytest.mark.parametrize("written", ["return 'x' * size", "open(path, 'w').write('x' * size)"])
def test_a_parameter_that_is_too_large_is_to_be_an_artifact(tmp_path: Path, written: str) -> None:
    size = collecting.LARGEST + 1
    spec = Spec()
    if "return" in written:
        spec.python("s", f"def run() -> str:\n    return 'x' * {size}\n", outputs={"Output": str})
    else:
        script = f'head -c {size} /dev/zero | tr "\\0" x > "$0"'
        files = ["{{$.outputs.parameters['Output'].output_file}}"]
        spec.step("s", outputs={"Output": str}, command=["sh", "-c", script], args=files)
    graph = Player(tmp_path).play(spec.compiled({"s": task("s")}))
    assert "the output parameter 'Output' has 8,388,609 bytes" in graph.root.failure
    assert "give it as an artifact" in graph.root.failure


def test_a_number_that_no_64_bits_hold_goes_on_as_it_would_on_the_wire(tmp_path: Path) -> None:
    spec = Spec().python("make", "def run() -> int:\n    return 10**30\n", outputs={"Output": int})
    source = "def run(n: int, most: float = 0.0) -> float:\n    return n * most\n"
    spec.python("use", source, {"n": int, "most": (float, 1e200)}, {"Output": float})
    tasks = {"make": task("make"), "use": task("use", {"n": Out("make"), "most": In("most")})}
    document = spec.compiled(tasks, {"most": (float, 1e200)}, {"Output": float}, Output=Out("use"))
    graph = Player(tmp_path).play(document)
    assert graph.root.outputs.parameters == {"Output": pytest.approx(1e230)}
    for each in graph.instances.values():  # as the records and task folders keep them
        orjson.dumps([each.inputs.parameters, each.outputs.parameters])


def test_on_a_full_disk_goes_what_the_step_has_written_and_no_folder_that_its_author_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inpod, "_ROOM", 1 << 62)
    monkeypatch.setenv("KFP_POD_UID", "the-uid")
    monkeypatch.setenv("FAIRWAY_POD_IP", "127.64.0.1")
    own, named = tmp_path / "the-uid" / "tmp", tmp_path / "scratch"
    for temporary in (own, named):
        (tmp_path / "task" / "outputs").mkdir(parents=True)
        temporary.mkdir(parents=True)
        monkeypatch.setenv("TMPDIR", str(temporary))
        assert "the disk is full" in inpod._make_room(str(tmp_path / "task"))
        assert not (tmp_path / "task" / "outputs").exists()
    assert (own.exists(), named.exists()) == (False, True)


@pytest.mark.parametrize(
    "content",
    [
        "[]",
        "{}",
        '{"succeeded": "yes"}',
        '{"succeeded": true, "parameters": [1]}',
        '{"succeeded": true, "artifacts": {"m": [1]}}',
        '{"succeeded": true, "artifacts": {"m": {"metadata": [1]}}}',
        '{"succeeded": true, "present": [5]}',
        '{"succeeded": false, "code": 1e30}',
        '{"succeeded": false, "code": 4294967296}',
        '{"succeeded": true, "parameters": {"x": ' + "[" * 500 + "]" * 500 + "}}",
        "\x00",
    ],
)
def test_an_outcome_that_is_none_says_nothing_to_its_own_run_and_to_those_that_ask_the_cache(
    tmp_path: Path, content: str
) -> None:
    (tmp_path / folders.OUTCOME).write_text(content)
    (tmp_path / folders.TAKEN).write_text(content)
    assert outcomes.traces([str(tmp_path)]) == [Trace(0.0, None)]
    assert outcomes.intact([str(tmp_path)]) == [False]
    assert outcomes.taken(str(tmp_path)) in (None, [])


def test_what_is_no_file_in_a_task_folder_and_what_is_too_large_is_no_outcome(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / folders.OUTCOME).mkdir()
    (tmp_path / stopping.STOPPED).mkdir()
    assert outcomes.traces([str(tmp_path)]) == [Trace(0.0, None)]
    assert stops._read([str(tmp_path)]) == [""]
    (tmp_path / folders.OUTCOME).rmdir()
    (tmp_path / folders.OUTCOME).write_text('{"succeeded": true, "parameters": {"x": "' + "x" * 100 + '"}}')
    monkeypatch.setattr(outcomes, "_LARGEST", 100)
    (found,) = outcomes.traces([str(tmp_path)])
    assert found.outcome is not None
    assert (found.outcome.succeeded, "as an artifact" in found.outcome.message) == (False, True)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("[1]", "has no struct under 'parameterValues'"),
        ('{"artifacts": [1]}', "has no struct under 'artifacts'"),
        ('{"artifacts": {"m": [1]}}', "says of its output artifact 'm' is not understood: [1]"),
        ('{"artifacts": {"m": {"artifacts": [{"metadata": [1]}]}}}', "output artifact 'm' is not understood"),
        ('{"parameterValues": {"x": ' + "[" * 200 + "]" * 200 + "}}", "'x' is nested more than 100 levels deep"),
        ("[" * 100_000, "is not JSON"),
        ("", "is not JSON"),
    ],
)
def test_what_a_command_writes_by_hand_and_nobody_understands_fails_it_with_a_sentence(
    tmp_path: Path, written: str, message: str
) -> None:
    (tmp_path / "told").write_text(written)
    command = ["sh", "-c", f'cat {tmp_path}/told > "$0"', "{{$.outputs.output_file}}"]
    spec = Spec().step("s", outputs={"m": "Model", "x": list}, command=command)
    graph = Player(tmp_path / "root").play(spec.compiled({"s": task("s")}))
    assert message in graph.root.failure


def test_a_step_may_fail_with_any_text_and_any_number(tmp_path: Path) -> None:
    spec = Spec().python("half", "def run():\n    raise ValueError('half a \\ud800 pair')\n")
    spec.python("status", "def run():\n    raise SystemExit(10**30 + 7)\n")
    spec.step("bytes", outputs={"x": str}, command=["sh", "-c", 'printf "\\377" > "$0"'])
    spec.executors["exec-bytes"]["container"]["args"] = ["{{$.outputs.parameters['x'].output_file}}"]
    tasks = {name: task(name) for name in ("half", "status", "bytes")}
    graph = Player(tmp_path).play(spec.compiled(tasks))
    steps = {each.name: each for each in graph.instances.values()}
    assert steps["half"].message == "ValueError: half a ? pair"
    assert 0 < steps["status"].code < 256
    assert "'x' is not a text in UTF-8" in steps["bytes"].message


def test_an_input_without_bytes_is_named_with_its_place_where_the_step_fails_of_it(tmp_path: Path) -> None:
    spec = Spec().python("make", "def run(data: Output[Dataset]):\n    pass\n", outputs={"data": "Dataset"})
    spec.python("read", "def run(data: Input[Dataset]):\n    open(data.path)\n", {"data": "Dataset"})
    spec.python("look", "def run(data: Input[Dataset]):\n    print(data.metadata)\n", {"data": "Dataset"})
    given = {"data": Out("make", "data")}
    tasks = {"make": task("make"), "read": task("read", {}, given), "look": task("look", {}, given)}
    graph = Player(tmp_path).play(spec.compiled(tasks))
    steps = {each.name: each for each in graph.instances.values()}
    assert steps["look"].state is State.SUCCEEDED
    (made,) = steps["make"].outputs.artifacts["data"]
    place = made.uri.removeprefix("file://")
    assert f"the input artifact 'data' has no bytes: nothing is at {place}" in steps["read"].message


def _ended(reason: str, code: int) -> dict[str, Any]:
    state = {"terminated": {"reason": reason, "exitCode": code}}
    container = {"name": "main", "resources": {"limits": {"memory": "64Mi"}}}
    return {"spec": {"containers": [container]}, "status": {"containerStatuses": [{"state": state}]}}


def test_who_was_killed_is_told_what_may_have_done_it() -> None:
    silent = Trace(1.0, None)
    assert "more memory than its limit of 64Mi" in of_pod(_ended("OOMKilled", 137), silent).message
    assert "ran out of memory" in of_pod(_ended("Error", 137), silent).message
    assert "exit status 3" in of_pod(_ended("Error", 3), silent).message
    told = Trace(1.0, Outcome(False, message="the command was ended by signal 9", code=137))
    assert of_pod(_ended("OOMKilled", 137), told).message.startswith("the command was ended by signal 9: the step took")


@pytest.mark.slow
@pytest.mark.skipif(not memory.available(), reason="this machine lets us make no control group")
async def test_a_step_that_takes_too_much_memory_says_so(here: Here) -> None:
    source = "def run():\n    x = b'x' * (300 << 20)\n"
    spec = Spec().python("s", source)
    spec.executors["exec-s"]["container"]["resources"] = {"resourceMemoryLimit": "64Mi"}
    async with here.engine():
        run = await here.ended(await here.submit(spec.compiled({"s": task("s")})))
    assert "more memory than its limit of 64Mi" in run["status"]["message"]
