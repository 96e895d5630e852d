"""InferenceRESTClient: calls a model by V1 or V2 over httpx, as KServe's own client does, for transformers and others.

Without httpx in the environment, importing this says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import httpx
import orjson

from fairway.serving.inpod.programs.kserve_api import logs, payloads
from fairway.serving.inpod.programs.kserve_api.constants import INFERENCE_CONTENT_LENGTH_HEADER, PredictorProtocol
from fairway.serving.inpod.programs.kserve_api.errors import UnsupportedProtocol
from fairway.serving.inpod.programs.kserve_api.infer_messages import InferRequest, InferResponse

_HEADER = INFERENCE_CONTENT_LENGTH_HEADER


class RESTConfig:
    """How to speak with the server. `retries` are of failed connections only."""

    def __init__(
        self,
        transport: httpx.AsyncBaseTransport | None = None,
        protocol: str | PredictorProtocol = "v1",
        retries: int = 3,
        http2: bool = False,
        timeout: Any = 60,
        cert: Any = None,
        verify: Any = True,
        auth: Any = None,
        verbose: bool = False,
    ) -> None:
        self.protocol = protocol.value if isinstance(protocol, PredictorProtocol) else protocol
        self.transport, self.retries, self.http2, self.timeout = transport, retries, http2, timeout
        self.cert, self.verify, self.auth, self.verbose = cert, verify, auth, verbose


class InferenceRESTClient:
    def __init__(self, config: RESTConfig | None = None) -> None:
        self._config = config or RESTConfig()
        c = self._config
        transport = c.transport or httpx.AsyncHTTPTransport(
            retries=c.retries, http2=c.http2, verify=c.verify, cert=c.cert
        )
        self._client = httpx.AsyncClient(transport=transport, timeout=c.timeout, auth=c.auth)

    async def infer(
        self,
        base_url: httpx.URL | str,
        data: InferRequest | dict[str, Any],
        model_name: str | None = None,
        headers: Mapping[str, str] | None = None,
        response_headers: dict[str, str] | None = None,
        is_graph_endpoint: bool = False,
        timeout: Any = httpx.USE_CLIENT_DEFAULT,
    ) -> InferResponse | dict[str, Any]:
        """An InferResponse where V2 is spoken, and a dictionary for V1 and for graphs.

        Raises ValueError where a model is called without its name, UnsupportedProtocol, and httpx's exceptions.
        """
        v2 = payloads.is_v2(self._config.protocol)
        if is_graph_endpoint:
            path = ""
        elif model_name is None:
            raise ValueError("A model is called by its name; give model_name.")
        else:
            path = self._path(f"v1/models/{model_name}:predict", f"v2/models/{model_name}/infer")
        content, sent = _body(data, headers)
        response = await self._client.post(_url(base_url, path), content=content, headers=sent, timeout=timeout)
        self._check(response)
        if response_headers is not None:
            response_headers.update(response.headers)
        if is_graph_endpoint or not v2:
            document: dict[str, Any] = orjson.loads(response.content)
            return document
        head = response.headers.get(_HEADER)
        return InferResponse.from_bytes(response.content, int(head) if head else len(response.content))

    async def explain(
        self,
        base_url: httpx.URL | str,
        model_name: str,
        data: dict[str, Any],
        headers: Mapping[str, str] | None = None,
        timeout: Any = httpx.USE_CLIENT_DEFAULT,
    ) -> dict[str, Any]:
        url = _url(base_url, self._path(f"v1/models/{model_name}:explain", None))
        content, sent = _body(data, headers)
        response = await self._client.post(url, content=content, headers=sent, timeout=timeout)
        self._check(response)
        document: dict[str, Any] = orjson.loads(response.content)
        return document

    async def is_server_ready(
        self,
        base_url: httpx.URL | str,
        headers: Mapping[str, str] | None = None,
        timeout: Any = httpx.USE_CLIENT_DEFAULT,
    ) -> bool:
        return (await self._about(base_url, self._path(None, "v2/health/ready"), headers, timeout)) is not None

    async def is_server_live(
        self,
        base_url: httpx.URL | str,
        headers: Mapping[str, str] | None = None,
        timeout: Any = httpx.USE_CLIENT_DEFAULT,
    ) -> bool:
        about = await self._about(base_url, self._path("", "v2/health/live"), headers, timeout)
        return about is not None and about.get("status", "alive") == "alive"

    async def is_model_ready(
        self,
        base_url: httpx.URL | str,
        model_name: str,
        headers: Mapping[str, str] | None = None,
        timeout: Any = httpx.USE_CLIENT_DEFAULT,
    ) -> bool:
        path = self._path(f"v1/models/{model_name}", f"v2/models/{model_name}/ready")
        about = await self._about(base_url, path, headers, timeout)
        return about is not None and str(about.get("ready", True)).lower() == "true"

    async def close(self) -> None:
        await self._client.aclose()

    async def __aenter__(self) -> InferenceRESTClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _path(self, v1: str | None, v2: str | None) -> str:
        path = v1 if payloads.is_v1(self._config.protocol) else v2 if payloads.is_v2(self._config.protocol) else None
        if path is None:
            raise UnsupportedProtocol(str(self._config.protocol))
        return path

    async def _about(
        self, base_url: httpx.URL | str, path: str, headers: Mapping[str, str] | None, timeout: Any
    ) -> dict[str, Any] | None:
        """The document, empty where there is none; None where the server says that it is not ready."""
        response = await self._client.get(_url(base_url, path), headers=headers, timeout=timeout)
        if response.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            return None
        self._check(response)
        document: dict[str, Any] = orjson.loads(response.content) if response.content else {}
        return document

    def _check(self, response: httpx.Response) -> None:
        if self._config.verbose:
            logs.logger.info("%s %s: %s", response.request.method, response.url, response.status_code)
        if not response.is_success:
            raise httpx.HTTPStatusError(
                f"{_said(response)}, '{response.status_code} {response.reason_phrase}' for url '{response.url}'",
                request=response.request,
                response=response,
            )


class InferenceClientFactory:
    """The clients of a process, one for each protocol, made when they are first asked for."""

    _instance: ClassVar[InferenceClientFactory | None] = None
    _rest_v1_client: InferenceRESTClient | None = None
    _rest_v2_client: InferenceRESTClient | None = None
    _grpc_client: Any = None

    def __new__(cls) -> InferenceClientFactory:
        if cls._instance is None:
            cls._instance = super().__new__(cls)
        return cls._instance

    def get_rest_client(self, config: RESTConfig | None = None) -> InferenceRESTClient:
        name = "_rest_v2_client" if config is not None and payloads.is_v2(config.protocol) else "_rest_v1_client"
        client: InferenceRESTClient | None = getattr(self, name)
        if client is None:
            client = InferenceRESTClient(config)
            setattr(self, name, client)
        return client

    def get_grpc_client(self, url: str, **options: Any) -> Any:
        from fairway.serving.inpod.programs.kserve_api import grpc_client  # noqa: PLC0415  grpcio is optional

        if self._grpc_client is None:
            self._grpc_client = grpc_client.InferenceGRPCClient(url, **options)
        return self._grpc_client

    async def close(self) -> None:
        for name in ("_rest_v1_client", "_rest_v2_client", "_grpc_client"):
            if client := getattr(self, name):
                await client.close()
                setattr(self, name, None)


def _url(base: httpx.URL | str, path: str) -> httpx.URL:
    """Beneath the base, whatever path that has itself."""
    url = httpx.URL(base)
    if url.scheme not in ("http", "https"):
        raise httpx.InvalidURL("Base url should have 'http://' or 'https://' protocol")
    return url.copy_with(path=f"{url.path.rstrip('/')}/{path}") if path else url


def _body(data: Any, headers: Mapping[str, str] | None) -> tuple[bytes, dict[str, str]]:
    sent = {"content-type": "application/json", **{name.lower(): value for name, value in (headers or {}).items()}}
    if isinstance(data, InferRequest):
        content, head = data.to_rest()
        if isinstance(content, bytes):
            return content, {**sent, _HEADER: str(head), "content-type": "application/octet-stream"}
        data = content
    if isinstance(data, bytes):
        return data, sent
    return orjson.dumps(data, option=orjson.OPT_SERIALIZE_NUMPY), sent


def _said(response: httpx.Response) -> str:
    if response.headers.get("content-type", "").startswith("application/json"):
        document = response.json()
        return str(document.get("error", document) if isinstance(document, dict) else document)
    return ""
