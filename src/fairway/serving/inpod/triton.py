"""Triton's extensions of V2, as documents: the repository's index, a model's configuration, and its statistics.

`routes` sends them as JSON, `rpc` as messages with the same names.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from fairway.serving.inpod.messages import Refusal, Request, decode
from fairway.serving.inpod.metrics import Metrics
from fairway.serving.inpod.model import Tensor
from fairway.serving.inpod.repository import Repository
from fairway.serving.inpod.served import Served


def index(repository: Repository, request: Request) -> list[dict[str, Any]]:
    """Raises Refusal."""
    wish = decode(request.body) if request.body.strip() else {}
    listed = repository.index(ready=wish.get("ready") is True)
    return [{key: value for key, value in entry.items() if value or key != "reason"} for entry in listed]


def format_of(request: Request) -> str:
    """What a load may say: its format, where the files do not tell. Raises Refusal."""
    wish = decode(request.body) if request.body.strip() else {}
    parameters = wish.get("parameters") or {}
    if not isinstance(parameters, dict):
        raise Refusal(400, "The parameters of a load must be an object.")
    return format_in(parameters)


def format_in(parameters: Mapping[str, Any]) -> str:
    """Raises Refusal."""
    unknown = sorted(name for name in parameters if name != "model_format")
    if unknown:
        raise Refusal(501, f"A load takes the parameter model_format and no other; it got {', '.join(unknown)}.")
    return str(parameters.get("model_format", ""))


def config(served: Served) -> dict[str, Any]:
    """The part of a model configuration that means something here."""
    signature = served.signature
    return {
        "name": served.name,
        "platform": signature.platform,
        "backend": "fairway",
        "version_policy": {"latest": {"num_versions": 1}},
        "max_batch_size": served.batch if served.batch > 1 else 0,
        "input": [_port(tensor, batched=served.batch > 1) for tensor in signature.inputs],
        "output": [_port(tensor, batched=served.batch > 1) for tensor in signature.outputs],
    }


def _port(tensor: Tensor, *, batched: bool) -> dict[str, Any]:
    """A model that takes batches leaves its first dimension out."""
    kind = "TYPE_STRING" if tensor.datatype == "BYTES" else f"TYPE_{tensor.datatype}"
    dims = list(tensor.shape[1:] if batched else tensor.shape)
    return {"name": tensor.name, "data_type": kind, "dims": dims or [1]}


def statistics(served: Served, metrics: Metrics) -> dict[str, Any]:
    """Counts and nanoseconds since the server began, of all its processes."""
    seen = metrics.summary(served.name)
    success, fail = seen.succeeded, seen.failed
    return {
        "name": served.name,
        "version": served.version,
        "last_inference": int(time.time() * 1000) if success else 0,
        "inference_count": seen.rows,
        "execution_count": seen.executions,
        "inference_stats": {
            "success": _duration(success, seen.seconds),
            "fail": _duration(fail, 0.0),
            "queue": _duration(seen.read[0], seen.queued),
            "compute_input": _duration(*seen.read),
            "compute_infer": _duration(*seen.predict),
            "compute_output": _duration(*seen.write),
        },
        "batch_stats": [],
    }


def _duration(count: float, seconds: float) -> dict[str, int]:
    return {"count": int(count), "ns": int(seconds * 1e9)}
