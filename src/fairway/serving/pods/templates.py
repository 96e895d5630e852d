"""The pod template of a component: its metadata and the pod's own fields around the containers. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

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


def template(
    isvc: Object,
    role: str,
    part: Object,
    serving: Sequence[Object],
    *,
    runtime: Mapping[str, Object] | None = None,
    volumes: Iterable[Object] = (),
) -> Object:
    """`serving` are the finished containers; `runtime` is the spec of the runtime that gave them, if one did."""
    runtime = runtime or {}
    pod: Object = merging.lay(
        {"terminationGracePeriodSeconds": 30, **{key: runtime[key] for key in _KEPT_BY_RUNTIME if key in runtime}},
        {key: value for key, value in part.items() if key in fields.POD},
    )
    pod["containers"] = [containers.with_env(one, [_service_name(isvc)]) for one in serving]
    added = list(volumes)
    if added:
        pod["volumes"] = [*(pod.get("volumes") or ()), *added]
    own = {key: value for key, value in meta.annotations(isvc).items() if key not in steering.NOT_FOR_PODS}
    return {
        "metadata": {
            "labels": {
                **(runtime.get("labels") or {}),
                **meta.labels(isvc),
                **(part.get("labels") or {}),
                SERVICE_LABEL: meta.name(isvc),
                COMPONENT_LABEL: role,
            },
            "annotations": {**(runtime.get("annotations") or {}), **own, **(part.get("annotations") or {})},
        },
        "spec": pod,
    }


def _service_name(isvc: Object) -> Object:
    return {"name": "INFERENCE_SERVICE_NAME", "value": meta.name(isvc)}
