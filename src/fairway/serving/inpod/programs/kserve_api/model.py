"""Model, the class that programs derive from: preprocess, validate, predict or explain, postprocess.

Each may be a coroutine or not, and may be left out: `predict` then asks the predictor that the process was told of.
`programs.kserve` calls a model; this module does not know of a server.
"""

from __future__ import annotations

import inspect
import os
import time
from collections.abc import Mapping
from contextlib import contextmanager
from enum import Enum
from typing import TYPE_CHECKING, Any

from fairway.serving.inpod.programs.kserve_api import context, logs
from fairway.serving.inpod.programs.kserve_api.constants import EXPLAINER_BASE_URL_FORMAT, PredictorProtocol
from fairway.serving.inpod.programs.kserve_api.errors import InvalidInput
from fairway.serving.inpod.programs.kserve_api.infer_messages import InferRequest, InferResponse
from fairway.serving.inpod.programs.kserve_api.predictor import PredictorConfig

if TYPE_CHECKING:
    from collections.abc import Iterator

_SOON = 3.0
"""Seconds in which a predictor says whether it is ready."""
FORWARDABLE_HEADERS = frozenset({"x-request-id", "x-b3-traceid", "authorization"})


def append_forwardable_headers(
    headers: Mapping[str, str] | None, base: Mapping[str, str] | None = None
) -> dict[str, str]:
    """`base`, and those of the caller's headers that a predictor may see."""
    return {**(base or {}), **{name: value for name, value in (headers or {}).items() if name in FORWARDABLE_HEADERS}}


class InferenceVerb(Enum):
    EXPLAIN = 1
    PREDICT = 2


