"""Placeholders in commands: all that the SDK can emit."""

import json

import pytest

from fairway.pipelines.placeholders import MOST_PUT_IN, Scene, TooMuch, UnknownPlaceholder

INPUT = {
    "inputs": {
        "parameterValues": {"n": 3, "half": 0.5, "yes": True, "words": ["a", "b"], "text": "{{$.inputs}} 'q'"},
        "artifacts": {"data": {"artifacts": [{"name": "7", "uri": "/data/x", "metadata": {"rows": 3}}]}},
    },
    "outputs": {
        "outputFile": "/out/executor_output.json",
        "parameters": {"p": {"outputFile": "/out/p"}},
        "artifacts": {"model": {"artifacts": [{"uri": "/out/model", "metadata": {}}]}},
    },
}
SCENE = Scene(INPUT, defaults={"left_out": "default", "null": None}, job={".pipeline_job_uuid": "run-1"})


@pytest.mark.parametrize(
    ("written", "filled"),
    [
        ("{{$.inputs.parameters['n']}}", "3"),
        ('a {{$.inputs.parameters["half"]}} b', "a 0.5 b"),
        ("{{$.inputs.parameters['yes']}}", "true"),
        ("{{$.inputs.parameters['words']}}", '["a","b"]'),
        ("{{$.inputs.parameters['text']}}", "{{$.inputs}} 'q'"),  # what is put in is not looked at again
        ("{{$.inputs.parameters['left_out']}}", "default"),
        ("[{{$.inputs.parameters['null']}}]", "[]"),
        ("{{$.inputs.artifacts['data'].uri}}", "/data/x"),
        ("{{$.inputs.artifacts['data'].path}}/f", "/data/x/f"),
        ("{{$.inputs.artifacts['data'].metadata['rows']}}", "3"),
        ("{{$.inputs.artifacts['data'].metadata}}", '{"rows":3}'),
        ("{{$.outputs.artifacts['model'].path}}", "/out/model"),
        ("{{$.outputs.parameters['p'].output_file}}", "/out/p"),
        ("{{$.outputs.output_file}}", "/out/executor_output.json"),
        ("{{$.pipeline_job_uuid}}", "run-1"),
        ("{{$.outputMetadataUri}}", "/out/executor_output.json"),
        ("{{$.inputs.parameters['words'].json_escape[1]}}", r"[\"a\",\"b\"]"),
        ("no placeholder {{ here }}", "no placeholder {{ here }}"),
        ("{{$name}} {{$.Values.image}}", "{{$name}} {{$.Values.image}}"),  # of other templates
    ],
)
def test_values_are_put_in(written: str, filled: str) -> None:
    assert SCENE.elements([written]) == [filled]


def test_the_whole_executor_input() -> None:
    assert json.loads(SCENE.filled("{{$}}")) == INPUT


def test_if_present_gives_none_or_many_elements() -> None:
    def chosen(name: str) -> list[str]:
        branch = {"InputName": name, "Then": ["--n", "{{$.inputs.parameters['n']}}"], "Else": ["--none"]}
        return SCENE.elements(["x", json.dumps({"IfPresent": branch})])

    assert chosen("n") == ["x", "--n", "3"]
    assert chosen("data") == ["x", "--n", "3"]
    assert chosen("null") == ["x", "--none"]
    assert SCENE.elements([json.dumps({"IfPresent": {"InputName": "gone", "Then": "a"}})]) == []


def test_the_whole_executor_input_inside_json() -> None:
    escaped = SCENE.filled('{"input": "{{$.json_escape[1]}}"}')
    assert json.loads(json.loads(escaped)["input"]) == INPUT


def test_lists_of_artifacts() -> None:
    (data,) = json.loads(SCENE.filled("{{$.inputs.artifacts['data']}}"))
    assert (data["uri"], data["metadata"]) == ("/data/x", {"rows": 3})


def test_concat_joins_and_nests() -> None:
    inner = {"IfPresent": {"InputName": "n", "Then": ["={{$.inputs.parameters['n']}}"]}}
    assert SCENE.elements([json.dumps({"Concat": ["--n", inner, "!"]})]) == ["--n=3!"]


@pytest.mark.parametrize(
    "written", ["{{$.inputs.parameters['zzz']}}", "{{$.outputs.artifacts['zzz'].uri}}", "{{$.pipeline_x}}"]
)
def test_unknown_names_are_told(written: str) -> None:
    with pytest.raises(UnknownPlaceholder):
        SCENE.filled(written)


def test_a_whole_placeholder_keeps_its_type() -> None:
    assert SCENE.value({"k": "{{$.inputs.parameters['words']}}", "t": "{{$.inputs.parameters['n']}}!"}) == {
        "k": ["a", "b"],
        "t": "3!",
    }


def test_a_large_value_cannot_be_asked_for_any_number_of_times() -> None:
    scene = Scene({"inputs": {"parameterValues": {"x": "x" * (1 << 20)}}})
    once = "{{$.inputs.parameters['x']}}"
    most = MOST_PUT_IN >> 20
    assert len(scene.filled(once * most)) == MOST_PUT_IN
    with pytest.raises(TooMuch, match="stand for more than 67,108,864 characters together"):
        scene.elements([once])


def test_what_is_escaped_over_and_over_does_not_fill_the_memory() -> None:
    scene = Scene({"inputs": {"parameterValues": {"x": "\\" * (1 << 20)}}})
    with pytest.raises(TooMuch, match="an escaped text has more than"):
        scene.filled("{{$.inputs.parameters['x'].json_escape[9]}}")
    with pytest.raises(UnknownPlaceholder, match="is not known"):
        scene.filled("{{$.inputs.parameters['x']" + ".json_escape[1]" * 2000 + "}}")


@pytest.mark.parametrize(
    "written",
    ['{"IfPresent": {}}', '{"IfPresent": 5}', '{"IfPresent": {"InputName": []}}', '{"Concat": 5}'],
)
def test_a_structure_that_is_none_of_kfps_is_told(written: str) -> None:
    with pytest.raises(UnknownPlaceholder, match="is neither IfPresent nor Concat"):
        SCENE.elements([written])


def test_a_text_that_is_nested_too_deep_for_a_structure_is_a_text() -> None:
    written = '{"Concat": [' * 50_000
    assert SCENE.elements([written]) == [written]
    closed = '{"Concat": [' * 400 + "]}" * 400
    assert SCENE.elements([closed]) == [closed]
