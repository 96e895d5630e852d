"""Steps that really run: kfp's executor and plain commands, in processes of their own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from player import Player, forked, write_task
from specs import Out, Spec, task

from fairway.pipelines import inpod
from fairway.pipelines.render import folders, python_steps
from fairway.pipelines.render.graph import Graph
from fairway.pipelines.render.model import Instance, State
from fairway.pipelines.render.python_steps import recognised


def _only(graph: Graph, name: str = "s") -> Instance:
    return next(each for each in graph.instances.values() if each.name == name and each.path)


def _python(tmp_path: Path, source: str, inputs: Any = None, outputs: Any = None, **given: Any) -> Instance:
    spec = Spec().python("s", source, inputs, outputs).compiled({"s": task("s", given)})
    return _only(Player(tmp_path).play(spec))


def _shell(tmp_path: Path, script: str, outputs: Any = None, *args: str, **given: Any) -> Instance:
    inputs = {key: type(value) for key, value in given.items()}
    spec = Spec().step("s", inputs, outputs, command=["sh", "-c", script], args=list(args))
    return _only(Player(tmp_path).play(spec.compiled({"s": task("s", given)})))


def test_a_python_function_gets_its_inputs_and_gives_its_output(tmp_path: Path) -> None:
    source = "def run(n: int, words: list, note: str = 'none') -> str:\n    return f'{n + 1} {words} {note}'\n"
    inputs = {"n": int, "words": list, "note": (str, "none")}
    step = _python(tmp_path, source, inputs, {"Output": str}, n=2, words=["a", 1])
    assert step.outputs.parameters == {"Output": "3 ['a', 1] none"}


def test_artifacts_travel_with_their_metadata(tmp_path: Path) -> None:
    make = (
        "def run(model: Output[Model], scores: Output[Metrics]):\n"
        "    open(model.path, 'w').write('weights')\n"
        "    model.metadata['kind'] = 'linear'\n"
        "    scores.log_metric('accuracy', 0.5)\n"
        "    scores.log_metric('bad', float('nan'))\n"
    )
    use = "def run(model: Input[Model]) -> str:\n    return open(model.path).read() + model.metadata['kind']\n"
    spec = Spec().python("make", make, outputs={"model": "Model", "scores": "Metrics"})
    spec.python("use", use, {"model": "Model"}, {"Output": str})
    graph = Player(tmp_path).play(
        spec.compiled({"make": task("make"), "use": task("use", {}, {"model": Out("make", "model")})})
    )
    assert _only(graph, "use").outputs.parameters == {"Output": "weightslinear"}
    (model,) = _only(graph, "make").outputs.artifacts["model"]
    assert model.uri.startswith(f"file://{tmp_path}/test-pipeline/{graph.run.id}/make/")
    assert Path(folders.path(model.uri)).read_text() == "weights"
    (scores,) = _only(graph, "make").outputs.artifacts["scores"]
    assert scores.metadata == {"accuracy": 0.5, "bad": "NaN"}


def test_an_input_in_a_store_that_nobody_reads_here_fails_the_step_with_its_address(tmp_path: Path) -> None:
    make = "def run(data: Output[Dataset]):\n    data.uri = 'hdfs://bucket/data.csv'\n"
    spec = Spec().python("make", make, outputs={"data": "Dataset"})
    spec.python("use", "def run(data: Input[Dataset]):\n    pass\n", {"data": "Dataset"})
    graph = Player(tmp_path).play(
        spec.compiled({"make": task("make"), "use": task("use", {}, {"data": Out("make", "data")})})
    )
    assert _only(graph, "use").state is State.FAILED
    assert "hdfs://bucket/data.csv, which is not read here: copy it to a bucket" in _only(graph, "use").message


def test_bytes_written_to_a_custom_path_end_at_their_address(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    source = (
        "def run(model: Output[Model]):\n"
        f"    model.custom_path = {str(elsewhere)!r}\n"
        "    open(model.path, 'w').write('x')\n"
    )
    step = _python(tmp_path, source, outputs={"model": "Model"})
    assert Path(folders.path(step.outputs.artifacts["model"][0].uri)).read_text() == "x"


@pytest.mark.parametrize(
    ("body", "message", "code"),
    [
        ("raise ValueError('no such column: age')", "ValueError: no such column: age", 1),
        ("import sys; sys.exit(3)", "the step ended with exit status 3", 3),
        ("import sys; sys.exit(0)", "the step did not write its output parameter 'Output'", 1),
        ("def", "SyntaxError: invalid syntax", 1),
    ],
)
def test_a_function_that_fails_says_why(tmp_path: Path, body: str, message: str, code: int) -> None:
    step = _python(tmp_path, f"def run() -> int:\n    {body}\n", outputs={"Output": int})
    assert (step.state, step.message, step.code) == (State.FAILED, message, code)


def test_a_traceback_begins_in_the_authors_own_code(tmp_path: Path) -> None:
    _python(tmp_path, "def run():\n    raise ValueError('x')\n")
    log = next(tmp_path.rglob("log")).read_text()
    assert "ephemeral_component.py" in log
    assert "executor.py" not in log


def test_a_command_writes_outputs_to_files_and_they_are_read_by_type(tmp_path: Path) -> None:
    outputs = {"i": int, "f": float, "b": bool, "l": list, "d": dict, "s": str}
    values = {"i": "7", "f": "0.5", "b": "True", "l": '["a", 1.0]', "d": '{"k": 2.0}', "s": "00"}
    files = [f"{{{{$.outputs.parameters['{key}'].output_file}}}}" for key in outputs]
    script = "; ".join(f"printf %s '{values[key]}' > \"${place}\"" for place, key in enumerate(outputs))
    step = _shell(tmp_path, script, outputs, *files)
    got = step.outputs.parameters
    assert got == {"i": 7, "f": 0.5, "b": True, "l": ["a", 1], "d": {"k": 2}, "s": "00"}
    assert repr(got["l"][1]) == "1"


def test_a_command_gets_placeholders_and_its_failures_are_told(tmp_path: Path) -> None:
    step = _shell(tmp_path, 'test "$0" = 3 && exit 7', None, "{{$.inputs.parameters['n']}}", n=3)
    assert (step.state, step.message, step.code) == (State.FAILED, "the command ended with exit status 7", 7)
    spec = Spec().step("s", command=["no-such-program"]).compiled({"s": task("s")})
    assert _only(Player(tmp_path).play(spec)).message == "the command 'no-such-program' was not found"


def test_an_output_that_does_not_fit_fails_the_step_with_a_sentence(tmp_path: Path) -> None:
    step = _shell(tmp_path, 'echo five > "$0"', {"n": int}, "{{$.outputs.parameters['n'].output_file}}")
    assert step.state is State.FAILED
    assert "the output parameter 'n' does not fit: expected an integer" in step.message


def test_an_attempt_runs_once_whatever_starts_it(tmp_path: Path) -> None:
    player = Player(tmp_path)
    marks = tmp_path / "marks"
    spec = Spec().step("s", command=["sh", "-c", f"echo x >> {marks}"]).compiled({"s": task("s")})
    step = _only(player.play(spec))
    folder = next(tmp_path.rglob("task.json")).parent
    assert forked(folder) == inpod.ALREADY_STARTED
    assert step.state is State.SUCCEEDED
    assert marks.read_text() == "x\n"


def test_a_step_is_cached_across_runs_and_not_when_its_input_changes(tmp_path: Path) -> None:
    player = Player(tmp_path)
    source = "def run(n: int) -> int:\n    return n * 2\n"

    def play(n: int) -> State:
        spec = Spec().python("s", source, {"n": int}, {"Output": int})
        graph = player.play(spec.compiled({"s": task("s", {"n": n}, cached=True)}))
        assert _only(graph).outputs.parameters == {"Output": n * 2}
        return _only(graph).state

    assert [play(1), play(1), play(2)] == [State.SUCCEEDED, State.CACHED, State.SUCCEEDED]


INSTALL = (
    '\nif ! [ -x "$(command -v pip)" ]; then\n    python3 -m ensurepip\nfi\n\n'
    "PIP_DISABLE_PIP_VERSION_CHECK=1 python3 -m pip install --quiet --no-warn-script-location 'kfp==2.14.3' "
    '\'--no-deps\' \'typing-extensions>=3.7.4,<5; python_version<"3.9"\' {more}&& "$0" "$@"\n'
)


VENV = """ &&
export PIP_DISABLE_PIP_VERSION_CHECK=1
tmp=$(mktemp -d)
python3 -m venv "$tmp/venv" --system-site-packages
. "$tmp/venv/bin/activate"
"""


@pytest.mark.parametrize(
    ("more", "requirements"),
    [
        ("", ()),
        (" &&  python3 -m pip install --quiet 'pandas==2.2.0' 'kfp-kubernetes' ", ("pandas==2.2.0", "kfp-kubernetes")),
        (
            " &&  python3 -m pip install -i https://a.org/s --extra-index-url=https://b.org/s 'pandas' ",
            ("pandas", "--index-url=https://a.org/s", "--extra-index-url=https://b.org/s"),
        ),
        (f"{VENV}  python3 -m pip install 'kfp==2.14.3' --no-deps", ()),
        (f"&& python3 -m pip install 'pandas' {VENV}  python3 -m pip install 'kfp==2.14.3' ", ("pandas",)),
        (" &&  python3 -m pip install 'kfp @ https://example.org/kfp.zip' ", ("kfp @ https://example.org/kfp.zip",)),
        (" &&  python3 -m pip install --upgrade 'pandas' ", None),
        (" &&  python3 -m pip install --no-deps 'pandas' ", None),
        (" && rm -rf /tmp/x ", None),
    ],
)
def test_only_commands_that_are_known_skip_the_shell(more: str, requirements: tuple[str, ...] | None) -> None:
    run = tuple(Spec().python("s", "import pandas as pd\n").executors["exec-s"]["container"]["command"])
    found = recognised(("sh", "-c", INSTALL.format(more=more), *run))
    assert (found.requirements if found else None) == requirements
    assert found is None or found.warm == "kfp-ml"


@pytest.mark.parametrize(
    ("texts", "installs"),
    [
        (["sh", "-c", "pip install x && run"], True),
        (["python3", "-m", "pip", "--quiet", "install", "x"], True),
        (["subprocess.run([sys.executable, '-m', 'pip', 'install', 'x'])"], True),
        (["%pip install x"], True),
        (["uv pip install x"], True),
        (["print('a pipe to install')"], False),
        (["cmake --install x"], False),
    ],
)
def test_a_program_that_installs_packages_is_told_by_its_text(texts: list[str], installs: bool) -> None:
    assert python_steps.installs(texts) is installs


def test_a_long_program_takes_time_that_grows_with_it() -> None:
    """Half a minute of nobody's pipelines, when blank lines were looked through from each of them."""
    run = tuple(Spec().python("s", "\n" * 60_000).executors["exec-s"]["container"]["command"])
    began = time.process_time()
    found = recognised(("sh", "-c", INSTALL.format(more=""), *run))
    assert time.process_time() - began < 10
    assert found is not None
    assert found.warm == "kfp"


