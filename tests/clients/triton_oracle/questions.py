"""What both are asked over REST: each a request, byte for byte, and what of its answer is compared."""

from __future__ import annotations

import gzip
import json
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

_LENGTH = "Inference-Header-Content-Length"
_DTYPES = {
    "BOOL": "?", "UINT8": "u1", "UINT16": "<u2", "UINT32": "<u4", "UINT64": "<u8", "INT8": "i1", "INT16": "<i2",
    "INT32": "<i4", "INT64": "<i8", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8",
}  # fmt: skip


@dataclass(frozen=True)
class Question:
    """`look` takes of the answer's document what is to be the same; of a refusal, that it is one is."""

    name: str
    path: str
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    look: Callable[[Any], Any] = lambda document: document
    method: str = ""


def every() -> list[Question]:
    """In the order in which they are asked: a repository remembers."""
    return [*_of_health(), *_of_inference(), *_of_mistakes(), *_of_datatypes(), *_of_classes(), *_of_the_repository()]


def _of_health() -> list[Question]:
    return [
        Question("the server lives", "/v2/health/live", look=_nothing),
        Question("the server is ready", "/v2/health/ready", look=_nothing),
        Question("about the server", "/v2", look=sorted),
        Question("about a model", "/v2/models/sums", look=_without("platform")),
        Question("about a version of it", "/v2/models/sums/versions/1", look=_without("platform")),
        Question("about a model with every datatype", "/v2/models/echo", look=_without("platform")),
        Question("about a model that is not there", "/v2/models/other"),
        Question("about a version that is not there", "/v2/models/sums/versions/7"),
        Question("a model is ready", "/v2/models/sums/ready", look=_nothing),
        Question("a version is ready", "/v2/models/sums/versions/1/ready", look=_nothing),
        Question("a model that is not there is ready", "/v2/models/other/ready"),
        Question("a model's configuration", "/v2/models/sums/config", look=_configuration),
        Question("of one without batches", "/v2/models/echo/config", look=_configuration),
        Question("a path that is not there", "/v2/nothing"),
    ]


def _of_inference() -> list[Question]:
    two = [_tensor("A", [[1, 2, 3, 4]]), _tensor("B", [[4, 3, 2, 0.5]])]
    many = [_tensor("A", np.arange(80).reshape(20, 4)), _tensor("B", np.ones((20, 4)))]
    plain = _document(two)
    raw, length = _binary(two)
    return [
        _infer("two tensors in JSON", two),
        _infer("twenty rows", many),
        _infer("with an id", two, id="seven"),
        _infer("nested data", [_tensor("A", [[1, 2, 3, 4]], flat=False), _tensor("B", [[0, 0, 0, 0]], flat=False)]),
        _infer("one output of two", two, outputs=[{"name": "DIFFERENCE"}]),
        _infer("an output in binary", two, outputs=[{"name": "SUM", "parameters": {"binary_data": True}}]),
        _infer("all outputs in binary", two, parameters={"binary_data_output": True}),
        _infer("a parameter of nobody's", two, parameters={"mood": "fair", "number": 3, "yes": True}),
        Question("with a version", "/v2/models/sums/versions/1/infer", plain),
        Question("tensors in binary", "/v2/models/sums/infer", raw, {_LENGTH: str(length)}),
        Question("a body in gzip", "/v2/models/sums/infer", gzip.compress(plain), {"Content-Encoding": "gzip"}),
        Question("a body in deflate", "/v2/models/sums/infer", zlib.compress(plain), {"Content-Encoding": "deflate"}),
        Question("an answer in gzip", "/v2/models/sums/infer", plain, {"Accept-Encoding": "gzip"}),
        Question("without a content type", "/v2/models/sums/infer", plain, {"Content-Type": ""}),
        Question("what it counts", "/v2/models/shares/stats", look=_counted),
        Question("what it counts after mistakes", "/v2/models/sums/stats", look=_counted),
        Question("what it counts of every model", "/v2/models/stats", look=_counted_models),
    ]


