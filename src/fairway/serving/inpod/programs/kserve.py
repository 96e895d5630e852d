"""Programs around objects of `kserve.Model`, whether the class comes from our `kserve` or from the real package.

A message becomes what the class expects (a dict for V1, an InferRequest for V2), goes through the object's own steps,
and what comes back becomes a Reply. Coroutines run on a loop of their own, plain methods in threads: neither can keep
the server's loop from answering health.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

from fairway.serving.inpod.messages import Refusal
from fairway.serving.inpod.model import Array, CannotLoad, Message, Reply, Signature, Tensor
from fairway.serving.inpod.programs import failures, loops
from fairway.serving.inpod.programs.results import jsonable

EVENT_STREAM = "text/event-stream"
_OF_ANOTHER_BODY = ("content-encoding", "inference-header-content-length")
"""What a transformer hands on of its predictor's answer, whose body it has unpacked."""


class KServeProgram:
    """One model of a process; several share one loop."""

    asynchronous = True

    def __init__(self, model: Any, loop: loops.OwnLoop, *, latency_logging: bool = False, keep: bool = False) -> None:
        """`keep`: the model outlives this program, and is not stopped with it."""
        self.model, self._loop, self._keep = model, loop, keep
        model.enable_latency_logging = latency_logging
        self._types = importlib.import_module("kserve.protocol.infer_type")
        self._verbs = importlib.import_module("kserve.model").InferenceVerb

    @property
    def signature(self) -> Signature:
        return Signature(
            "kserve", _declared(self.model.get_input_types()), _declared(self.model.get_output_types()), batches=False
        )

    @property
    def ready(self) -> bool:
        return bool(self.model.ready)

    @property
    def leaning(self) -> bool:
        """The real package's models do not say; there its own server asks."""
        return bool(getattr(self.model, "asks_predictor", False))

    async def reachable(self) -> bool:
        """In a loop of the moment: the model's own may be held up by what the model computes."""
        return bool(await loops.in_thread(lambda: asyncio.run(self.model.predictor_ready())))

    async def answer(self, message: Message) -> Reply:
        headers = dict(message.headers)
        with failures.as_refusals("The model"):
            try:
                result, response_headers = await self._loop.call(lambda: self._through(message, headers))
            except KeyError as missing:
                raise _without_rows(message, missing) or missing from None
            return self._reply(message, result, response_headers)

    def load(self) -> None:
        """Raises CannotLoad."""
        with failures.as_cannot_load(f"The model {self.model.name}"):
            self.model.load()
            if getattr(self.model, "engine", False):
                self._loop.wait(self.model.start_engine)
        if not self.model.ready:
            raise CannotLoad(f"The model {self.model.name} is not ready after load(): its class never sets self.ready.")

    def close(self) -> None:
        if self._keep:
            return
        self.model.stop()
        if getattr(self.model, "engine", False):
            self.model.stop_engine()

    async def _through(self, message: Message, headers: dict[str, str]) -> tuple[Any, Mapping[str, str]]:
        """The object's own chain, on its loop, its plain methods in threads."""
        verb = self._verbs.EXPLAIN if message.verb == "explain" else self._verbs.PREDICT
        model = _Threaded(self.model) if _has_plain_steps(self.model) else self.model
        called = type(self.model).__call__(model, self._payload(message), headers, verb)
        result = await loops.settled(called)
        if isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], dict):
            return result
        return result, {}

    def _payload(self, message: Message) -> Any:
        if message.inputs is None:
            return message.body
        inputs = []
        for name, array in message.inputs.tensors.items():
            tensor = self._types.InferInput(name, list(array.shape), _datatype(array), array)
            if hasattr(tensor, "text"):
                tensor.text = True
            tensor.parameters = dict(message.input_parameters.get(name, {})) or None
            inputs.append(tensor)
        return self._types.InferRequest(
            self.model.name,
            inputs,
            request_id=message.id or None,
            parameters=dict(message.inputs.parameters) or None,
            request_outputs=[self._types.RequestedOutput(name) for name in message.outputs] or None,
        )

    def _reply(self, message: Message, result: Any, said: Mapping[str, str]) -> Reply:
        headers = {name: value for name, value in said.items() if name.lower() not in _OF_ANOTHER_BODY}
        if isinstance(result, AsyncIterator):
            return Reply(stream=_chunks(self._loop.iterate(result)), content_type=EVENT_STREAM, headers=headers)
        if isinstance(result, self._types.InferResponse):
            return _of_response(result, headers)
        if hasattr(result, "DESCRIPTOR"):  # the gRPC message itself
            return _of_response(self._types.InferResponse.from_grpc(result), headers)
        if message.inputs is not None and isinstance(result, dict) and "outputs" in result:
            return _of_response(self._types.InferResponse.from_rest({"id": "", "model_name": "", **result}), headers)
        if isinstance(result, bytes):
            return Reply(body=result, content_type="application/octet-stream", headers=headers)
        return Reply(body=jsonable(result), headers=headers)


class _Threaded:
    """A model whose plain steps run in threads. Everything else of it is the model itself."""

    def __init__(self, model: Any) -> None:
        object.__setattr__(self, "_model", model)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._model, name)
        if name in _STEPS and not inspect.iscoroutinefunction(found):

            async def step(*arguments: Any, **named: Any) -> Any:
                return await loops.settled(await loops.in_thread(lambda: found(*arguments, **named)))

            return step
        return found

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._model, name, value)


_STEPS = ("preprocess", "predict", "explain", "postprocess")


def _has_plain_steps(model: Any) -> bool:
    return any(hasattr(model, step) and not inspect.iscoroutinefunction(getattr(model, step)) for step in _STEPS)


def _of_response(response: Any, headers: Mapping[str, str]) -> Reply:
    outputs: dict[str, Array] = {}
    about: dict[str, Mapping[str, Any]] = {}
    wanted = {output.name for output in getattr(response, "request_outputs", None) or ()}
    for tensor in response.outputs:
        if wanted and tensor.name not in wanted:
            continue
        outputs[tensor.name] = tensor.as_numpy()
        parameters = {name: value for name, value in (tensor.parameters or {}).items() if name != "binary_data_size"}
        if parameters:
            about[tensor.name] = parameters
    return Reply(
        outputs=outputs, parameters=dict(response.parameters or {}), output_parameters=about, headers=dict(headers)
    )


def _without_rows(message: Message, missing: KeyError) -> Refusal | None:
    """Most classes take body["instances"] without looking; a body that has none is the caller's mistake."""
    asked = missing.args[0] if missing.args else None
    if asked in ("instances", "inputs") and isinstance(message.body, dict) and asked not in message.body:
        return Refusal(400, 'The body has no "instances"; send {"instances": [...]}.')
    return None


def _declared(types: Any) -> tuple[Tensor, ...]:
    """What get_input_types and get_output_types say; what cannot be read is left out."""
    try:
        return tuple(Tensor(one["name"], one["datatype"], tuple(one["shape"])) for one in types or ())
    except (KeyError, TypeError) as wrong:
        raise Refusal(500, f"The model describes its tensors without name, datatype and shape: {wrong}.") from None


def _datatype(array: Array) -> str:
    codec = importlib.import_module("kserve.utils.numpy_codec")
    return str(codec.from_np_dtype(array.dtype))


async def _chunks(items: AsyncIterator[Any]) -> AsyncIterator[bytes]:
    async for item in items:
        yield item if isinstance(item, bytes) else item.encode() if isinstance(item, str) else json.dumps(item).encode()
