"""InferenceGRPCClient: calls a model by V2 over gRPC, for transformers and others. It needs grpcio and protobuf."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import grpc

from fairway.serving.inpod.programs.kserve_api import wire
from fairway.serving.inpod.programs.kserve_api.constants import MAX_GRPC_MESSAGE_LENGTH
from fairway.serving.inpod.programs.kserve_api.infer_messages import InferRequest, InferResponse

Metadata = Sequence[tuple[str, str]] | None
_UNSET: Any = object()


class InferenceGRPCClient:
    def __init__(
        self,
        url: str,
        verbose: bool = False,
        use_ssl: bool = False,
        root_certificates: str | None = None,
        private_key: str | None = None,
        certificate_chain: str | None = None,
        creds: Any = None,
        channel_args: list[tuple[str, Any]] | None = None,
        timeout: float | None = 60,
        retries: int | None = 3,
    ) -> None:
        self._timeout, self._verbose = timeout, verbose
        options = channel_args or _options(retries or 0)
        if creds is None and use_ssl:
            creds = grpc.ssl_channel_credentials(*map(_read, (root_certificates, private_key, certificate_chain)))
        self._channel = (
            grpc.aio.secure_channel(url, creds, options=options)
            if creds is not None
            else grpc.aio.insecure_channel(url, options=options)
        )

    async def infer(
        self, infer_request: InferRequest, timeout: float | None = _UNSET, headers: Metadata = None
    ) -> InferResponse:
        if not isinstance(infer_request, InferRequest):
            raise ValueError(f"An InferRequest is sent, not {type(infer_request).__name__}.")
        return InferResponse.from_grpc(await self._call("ModelInfer", infer_request.to_grpc(), timeout, headers))

    async def is_server_ready(self, timeout: float | None = _UNSET, headers: Metadata = None) -> bool:
        answer = await self._call("ServerReady", wire.ServerReadyRequest(), timeout, headers)
        return bool(answer.ready)

    async def is_server_live(self, timeout: float | None = _UNSET, headers: Metadata = None) -> bool:
        answer = await self._call("ServerLive", wire.ServerLiveRequest(), timeout, headers)
        return bool(answer.live)

    async def is_model_ready(self, model_name: str, timeout: float | None = _UNSET, headers: Metadata = None) -> bool:
        try:
            answer = await self._call("ModelReady", wire.ModelReadyRequest(name=model_name), timeout, headers)
        except grpc.aio.AioRpcError as failure:
            if failure.code() is grpc.StatusCode.UNAVAILABLE:
                return False
            raise
        return bool(answer.ready)

    async def close(self) -> None:
        await self._channel.close()

    async def __aenter__(self) -> InferenceGRPCClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _call(self, method: str, request: Any, timeout: float | None, metadata: Metadata) -> Any:
        call = self._channel.unary_unary(
            f"/inference.GRPCInferenceService/{method}",
            request_serializer=type(request).SerializeToString,
            response_deserializer=wire.message(f"{method}Response").FromString,
        )
        return await call(request, timeout=self._timeout if timeout is _UNSET else timeout, metadata=metadata)


def _options(retries: int) -> list[tuple[str, Any]]:
    sizes: list[tuple[str, Any]] = [
        ("grpc.max_send_message_length", -1),
        ("grpc.max_receive_message_length", max(MAX_GRPC_MESSAGE_LENGTH, 256 * 1024 * 1024)),
    ]
    if retries < 1:
        return [*sizes, ("grpc.enable_retries", 0)]
    policy = (
        '{"methodConfig": [{"name": [{}], "retryPolicy": {"maxAttempts": %d, "initialBackoff": "0.1s",'
        ' "maxBackoff": "1s", "backoffMultiplier": 2, "retryableStatusCodes": ["UNAVAILABLE"]}}]}'
    )
    return [*sizes, ("grpc.enable_retries", 1), ("grpc.service_config", policy % min(retries + 1, 5))]


def _read(path: str | None) -> bytes | None:
    if path is None:
        return None
    with open(path, "rb") as file:
        return file.read()