def _of_mistakes() -> list[Question]:
    a, b = _tensor("A", [[1, 2, 3, 4]]), _tensor("B", [[1, 1, 1, 1]])
    plain = _document([a, b])
    raw, length = _binary([a, b])
    path = "/v2/models/sums/infer"

    def size(number: Any) -> bytes:
        return _document([{**a, "data": None, "parameters": {"binary_data_size": number}}, b])

    return [
        Question("mistake: no JSON", path, b"{nothing"),
        Question("mistake: a list", path, b"[]"),
        Question("mistake: an empty body", path, b""),
        Question("mistake: no inputs", path, b'{"outputs": []}'),
        _infer("mistake: an empty list of inputs", []),
        _infer("mistake: an input is missing", [a]),
        _infer("mistake: an input too many", [a, b, {**b, "name": "C"}]),
        _infer("mistake: a name twice", [a, b, b]),
        _infer("mistake: an unknown datatype", [{**a, "datatype": "FP31"}, b]),
        _infer("mistake: another datatype", [{**a, "datatype": "INT64", "data": [1, 2, 3, 4]}, b]),
        _infer("mistake: a column too few", [_tensor("A", [[1, 2, 3]]), b]),
        _infer("mistake: a dimension too many", [{**a, "shape": [1, 4, 1]}, b]),
        _infer("mistake: more data than the shape", [{**a, "shape": [2, 4]}, b]),
        _infer("mistake: a negative size", [{**a, "shape": [-1, 4]}, b]),
        _infer("mistake: batches of two sizes", [_tensor("A", [[1, 2, 3, 4]] * 2), b]),
        _infer("mistake: text for numbers", [{**a, "data": ["a", "b", "c", "d"]}, b]),
        _infer("mistake: no data", [{key: value for key, value in a.items() if key != "data"}, b]),
        _infer("mistake: an output that is not there", [a, b], outputs=[{"name": "PRODUCT"}]),
        _infer("mistake: more rows than a batch may have", [_tensor(name, np.ones((65, 4))) for name in "AB"]),
        Question("mistake: a model that is not there", "/v2/models/other/infer", plain),
        Question("mistake: a version that is not there", "/v2/models/sums/versions/7/infer", plain),
        Question("mistake: GET where POST is", path, method="GET"),
        Question("mistake: binary beyond the body", path, size(999), {_LENGTH: str(len(size(999)))}),
        Question("mistake: binary of another size", path, size(8) + bytes(8), {_LENGTH: str(len(size(8)))}),
        Question("mistake: a head beyond the body", path, plain, {_LENGTH: "99999"}),
        Question("mistake: a head of no length", path, plain, {_LENGTH: "many"}),
        Question("mistake: bytes left over", path, raw + b"12", {_LENGTH: str(length)}),
        Question("mistake: a body that is no gzip", path, plain, {"Content-Encoding": "gzip"}),
    ]  # fmt: skip


