"""The section of the 150 compiled pipelines: what is expected of those that do not just succeed as they are.

Upstream runs only the folders `essential`, `critical`, `parallel_and_nested`, `failing`, `gpu-scheduling`,
`integration` and `local_execution`, and `env-var`; the rest it only compiles, and some of that runs nowhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from .cases import Case
from .expectations import (
    CANCELED,
    FAILED,
    FOLDER,
    SUCCEEDED,
    WAITS,
    AnyOf,
    Expectation,
    beyond,
    fails,
    gives,
)

_MADE_UP_PROGRAM = fails("my_program", "its program is made up: upstream only compiles it")
_CLOUD_JOB = beyond("Google's cloud, where it starts a custom job", "custom-training-job")
_GOOD, _BAD = SUCCEEDED, FAILED

EXPECTATIONS: Mapping[str, Expectation] = {
    # Arguments and outputs, where upstream's tests or the source say what they are
    "arguments_parameters": Expectation(arguments={"param2": "there"}, says={"echo": "hello-there"}),
    "conditional_producer_and_consumers": gives(10),
    "critical/add_numbers": gives(10, a=5, b=5),
    "critical/parameters_simple": gives([2, 4, 6]).but(
        beyond="jq", ends=FAILED, message="this machine's own jq, and there is none"
    ),
    "critical/pipeline_with_importer_workspace": Expectation(
        outputs={"train_result": "123", "dir_result": "part-000.txt,part-001.txt"}
    ),
    "critical/pipeline_with_workspace": gives("Hello from workspace!"),
    "essential/component_with_env_variable": gives("env_var_value"),
    "essential/concat_message": gives("Hello World!", message1="Hello ", message2="World!"),
    "hello_world": Expectation(says={"echo": "hello world"}),
    "identity": gives("test_value", value="test_value"),
    "if_elif_else_with_oneof_parameters": gives(AnyOf(("Got heads!", "Got tails!", "Draw!"))),
    "if_else_with_oneof_parameters": gives(AnyOf(("Got heads!", "Got tails!"))),
    "local_execution/local_execution_pipeline_with_k8s_only_methods": gives("hello"),
    "local_execution/local_execution_pipeline_with_oneof": gives("selected:A"),
    "local_execution/local_execution_pipeline_with_retry": gives("attempt=2", counter_path=f"{FOLDER}/count"),
    "local_execution/pipeline_with_collected_artifacts": gives("0,1,2"),
    "nested_return": gives([{"A_a": "1", "B_b": "2"}, {"A_a": "10", "B_b": "20"}]),
    "parameters_complex": gives(306),
    "pipeline_producer_consumer": gives(36),
    "preprocess": Expectation(
        arguments={"message": "hi", "input_dict_parameter": {"A": 1}, "input_list_parameter": ["a", "b"]},
        outputs={
            "output_parameter_path": "hi",
            "output_bool_parameter_path": True,
            "output_dict_parameter_path": {"A": 1},
            "output_list_parameter_path": ["a", "b"],
        },
    ),
    "sequential_v1": gives(param1="First", param2="Second"),
    # A second run takes what it can from the cache
    "critical/artifact_cache": Expectation(after=({},), steps={"core-comp": "CACHED", "crust-comp": "CACHED"}),
    "critical/parameter_cache": Expectation(after=({},), steps={"core-comp": "CACHED", "crust-comp": "CACHED"}),
    "local_execution/pipeline_with_caching": gives(2).but(after=({},), steps={"add-one": "CACHED"}),
    # It sleeps: for a shorter while, or until it is terminated
    "take_nap_compiled": gives(naptime_secs=2),
    "take_nap_pipeline_root_compiled": gives(naptime_secs=2),
    "long-running": Expectation(CANCELED, "sleeps 2 x 5 minutes: terminated while it does", stop_when="wait-op"),
    # A step fails by design
    "failing/fail_v2": fails("fail", "upstream expects it to fail", steps={"fail": _BAD}),
    "failing/pipeline_with_exit_handler": fails(
        "fail-op", "upstream expects it to fail", steps={"print-op": _GOOD, "print-op-2": _GOOD, "fail-op": _BAD}
    ),
    "failing/pipeline_with_multiple_exit_handlers": fails(
        "fail-op",
        "upstream expects it to fail",
        steps={"fail-op": _BAD, **dict.fromkeys(("print-op", "print-op-3", "print-op-4", "print-op-5"), _GOOD)},
    ),
    "local_execution/local_execution_pipeline_with_ignore_upstream_failure": fails(
        "upstream failed intentionally",
        "a step fails by design, the one after it runs",
        arguments={"marker_path": f"{FOLDER}/marker"},
        steps={"fail-always": _BAD, "write-marker": _GOOD},
        leaves={"marker": "cleanup_ran"},
    ),
    "pipeline_as_exit_task": fails(
        "fail-op",
        "a step fails by design, the pipeline after it tells of it",
        steps={"fail-op": _BAD, "get-run-state": _GOOD, "condition-1": _GOOD, "print-op": _GOOD},
        says={"print-op": "notify task failure."},
    ),
    "pipeline_with_task_final_status": fails(
        "fail-op",
        "a step fails by design, the one after it is told",
        steps={"fail-op": _BAD, "exit-op": _GOOD},
        says={"exit-op": "Pipeline status:  FAILED"},
    ),
    "pipeline_with_task_using_ignore_upstream_failure": fails(
        "fail-op", "a step fails by design, the one after it runs", steps={"fail-op": _BAD, "print-op": _GOOD}
    ),
    "component_with_task_final_status_GH-12033": fails(
        "exit-comp", "asks for the status of no task; upstream skips it", steps={"exit-comp": _BAD}
    ),
    "create_pod_metadata_complex": fails(
        "validate-no-pod-metadata",
        "wants a variable that is empty and that it does not set",
        steps={"validate-pod-metadata": _GOOD, "validate-pod-metadata-2": _GOOD},
    ),
    "env-var": fails(
        "Env var is not set", "upstream expects it to fail without a proxy", arguments={"env_var": "NONE"}
    ),
    # Packages from a registry
    "critical/notebook_component_simple": gives(online=True),
    "critical/pipeline_with_artifact_upload_download": Expectation(
        online=True,
        arguments={"dataset_repo": f"{FOLDER}/data"},
        given={"data/train.csv": "question,answer\n6*7,42\n"},
    ),
    "critical/pipeline_with_submit_request": gives(online=True),
    "essential/component_with_pip_index_urls": gives(online=True),
    "essential/component_with_pip_install": gives(online=True),
    "essential/component_with_pip_install_in_venv": gives(online=True),
    "essential/iris_pipeline_compiled": gives(online=True),
    "metrics_visualization_v2": gives(online=True),
    "notebook_component_mixed": gives(online=True),
    "pipeline_with_google_artifact_type": fails(
        "cannot install aiplatform", "there is no package `aiplatform`: upstream only compiles it", online=True
    ),
    # Objects of the cluster
    "pvc_mount": gives(pvc_name="judge-claim"),
    "pipeline_with_string_machine_fields_pipeline_input": gives(
        cpu_limit="500m", memory_limit="500M", accelerator_type="nvidia.com/gpu", accelerator_limit="1"
    ),
    "pipeline_with_string_machine_fields_task_output": Expectation(
        WAITS, "asks for a device named NVIDIA_TESLA_P4, which no node has", message="Insufficient NVIDIA_TESLA_P4"
    ),
    # Artifacts as inputs of the run: upstream has no way to give them
    "component_with_metadata_fields": gives(
        "one two", dataset_a=f"file://{FOLDER}/a", dataset_b={"uri": f"{FOLDER}/b", "metadata": {"rows": 1}}
    ).but(given={"a": "one ", "b": "two"}),
    "input_artifact": gives(data={"uri": f"file://{FOLDER}/a", "metadata": {"rows": 1}}).but(
        given={"a": ""}, says={"input-artifact": "{'rows': 1}"}
    ),
    "pipeline_with_metadata_fields": gives(string="one ", in_dataset=f"{FOLDER}/b").but(given={"b": "two"}),
    "pipeline_with_various_io_types": fails(
        "gcr.io/image",
        "its image is made up: upstream only compiles it",
        arguments={"input3": f"{FOLDER}/a"},
        given={"a": ""},
    ),
    # Made up: upstream only compiles them
    "container_io": _MADE_UP_PROGRAM,
    "container_with_artifact_output": fails("gcr.io/my-image", "its image is made up: upstream only compiles it"),
    "container_with_concat_placeholder": _MADE_UP_PROGRAM,
    "container_with_if_placeholder": _MADE_UP_PROGRAM,
    "container_with_placeholder_in_fstring": _MADE_UP_PROGRAM,
    "containerized_python_component": fails("kfp-image", "its image is made up: upstream only compiles it"),
    # Its input lies in a public bucket, which may be out of reach; where it is not, the image is what is missing.
    "pipeline_with_importer_and_gcpc_types": fails("consumer-op", "its image is made up: upstream only compiles it"),
    # Beyond one machine without the outside
    "critical/modelcar": beyond("a registry of images, for a model in an image", "oci://"),
    "integration/ray_integration_compiled": beyond("the Ray operator", "ray-fn", online=True, seconds=300),
    "pipeline_with_condition_dynamic_task_output_custom_training_job": _CLOUD_JOB,
    "pipeline_with_dynamic_task_output_custom_training_job": _CLOUD_JOB,
    "pythonic_artifact_with_single_return": Expectation(online=True),
    "sequential_v2": beyond(
        "gsutil", "google/cloud-sdk", arguments={"url": f"file://{FOLDER}/a"}, given={"a": "from a file"}
    ),
    "two_step_pipeline": beyond("gsutil, and artifacts in Google's storage", "failed"),
    "upload_download_compiled": beyond("an S3 service with the run's artifacts", "test-uploaded-artifact", online=True),
    "xgboost_sample_pipeline": beyond("a public data set, and Python 3.7", "chicago-taxi-trips-dataset"),
}


def cases(folder: Path) -> Iterator[Case]:
    for path in sorted(folder.rglob("*.yaml")):
        name = str(path.relative_to(folder))[: -len(".yaml")]
        yield Case(name, path, EXPECTATIONS.get(name, Expectation()))
