"""What a scientist calls: deploy a model, wait until it answers, ask it.

>>> service = deploy("iris", "models/iris.joblib")     # doctest: +SKIP
>>> service.predict([[6.8, 2.8, 4.8, 1.4]])            # doctest: +SKIP
[1]

Synchronous, because notebooks and scripts are; underneath it is the same client that everything else uses.
"""

from __future__ import annotations

import asyncio
import json
import os
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from fairway.kernel.client import kubeconfig
from fairway.kernel.client.client import Client
from fairway.kernel.client.http import HTTPTransport
from fairway.kernel.objects import conditions, meta, patching
from fairway.kernel.objects.kinds import Object
from fairway.serving.kinds import INFERENCE_SERVICE
from fairway.serving.spec import defaults

T = TypeVar("T")


class ServingError(Exception):
    """The service cannot be deployed, or refused a request; the text says why."""


@dataclass(frozen=True)
class Deployed:
    """A service as it is. `reason` says why it is not ready."""

    name: str
    namespace: str
    ready: bool
    format: str
    url: str
    reason: str = ""


_PROTOCOLS = {"mlflow": "v2", "onnx": "v2", "triton": "v2"}
"""Formats whose runtimes speak nothing but V2."""


@dataclass(frozen=True)
class Service:
    """A deployed model. `url` is its address by path; `token` is sent with each request."""

    name: str
    url: str
    token: str = ""

    def predict(self, rows: Sequence[Any], *, timeout: float = 60.0) -> list[Any]:
        return predict(self.url, self.name, rows, token=self.token, timeout=timeout)


def deploy(
    name: str,
    storage_uri: str | Path,
    *,
    format: str = "",
    runtime: str = "",
    protocol: str = "",
    env: Mapping[str, str] | None = None,
    args: Sequence[str] = (),
    namespace: str = "default",
    kubeconfig_file: str | Path | None = None,
    timeout: float = 120.0,
    **predictor: Any,
) -> Service:
    """Create or change the InferenceService, and return once this version answers.

    `storage_uri` is a path of this machine or any address that a model may have. `format` is told by the files of a
    path where it is empty. `env` and `args` are what the servers of some formats read, and `predictor` further fields
    of spec.predictor, such as minReplicas=2. Another model under the same address is no change; save it under its own.
    Raises ServingError where the model cannot be served, with the reason.
    """
    uri = str(storage_uri)
    if "://" not in uri:
        uri = Path(uri).expanduser().absolute().as_uri()
    model = _model(uri, format, runtime, protocol, env or {}, args)
    spec = {"predictor": {**predictor, "model": model}}
    file = _file(kubeconfig_file)

    async def work(client: Client) -> Object:
        wanted = INFERENCE_SERVICE.new(name, namespace, spec=spec)
        found = await client.find(INFERENCE_SERVICE, name, namespace)
        if found:
            # All of the spec: what was asked for the last time and not now goes.
            changes = patching.diff(found["spec"], spec)
            made = await client.patch(INFERENCE_SERVICE, name, namespace, {"spec": changes})
        else:
            made = await client.create(INFERENCE_SERVICE, wanted)
        generation = made["metadata"]["generation"]

        def settled(obj: Object | None) -> bool:
            status = (obj or {}).get("status") or {}
            return status.get("observedGeneration") == generation and (_answers(status) or _failure(status) is not None)

        served = await client.wait(INFERENCE_SERVICE, name, namespace, settled, timeout=timeout)
        assert served is not None
        return dict(served["status"])

    try:
        status = _run(file, work)
    except TimeoutError:
        raise ServingError(f"{name} does not answer after {timeout:.0f} s; see kubectl describe isvc {name}") from None
    if failure := _failure(status):
        raise ServingError(f"{name} cannot be served: {failure}")
    return Service(name, status["address"]["url"], kubeconfig.load(file).token)


def services(*, namespace: str = "", kubeconfig_file: str | Path | None = None) -> list[Deployed]:
    """All services, or those of one namespace, by name."""

    async def work(client: Client) -> list[Object]:
        return (await client.list(INFERENCE_SERVICE, namespace or None)).items

    found = sorted(_run(_file(kubeconfig_file), work), key=lambda one: (meta.namespace(one), meta.name(one)))
    return [_deployed(one) for one in found]


