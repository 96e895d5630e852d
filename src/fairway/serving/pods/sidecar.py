"""The sidecar `agent` before a container that serves: it logs, batches, counts and limits requests. Pure.

It is there where the component has a logger or a batcher, and before a container that is not our own server where
requests have to be limited or counted. Requests over HTTP go through it; gRPC goes to the container.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import Object
from fairway.serving.component import Ports, Scaling
from fairway.serving.runtimes import built_in
from fairway.serving.storage.credentials import Given

NAME = "agent"
PORT = 9081
_COMMAND = ["python3", "-m", "fairway.serving.inpod.sidecar"]
_SMALL: Object = {"requests": {"cpu": "50m", "memory": "64Mi"}}
_POD_IP: Object = {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
_POD_NAME: Object = {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
_BY_REQUESTS = ("concurrency", "rps")


def is_wanted(part: Object, front: Object, scaling: Scaling, ports: Ports, *, knative: bool) -> bool:
    """`front` is the container that takes the component's requests."""
    if ports.http is None:
        return False
    if part.get("logger") or part.get("batcher"):
        return True
    counted = scaling.least == 0 or scaling.metric in _BY_REQUESTS or (knative and scaling.metric == "")
    return not built_in.ours(front) and bool(part.get("containerConcurrency") or counted)


def container(isvc: Object, role: str, part: Object, front: Object, ports: Ports, given: Given) -> Object:
    """`given` are the credentials of the place where what was logged is kept."""
    probe = {
        key: value for key, value in (front.get("readinessProbe") or {}).items() if key in ("httpGet", "tcpSocket")
    }
    path = (probe.get("httpGet") or {}).get("path") or "/"
    asked: Object = {"httpGet": {"path": path, "port": PORT}, "timeoutSeconds": 2}
    env = [_POD_IP, _POD_NAME, *given.env]
    if probe:
        env.append({"name": "SERVING_READINESS_PROBE", "value": json.dumps(probe, sort_keys=True)})
    return {
        "name": NAME,
        "image": built_in.IMAGE,
        "command": _COMMAND,
        "args": [*_arguments(isvc, role, part, front), "--host=$(POD_IP)", f"--component-port={ports.http}"],
        "env": env,
        "ports": [{"name": "agent-port", "containerPort": PORT, "protocol": "TCP"}],
        "volumeMounts": list(given.mounts),
        "resources": _SMALL,
        "startupProbe": {**asked, "periodSeconds": 1, "failureThreshold": 1800},
        "readinessProbe": {**asked, "periodSeconds": 5, "failureThreshold": 3},
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }


def _arguments(isvc: Object, role: str, part: Object, front: Object) -> Iterator[str]:
    if part.get("batcher"):
        yield from _batching(part["batcher"])
    if part.get("logger"):
        yield from _logging(isvc, role, part["logger"])
    if part.get("containerConcurrency") and not built_in.ours(front):
        yield f"--container-concurrency={part['containerConcurrency']}"


def _batching(batcher: Mapping[str, Any]) -> Iterator[str]:
    yield "--enable-batcher"
    for field, flag in (("maxBatchSize", "max-batchsize"), ("maxLatency", "max-latency"), ("timeout", "batch-timeout")):
        if batcher.get(field) is not None:
            yield f"--{flag}={batcher[field]}"


def _logging(isvc: Object, role: str, logger: Mapping[str, Any]) -> Iterator[str]:
    yield f"--log-url={logger['url']}"
    yield f"--log-mode={logger.get('mode') or 'all'}"
    yield "--source-uri=$(POD_NAME)"
    yield f"--inference-service={meta.name(isvc)}"
    yield f"--namespace={meta.namespace(isvc)}"
    yield f"--component={role}"
    storage = logger.get("storage") or {}
    named = [
        ("log-store-path", storage.get("path")),
        ("log-store-format", (storage.get("parameters") or {}).get("format")),
        ("log-marshaller-url", logger.get("marshallerUrl")),
        ("log-batch-size", logger.get("batchSize")),
        ("log-batch-interval", logger.get("batchInterval")),
        ("metadata-headers", ",".join(logger.get("metadataHeaders") or ())),
        ("metadata-annotations", ",".join(_annotations(isvc, logger))),
    ]
    for flag, value in named:
        if value:
            yield f"--{flag}={value}"


def _annotations(isvc: Object, logger: Mapping[str, Any]) -> Iterator[str]:
    there = meta.annotations(isvc)
    for name in logger.get("metadataAnnotations") or ():
        if name in there:
            yield f"{name}={there[name]}"
