"""What an InferenceService asks for, read into one value; what is not supported is refused by name. Pure.

Every refusal is a sentence that says what to do. All of them are found, not only the first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import Object
from fairway.serving import runtimes
from fairway.serving.runtimes import Runtime

DEFAULT_TIMEOUT = 60
LONGEST_NAME = 44
"""Leaves room for `isvc.{name}-predictor` in a label, and for the suffixes of pods."""

STOP = "serving.kserve.io/stop"

_NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")

_FRAMEWORKS = ("xgboost", "tensorflow", "pytorch", "triton", "onnx", "huggingface", "pmml", "lightgbm", "paddle")
_CONTAINER_FIELDS = frozenset(
    ("args", "env", "envFrom", "resources", "livenessProbe", "readinessProbe", "startupProbe", "volumeMounts",
     "securityContext", "imagePullPolicy")
)  # fmt: skip
_POD_FIELDS = frozenset(
    ("serviceAccountName", "nodeSelector", "tolerations", "affinity", "volumes", "imagePullSecrets", "schedulerName",
     "priorityClassName", "securityContext", "automountServiceAccountToken", "terminationGracePeriodSeconds")
)  # fmt: skip
_MODEL_FIELDS = frozenset(("storageUri", "protocolVersion", "runtime", "modelFormat", "name"))
_PREDICTOR_FIELDS = frozenset(
    ("model", "sklearn", "minReplicas", "maxReplicas", "containerConcurrency", "timeout", "labels", "annotations",
     "deploymentStrategy")
)  # fmt: skip

# Known to KServe and not to us, each with what to do instead.
_REFUSED_PARTS = {
    "transformer": "put the transformation into the model, as a scikit-learn Pipeline",
    "explainer": "remove it",
    "canary": "deploy the second model as an InferenceService of its own",
}
_REFUSED_IN_PREDICTOR = {
    "canaryTrafficPercent": "deploy the second model as an InferenceService of its own",
    "logger": "remove it",
    "batcher": "send several rows in one request",
    "workerSpec": "remove it; a model runs on one node",
    "autoScaling": "set minReplicas to the number of replicas you want",
    "scaleTarget": "set minReplicas to the number of replicas you want",
    "scaleMetric": "set minReplicas to the number of replicas you want",
    "scaleMetricType": "set minReplicas to the number of replicas you want",
    "storageUris": "use the one storageUri of the model",
    "storageContainerName": "use a storageUri that is a path or file:///...",
    "name": "remove it; variants of a predictor are not available",
    "containers": "use the model block with modelFormat sklearn; custom predictors are not available",
}
_REFUSED_IN_MODEL = {
    "storage": "use storageUri with a path or file:///...",
    "runtimeVersion": "remove it; the installed scikit-learn is used",
    "image": "remove it; the built-in server is used",
    "command": "remove it; the built-in server is used",
    "ports": "remove it; the server listens on 8080",
    "confidential": "remove it",
}
_ACCEPTED_ANNOTATIONS = {
    "serving.kserve.io/deploymentMode": ("Standard", "RawDeployment"),
    "serving.kserve.io/autoscalerClass": ("none", "hpa"),
    STOP: ("true", "false"),
}


class NotSupported(Exception):
    """`reason` is KServe's word for it; the text is all refusals, one sentence each."""

    def __init__(self, reason: str, sentences: list[str]) -> None:
        super().__init__(" ".join(sentences))
        self.reason = reason


@dataclass(frozen=True)
class Predictor:
    """What is to run. `container` and `pod` are fields of the user's that go into the pod as they are."""

    runtime: Runtime
    location: str
    replicas: int
    most_replicas: int
    concurrency: int
    timeout: int
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    container: Mapping[str, Any]
    pod: Mapping[str, Any]
    strategy: Mapping[str, Any] | None


def stopped(isvc: Object) -> bool:
    return meta.annotations(isvc).get(STOP, "").lower() == "true"


def read(isvc: Object) -> Predictor:
    """Raises NotSupported."""
    spec = isvc.get("spec") or {}
    predictor = spec.get("predictor") or {}
    block, model = _model(predictor)
    where = f"spec.predictor.{block}"
    sentences = [
        *_about_name(isvc),
        *_about_metadata(isvc),
        *_unknown(spec, "spec", {"predictor"}, _REFUSED_PARTS),
        *_unknown(predictor, "spec.predictor", _PREDICTOR_FIELDS | _POD_FIELDS, _refused_in_predictor()),
        *_unknown(model, where, _MODEL_FIELDS | _CONTAINER_FIELDS, _REFUSED_IN_MODEL),
        *_about_numbers(predictor),
        *_about_protocol(model, where),
    ]
    location, problem = _location(model.get("storageUri"), where)
    sentences += problem
    if sentences:
        raise NotSupported("InvalidPredictorSpec", sentences)
    least = predictor.get("minReplicas", 1)
    return Predictor(
        runtime=_runtime(block, model, where),
        location=location,
        replicas=least,
        most_replicas=max(predictor.get("maxReplicas") or 0, least),
        concurrency=predictor.get("containerConcurrency") or 0,
        timeout=predictor.get("timeout") or DEFAULT_TIMEOUT,
        labels=predictor.get("labels") or {},
        annotations=predictor.get("annotations") or {},
        container={field: model[field] for field in sorted(_CONTAINER_FIELDS & model.keys()) if model[field]},
        pod={field: predictor[field] for field in sorted(_POD_FIELDS & predictor.keys())},
        strategy=predictor.get("deploymentStrategy"),
    )


