"""Tasks tell where each of their parameters came from, in the words of KFP 3.0."""

from pathlib import Path

from player import Player
from specs import In, Out, Spec, final_status, task

from fairway.pipelines.render import sources

NUMBER = "def run(number: int, text: str = 'x') -> int:\n    return number\n"


def test_each_parameter_of_each_task_has_a_source(tmp_path: Path) -> None:
    spec = Spec().python("take", NUMBER, inputs={"number": int, "text": (str, "x")}, outputs={"Output": int})
    spec.python("one", "def run(item: int) -> int:\n    return item\n", inputs={"item": int}, outputs={"Output": int})
    inner = {"item": int, "more": (int, 7)}
    spec.dag("inner", {"in": task("one", {"item": In("item")})}, inner, {"Output": int}, Output=Out("in"))
    listed = {"item": int, "list": list}
    spec.dag("over", {"in": task("one", {"item": In("item")})}, listed, {"Output": int}, Output=Out("in"))
    spec.python("sum", "def run(items: list) -> int:\n    return sum(items)\n", {"items": list}, {"Output": int})
    spec.python("tell", "def run(status: dict):\n    pass\n", inputs={"status": "TASK_FINAL_STATUS"})
    document = spec.compiled(
        {
            "given": task("take", {"number": In("n")}),
            "fixed": task("take", {"number": 5, "text": "five"}),
            "made": task("take", {"number": Out("given")}),
            "alone": task("inner", {"item": 4}),
            "each": task("inner", each=[1, 2]),
            "every": task("over", {"list": In("list")}, each=In("list")),
            "gathered": task("sum", {"items": Out("each")}),
            "exit": task("tell", {"status": final_status("given")}, after=("given",), tolerant=True),
        },
        inputs={"n": int, "list": list},
    )
    graph = Player(tmp_path).play(document, {"n": 1, "list": [3]})
    found = {
        instance.path: sources.of_parameters(instance, instance.inputs.parameters)
        for instance in graph.instances.values()
    }
    constant, iterated = {"type": "RUNTIME_VALUE_INPUT"}, {"type": "COMPONENT_INPUT"}
    assert found == {
        "": {"n": constant, "list": constant},
        "given": {"number": {"type": "COMPONENT_INPUT"}},
        "fixed": {"number": constant, "text": constant},
        "made": {"number": {"type": "TASK_OUTPUT_INPUT", "task": "given"}},
        "alone": {"item": constant, "more": {"type": "COMPONENT_DEFAULT_INPUT"}},
        "alone/in": {"item": iterated},
        "each": {"more": {"type": "COMPONENT_DEFAULT_INPUT"}},
        "each[0]": {"item": {"type": "ITERATOR_INPUT_RAW"}, "more": {"type": "COMPONENT_DEFAULT_INPUT"}},
        "each[0]/in": {"item": iterated},
        "each[1]": {"item": {"type": "ITERATOR_INPUT_RAW"}, "more": {"type": "COMPONENT_DEFAULT_INPUT"}},
        "each[1]/in": {"item": iterated},
        "every": {"list": {"type": "COMPONENT_INPUT"}},
        "every[0]": {"item": {"type": "ITERATOR_INPUT"}, "list": {"type": "COMPONENT_INPUT"}},
        "every[0]/in": {"item": iterated},
        "gathered": {"items": {"type": "COLLECTED_INPUTS", "task": "each"}},
        "exit": {"status": {"type": "TASK_FINAL_STATUS_OUTPUT", "task": "given"}},
    }
