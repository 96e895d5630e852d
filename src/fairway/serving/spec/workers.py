"""A predictor over several nodes: what of workerSpec one node can do, and what is refused. Pure.

One node is a pipeline of one stage; how many devices its tensors are spread over is told to the server.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import Object

_STAGES, _DEVICES = "PIPELINE_PARALLEL_SIZE", "TENSOR_PARALLEL_SIZE"
_CLASS = "serving.kserve.io/autoscalerClass"


def checked(isvc: Object, block: Mapping[str, Any]) -> Iterator[str]:
    """`block` is the model's, empty without one."""
    asked = isvc["spec"]["predictor"].get("workerSpec")
    if asked is None:
        return
    where = "spec.predictor.workerSpec"
    stages, devices = asked.get("pipelineParallelSize"), asked.get("tensorParallelSize")
    for field, value in (("pipelineParallelSize", stages), ("tensorParallelSize", devices)):
        if value is not None and value < 1:
            yield f"{where}.{field} must be at least 1."
    if (stages or 1) > 1:
        yield f"{where}.pipelineParallelSize {stages} needs as many nodes, and a model runs on one; set it to 1."
    if len(asked.get("containers") or ()) > 1:
        yield f"{where}.containers may have one container."
    elif asked.get("containers"):
        yield f"{where}.containers is not supported; remove it: on one node there is no worker beside the head."
    for variable in (_STAGES, _DEVICES):
        if any(one["name"] == variable for one in block.get("env") or ()):
            yield f"The variable {variable} follows from workerSpec; remove it from env."
    if block and not str(block.get("storageUri") or "").startswith(("pvc://", "oci://")):
        yield f"{where} needs a storageUri of pvc://; put the model into a claim, or remove workerSpec."
    if meta.annotations(isvc).get(_CLASS) != "none":
        yield f"{where} needs the annotation {_CLASS}: none; set it."


def variables(part: Object) -> list[Object]:
    """What the server is told."""
    asked = part.get("workerSpec")
    if asked is None:
        return []
    told = {_STAGES: 1, _DEVICES: asked.get("tensorParallelSize") or 1, "RAY_NODE_COUNT": 1}
    return [{"name": name, "value": str(value)} for name, value in told.items()]