def test_each_attempt_has_a_folder_of_its_own(tmp_path: Path) -> None:
    graph = Player(tmp_path).play(Spec().step("s", command=["true"]).compiled({"s": task("s")}))
    instance = _only(graph)
    instance.attempts += 1
    folder = write_task(graph, instance)
    assert str(folder).endswith(f"/s/{instance.id}-1")
    assert json.loads((folder / "task.json").read_text())["attempt"] == 1


def test_what_runs_in_a_pod_loads_nothing_of_the_server(tmp_path: Path) -> None:
    code = (
        "import sys, fairway.pipelines.inpod; "
        "bad = [m for m in sys.modules if m.split('.')[0] in ('aiohttp', 'sqlalchemy', 'orjson', 'yaml', 'kfp') "
        "or m.startswith(('fairway.kernel', 'fairway.records', 'fairway.front', 'fairway.cluster'))]; "
        "sys.exit(', '.join(bad))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stderr.strip() == ""


def test_a_command_speaks_of_variables_as_in_any_container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the kubelet does: $(NAME) by its value, where there is none as it is; $$ is a dollar. Inputs stay whole."""
    monkeypatch.setenv("GREETING", "hello")
    script = 'printf "%s|" "$0" "$1" "$2" > "$3"'
    args = ["$(GREETING) you", "$(NOBODY) $$(GREETING)", "{{$.inputs.parameters['word']}}"]
    out = "{{$.outputs.parameters['Output'].output_file}}"
    spec = Spec().step("say", {"word": str}, {"Output": str}, command=["sh", "-c", script], args=[*args, out])
    graph = Player(tmp_path).play(spec.compiled({"say": task("say", {"word": "$(GREETING)"})}))
    assert _only(graph, "say").outputs.parameters == {"Output": "hello you|$(NOBODY) $(GREETING)|$(GREETING)|"}