class BaseKServeModel:
    """What a repository holds: a name, and whether it is ready."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.ready = False
        self.engine = False

    async def healthy(self) -> bool:
        return self.ready

    async def predictor_ready(self) -> bool:
        """Of a model without a predictor there is nothing to ask."""
        return True

    def load(self) -> bool:
        self.ready = True
        return self.ready

    def start(self) -> None:
        self.ready = True

    async def start_engine(self) -> None:
        self.ready = True

    def stop(self) -> None:
        self.ready = False

    def stop_engine(self) -> None:
        self.ready = False


class InferenceModel(BaseKServeModel):
    def get_input_types(self) -> list[dict[str, Any]]:
        return []

    def get_output_types(self) -> list[dict[str, Any]]:
        return []


class Model(InferenceModel):
    def __init__(self, name: str, return_response_headers: bool = False) -> None:
        super().__init__(name)
        self.explainer_host: str | None = None
        self.use_ssl = False
        self.enable_latency_logging = False
        self.required_response_headers = return_response_headers
        self._http_client_instance: Any = None
        self._grpc_client_stub: Any = None

    @property
    def predictor_config(self) -> PredictorConfig | None:
        return context.get_predictor_config()

    async def __call__(
        self, body: Any, headers: dict[str, str] | None = None, verb: InferenceVerb = InferenceVerb.PREDICT
    ) -> tuple[Any, dict[str, str]]:
        """The answer, and the response headers that the model set."""
        response_headers: dict[str, str] = {}
        extra = (response_headers,) if self.required_response_headers else ()
        took: dict[str, float] = {}
        with _timed(took, "preprocess"):
            payload = self.validate(await _settled(self.preprocess(body, headers)))
        if verb is InferenceVerb.EXPLAIN:
            with _timed(took, "explain"):
                response = await _settled(self.explain(payload, headers))
        else:
            with _timed(took, "predict"):
                response = await _settled(self.predict(payload, headers, *extra))
        with _timed(took, "postprocess"):
            response = await _settled(self.postprocess(response, headers, *extra))
        if self.enable_latency_logging:
            times = ", ".join(f"{name}_ms: {seconds * 1000:.3f}" for name, seconds in took.items())
            logs.trace_logger.info("requestId: %s, %s", (headers or {}).get("x-request-id", "N.A."), times)
        return response, response_headers

    @property
    def asks_predictor(self) -> bool:
        """Whether being ready is to depend on the predictor."""
        config = self.predictor_config
        return config is not None and config.predictor_health_check

    async def predictor_ready(self) -> bool:
        """Whether the predictor says that it can answer for this model, where it is to be asked."""
        config = self.predictor_config
        if config is None or not config.predictor_health_check:
            return True
        try:  # with clients of its own, as those that predict belong to the loop in which they do
            if config.protocol == PredictorProtocol.GRPC_V2.value:
                async with self._new_grpc_client(config, _SOON) as grpc:
                    return bool(await grpc.is_model_ready(self.name))
            from fairway.serving.inpod.programs.kserve_api import rest_client  # noqa: PLC0415  httpx is optional

            async with rest_client.InferenceRESTClient(self._rest_config(_SOON)) as http:
                return bool(await http.is_model_ready(config.predictor_base_url, self.name))
        except Exception as absent:  # whatever keeps it from saying so
            logs.logger.debug("The predictor of %s does not answer: %s", self.name, absent)
            return False

    def validate(self, payload: Any) -> Any:
        """Raises InvalidInput where the payload is not what the predictor's protocol wants."""
        config = self.predictor_config
        if config is None or not isinstance(payload, dict):
            return payload
        name = {PredictorProtocol.REST_V2.value: "inputs", PredictorProtocol.REST_V1.value: "instances"}
        wanted = name.get(config.protocol)
        if wanted in payload and not isinstance(payload[wanted], list):
            raise InvalidInput(f'Expected "{wanted}" to be a list')
        return payload

    async def preprocess(self, payload: Any, headers: dict[str, str] | None = None) -> Any:
        return payload

    async def postprocess(
        self, result: Any, headers: dict[str, str] | None = None, response_headers: dict[str, str] | None = None
    ) -> Any:
        return result

    async def predict(
        self, payload: Any, headers: dict[str, str] | None = None, response_headers: dict[str, str] | None = None
    ) -> Any:
        """Asks the predictor."""
        config = self.predictor_config
        if config is None:
            raise NotImplementedError("The model has no predict of its own, and no predictor is configured.")
        if not config.predictor_host:
            raise NotImplementedError("The model has no predict of its own, and the predictor has no host.")
        if config.protocol == PredictorProtocol.GRPC_V2.value:
            return await self._grpc_predict(payload, headers)
        return await self._http_predict(payload, headers, response_headers)

    async def explain(self, payload: Any, headers: dict[str, str] | None = None) -> Any:
        """Asks the explainer, where `explainer_host` names one."""
        if self.explainer_host is None:
            raise NotImplementedError("The model has no explain of its own, and no explainer_host.")
        base = {"content-type": (headers or {}).get("content-type", "application/json")}
        url = EXPLAINER_BASE_URL_FORMAT.format("https" if self.use_ssl else "http", self.explainer_host)
        return await self._http_client.explain(
            url, model_name=self.name, data=payload, headers=append_forwardable_headers(headers, base)
        )

    async def _http_predict(
        self, payload: Any, headers: dict[str, str] | None = None, response_headers: dict[str, str] | None = None
    ) -> InferResponse | dict[str, Any]:
        assert self.predictor_config is not None
        answer: InferResponse | dict[str, Any] = await self._http_client.infer(
            self.predictor_config.predictor_base_url,
            model_name=self.name,
            data=payload,
            headers=append_forwardable_headers(headers, {"Content-Type": "application/json"}),
            response_headers=response_headers,
        )
        return answer

    async def _grpc_predict(self, payload: Any, headers: dict[str, str] | None = None) -> InferResponse:
        request = payload if isinstance(payload, InferRequest) else InferRequest.from_grpc(payload)
        metadata = [("request_type", "grpc_v2"), ("response_type", "grpc_v2")]
        metadata += append_forwardable_headers(headers).items()
        answer: InferResponse = await self._grpc_client.infer(infer_request=request, headers=tuple(metadata))
        return answer

    @property
    def _http_client(self) -> Any:
        from fairway.serving.inpod.programs.kserve_api import rest_client  # noqa: PLC0415  httpx is optional

        if self._http_client_instance is None:
            self._http_client_instance = rest_client.InferenceClientFactory().get_rest_client(self._rest_config())
        return self._http_client_instance

    def _rest_config(self, timeout: float | None = None) -> Any:
        from fairway.serving.inpod.programs.kserve_api import rest_client  # noqa: PLC0415  httpx is optional

        config = self.predictor_config
        bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
        return rest_client.RESTConfig(
            protocol=config.protocol if config else PredictorProtocol.REST_V1,
            timeout=timeout or (config.timeout if config else 600),
            retries=config.retries if config and not timeout else 0,
            verify=bundle or True,
        )

    @property
    def _grpc_client(self) -> Any:
        config = self.predictor_config
        if config is None:
            raise RuntimeError("There is no predictor to call: no PredictorConfig was given.")
        if self._grpc_client_stub is None:
            self._grpc_client_stub = self._new_grpc_client(config)
        return self._grpc_client_stub

    def _new_grpc_client(self, config: PredictorConfig, timeout: float | None = None) -> Any:
        from fairway.serving.inpod.programs.kserve_api import grpc_client  # noqa: PLC0415  grpcio is optional

        return grpc_client.InferenceGRPCClient(
            config.predictor_host,
            use_ssl=config.use_ssl,
            timeout=timeout or config.timeout,
            retries=0 if timeout else config.retries,
        )


async def _settled(value: Any) -> Any:
    return await value if inspect.isawaitable(value) else value


@contextmanager
def _timed(took: dict[str, float], name: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    took[name] = time.perf_counter() - started
