"""The calls of the gRPC service, and its server; answered on the same event loop and by the same lanes as HTTP.

A client that hangs up or whose deadline passes cancels its call, and with it the work that has not begun. Refusals
become gRPC's own status codes, with the same sentence.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import grpc
from grpc import aio

from fairway.serving.inpod import triton, v2
from fairway.serving.inpod.batching import failed
from fairway.serving.inpod.changes import Change
from fairway.serving.inpod.messages import Refusal
from fairway.serving.inpod.metrics import Metrics
from fairway.serving.inpod.repository import Repository
from fairway.serving.inpod.routes import EXTENSIONS, Routes
from fairway.serving.inpod.rpc import schema
from fairway.serving.inpod.rpc.dialogue import Dialogue
from fairway.serving.inpod.served import Served
from fairway.serving.inpod.work import Outcome

CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    404: grpc.StatusCode.NOT_FOUND,
    413: grpc.StatusCode.RESOURCE_EXHAUSTED,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    501: grpc.StatusCode.UNIMPLEMENTED,
    503: grpc.StatusCode.UNAVAILABLE,
}
_SERVING, _NOT_SERVING = 1, 2
_NOT_HERE = (
    "SystemSharedMemoryStatus", "SystemSharedMemoryRegister", "SystemSharedMemoryUnregister", "CudaSharedMemoryStatus",
    "CudaSharedMemoryRegister", "CudaSharedMemoryUnregister", "TraceSetting", "LogSettings",
)  # fmt: skip

Context = Any


class Calls:
    """Each call by its name; all messages are `schema`'s."""

    def __init__(self, repository: Repository, metrics: Metrics, change: Change, routes: Routes, version: str) -> None:
        self._repository, self._metrics, self._change, self._routes = repository, metrics, change, routes
        self._version = version
        self._messages = schema.messages()

    def handlers(self) -> dict[str, grpc.RpcMethodHandler]:
        unary: dict[str, tuple[str, Callable[[Any, Context], Awaitable[bytes]]]] = {
            "ServerLive": ("Empty", self._live),
            "ServerReady": ("Empty", self._ready),
            "ModelReady": ("NamedRequest", self._model_ready),
            "ServerMetadata": ("Empty", self._about_server),
            "ModelMetadata": ("NamedRequest", self._about_model),
            "ModelConfig": ("NamedRequest", self._config),
            "ModelStatistics": ("NamedRequest", self._statistics),
            "RepositoryIndex": ("IndexRequest", self._index),
            "RepositoryModelLoad": ("ChangeRequest", self._load),
            "RepositoryModelUnload": ("ChangeRequest", self._unload),
            "ModelInfer": ("InferRequest", self._infer),
            **dict.fromkeys(_NOT_HERE, ("Empty", self._not_here)),
        }
        table = {
            name: grpc.unary_unary_rpc_method_handler(_told(call), self._messages[request].FromString)
            for name, (request, call) in unary.items()
        }
        table["ModelStreamInfer"] = grpc.stream_stream_rpc_method_handler(
            self._stream, self._messages["InferRequest"].FromString
        )
        return table

    def health(self) -> dict[str, grpc.RpcMethodHandler]:
        """Without Watch, which clients do without where it is not there."""
        return {
            "Check": grpc.unary_unary_rpc_method_handler(_told(self._check), self._messages["HealthRequest"].FromString)
        }

    async def _check(self, request: Any, context: Context) -> bytes:
        """Of the server, by no name or its service's, or of a model."""
        if request.service in ("", schema.SERVICE):
            ready = self._routes.ready and await self._reach(self._repository.leaning)
        else:
            served = self._repository.known(request.service).served
            ready = served is not None and not self._routes.draining and await self._reach([served])
        return self._said("HealthResponse", status=_SERVING if ready else _NOT_SERVING)

    async def _live(self, request: Any, context: Context) -> bytes:
        return self._said("LiveResponse", live=True)

    async def _ready(self, request: Any, context: Context) -> bytes:
        return self._said("ReadyResponse", ready=self._routes.ready and await self._reach(self._repository.leaning))

    async def _model_ready(self, request: Any, context: Context) -> bytes:
        served = self._repository.known(request.name, request.version).served
        ready = served is not None and not self._routes.draining and await self._reach([served])
        return self._said("ReadyResponse", ready=ready)

    async def _reach(self, leaning: Sequence[Served]) -> bool:
        return all(await asyncio.gather(*(served.reachable() for served in leaning)))

    async def _about_server(self, request: Any, context: Context) -> bytes:
        return self._said("ServerMetadata", name="fairway", version=self._version, extensions=EXTENSIONS)

    async def _about_model(self, request: Any, context: Context) -> bytes:
        served = self._repository.find(request.name, request.version)
        return self._said("ModelMetadata", **v2.metadata(served.name, served.version, served.signature))

    async def _config(self, request: Any, context: Context) -> bytes:
        config = triton.config(self._repository.find(request.name, request.version))
        for port in (*config["input"], *config["output"]):
            port["data_type"] = schema.DATA_TYPES.index(port["data_type"].removeprefix("TYPE_"))
        return self._said("ConfigResponse", config=config)

    async def _statistics(self, request: Any, context: Context) -> bytes:
        names = [request.name] if request.name else list(self._repository.readiness())
        served = [self._repository.find(name) for name in names if request.name or self._repository.known(name).served]
        listed = [triton.statistics(each, self._metrics) for each in served]
        for each in listed:
            del each["batch_stats"]
        return self._said("StatisticsResponse", model_stats=listed)

    async def _index(self, request: Any, context: Context) -> bytes:
        return self._said("IndexResponse", models=self._repository.index(ready=request.ready))

    async def _load(self, request: Any, context: Context) -> bytes:
        return await self._changed("load", request)

    async def _unload(self, request: Any, context: Context) -> bytes:
        return await self._changed("unload", request)

    async def _changed(self, verb: str, request: Any) -> bytes:
        """KServe's client has the name in the field where Triton's has the repository's."""
        name = request.model_name or request.name_or_repository
        parameters = {key: getattr(value, value.WhichOneof("parameter_choice") or "string_param")
                      for key, value in request.parameters.items()}  # fmt: skip
        parameters.pop("unload_dependents", None)
        await self._change(verb, name, triton.format_in(parameters))
        return self._said("ChangeResponse", model_name=name, done=True)

    async def _not_here(self, request: Any, context: Context) -> bytes:
        raise Refusal(501, "Triton's shared memory, traces and log settings are not offered.")

    async def _infer(self, request: Any, context: Context) -> bytes:
        headers = {key.lower(): value for key, value in context.invocation_metadata() or () if isinstance(value, str)}
        served = self._repository.find(request.model_name, request.model_version)
        dialogue = Dialogue(served.version, served.signature, request, self._messages["InferResponse"], headers)
        waiting: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

        def done(outcome: Outcome) -> None:
            if not waiting.done():
                waiting.set_result(outcome)

        end = served.take(dialogue, "grpc", lambda: not waiting.done(), done)
        try:
            outcome = await waiting
        except asyncio.CancelledError:
            if end:
                end()
            raise
        if isinstance(outcome, Refusal):
            raise outcome
        return outcome.body

    async def _stream(self, requests: AsyncIterator[Any], context: Context) -> AsyncIterator[bytes]:
        """Each request's answer, in their order; what is refused is a message and ends nothing."""
        async for request in requests:
            try:
                answer = self._messages["InferResponse"].FromString(await self._infer(request, context))
                yield self._said("StreamResponse", infer_response=answer)
            except Refusal as refusal:
                yield self._said("StreamResponse", error_message=str(refusal))

    def _said(self, message: str, **fields: Any) -> bytes:
        said: bytes = self._messages[message](**fields).SerializeToString()
        return said


