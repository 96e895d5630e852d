"""Where our server answers otherwise than Triton on purpose, each with the reason."""

from __future__ import annotations

_MISTAKE = "a caller's mistake is 400; Triton says 500"
_UNLOADED = "503, as KServe has it for a model that is known and not loaded; Triton says 404, and 400 of its readiness"
_MISSING = "404 for what is not there; Triton says 400 of its readiness, and 500 of its load"
_NOT_OFFERED = "refused by name with 501: docs/refused.md"

PURPOSE: dict[str, str] = {
    "a model that is not there is ready": _MISSING,
    "mistake: no JSON": _MISTAKE,
    "mistake: a list": _MISTAKE,
    "mistake: no inputs": _MISTAKE,
    "mistake: more data than the shape": _MISTAKE,
    "mistake: a negative size": _MISTAKE,
    "mistake: text for numbers": _MISTAKE,
    "mistake: a fraction as INT32": _MISTAKE,
    "mistake: classes as text": _MISTAKE,
    "mistake: fewer than no class": _MISTAKE,
    "mistake: another datatype": "numbers of another type are taken where nothing of them is lost, as over V1",
    "mistake: more rows than a batch may have": "the bound is of what is laid together; one request may have more",
    "mistake: a number beyond INT8": "400; Triton takes what is left of it in eight bits",
    "text that is no UTF-8": "400, as ONNX's strings are UTF-8; Triton's Python backend has bytes",
    "what it counts after mistakes": "what is refused has failed; Triton counts what reached the model",
    "it then is not ready": _UNLOADED,
    "it then answers nothing": _UNLOADED,
    "it then has no description": _UNLOADED,
    "the server then is ready": "a model that somebody unloaded keeps nobody else from being asked",
    "a model that is not there is loaded": _MISSING,
    "a model that is not there is unloaded": "404; Triton says 200",
    "shared memory": _NOT_OFFERED,
    "the log's settings": _NOT_OFFERED,
    "traces": _NOT_OFFERED,
    "REST client: loading one that is not there": _MISSING,
    "gRPC client: loading one that is not there": "NOT_FOUND; Triton says INTERNAL",
}  # fmt: skip
"""By question."""
