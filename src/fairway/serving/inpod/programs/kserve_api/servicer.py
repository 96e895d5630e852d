"""InferenceServicer: a process' models behind grpcio, for programs and tests that start a gRPC server themselves."""

from __future__ import annotations

from typing import Any

from fairway.serving.inpod.programs.kserve_api import wire
from fairway.serving.inpod.programs.kserve_api.dataplane import DataPlane
from fairway.serving.inpod.programs.kserve_api.errors import InvalidInput
from fairway.serving.inpod.programs.kserve_api.infer_messages import InferRequest, InferResponse
from fairway.serving.inpod.programs.kserve_api.payloads import to_headers
from fairway.serving.inpod.programs.kserve_api.repository import ModelRepositoryExtension


class InferenceServicer:
    def __init__(self, data_plane: DataPlane, model_repository_extension: ModelRepositoryExtension) -> None:
        self._data_plane, self._repository = data_plane, model_repository_extension

    async def ServerMetadata(self, request: Any, context: Any) -> Any:
        return wire.ServerMetadataResponse(**self._data_plane.metadata())

    async def ServerLive(self, request: Any, context: Any) -> Any:
        return wire.ServerLiveResponse(live=(await self._data_plane.live())["status"] == "alive")

    async def ServerReady(self, request: Any, context: Any) -> Any:
        return wire.ServerReadyResponse(ready=await self._data_plane.ready())

    async def ModelReady(self, request: Any, context: Any) -> Any:
        return wire.ModelReadyResponse(ready=await self._data_plane.model_ready(request.name))

    async def ModelMetadata(self, request: Any, context: Any) -> Any:
        return wire.ModelMetadataResponse(**await self._data_plane.model_metadata(request.name))

    async def RepositoryModelLoad(self, request: Any, context: Any) -> Any:
        await self._repository.load(request.model_name)
        return wire.RepositoryModelLoadResponse(model_name=request.model_name, isLoaded=True)

    async def RepositoryModelUnload(self, request: Any, context: Any) -> Any:
        await self._repository.unload(request.model_name)
        return wire.RepositoryModelUnloadResponse(model_name=request.model_name, isUnloaded=True)

    async def ModelInfer(self, request: Any, context: Any) -> Any:
        self.validate_grpc_request(request)
        headers = dict(to_headers(context))
        answer, _ = await self._data_plane.infer(request.model_name, InferRequest.from_grpc(request), headers)
        return answer.to_grpc() if isinstance(answer, InferResponse) else wire.ModelInferResponse(**answer)

    @classmethod
    def validate_grpc_request(cls, request: Any) -> None:
        """Raises InvalidInput where raw data and typed contents disagree."""
        if not request.raw_input_contents:
            return
        if len(request.raw_input_contents) != len(request.inputs):
            raise InvalidInput(
                f"The request has {len(request.inputs)} inputs and {len(request.raw_input_contents)} raw contents."
            )
        if any(tensor.HasField("contents") for tensor in request.inputs):
            raise InvalidInput("The request has raw contents, so its inputs must not have contents of their own.")
