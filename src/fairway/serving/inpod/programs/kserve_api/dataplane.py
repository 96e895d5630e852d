"""DataPlane: a process' models, asked directly, for programs and tests that do so.

The server does not come through here; see `programs.kserve`. CloudEvents are the server's and are not unpacked here.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from importlib import metadata
from typing import Any

import orjson

from fairway.serving.inpod.programs.kserve_api import context
from fairway.serving.inpod.programs.kserve_api.constants import INFERENCE_CONTENT_LENGTH_HEADER, PredictorProtocol
from fairway.serving.inpod.programs.kserve_api.errors import InvalidInput, ModelNotFound, ModelNotReady
from fairway.serving.inpod.programs.kserve_api.infer_messages import InferRequest, InferResponse
from fairway.serving.inpod.programs.kserve_api.model import InferenceVerb
from fairway.serving.inpod.programs.kserve_api.predictor import PredictorConfig
from fairway.serving.inpod.programs.kserve_api.repository import ModelRepository


class DataPlane:
    def __init__(self, model_registry: ModelRepository) -> None:
        self._model_registry = model_registry

    @property
    def model_registry(self) -> ModelRepository:
        return self._model_registry

    @property
    def predictor_config(self) -> PredictorConfig | None:
        return context.get_predictor_config()

    @staticmethod
    async def live() -> dict[str, str]:
        return {"status": "alive"}

    async def ready(self) -> bool:
        """The server is, whatever its models are."""
        return True

    async def model_ready(self, model_name: str, disable_predictor_health_check: bool = False) -> bool:
        model = self.get_model_from_registry(model_name)
        if not disable_predictor_health_check and not await model.predictor_ready():
            return False
        return await self._model_registry.is_model_ready(model_name)

    def metadata(self) -> dict[str, Any]:
        try:
            version = metadata.version("fairway")
        except metadata.PackageNotFoundError:
            version = "unknown"
        return {"name": "fairway", "version": version, "extensions": ["model_repository_extension"]}

    async def model_metadata(self, model_name: str) -> dict[str, Any]:
        model = self.get_model_from_registry(model_name)
        inputs, outputs = model.get_input_types(), model.get_output_types()
        if inspect.isawaitable(inputs):
            inputs, outputs = await inputs, await outputs
        return {"name": model_name, "platform": "", "inputs": inputs, "outputs": outputs}

    def get_model_from_registry(self, name: str) -> Any:
        model = self._model_registry.get_model(name)
        if model is None:
            raise ModelNotFound(name)
        return model

    async def get_model(self, name: str) -> Any:
        model = self.get_model_from_registry(name)
        if not await self._model_registry.is_model_ready(name):
            raise ModelNotReady(name)
        return model

    def decode(
        self,
        body: Any,
        headers: Mapping[str, str] | None,
        protocol_version: str = PredictorProtocol.REST_V1.value,
        model_name: str | None = None,
    ) -> tuple[Any, dict[str, Any]]:
        """The payload, and what `encode` must know of the request."""
        if protocol_version == PredictorProtocol.REST_V2.value:
            return self._decode_v2(body, headers or {}, model_name or ""), {}
        if not isinstance(body, bytes | str):
            return body, {}
        try:
            return orjson.loads(body), {}
        except orjson.JSONDecodeError as wrong:
            raise InvalidInput(f"Unrecognized request format: {wrong}") from None

    def encode(
        self, model_name: str, response: Any, headers: Mapping[str, str] | None, req_attributes: dict[str, Any]
    ) -> tuple[Any, dict[str, str]]:
        return response, {}

    async def infer(
        self, model_name: str, request: Any, headers: dict[str, str] | None = None
    ) -> tuple[Any, dict[str, str]]:
        return await self._call(model_name, request, headers, InferenceVerb.PREDICT)

    async def explain(
        self, model_name: str, request: Any, headers: dict[str, str] | None = None
    ) -> tuple[Any, dict[str, str]]:
        return await self._call(model_name, request, headers, InferenceVerb.EXPLAIN)

    async def _call(
        self, name: str, request: Any, headers: dict[str, str] | None, verb: InferenceVerb
    ) -> tuple[Any, dict[str, str]]:
        model = await self.get_model(name)
        response, response_headers = await model(request, headers, verb)
        if isinstance(response, InferResponse) and not isinstance(request, InferRequest):
            response = response.to_grpc()
        return response, dict(response_headers or {})

    def _decode_v2(self, body: Any, headers: Mapping[str, str], model_name: str) -> InferRequest:
        if not isinstance(body, bytes):
            return InferRequest.from_inference_request(body, model_name)
        head = headers.get(INFERENCE_CONTENT_LENGTH_HEADER)
        return InferRequest.from_bytes(body, int(head) if head else len(body), model_name)
