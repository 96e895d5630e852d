"""The pod template of a component: its metadata and the pod's own fields around the containers. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import Object
from fairway.serving.kinds import COMPONENT_LABEL, SERVICE_LABEL
from fairway.serving.pods import containers
from fairway.serving.runtimes import merging
from fairway.serving.spec import fields, steering

_KEPT_BY_RUNTIME = (
    "nodeSelector", "affinity", "tolerations", "volumes", "imagePullSecrets", "schedulerName", "resourceClaims",
    "hostIPC",
)  # fmt: skip


@dataclass(frozen=True)
class Around:
    """What a pod has besides the user's fields: the spec of the runtime that gave its containers, if one did, volumes
    and init containers for its models, and annotations of ours."""

    runtime: Mapping[str, Any] = field(default_factory=dict)
    volumes: tuple[Object, ...] = ()
    inits: tuple[Object, ...] = ()
    annotations: Mapping[str, str] = field(default_factory=dict)


def template(isvc: Object, role: str, part: Object, serving: Sequence[Object], around: Around) -> Object:
    """`serving` are the finished containers."""
    runtime = around.runtime
    pod: Object = merging.lay(
        {"terminationGracePeriodSeconds": 30, **{key: runtime[key] for key in _KEPT_BY_RUNTIME if key in runtime}},
        {key: value for key, value in part.items() if key in fields.POD},
    )
    pod["containers"] = [containers.with_env(one, [_service_name(isvc)]) for one in serving]
    if around.volumes:
        pod["volumes"] = [*(pod.get("volumes") or ()), *around.volumes]
    if around.inits:
        pod["initContainers"] = [*(pod.get("initContainers") or ()), *around.inits]
    if chosen := steering.node_selector(isvc):
        pod["nodeSelector"] = {**(pod.get("nodeSelector") or {}), **chosen}
    annotations = {
        **(runtime.get("annotations") or {}),
        **steering.for_pods(isvc),
        **around.annotations,
        **(part.get("annotations") or {}),
    }
    labels = {
        **(runtime.get("labels") or {}),
        **meta.labels(isvc),
        **(part.get("labels") or {}),
        SERVICE_LABEL: meta.name(isvc),
        COMPONENT_LABEL: role,
    }
    metadata = {"labels": labels, "annotations": {**steering.scraped(isvc, annotations), **annotations}}
    return {"metadata": metadata, "spec": pod}


def _service_name(isvc: Object) -> Object:
    return {"name": "INFERENCE_SERVICE_NAME", "value": meta.name(isvc)}
