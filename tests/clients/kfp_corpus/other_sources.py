"""The section of upstream's other pipelines: kfp-kubernetes' snapshots, uncompiled ones, its API tests', its samples.

Left out of `samples/core`: what is of the first version of the SDK (`recursion`, `train_until_good`, `tfx-oss`,
notebooks), the script `caching_sample`, `parallel_join`, which the released SDK does not compile, and `retry`, whose
steps fail at random oftener than they are tried again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from .cases import Case, Source
from .expectations import CANCELED, FAILED, FOLDER, SUCCEEDED, WAITS, Expectation, beyond, fails, gives, refused

_PLAIN = Expectation()
_SNAPSHOTS = "kubernetes_platform/python/test/snapshot/data"
_UNCOMPILED = "test_data/sdk_uncompiled_pipelines"
_SAMPLES = "samples/core"
_CLOUD_SDK = beyond("Google's command line tools, and its storage", "failed", arguments={"url": "file:///nothing"})
_WORKFLOW = refused("Workflow", "a workflow of the first version of pipelines")
_OUT_OF_MEMORY = fails("OOMKilled", "upstream's test expects it to run out of memory", arguments={"n": 21234567})

SNAPSHOTS = (
    "config_map_as_env",
    "config_map_as_vol",
    "create_mount_delete_existing_pvc",
    "create_mount_delete_existing_pvc_from_task_output",
    "empty_dir_mounts",
    "field_path_as_env",
    "general_ephemeral_volume",
    "image_pull_secrets",
    "node_selector",
    "nodeaffinity",
    "secret_as_env",
    "secret_as_vol",
    "security_context",
    "timeout",
    "toleration",
)

SOURCES = (
    *(Source(f"{_SNAPSHOTS}/{name}.py", "my_pipeline") for name in SNAPSHOTS),
    Source(
        f"{_SNAPSHOTS}/create_mount_delete_dynamic_pvc.py",
        "my_pipeline",
        fails("this server cannot copy volumes", "wants a copy of a snapshot that nobody has made"),
    ),
    Source(f"{_UNCOMPILED}/hello-world-with-returning-component.py", "my_pipeline", gives("hi", message="hi")),
    Source(f"{_UNCOMPILED}/lightweight_python_functions_v2_pipeline.py", "pipeline"),
    Source(f"{_UNCOMPILED}/lightweight_python_functions_v2_with_outputs.py", "pipeline"),
    Source(f"{_UNCOMPILED}/nested_pipeline_all_level_retry.py", "pipeline"),
    Source(f"{_UNCOMPILED}/nested_pipeline_pipeline_retry.py", "pipeline"),
    Source(f"{_UNCOMPILED}/nested_pipeline_sub_component_retry.py", "pipeline"),
    Source(f"{_UNCOMPILED}/task_config.py", "pipeline_task_config"),
    Source(
        f"{_UNCOMPILED}/v1/pipeline_with_ontology.py",
        "my_pipeline",
        fails("gcr.io", "its images are made up: upstream only compiles it"),
    ),
    Source(
        f"{_UNCOMPILED}/v1/pipeline_with_resource_spec.py",
        "my_pipeline",
        fails("gcr.io", "its images are made up: upstream only compiles it"),
    ),
    Source(
        f"{_SAMPLES}/condition/condition_v2.py",
        "condition",
        Expectation(arguments={"force_flip_result": "heads"}, steps={"condition-1": SUCCEEDED}),
    ),
    Source(f"{_SAMPLES}/condition/nested_condition.py", "my_pipeline"),
    Source(f"{_SAMPLES}/execution_order/execution_order.py", "execution_order_pipeline"),
    Source(
        f"{_SAMPLES}/exit_handler/exit_handler.py",
        "pipeline_exit_handler",
        fails("fail-op", "upstream expects it to fail", steps={"print-op": SUCCEEDED, "fail-op": FAILED}),
    ),
    Source(f"{_SAMPLES}/kubernetes_pvc/kubernetes_pvc.py", "my_pipeline"),
    Source(f"{_SAMPLES}/loop_output/loop_output.py", "my_pipeline"),
    Source(f"{_SAMPLES}/loop_parallelism/loop_parallelism.py", "pipeline"),
    Source(f"{_SAMPLES}/loop_parameter/loop_parameter.py", "my_pipeline"),
    Source(f"{_SAMPLES}/loop_static/loop_static.py", "my_pipeline"),
    Source(f"{_SAMPLES}/output_a_directory/output_a_directory.py", "dir_pipeline"),
    Source(f"{_SAMPLES}/resource_spec/resource_spec.py", "my_pipeline"),
    Source(f"{_SAMPLES}/resource_spec/resource_spec.py", "my_pipeline", _OUT_OF_MEMORY),
    Source(f"{_SAMPLES}/resource_spec/runtime_resource_request.py", "resource_request_pipeline"),
    Source(f"{_SAMPLES}/resource_spec/runtime_resource_request.py", "resource_request_pipeline", _OUT_OF_MEMORY),
    Source(
        f"{_SAMPLES}/resource_spec/runtime_resource_request_gpu.py",
        "resource_constraint_request_pipeline",
        Expectation(WAITS, "asks for a device that no node has", message="Insufficient NVIDIA_TESLA_K80"),
    ),
    Source(f"{_SAMPLES}/secret/secret.py", "secret_op_pipeline", _CLOUD_SDK.but(online=True)),
    Source(f"{_SAMPLES}/sequential/sequential.py", "sequential_pipeline", _CLOUD_SDK),
)

PACKAGES: Mapping[str, Expectation] = {
    # Its source wants a later SDK than the released one.
    f"{_SNAPSHOTS}/init_container.yaml": _PLAIN,
    "backend/test/resources/arguments-parameters.yaml": _WORKFLOW,
    "backend/test/resources/arguments_parameters.zip": _WORKFLOW,
    "backend/test/resources/artifact_pipeline.yaml": _WORKFLOW,
    "backend/test/resources/hello-world.yaml": _WORKFLOW,
    "backend/test/resources/long-running.yaml": _WORKFLOW,
    "backend/test/resources/loops.yaml": _WORKFLOW,
    "backend/test/resources/v2-hello-world.yaml": gives(text="hi").but(says={"hello-world": "hi"}),
    "backend/test/v2/resources/arguments-parameters.yaml": gives(param1="a", param2="b").but(says={"echo": "a-b"}),
    "backend/test/v2/resources/arguments_parameters.zip": gives(param1="a", param2="b").but(says={"echo": "a-b"}),
    "backend/test/v2/resources/env-var.yaml": fails(
        "Env var is not set", "the variable is not set", arguments={"env_var": "NONE"}
    ),
    "backend/test/v2/resources/hello-world-with-returning-component.yaml": gives("hi", message="hi"),
    "backend/test/v2/resources/hello-world.yaml": _PLAIN.but(says={"echo": "hello world"}),
    "backend/test/v2/resources/long-running.yaml": Expectation(
        CANCELED, "sleeps 2 x 5 minutes: terminated while it does", stop_when="wait-op"
    ),
    "backend/test/v2/resources/pvc-mount.yaml": gives(pvc_name="judge-claim"),
    "backend/test/v2/resources/sequential-v2.yaml": beyond(
        "gsutil", "google/cloud-sdk", arguments={"url": f"file://{FOLDER}/a"}, given={"a": "from a file"}
    ),
    "backend/test/v2/resources/sequential.yaml": gives(param1="a", param2="b"),
    "test_data/sdk_compiled_pipelines/argo_compatibility/fast_artifact.yaml": _PLAIN,
    "test_data/sdk_compiled_pipelines/valid/arguments_parameters.zip": gives(param1="a", param2="b"),
}


def packages(checkout: Path) -> Iterator[Case]:
    for path, expected in PACKAGES.items():
        yield Case(path, checkout / path, expected)