def _of_datatypes() -> list[Question]:
    path = "/v2/models/echo/infer"
    raw, length = _binary(_echoed())
    mixed = json.loads(_echoed_in_json())
    outputs = [{"name": f"OUT_{name}"} for name in (*_DTYPES, "BYTES") if name != "FP16"]
    beyond = json.loads(_echoed_in_json())
    for tensor in beyond["inputs"]:
        if tensor["name"] == "IN_INT8":
            tensor["data"] = [1, 300]
    half = json.loads(_echoed_in_json())
    for tensor in half["inputs"]:
        if tensor["name"] == "IN_INT32":
            tensor["data"] = [1.5, 2]
    no_text = _binary(_echoed(texts=(b"\xff\xfe", b"plain")))

    def with_half(document: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
        """FP16 has no form in JSON, and travels in binary after everything else."""
        head = json.dumps(document | {"outputs": outputs}).encode()
        return head + struct.pack("<2e", 0.5, -2), {_LENGTH: str(len(head))}

    return [
        Question("every datatype in JSON", path, *with_half(mixed)),
        Question("every datatype in binary", path, raw, {_LENGTH: str(length)}),
        Question("text that is no UTF-8", path, no_text[0], {_LENGTH: str(no_text[1])}),
        Question("mistake: a number beyond INT8", path, *with_half(beyond)),
        Question("mistake: a fraction as INT32", path, *with_half(half)),
        Question("mistake: FP16 in JSON", path, _document([{**_tensor("IN_FP16", [1]), "datatype": "FP16"}])),
    ]  # fmt: skip


def _of_classes() -> list[Question]:
    rows = [_tensor("SCORES", [[0.1, 0.7, 0.05, 0.15], [0.4, 0.3, 0.2, 0.1]])]

    def wish(number: Any, **more: Any) -> list[dict[str, Any]]:
        return [{"name": "SHARES", "parameters": {"classification": number, **more}}]

    def ask(name: str, outputs: Any) -> Question:
        return _infer(name, rows, path="/v2/models/shares/infer", outputs=outputs)

    return [
        ask("the likeliest class", wish(1)),
        ask("the three likeliest", wish(3)),
        ask("more classes than there are", wish(9)),
        ask("classes in binary", wish(2, binary_data=True)),
        ask("mistake: classes as text", wish("two")),
        ask("mistake: fewer than no class", wish(-1)),
        ask("no class", wish(0)),
    ]


def _of_the_repository() -> list[Question]:
    plain = _document([_tensor("A", [[1, 2, 3, 4]]), _tensor("B", [[1, 1, 1, 1]])])
    return [
        Question("the repository's index", "/v2/repository/index", b"{}", look=_index),
        Question("the index without a body", "/v2/repository/index", b"", look=_index),
        Question("a model is unloaded", "/v2/repository/models/sums/unload", b"{}", look=_nothing),
        Question("it then is not ready", "/v2/models/sums/ready"),
        Question("it then answers nothing", "/v2/models/sums/infer", plain),
        Question("it then has no description", "/v2/models/sums"),
        Question("the server then is ready", "/v2/health/ready", look=_nothing),
        Question("those that are ready", "/v2/repository/index", b'{"ready": true}', look=_index),
        Question("it is loaded again", "/v2/repository/models/sums/load", b"{}", look=_nothing),
        Question("it then answers", "/v2/models/sums/infer", plain),
        Question("a model that is not there is loaded", "/v2/repository/models/other/load", b"{}"),
        Question("a model that is not there is unloaded", "/v2/repository/models/other/unload", b"{}", look=_nothing),
        Question("shared memory", "/v2/systemsharedmemory/status"),
        Question("the log's settings", "/v2/logging"),
        Question("traces", "/v2/trace/setting"),
    ]


def _infer(
    name: str, inputs: Sequence[Mapping[str, Any]], path: str = "/v2/models/sums/infer", **more: Any
) -> Question:
    return Question(name, path, _document(inputs, **more))


def _document(inputs: Sequence[Mapping[str, Any]], **more: Any) -> bytes:
    return json.dumps({"inputs": list(inputs), **more}).encode()


def _tensor(name: str, rows: Any, *, flat: bool = True) -> dict[str, Any]:
    array = np.array(rows, dtype=float)
    data = array.ravel().tolist() if flat else array.tolist()
    return {"name": name, "shape": list(array.shape), "datatype": "FP32", "data": data}


def _binary(tensors: Sequence[Mapping[str, Any]]) -> tuple[bytes, int]:
    """The body, and the length of its head."""
    listed, tail = [], b""
    for tensor in tensors:
        raw = _raw(tensor)
        about = {key: value for key, value in tensor.items() if key != "data"}
        listed.append(about | {"parameters": {"binary_data_size": len(raw)}})
        tail += raw
    head = json.dumps({"inputs": listed, "parameters": {"binary_data_output": True}}).encode()
    return head + tail, len(head)


def _raw(tensor: Mapping[str, Any]) -> bytes:
    if tensor["datatype"] == "BYTES":
        texts = [text if isinstance(text, bytes) else text.encode() for text in tensor["data"]]
        return b"".join(struct.pack("<I", len(text)) + text for text in texts)
    return np.array(tensor["data"], dtype=_DTYPES[tensor["datatype"]]).tobytes()


def _echoed(texts: Sequence[Any] = ("grün", "")) -> list[dict[str, Any]]:
    values: dict[str, list[Any]] = {
        "BOOL": [True, False],
        "FP16": [0.5, -2.0],
        "FP32": [0.1, -1e30],
        "FP64": [0.1, 1e300],
    }
    for name, dtype in _DTYPES.items():
        if name not in values:
            limits = np.iinfo(dtype)
            values[name] = [int(limits.min), int(limits.max)]
    values["BYTES"] = list(texts)
    return [{"name": f"IN_{name}", "shape": [2], "datatype": name, "data": data} for name, data in values.items()]


def _echoed_in_json() -> str:
    tensors = _echoed()
    for tensor in tensors:
        if tensor["datatype"] == "FP16":
            del tensor["data"]
            tensor["parameters"] = {"binary_data_size": 4}
    return json.dumps({"inputs": tensors})


# What of a document is compared.


def _nothing(document: Any) -> None:
    return None


def _without(*names: str) -> Callable[[Any], Any]:
    return lambda document: {key: value for key, value in document.items() if key not in names}


def _configuration(document: Any) -> Any:
    """Triton's own has many more fields."""
    ports = [[{key: port[key] for key in ("name", "data_type")} | {"dims": [int(size) for size in port["dims"]]}
              for port in document[side]] for side in ("input", "output")]  # fmt: skip
    return document["name"], int(document["max_batch_size"]), document["version_policy"], ports


def _counted(document: Any) -> Any:
    (seen,) = document["model_stats"]
    counts = {name: duration["count"] for name, duration in seen["inference_stats"].items() if "cache" not in name}
    return seen["name"], seen["version"], seen["inference_count"], seen["execution_count"], counts


def _counted_models(document: Any) -> Any:
    return sorted(seen["name"] for seen in document["model_stats"])


def _index(document: Any) -> Any:
    return sorted((one["name"], one.get("state", "")) for one in document)
