"""The container `puller` beside a predictor that names no model: it brings TrainedModels to the server. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import Object
from fairway.serving.component import Ports
from fairway.serving.models.kinds import config_name
from fairway.serving.pods import containers
from fairway.serving.pods.places import Placed
from fairway.serving.runtimes import built_in
from fairway.serving.runtimes.built_in import MODEL_DIR
from fairway.serving.storage.containers import Stores
from fairway.serving.storage.credentials import Given

NAME = "puller"
_CONFIG_DIR = "/mnt/configs"
_BEGUN_PORT = 9082
_PATIENT: Object = {"tcpSocket": {"port": _BEGUN_PORT}, "periodSeconds": 1, "failureThreshold": 86400}
"""A pod whose server has not been brought what is listed gets no requests, however long the models take."""
_MODELS, _CONFIG = "model-dir", "model-config"
_SMALL: Object = {"requests": {"cpu": "50m", "memory": "64Mi"}}
_POD_NAME: Object = {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}


def placed(isvc: Object, serving: Sequence[Object], stores: Stores, given: Given) -> tuple[Placed, Object]:
    """The containers that read models, with a folder for them, and the puller that fills it."""
    server, *others = serving
    if built_in.ours(server):
        server = {**server, "args": [*server["args"], "--multi_model"]}
    mount = {"name": _MODELS, "mountPath": MODEL_DIR}
    result = Placed((server, *others)).mounted({"name": _MODELS, "emptyDir": {}}, {"mountPath": MODEL_DIR})
    config: Object = {"name": _CONFIG, "configMap": {"name": config_name(meta.name(isvc)), "optional": True}}
    result = Placed(result.containers, (*result.volumes, config, *given.volumes))
    where = {"name": _CONFIG, "mountPath": _CONFIG_DIR, "readOnly": True}
    return result, {
        "name": NAME,
        "image": built_in.IMAGE,
        "command": ["python3", "-m", "fairway.serving.models.puller"],
        "args": _arguments(isvc, containers.ports(server), stores, formats=built_in.ours(server)),
        "env": [containers.POD_IP, _POD_NAME, *given.env],
        "ports": [{"name": "puller", "containerPort": _BEGUN_PORT, "protocol": "TCP"}],
        "startupProbe": _PATIENT,
        "volumeMounts": [mount, where, *given.mounts],
        "resources": _SMALL,
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }


def _arguments(isvc: Object, ports: Ports, stores: Stores, *, formats: bool) -> list[str]:
    return [
        f"--server=http://$(POD_IP):{ports.http or 8080}",
        "--host=$(POD_IP)",
        f"--begun-port={_BEGUN_PORT}",
        f"--config-dir={_CONFIG_DIR}",
        f"--model-dir={MODEL_DIR}",
        f"--config-map={config_name(meta.name(isvc))}",
        f"--namespace={meta.namespace(isvc)}",
        "--pod=$(POD_NAME)",
        *(["--formats"] if formats else []),
        *([f"--cache={stores.cache}"] if stores.cache else []),
        *(f"--mirror={mirror}" for mirror in stores.mirrors),
    ]