class Server:
    """The port; `most` bounds a message both ways, in bytes. `shared` with the other processes of this server; it
    would be with anybody's else."""

    def __init__(self, calls: Calls, host: str, port: int, most: int, *, shared: bool) -> None:
        options = [
            ("grpc.so_reuseport", int(shared)),
            ("grpc.max_receive_message_length", most),
            ("grpc.max_send_message_length", most),
        ]
        self._server = aio.server(options=options)
        services = {schema.SERVICE: calls.handlers(), schema.HEALTH: calls.health()}
        self._server.add_generic_rpc_handlers(
            tuple(grpc.method_handlers_generic_handler(name, handlers) for name, handlers in services.items())
        )
        where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            bound = self._server.add_insecure_port(where)
        except RuntimeError as failure:
            raise OSError(f"the address {where} for gRPC cannot be had") from failure
        if not bound:
            raise OSError(f"the address {where} for gRPC cannot be had")

    async def start(self) -> None:
        await self._server.start()

    async def stop(self, grace: float) -> None:
        """No new calls; those inside have their time."""
        await self._server.stop(grace)


def _told(call: Callable[[Any, Context], Awaitable[bytes]]) -> Callable[[Any, Context], Awaitable[bytes]]:
    """Refusals as status codes."""

    async def answered(request: Any, context: Context) -> bytes:
        try:
            return await call(request, context)
        except Refusal as refusal:
            told = refusal
        except Exception as broken:
            told = failed(broken)
        code = CODES.get(told.status)
        if code is None:
            code = grpc.StatusCode.INVALID_ARGUMENT if told.status < 500 else grpc.StatusCode.INTERNAL
        await context.abort(code, _short(str(told)))
        raise AssertionError("abort raises")

    return answered


def _short(sentence: str) -> str:
    """What surely fits into a trailer, where a sign may take up to twelve bytes: a longer one costs the status, too."""
    kept = sentence[:2500]
    return kept if kept.isascii() else kept[:600]
