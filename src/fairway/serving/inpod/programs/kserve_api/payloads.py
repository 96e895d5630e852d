"""From a payload to what a model predicts from, and from its result to an answer (`kserve.utils.utils`)."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from typing import Any

import numpy as np

from fairway.serving.inpod.programs.kserve_api import datatypes
from fairway.serving.inpod.programs.kserve_api.constants import PredictorProtocol
from fairway.serving.inpod.programs.kserve_api.errors import InvalidInput
from fairway.serving.inpod.programs.kserve_api.infer_messages import InferRequest, InferResponse
from fairway.serving.inpod.programs.kserve_api.infer_tensors import InferOutput, plain_parameters

_TRUE = {"y", "yes", "t", "true", "on", "1"}
_FALSE = {"n", "no", "f", "false", "off", "0"}


def get_predict_input(payload: dict[str, Any] | InferRequest, columns: list[str] | None = None) -> Any:
    """V1: a frame of rows that are objects, texts as they are, everything else an array. V2: a frame where the
    request says content_type pd, texts as a list, or the array of the first input."""
    if isinstance(payload, dict):
        return _from_rows(_instances(payload), columns)
    if not isinstance(payload, InferRequest):
        raise InvalidInput(f"A payload is a dict or an InferRequest, not {type(payload).__name__}.")
    if not payload.inputs:
        raise InvalidInput("The request has no inputs.")
    if (plain_parameters(payload.parameters) or {}).get("content_type") == "pd":
        return payload.as_dataframe()
    first = payload.inputs[0]
    if first.datatype == "BYTES" and first.data and isinstance(first.data[0], str):
        return first.data
    return first.as_numpy()


def get_predict_response(payload: dict[str, Any] | InferRequest, result: Any, model_name: str) -> Any:
    """What the payload's protocol answers with: {"predictions": ...}, or an InferResponse."""
    frame = hasattr(result, "columns") and hasattr(result, "to_dict")
    if isinstance(payload, dict):
        return {"predictions": result.to_dict(orient="records") if frame else _listed(result)}
    if not isinstance(payload, InferRequest):
        raise InvalidInput(f"A payload is a dict or an InferRequest, not {type(payload).__name__}.")
    columns = {str(name): result[name].to_numpy() for name in result.columns} if frame else {"output-0": result}
    return InferResponse(
        model_name=model_name,
        infer_outputs=[_output(name, column, payload.use_binary_outputs) for name, column in columns.items()],
        response_id=payload.id or generate_uuid(),
        use_binary_outputs=payload.use_binary_outputs,
        requested_outputs=payload.request_outputs,
    )


def generate_uuid() -> str:
    return str(uuid.uuid4())


def strtobool(value: str) -> bool:
    """The truth of a word of a command line. Raises ValueError for any other word."""
    word = value.lower()
    if word not in _TRUE | _FALSE:
        raise ValueError(f"{value!r} is neither true nor false")
    return word in _TRUE


def to_headers(context: Any) -> dict[str, str]:
    """The metadata of a gRPC call, before and after it, as headers."""
    found = [*(context.invocation_metadata() or ()), *(context.trailing_metadata() or ())]
    return {str(name): str(value) for name, value in found}


def cpu_count() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def is_running_in_k8s() -> bool:
    return bool(os.environ.get("KUBERNETES_SERVICE_HOST"))


def get_current_k8s_namespace() -> str:
    with open("/var/run/secrets/kubernetes.io/serviceaccount/namespace") as file:
        return file.readline().strip()


def get_default_target_namespace() -> str:
    return get_current_k8s_namespace() if is_running_in_k8s() else "default"


def is_structured_cloudevent(body: Mapping[str, Any]) -> bool:
    return all(name in body for name in ("time", "type", "source", "id", "specversion", "data"))


def is_v1(protocol: str | PredictorProtocol) -> bool:
    return protocol in (PredictorProtocol.REST_V1, PredictorProtocol.REST_V1.value)


def is_v2(protocol: str | PredictorProtocol) -> bool:
    return protocol in (PredictorProtocol.REST_V2, PredictorProtocol.REST_V2.value)


def _instances(payload: dict[str, Any]) -> list[Any]:
    rows = payload.get("inputs", payload.get("instances"))
    if not isinstance(rows, list):
        raise InvalidInput('The body has no list of "instances"; send {"instances": [...]}.')
    return rows


def _from_rows(rows: list[Any], columns: list[str] | None) -> Any:
    first = rows[0] if rows else None
    if isinstance(first, dict) or (isinstance(first, list) and first and isinstance(first[0], dict)):
        import pandas  # noqa: PLC0415  optional

        return pandas.concat([pandas.DataFrame(_boxed(row), columns=columns) for row in rows], axis=0)
    if isinstance(first, str):
        return rows
    try:
        return np.array(rows)
    except ValueError:
        raise InvalidInput('"instances" has rows of different lengths.') from None


def _boxed(row: Any) -> Any:
    """A row of plain values as a table of one row."""
    if isinstance(row, dict) and not any(isinstance(value, list) for value in row.values()):
        return [row]
    return row


def _listed(result: Any) -> Any:
    return result.tolist() if isinstance(result, np.ndarray) else result


def _output(name: str, values: Any, binary: bool) -> InferOutput:
    array = np.asarray(values)
    if array.dtype.kind in "US" or (hasattr(values, "dtype") and array.dtype.kind not in "biufO"):
        array = array.astype(object)
    output = InferOutput(name, list(array.shape), datatypes.from_np_dtype(array.dtype))
    output.set_data_from_numpy(array, binary_data=binary)
    return output