def delete(name: str, *, namespace: str = "default", kubeconfig_file: str | Path | None = None) -> bool:
    """Whether there was one."""

    async def work(client: Client) -> bool:
        return await client.delete(INFERENCE_SERVICE, name, namespace)

    return _run(_file(kubeconfig_file), work)


def predict(url: str, name: str, rows: Sequence[Any], *, token: str = "", timeout: float = 60.0) -> list[Any]:
    """Ask a model over V1. `url` is the service's address, without the protocol's own path."""
    body = json.dumps({"instances": list(rows)}).encode()
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
    address = f"{url.rstrip('/')}/v1/models/{name}:predict"
    if not address.startswith(("http://", "https://")):
        raise ServingError(f"{url} is not an http address")
    request = urllib.request.Request(address, body, headers)  # noqa: S310  checked above
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:  # noqa: S310
            return list(json.load(answer)["predictions"])
    except urllib.error.HTTPError as refusal:
        raise ServingError(f"{name} answered {refusal.code}: {_reason(refusal.read())}") from None
    except OSError as failure:
        raise ServingError(f"{url} does not answer: {failure}") from failure


def _model(uri: str, format: str, runtime: str, protocol: str, env: Mapping[str, str], args: Sequence[str]) -> Object:
    name = format or told_by_files(uri)
    model: Object = {
        "modelFormat": {"name": name},
        "storageUri": uri,
        "protocolVersion": protocol or _PROTOCOLS.get(name, ""),
        "runtime": runtime,
        "env": [{"name": key, "value": value} for key, value in sorted(env.items())],
        "args": list(args),
    }
    return {key: value for key, value in model.items() if value}


def told_by_files(uri: str) -> str:
    """The format of a model: of this machine's by its files, elsewhere by its name. Raises ServingError.

    >>> told_by_files("s3://models/iris.onnx"), told_by_files("hf://owner/model")
    ('onnx', 'huggingface')
    """
    from fairway.serving.inpod.formats import detecting  # noqa: PLC0415  it needs numpy, which is optional
    from fairway.serving.inpod.model import CannotLoad  # noqa: PLC0415

    parts = urlsplit(uri)
    place = Path(unquote(parts.path))
    if parts.scheme == "hf":
        return "huggingface"
    if parts.scheme != "file":
        if named := detecting.by_name(place.name):
            return named
        raise ServingError(f"the format of {uri} cannot be told by its name: give it, as in format='sklearn'")
    if not place.exists():
        return "sklearn"  # the server will say that there is nothing
    try:
        return detecting.format_of(place)
    except CannotLoad as reason:
        raise ServingError(f"{reason} Give it, as in format='sklearn'.") from None


def _deployed(isvc: Object) -> Deployed:
    spec, status = isvc.get("spec") or {}, isvc.get("status") or {}
    said = conditions.find(isvc, "Ready") or {}
    _, block = defaults.model(spec.get("predictor") or {}) or ("", {})
    return Deployed(
        name=meta.name(isvc),
        namespace=meta.namespace(isvc),
        ready=said.get("status") == "True",
        format=(block.get("modelFormat") or {}).get("name") or "",
        url=(status.get("address") or {}).get("url") or status.get("url") or "",
        reason="" if said.get("status") == "True" else str(said.get("message") or said.get("reason") or ""),
    )


def _file(named: str | Path | None) -> Path:
    return Path(named or os.environ.get("KUBECONFIG") or Path.home() / ".kube" / "config")


def _run(file: Path, work: Callable[[Client], Awaitable[T]]) -> T:
    """The one bridge from here to the asynchronous client; in a thread, because a notebook has a loop already."""

    async def session() -> T:
        client = Client(HTTPTransport.from_kubeconfig(file))
        try:
            return await work(client)
        finally:
            await client.close()

    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(lambda: asyncio.run(session())).result()


def _answers(status: Object) -> bool:
    """Ready with this version: an older one that still answers is not enough."""
    return conditions.is_true({"status": status}, "Ready") and _transition(status) == "UpToDate"


def _failure(status: Object) -> str | None:
    if _transition(status) not in ("BlockedByFailedLoad", "InvalidSpec"):
        return None
    return str((status["modelStatus"].get("lastFailureInfo") or {}).get("message") or "see its conditions")


def _transition(status: Object) -> str:
    return str((status.get("modelStatus") or {}).get("transitionStatus") or "")


def _reason(body: bytes) -> str:
    try:
        return str(json.loads(body)["error"])
    except (ValueError, KeyError, TypeError):
        return body.decode(errors="replace")[:200]
