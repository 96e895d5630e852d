"""Triton's own client asks one server, over REST and over gRPC; its answers are printed as one line of JSON.

Run as a program by the interpreter that has nvidia-pytriton: `session.py HTTP_PORT GRPC_PORT`.
"""

import json
import queue
import sys
from typing import Any

import numpy as np
import tritonclient.grpc as rpc
import tritonclient.http as rest

ROWS = np.array([[1, 2, 3, 4], [0.5, -1, 0, 9]], dtype=np.float32)


def main(http: str, grpc: str) -> None:
    seen: dict[str, Any] = {}
    with rest.InferenceServerClient(f"127.0.0.1:{http}") as client:
        _ask(client, rest, {}, "REST client", seen)
    with rpc.InferenceServerClient(f"127.0.0.1:{grpc}") as client:
        _ask(client, rpc, {"as_json": True}, "gRPC client", seen)
        seen["gRPC client: a stream"] = _told(lambda: _stream(client))
    print(json.dumps(seen))


def _ask(client: Any, module: Any, as_json: dict[str, bool], how: str, seen: dict[str, Any]) -> None:
    def see(what: str, ask: Any) -> None:
        seen[f"{how}: {what}"] = _told(ask)

    see("it lives", client.is_server_live)
    see("it is ready", client.is_server_ready)
    see("a model is ready", lambda: client.is_model_ready("sums"))
    see("a version is ready", lambda: client.is_model_ready("sums", "1"))
    see("about a model", lambda: _about(client.get_model_metadata("sums", **as_json)))
    see("about one with every datatype", lambda: _about(client.get_model_metadata("echo", **as_json)))
    see("its configuration", lambda: _config(client.get_model_config("sums", **as_json)))
    see("two tensors", lambda: _values(client.infer("sums", _two(module), request_id="seven"), "SUM", "DIFFERENCE"))
    one = [module.InferRequestedOutput("DIFFERENCE")]
    see("one output", lambda: _values(client.infer("sums", _two(module), outputs=one), "DIFFERENCE"))
    see("with a version", lambda: _values(client.infer("sums", _two(module), model_version="1"), "SUM"))
    see("parameters", lambda: _values(client.infer("sums", _two(module), parameters={"mood": "fair"}), "SUM"))
    outputs = [f"OUT_{tensor.name()[3:]}" for tensor in _every(module)]
    see("every datatype", lambda: _values(client.infer("echo", _every(module)), *outputs))
    classes = [module.InferRequestedOutput("SHARES", class_count=2)]
    scores = _tensor(module, "SCORES", np.array([[0.1, 0.7, 0.05, 0.15], [4, 3, 2, 1]], dtype=np.float32))
    see("classes", lambda: _values(client.infer("shares", [scores], outputs=classes), "SHARES"))
    for what, name, inputs, more in (
        ("an input is missing", "sums", _two(module)[:1], {}),
        ("a column too few", "sums", [_tensor(module, name, ROWS[:, :3].copy()) for name in "AB"], {}),
        ("batches of two sizes", "sums", [_tensor(module, "A", ROWS), _tensor(module, "B", ROWS[:1])], {}),
        ("an output that is not there", "sums", _two(module), {"outputs": [module.InferRequestedOutput("PRODUCT")]}),
        ("a model that is not there", "other", _two(module), {}),
        ("a version that is not there", "sums", _two(module), {"model_version": "7"}),
    ):
        see(f"mistake: {what}", lambda name=name, inputs=inputs, more=more: _values(client.infer(name, inputs, **more)))
    see("about one that is not there", lambda: _about(client.get_model_metadata("other", **as_json)))
    see("what it counts", lambda: _counted(client.get_inference_statistics("shares", **as_json)))
    see("the index", lambda: _index(client.get_model_repository_index(**as_json)))
    see("unloading", lambda: (client.unload_model("echo"), client.is_model_ready("echo"))[1])
    see("loading", lambda: (client.load_model("echo"), client.is_model_ready("echo"))[1])
    see("loading one that is not there", lambda: client.load_model("other"))


def _two(module: Any) -> list[Any]:
    return [_tensor(module, "A", ROWS), _tensor(module, "B", ROWS[::-1].copy())]


def _every(module: Any) -> list[Any]:
    kinds = (
        "bool",
        "uint8",
        "uint16",
        "uint32",
        "uint64",
        "int8",
        "int16",
        "int32",
        "int64",
        "float16",
        "float32",
        "float64",
    )
    arrays = [np.array([0, 1], dtype=kind) for kind in kinds]
    names = [f"IN_{kind.replace('float', 'fp').upper()}" for kind in kinds]
    text = _tensor(module, "IN_BYTES", np.array([b"gr\xc3\xbcn", b""], dtype=object))
    return [*(_tensor(module, name, array) for name, array in zip(names, arrays, strict=True)), text]


def _tensor(module: Any, name: str, array: Any) -> Any:
    datatype = (
        "BYTES"
        if array.dtype == object
        else {"bool": "BOOL"}.get(array.dtype.name, array.dtype.name.replace("float", "fp").upper())
    )
    tensor = module.InferInput(name, list(array.shape), datatype)
    tensor.set_data_from_numpy(array)
    return tensor


def _stream(client: Any) -> Any:
    """Right ones, and one with a mistake between them."""
    answers: Any = queue.Queue()
    client.start_stream(lambda result, error: answers.put("refused" if error else _values(result, "SUM")))
    for number in range(3):
        client.async_stream_infer("other" if number == 1 else "sums", _two(rpc), request_id=str(number))
    seen = [answers.get(timeout=60) for _ in range(3)]
    client.stop_stream()
    return seen


def _told(ask: Any) -> Any:
    """What came, or the exception and its status."""
    try:
        return ask()
    except Exception as raised:
        status = getattr(raised, "status", lambda: None)()
        return {"raised": type(raised).__name__, "status": str(status)}


def _values(answer: Any, *names: str) -> Any:
    arrays = {name: answer.as_numpy(name) for name in names}
    return {name: [array.dtype.name, list(array.shape), json.loads(json.dumps(array.tolist(), default=bytes.decode))]
            for name, array in arrays.items()}  # fmt: skip


def _about(document: Any) -> Any:
    sides = [[(port["name"], port["datatype"], [int(size) for size in port["shape"]]) for port in document[side]]
             for side in ("inputs", "outputs")]  # fmt: skip
    return document["name"], document["versions"], sides


def _config(document: Any) -> Any:
    config = document.get("config", document)
    sides = [[(port["name"], port["data_type"], [int(size) for size in port["dims"]]) for port in config[side]]
             for side in ("input", "output")]  # fmt: skip
    return config["name"], int(config["max_batch_size"]), sides


def _counted(document: Any) -> Any:
    (seen,) = document["model_stats"]
    return seen["name"], seen["version"], int(seen["inference_count"]), int(seen["inference_stats"]["success"]["count"])


def _index(document: Any) -> Any:
    listed = document.get("models", []) if isinstance(document, dict) else document
    return sorted((one["name"], one.get("state", "")) for one in listed)


if __name__ == "__main__":
    main(*sys.argv[1:3])
