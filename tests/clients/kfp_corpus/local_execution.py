"""The section of upstream's local execution tests: the pipelines that `kfp.local` is judged by, and what they give.

Facts of `sdk/python/test/local_execution/local_execution_test.py`: which pipeline, which arguments, which output.
What that test asks of warnings that `kfp.local` prints has no counterpart here.
"""

from __future__ import annotations

from .cases import Source
from .expectations import FAILED, FOLDER, SUCCEEDED, AnyOf, Expectation, fails, gives

_VALID = "test_data/sdk_compiled_pipelines/valid"


def _source(path: str, function: str, expected: Expectation | None = None) -> Source:
    return Source(f"{_VALID}/{path}.py", function, expected or Expectation())


SOURCES = (
    _source("critical/add_numbers", "add_numbers", gives(10, a=5, b=5)),
    _source("critical/mixed_parameters", "crust"),
    _source("critical/flip_coin", "flip_coin", gives(AnyOf(("heads", "tails")))),
    _source("critical/component_with_optional_inputs", "pipeline"),
    _source("essential/concat_message", "concat_message", gives("Hello World!", message1="Hello ", message2="World!")),
    _source("identity", "identity", gives("test_value", value="test_value")),
    _source(
        "essential/lightweight_python_functions_with_outputs",
        "pipeline",
        gives(first_message="Hello", second_message=" World", first_number=10, second_number=20),
    ),
    _source("essential/dict_input", "dict_input", gives(struct={"test_key": "test_value"})),
    _source("parameter", "crust"),
    _source("output_metrics", "output_metrics"),
    _source("nested_return", "nested_return", gives([{"A_a": "1", "B_b": "2"}, {"A_a": "10", "B_b": "20"}])),
    _source("critical/multiple_parameters_namedtuple", "crust"),
    _source("critical/pipeline_with_importer_workspace", "pipeline_with_importer_workspace"),
    _source(
        "parallel_and_nested/pipeline_with_loops", "my_pipeline", gives(loop_parameter=["item1", "item2", "item3"])
    ),
    _source(
        "pipeline_with_parallelfor_pipeline_param",
        "my_pipeline",
        gives(prefix="test-prefix", loop_parameter=["a", "b"]),
    ),
    _source(
        "essential/component_with_env_variable",
        "pipeline_with_env_variable",
        gives("env_var_value", var_name="KFP_TEST_ENV_VAR"),
    ),
    _source("critical/notebook_component_simple", "pipeline", gives(text="hello", online=True)),
    _source("critical/collected_parameters", "collected_param_pipeline"),
    _source("local_execution/pipeline_with_collected_artifacts", "pipeline_with_collected_artifacts", gives("0,1,2")),
    _source(
        "local_execution/local_execution_pipeline_with_retry",
        "pipeline_with_retry",
        gives("attempt=2", counter_path=f"{FOLDER}/count"),
    ),
    _source(
        "local_execution/local_execution_pipeline_with_exit_handler", "pipeline_with_exit_handler", gives(message="hi")
    ),
    _source(
        "local_execution/local_execution_pipeline_with_oneof", "pipeline_with_oneof", gives("selected:A", pick_a=True)
    ),
    _source(
        "local_execution/local_execution_pipeline_with_k8s_only_methods",
        "pipeline_with_k8s_only_methods",
        gives("hello", message="hello"),
    ),
    # Those that `kfp.local` runs in containers only
    _source("critical/producer_consumer_param", "producer_consumer_param_pipeline"),
    _source("hello_world", "echo"),
    _source("sequential_v1", "sequential", gives(param1="First", param2="Second")),
    _source("essential/container_no_input", "container_no_input"),
    _source("arguments_parameters", "echo", gives(param1="arg1", param2="arg2")),
    _source("pipeline_with_parallelfor_parallelism", "my_pipeline", gives(loop_parameter=["item1", "item2", "item3"])),
    _source("pipeline_with_parallelfor_list_artifacts", "my_pipeline"),
    # Those with a test of their own
    _source(
        "local_execution/local_execution_pipeline_with_ignore_upstream_failure",
        "pipeline_with_ignore_upstream_failure",
        fails(
            "upstream failed intentionally",
            "a step fails by design, the one after it runs",
            arguments={"marker_path": f"{FOLDER}/marker"},
            steps={"fail-always": FAILED, "write-marker": SUCCEEDED},
            leaves={"marker": "cleanup_ran"},
        ),
    ),
    _source(
        "local_execution/pipeline_with_caching",
        "pipeline_with_caching",
        gives(2, x=1).but(after=({"x": 1},), steps={"add-one": "CACHED"}),
    ),
)
