"""pods/log: which container, whether it can have a log, and then whoever keeps the logs."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from fairway.cluster.api import reading
from fairway.cluster.api.backend import Backend
from fairway.cluster.api.calls import Call
from fairway.cluster.api.pods.podlogs import LogOptions
from fairway.kernel import clock as time
from fairway.kernel.objects import errors, pod_statuses
from fairway.kernel.objects.kinds import Object

_ALL, _STREAMS = "All", {"Stdout": "stdout", "Stderr": "stderr"}


def open_log(backend: Backend, call: Call) -> AsyncGenerator[bytes, None]:
    """Raises BadRequest, in upstream's words, where there can be no log."""
    if call.subresource != "log":
        raise errors.BadRequest("only the log of a pod is a stream here")
    pod = reading.found(backend.store, call).object
    if backend.logs is None:
        raise errors.Unavailable("nobody keeps pods' logs on this server: it runs without a node agent")
    container = container_of(pod, call.query.get("container", ""))
    previous = call.flag("previous")
    _started(pod, container, previous)
    options = LogOptions(
        container,
        follow=call.flag("follow"),
        previous=previous,
        timestamps=call.flag("timestamps"),
        tail_lines=_at_least(call, "tailLines", 0, "must be greater than or equal to 0"),
        since=_since(backend, call),
        limit_bytes=_positive(call, "limitBytes"),
        stream=_stream(call),
    )
    return backend.logs.read(pod, options)


def _positive(call: Call, name: str) -> int | None:
    return _at_least(call, name, 1, "must be greater than 0")


def _at_least(call: Call, name: str, least: int, rule: str) -> int | None:
    value = call.number(name)
    if value is not None and value < least:
        raise call.served.invalid(call.name, [errors.Cause(name, f"Invalid value: {value}: {rule}")])
    return value


def _stream(call: Call) -> str:
    """Raises Invalid where that is none, or the last lines of one stream are wanted, which nobody counts."""
    asked = call.query.get("stream") or _ALL
    problems = []
    if asked not in (_ALL, *_STREAMS):
        text = f'Unsupported value: "{asked}": supported values: "All", "Stderr", "Stdout"'
        problems.append(errors.Cause("stream", text))
    if asked in _STREAMS and call.query.get("tailLines"):
        text = "Forbidden: `tailLines` and specific `stream` are mutually exclusive for now"
        problems.append(errors.Cause("tailLines", text))
    if problems:
        raise call.served.invalid(call.name, problems)
    return _STREAMS.get(asked, "")


def _since(backend: Backend, call: Call) -> float | None:
    moment = call.query.get("sinceTime", "")
    if not moment:
        seconds = _positive(call, "sinceSeconds")
        return None if seconds is None else backend.clock.now() - seconds
    if call.query.get("sinceSeconds"):
        text = "Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified"
        raise call.served.invalid(call.name, [errors.Cause("", text)])
    try:
        return time.parse(moment)
    except ValueError:
        raise errors.BadRequest(f'sinceTime: "{moment}" is no RFC 3339 time') from None


def container_of(pod: Object, asked: str) -> str:
    """The container that is meant: the one asked for, the pod's default, or its only one. Raises BadRequest."""
    name, spec = pod["metadata"]["name"], pod["spec"]
    containers = [container["name"] for container in spec.get("containers") or ()]
    init = [container["name"] for container in spec.get("initContainers") or ()]
    if asked:
        if asked not in (*containers, *init):
            raise errors.BadRequest(f"container {asked} is not valid for pod {name}")
        return asked
    default = (pod["metadata"].get("annotations") or {}).get("kubectl.kubernetes.io/default-container")
    if default in containers:
        return str(default)
    if len(containers) == 1:
        return str(containers[0])
    text = f"a container name must be specified for pod {name}, choose one of: [{' '.join(containers)}]"
    if init:
        text += f" or one of the init containers: [{' '.join(init)}]"
    raise errors.BadRequest(text)


def _started(pod: Object, container: str, previous: bool) -> None:
    name = pod["metadata"]["name"]
    if not pod["spec"].get("nodeName"):
        raise errors.BadRequest(f"pod {name} does not have a host assigned")
    state = pod_statuses.of_container(pod, container)
    if previous:
        if not (state.get("lastState") or {}).get("terminated"):
            raise errors.BadRequest(f'previous terminated container "{container}" in pod "{name}" not found')
        return
    waiting = (state.get("state") or {}).get("waiting")
    if not state or (waiting and not (state.get("lastState") or {}).get("terminated")):
        reason = (waiting or {}).get("reason") or "ContainerCreating"
        raise errors.BadRequest(f'container "{container}" in pod "{name}" is waiting to start: {reason}')
