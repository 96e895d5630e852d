"""What a pipeline asks for as a whole: `pipelineConfig` of the Kubernetes platform document (dsl.PipelineConfig).

Read here, acted on by the engine: the deadline ends the run, the times to live say when its object goes, and the
workspace is a folder that all steps of a run share.
"""

from __future__ import annotations

import re

from fairway.pipelines.ir.model import Config, Workspace
from fairway.pipelines.ir.reading import Node
from fairway.pipelines.ir.values import LONGEST_TIME, plain

_KNOWN = (
    "activeDeadlineSeconds",
    "resourceTtlOnCompletion",
    "resourceTtlOnFailure",
    "resourceTtlOnSuccess",
    "workspace",
)
_PATCHED = ("accessModes", "storageClassName")
_SIZE = re.compile(r"(?:0|[1-9]\d*)(?:\.\d+)?(?:[KMGTPE]i?)?")


def load(node: Node) -> Config:
    node.refuse_others(_KNOWN, "the pipeline config")
    completion = _seconds(node, "resourceTtlOnCompletion")
    return Config(
        deadline=_seconds(node, "activeDeadlineSeconds"),
        ttl_success=_seconds(node, "resourceTtlOnSuccess") or completion,
        ttl_failure=_seconds(node, "resourceTtlOnFailure") or completion,
        workspace=_workspace(node.node("workspace")) if node.get("workspace") else None,
    )


def _seconds(node: Node, key: str) -> float:
    value = plain(node.get(key) or 0)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LONGEST_TIME:
        raise node.wrong(f"{key} is {value!r}, and must be a whole number of seconds, and no more than a hundred years")
    return float(value)


def _workspace(node: Node) -> Workspace:
    node.refuse_others(("size", "kubernetes"), "the setting of a workspace")
    size = node.text("size")
    if not _SIZE.fullmatch(size):
        raise node.wrong(f"size {size!r} is not a quantity such as 10Gi")
    kubernetes = node.node("kubernetes")
    kubernetes.refuse_others(("pvcSpecPatch",), "the setting of a workspace")
    patch = kubernetes.node("pvcSpecPatch")
    patch.refuse_others(_PATCHED, "the patch of the workspace's claim with")
    return Workspace(size, patch.text("storageClassName"), tuple(str(mode) for mode in patch.list("accessModes")))
