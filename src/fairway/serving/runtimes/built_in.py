"""The built-in ClusterServingRuntimes, under the names that KServe gives them, and one for users' programs. Data.

Behind every name stands our own model server, told by `--model_format` what to load; the object says so in an
annotation. What each name loads, and which protocol it promises, is as upstream has it.
"""

from __future__ import annotations

from dataclasses import dataclass

from fairway.kernel.objects.kinds import Object
from fairway.serving.runtimes.kinds import CLUSTER_SERVING_RUNTIME

CONTAINER = "kserve-container"
IMAGE = "fairway/model-server:latest"
COMMAND = ("python3", "-m", "fairway.serving.inpod")
"""How our own model server is started; a container with this command reads the model wherever it is."""

MODEL_DIR = "/mnt/models"
WARM = "fairway.dev/warm"
SERVER_TYPE = "serving.kserve.io/server-type"
BEHIND = "serving.fairway.dev/server"

SMALL: Object = {"requests": {"cpu": "100m", "memory": "256Mi"}}
"""What a server asks for unless told. KServe's 1 CPU and 2 GiB would fill a laptop with two models."""

_POD_IP: Object = {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
"""The server listens on its pod's own address and nowhere else."""


@dataclass(frozen=True, slots=True)
class Format:
    name: str
    version: str = ""
    auto: bool = True
    priority: int = 1


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """`warm` names the set of imports from which the node forks the server (a cluster ignores it)."""

    name: str
    formats: tuple[Format, ...]
    protocols: tuple[str, ...] = ("v1", "v2")
    server_type: str = ""
    warm: str = "sklearn-server"
    multi_model: bool = False


def _both(name: str, *versions: str, priority: int = 1) -> tuple[Format, ...]:
    return tuple(Format(name, version, priority=priority) for version in versions or ("",))


BUILT_IN: tuple[BuiltIn, ...] = (
    BuiltIn("kserve-sklearnserver", _both("sklearn", "1", "0")),
    BuiltIn("kserve-xgbserver", _both("xgboost", "2", "1", "3")),
    BuiltIn("kserve-lgbserver", _both("lightgbm", "4", "3")),
    BuiltIn(
        "kserve-predictiveserver",
        tuple(Format(*one, auto=False, priority=3) for one in (("sklearn", "1"), ("xgboost", "2"), ("lightgbm", "4"))),
    ),
    BuiltIn("kserve-pmmlserver", _both("pmml", "3", "4")),
    BuiltIn(
        "kserve-mlserver",
        (
            *_both("sklearn", "0", "1", priority=2),
            *_both("xgboost", "1", "2", priority=2),
            *_both("lightgbm", "3", "4", priority=2),
            *_both("mlflow", "1", "2"),
        ),
        protocols=("v2",),
    ),
    BuiltIn(
        "kserve-tensorflow-serving",
        _both("tensorflow", "1", "2", priority=2),
        protocols=("v1", "grpc-v1"),
        server_type="tensorflow-serving",
    ),
    BuiltIn(
        "kserve-torchserve",
        _both("pytorch", "1", priority=2),
        protocols=("v1", "v2", "grpc-v2"),
    ),
    BuiltIn(
        "kserve-tritonserver",
        (
            *_both("tensorflow", "1", "2"),
            Format("onnx", "1"),
            Format("triton", "2"),
            Format("pytorch", "1", auto=False),
        ),
        protocols=("v2", "grpc-v2"),
    ),
    BuiltIn("kserve-huggingfaceserver", (Format("huggingface", "1"),), protocols=("v2", "v1")),
    BuiltIn("fairway-programserver", _both("python") + _both("r") + _both("asgi"), protocols=("v1", "v2", "grpc-v2")),
)


def objects() -> tuple[Object, ...]:
    return tuple(map(_object, BUILT_IN))


def ours(container: Object) -> bool:
    """Whether a container runs our own model server."""
    return tuple(container.get("command") or ()) == COMMAND


def _object(one: BuiltIn) -> Object:
    kind = one.server_type or one.name.removeprefix("kserve-")
    spec: Object = {
        "annotations": {"prometheus.kserve.io/port": "8080", "prometheus.kserve.io/path": "/metrics", WARM: one.warm},
        "supportedModelFormats": [_format(each) for each in one.formats],
        "protocolVersions": list(one.protocols),
        "containers": [_container()],
    }
    annotations = {SERVER_TYPE: kind, BEHIND: "Fairway's own model server stands behind this name."}
    made = CLUSTER_SERVING_RUNTIME.new(one.name, spec=spec)
    return {**made, "metadata": {**made["metadata"], "annotations": annotations}}


def _container() -> Object:
    return {
        "name": CONTAINER,
        "image": IMAGE,
        "command": list(COMMAND),
        "args": [
            "--model_name={{.Name}}",
            f"--model_dir={MODEL_DIR}",
            "--model_format={{.Annotations.modelFormat}}",
            "--host=$(POD_IP)",
            "--http_port=8080",
            "--grpc_port=8081",
        ],
        "env": [_POD_IP],
        "resources": SMALL,
    }


def _format(one: Format) -> Object:
    wire: Object = {"name": one.name, "autoSelect": one.auto, "priority": one.priority}
    return {**wire, "version": one.version} if one.version else wire