def _model(predictor: Object) -> tuple[str, Object]:
    """The block that says which model, by its name. Raises NotSupported where there is not exactly one."""
    blocks = [name for name in ("model", "sklearn", *_FRAMEWORKS) if predictor.get(name) is not None]
    if predictor.get("containers"):
        raise NotSupported("InvalidPredictorSpec", [_refusal("spec.predictor", "containers", _REFUSED_IN_PREDICTOR)])
    if len(blocks) != 1:
        found = " and ".join(blocks) if blocks else "none"
        text = f"spec.predictor must have exactly one of model or sklearn, and it has {found}."
        raise NotSupported("InvalidPredictorSpec", [text])
    if blocks[0] in _FRAMEWORKS:
        raise NotSupported("NoSupportingRuntime", [_no_runtime(blocks[0])])
    return blocks[0], predictor[blocks[0]]


def _runtime(block: str, model: Object, where: str) -> Runtime:
    wanted = {"name": "sklearn"} if block == "sklearn" else model.get("modelFormat") or {}
    name, version = wanted.get("name") or "", wanted.get("version")
    if not name:
        raise NotSupported("InvalidPredictorSpec", [f"{where}.modelFormat.name is missing; set it to sklearn."])
    chosen = model.get("runtime")
    runtime = runtimes.named(chosen) if chosen else runtimes.for_format(name)
    if runtime is None and chosen:
        known = ", ".join(one.name for one in runtimes.BUILT_IN)
        text = f"{where}.runtime: there is no runtime {chosen!r} here; leave it out, or use one of: {known}."
        raise NotSupported("RuntimeNotRecognized", [text])
    if runtime is None or name not in runtime.formats:
        raise NotSupported("NoSupportingRuntime", [_no_runtime(name)])
    if version and version.partition(".")[0] not in runtime.formats[name]:
        text = f"{where}.modelFormat.version {version!r} is not served by {runtime.name}; leave it out."
        raise NotSupported("NoSupportingRuntime", [text])
    return runtime


def _location(uri: str | None, where: str) -> tuple[str, list[str]]:
    """The path of the model, or why there is none."""
    how = "save the model on this machine and set it to that path, plain or as file:///path"
    if not uri:
        return "", [f"{where}.storageUri is missing; {how}."]
    parts = urlsplit(uri)
    if not parts.scheme:
        if uri.startswith("/"):
            return uri, []
        return "", [f"{where}.storageUri {uri!r} is a relative path; make it absolute."]
    if parts.scheme != "file":
        return "", [f"{where}.storageUri: {parts.scheme}:// is not available; {how}."]
    if parts.netloc not in ("", "localhost") or not parts.path:
        return "", [f"{where}.storageUri {uri!r} names another machine; write file:///absolute/path."]
    return unquote(parts.path), []


def _about_name(isvc: Object) -> Iterator[str]:
    name = meta.name(isvc)
    if not _NAME.fullmatch(name):
        yield f"The name {name!r} must start with a letter and hold only a-z, 0-9 and dashes; create it under another."
    if len(name) > LONGEST_NAME:
        yield f"The name has {len(name)} characters and may have {LONGEST_NAME}; create it under a shorter one."
    elif len(f"{name}-{meta.namespace(isvc)}") > 63:
        yield "Name and namespace together are longer than the 62 characters of a host name; shorten one of them."


def _about_metadata(isvc: Object) -> Iterator[str]:
    for key, value in sorted(meta.annotations(isvc).items()):
        if not key.startswith(("serving.kserve.io/", "autoscaling.knative.dev/", "serving.knative.dev/")):
            continue
        accepted = _ACCEPTED_ANNOTATIONS.get(key, ())
        if value not in accepted:
            how = f"use {' or '.join(accepted)}, or remove it" if accepted else "remove it"
            yield f"The annotation {key}: {value} is not supported; {how}."
    if meta.labels(isvc).get("networking.kserve.io/visibility"):
        yield "The label networking.kserve.io/visibility is not supported; remove it."


def _about_numbers(predictor: Object) -> Iterator[str]:
    least, most = predictor.get("minReplicas", 1), predictor.get("maxReplicas") or 0
    if least == 0:
        yield "spec.predictor.minReplicas: scaling to zero is not available; set it to 1."
    if least < 0 or most < 0 or 0 < most < least:
        yield "spec.predictor: minReplicas must be at least 1, and maxReplicas not below it."
    for field in ("containerConcurrency", "timeout"):
        if (predictor.get(field) or 0) < 0:
            yield f"spec.predictor.{field} must not be negative."


def _about_protocol(model: Object, where: str) -> Iterator[str]:
    protocol = model.get("protocolVersion")
    if protocol and protocol not in ("v1", "v2"):
        yield f"{where}.protocolVersion {protocol!r} is not available; leave it out: v1 and v2 are served over REST."
    if model.get("name"):
        yield f"{where}.name must be empty."


def _unknown(part: Object, where: str, accepted: Set[str], refused: Mapping[str, str]) -> Iterator[str]:
    for field, value in sorted(part.items()):
        if field not in accepted and value not in (None, [], {}, ""):
            yield _refusal(where, field, refused)


def _refusal(where: str, field: str, refused: Mapping[str, str]) -> str:
    return f"{where}.{field} is not supported; {refused.get(field, 'remove it')}."


def _refused_in_predictor() -> dict[str, str]:
    return {**dict.fromkeys(_FRAMEWORKS, "use one model block"), **_REFUSED_IN_PREDICTOR}


def _no_runtime(name: str) -> str:
    known = ", ".join(runtimes.FORMATS)
    return f"No runtime here loads {name} models; save the model in one of these formats: {known}."
