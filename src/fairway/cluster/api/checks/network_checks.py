"""What is wrong with an Ingress, an IngressClass or a NetworkPolicy, and what they do not do here.

They are kept for the tools that write them: traffic is led by HTTPRoutes, and pods of one machine are told apart
by the port guard and not by policies.
"""

from __future__ import annotations

from collections.abc import Iterator

from fairway.cluster.api.checks import causes, pod_checks
from fairway.kernel.objects.errors import Cause
from fairway.kernel.objects.kinds import Object

_PATH_TYPES = ("Exact", "ImplementationSpecific", "Prefix")
_PROTOCOLS = ("SCTP", "TCP", "UDP")


def ingress(obj: Object) -> Iterator[Cause]:
    spec = obj.get("spec") or {}
    rules = causes.items(spec, "rules")
    default = spec.get("defaultBackend")
    if not rules and default is None:
        yield causes.invalid("spec", [], "either `defaultBackend` or `rules` must be specified")
    if default is not None:
        yield from _backend(default, "spec.defaultBackend")
    for number, rule in rules:
        http = rule.get("http")
        if http is None:
            continue
        at = f"spec.rules[{number}].http.paths"
        paths = causes.items(http, "paths")
        if not paths:
            yield causes.required(at)
        for index, path in paths:
            yield from _path(path, f"{at}[{index}]")


def _path(path: Object, at: str) -> Iterator[Cause]:
    type_, text = path.get("pathType"), path.get("path") or ""
    if type_ not in _PATH_TYPES:
        yield causes.unsupported(f"{at}.pathType", type_, *_PATH_TYPES)
    if type_ in ("Exact", "Prefix") and not text.startswith("/"):
        yield causes.invalid(f"{at}.path", text, "must be an absolute path")
    yield from _backend(path.get("backend"), f"{at}.backend")


def _backend(backend: object, at: str) -> Iterator[Cause]:
    found = backend if isinstance(backend, dict) else {}
    service, resource = found.get("service"), found.get("resource")
    if service is not None and resource is not None:
        yield causes.invalid(at, "", "cannot set both resource and service backends")
    elif service is not None:
        if not service.get("name"):
            yield causes.required(f"{at}.service.name")
        port = service.get("port") or {}
        if port.get("name") and port.get("number"):
            yield causes.invalid(f"{at}.service.port", "", "cannot set both port name & port number")
        elif port.get("number"):
            yield from pod_checks.port_number(port["number"], f"{at}.service.port.number")
        elif not port.get("name"):
            yield causes.required(f"{at}", "port name or number is required")
    elif resource is None:
        yield causes.required(at, "resource or service backend is required")


def ingress_warnings(obj: Object) -> Iterator[str]:
    yield "an Ingress leads no traffic on this server: publish the Service with an HTTPRoute"


def ingress_class(obj: Object) -> Iterator[Cause]:
    if not (obj.get("spec") or {}).get("controller"):
        yield causes.required("spec.controller")


def ingress_class_change(new: Object, old: Object) -> Iterator[Cause]:
    before, after = ((obj.get("spec") or {}).get("controller") for obj in (old, new))
    if before != after:
        yield causes.invalid("spec.controller", after, causes.IMMUTABLE)


def policy(obj: Object) -> Iterator[Cause]:
    spec = obj.get("spec") or {}
    for index, type_ in enumerate(spec.get("policyTypes") or ()):
        if type_ not in ("Ingress", "Egress"):
            yield causes.unsupported(f"spec.policyTypes[{index}]", type_, "Egress", "Ingress")
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        for number, rule in causes.items(spec, direction):
            at = f"spec.{direction}[{number}]"
            for index, port in causes.items(rule, "ports"):
                if port.get("protocol") not in _PROTOCOLS:
                    yield causes.unsupported(f"{at}.ports[{index}].protocol", port.get("protocol"), *_PROTOCOLS)
            for index, peer in causes.items(rule, peers):
                if not peer:
                    yield causes.required(f"{at}.{peers}[{index}]", "must specify a peer")


def policy_warnings(obj: Object) -> Iterator[str]:
    yield "a NetworkPolicy is kept and not enforced on this server"
