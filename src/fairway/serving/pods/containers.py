"""A container that serves: where it listens, how it is asked whether it is ready, and what it finds in its environment.

Pure. Nothing that the user gave is changed but for what says where the model or the predictor is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fairway.kernel.objects.kinds import Object
from fairway.serving.component import Ports
from fairway.serving.runtimes import built_in

SERVER = built_in.CONTAINER
TRANSFORMER = "transformer-container"
_PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
POD_IP: Object = {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}


def server_first(given: Sequence[Object]) -> list[Object]:
    """The container that serves under KServe's name for it, then the others: the one so named, or else the first."""
    others = list(given)
    at = next((number for number, one in enumerate(others) if one.get("name") == SERVER), 0)
    return [{**others.pop(at), "name": SERVER}, *others]


def ports(container: Object) -> Ports:
    """By the names of its ports, as Knative and Istio have them; without any it listens where KServe's servers do."""
    given = container.get("ports") or ()
    if not given:
        return Ports(8080, 8081 if built_in.ours(container) else None)
    grpc = [port["containerPort"] for port in given if speaks_grpc(port)]
    http = [port["containerPort"] for port in given if not speaks_grpc(port)]
    return Ports(http[0] if http else None, grpc[0] if grpc else None)


def speaks_grpc(port: Object) -> bool:
    return str(port.get("name") or "").split("-")[0] in ("h2c", "grpc")


def listening(container: Object) -> Object:
    """With its ports named, and asked whether it is ready unless the user said how."""
    where = ports(container)
    named = [("http", where.http), ("grpc", where.grpc)]
    given = container.get("ports") or [
        {"name": name, "containerPort": port, "protocol": "TCP"} for name, port in named if port
    ]
    return {
        **container,
        "ports": given,
        **_probes(container, where),
        "terminationMessagePolicy": container.get("terminationMessagePolicy") or "FallbackToLogsOnError",
    }


def found_by_name(container: Object, others: Iterable[Object]) -> Object:
    """With a name for the port at which it is asked, unless that or one of `others`, in the same pod, has the name: by
    it each pod is asked at its own port while pods that listen elsewhere take its place."""
    given = container["ports"]
    names = {port.get("name") for one in (container, *others) for port in one.get("ports") or ()}
    at = next((number for number, port in enumerate(given) if port["containerPort"] == ports(container).http), None)
    if at is None or given[at].get("name") or "http" in names:
        return container
    return {**container, "ports": [*given[:at], {**given[at], "name": "http"}, *given[at + 1 :]]}


def with_env(container: Object, entries: Iterable[Object]) -> Object:
    """With further variables in front; one that it has itself stays as it is."""
    own = container.get("env") or []
    names = {entry["name"] for entry in own}
    return {**container, "env": [*(entry for entry in entries if entry["name"] not in names), *own]}


def variable(container: Object, name: str) -> str | None:
    return next((entry.get("value") for entry in container.get("env") or () if entry["name"] == name), None)


def argument(container: Object, flag: str) -> str | None:
    """The value of --flag=value or --flag value, the last one where there are several."""
    found = None
    given = list(container.get("args") or ())
    for position, text in enumerate(given):
        if text.startswith(f"{flag}="):
            found = text.partition("=")[2]
        elif text == flag and position + 1 < len(given):
            found = given[position + 1]
    return found


def _probes(container: Object, where: Ports) -> Object:
    """Start is asked for often and for long, because a large model may load for minutes; a model that cannot load
    ends its process, so that nobody waits for that."""
    port = where.http or where.grpc
    given = {name: _with_port(container[name], port) for name in _PROBES if container.get(name)}
    if "readinessProbe" in given:
        return given
    if built_in.ours(container):
        # Our server listens for HTTP also where the user names a gRPC port alone.
        asked: Object = {"httpGet": {"path": "/v2/health/ready", "port": where.http or 8080}, "timeoutSeconds": 2}
    else:
        asked = {"tcpSocket": {"port": port}, "timeoutSeconds": 1}
    start = {**asked, "periodSeconds": 1, "failureThreshold": 1800}
    return {"startupProbe": start, "readinessProbe": {**asked, "periodSeconds": 5, "failureThreshold": 3}, **given}


def _with_port(probe: Object, port: int | None) -> Object:
    """A probe that says no port asks the one that the container serves at, as Knative has it."""
    for kind in ("httpGet", "tcpSocket"):
        if probe.get(kind) is not None and not probe[kind].get("port"):
            return {**probe, kind: {**probe[kind], "port": port}}
    return probe
