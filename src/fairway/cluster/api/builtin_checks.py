"""What is wrong with an object of a built-in kind beyond its schema: the mistakes that users make.

One function for each resource that has rules of its own, in three tables: `CHECKS` for an object by itself,
`CHANGE_CHECKS` for what may not change, `WARNINGS` for what is accepted and may surprise. Shapes and types are
the schema's part (`schema_of`).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import orjson

from fairway.cluster.api import builtin_schemas, crd_checks
from fairway.kernel.objects import names, quantities, selectors
from fairway.kernel.objects.errors import ApiError, Cause
from fairway.kernel.objects.kinds import Kind, Object
from fairway.kernel.objects.schemas import Schema

_MOST_DATA = 1024 * 1024
_DATA_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_IMMUTABLE = "field is immutable"


def schema_of(kind: Kind) -> Callable[[], Schema | None]:
    """The schema, compiled at first use: most servers never see most kinds."""
    return lambda: builtin_schemas.of(kind)


def _shown(value: Any) -> str:
    return orjson.dumps(value).decode()


def _invalid(path: str, value: Any, why: str) -> Cause:
    return Cause(path, f"Invalid value: {_shown(value)}: {why}")


def _required(path: str, why: str = "") -> Cause:
    return Cause(path, f"Required value: {why}" if why else "Required value", "FieldValueRequired")


def _unsupported(path: str, value: Any, *allowed: str) -> Cause:
    listed = ", ".join(f'"{word}"' for word in allowed)
    return Cause(path, f"Unsupported value: {_shown(value)}: supported values: {listed}", "FieldValueNotSupported")


def _duplicate(path: str, value: Any) -> Cause:
    return Cause(path, f"Duplicate value: {_shown(value)}", "FieldValueDuplicate")


def _items(parent: Object, key: str) -> list[tuple[int, Object]]:
    value = parent.get(key)
    return [(n, item) for n, item in enumerate(value) if isinstance(item, dict)] if isinstance(value, list) else []


def _pod(obj: Object) -> Iterator[Cause]:
    yield from pod_spec(obj.get("spec") or {}, "spec")


def pod_spec(spec: Object, path: str) -> Iterator[Cause]:
    if not spec.get("containers"):
        yield _required(f"{path}.containers")
    if spec.get("restartPolicy") not in ("Always", "OnFailure", "Never"):
        yield _unsupported(f"{path}.restartPolicy", spec.get("restartPolicy"), "Always", "OnFailure", "Never")
    volumes = {str(volume.get("name")) for _, volume in _items(spec, "volumes")}
    yield from _volumes(spec, path)
    seen: set[str] = set()
    for part in ("initContainers", "containers"):
        for index, container in _items(spec, part):
            at = f"{path}.{part}[{index}]"
            name = container.get("name")
            if name in seen:
                yield _duplicate(f"{at}.name", name)
            seen.add(str(name))
            yield from _container(container, at, volumes)


def _volumes(spec: Object, path: str) -> Iterator[Cause]:
    seen: set[str] = set()
    for index, volume in _items(spec, "volumes"):
        at, name = f"{path}.volumes[{index}]", volume.get("name")
        if not name:
            yield _required(f"{at}.name")
        elif not names.dns_label(str(name)):
            yield _invalid(f"{at}.name", name, "a lowercase RFC 1123 label is required")
        elif name in seen:
            yield _duplicate(f"{at}.name", name)
        seen.add(str(name))
        if len(volume) > 2:
            sources = sorted(volume.keys() - {"name"})
            yield Cause(
                at, f"Forbidden: may not specify more than 1 volume type: {', '.join(sources)}", "FieldValueForbidden"
            )


def _container(container: Object, at: str, volumes: set[str]) -> Iterator[Cause]:
    name = container.get("name")
    if not name:
        yield _required(f"{at}.name")
    elif not names.dns_label(str(name)):
        text = (
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and "
            "end with an alphanumeric character"
        )
        yield _invalid(f"{at}.name", name, text)
    if not container.get("image"):
        yield _required(f"{at}.image")
    for index, port in _items(container, "ports"):
        yield from _port(port.get("containerPort"), f"{at}.ports[{index}].containerPort")
    for index, variable in _items(container, "env"):
        if not variable.get("name"):
            yield _required(f"{at}.env[{index}].name")
        if variable.get("value") and variable.get("valueFrom"):
            yield _invalid(f"{at}.env[{index}].valueFrom", "", "may not be specified when `value` is not empty")
    for index, mount in _items(container, "volumeMounts"):
        where = f"{at}.volumeMounts[{index}]"
        if mount.get("name") not in volumes:
            yield Cause(f"{where}.name", f"Not found: {_shown(mount.get('name'))}", "FieldValueNotFound")
        if not mount.get("mountPath"):
            yield _required(f"{where}.mountPath")
    yield from _resources(container.get("resources") or {}, f"{at}.resources")


def _port(value: Any, path: str) -> Iterator[Cause]:
    if value is None:
        yield _required(path)
    elif not isinstance(value, int) or not 0 < value < 65536:
        yield _invalid(path, value, "must be between 1 and 65535, inclusive")


def _resources(resources: Object, path: str) -> Iterator[Cause]:
    limits = resources.get("limits") or {}
    amounts: dict[str, Any] = {}
    for part in ("limits", "requests"):
        for name, text in (resources.get(part) or {}).items():
            at = f"{path}.{part}[{name}]"
            try:
                amount = quantities.parse(text)
            except (ApiError, ValueError):
                yield _invalid(
                    at,
                    text,
                    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
                )
                continue
            if amount < 0:
                yield _invalid(at, text, "must be greater than or equal to 0")
            elif part == "limits":
                amounts[name] = amount
            elif name in amounts and amount > amounts[name]:
                yield _invalid(
                    f"{path}.requests", text, f"must be less than or equal to {name} limit of {limits[name]}"
                )


_CHANGEABLE_POD_SPEC = ("activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds")


def _pod_change(new: Object, old: Object) -> Iterator[Cause]:
    if new.get("spec") == old.get("spec") or _frozen(new["spec"]) == _frozen(old["spec"]):
        return
    text = (
        "Forbidden: pod updates may not change fields other than `spec.containers[*].image`,"
        "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing "
        "tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
    )
    yield Cause("spec", text, "FieldValueForbidden")


def _frozen(spec: Object) -> Object:
    rest = {key: value for key, value in spec.items() if key not in _CHANGEABLE_POD_SPEC}
    for part in ("containers", "initContainers"):
        if part in rest:
            rest[part] = [{**item, "image": "", "imagePullPolicy": ""} for _, item in _items(spec, part)]
    return rest


def _workload(obj: Object) -> Iterator[Cause]:
    """Deployments and ReplicaSets: a selector that takes the template's pods."""
    spec = obj.get("spec") or {}
    replicas = spec.get("replicas")
    if isinstance(replicas, int) and replicas < 0:
        yield _invalid("spec.replicas", replicas, "must be greater than or equal to 0")
    template = spec.get("template")
    if not isinstance(template, dict) or not isinstance(template.get("spec"), dict):
        yield _required("spec.template.spec.containers")
        return
    yield from _selector(spec, template)
    yield from pod_spec(template["spec"], "spec.template.spec")
    if template["spec"].get("restartPolicy") != "Always":
        yield _unsupported("spec.template.spec.restartPolicy", template["spec"].get("restartPolicy"), "Always")


def _selector(spec: Object, template: Object) -> Iterator[Cause]:
    selector = spec.get("selector")
    if not selector:
        yield _required("spec.selector")
        return
    labels = (template.get("metadata") or {}).get("labels") or {}
    try:
        fits = selectors.of(selector)(labels)
    except (ApiError, KeyError, TypeError, AttributeError) as problem:
        yield _invalid("spec.selector", selector, str(problem))
        return
    if not fits:
        text = "`selector` does not match template `labels`"
        yield _invalid("spec.template.metadata.labels", labels, text)


def _workload_change(new: Object, old: Object) -> Iterator[Cause]:
    yield from _unchanged(new, old, "selector")


def _unchanged(new: Object, old: Object, *fields: str) -> Iterator[Cause]:
    before, after = old.get("spec") or {}, new.get("spec") or {}
    for field in fields:
        if after.get(field) != before.get(field):
            yield _invalid(f"spec.{field}", after.get(field), _IMMUTABLE)


def _job(obj: Object) -> Iterator[Cause]:
    spec = obj.get("spec") or {}
    for field in ("parallelism", "completions", "backoffLimit", "activeDeadlineSeconds", "ttlSecondsAfterFinished"):
        value = spec.get(field)
        if isinstance(value, int) and value < 0:
            yield _invalid(f"spec.{field}", value, "must be greater than or equal to 0")
    if spec.get("completionMode") not in ("NonIndexed", "Indexed"):
        yield _unsupported("spec.completionMode", spec.get("completionMode"), "Indexed", "NonIndexed")
    if spec.get("completionMode") == "Indexed" and spec.get("completions") is None:
        yield _required("spec.completions", "when completion mode is Indexed")
    template = spec.get("template")
    if not isinstance(template, dict) or not isinstance(template.get("spec"), dict):
        yield _required("spec.template.spec.containers")
        return
    yield from _selector(spec, template)
    yield from pod_spec(template["spec"], "spec.template.spec")
    if template["spec"].get("restartPolicy") not in ("OnFailure", "Never"):
        yield _unsupported(
            "spec.template.spec.restartPolicy", template["spec"].get("restartPolicy"), "OnFailure", "Never"
        )


def _job_change(new: Object, old: Object) -> Iterator[Cause]:
    yield from _unchanged(new, old, "completions", "selector", "completionMode")
    before, after = old["spec"], new["spec"]
    # A job that waits (suspended, never started) may still be told where to run: queues do that.
    started = (old.get("status") or {}).get("startTime")
    if after.get("template") != before.get("template") and not (before.get("suspend") and not started):
        yield _invalid("spec.template", after.get("template"), _IMMUTABLE)


def _service(obj: Object) -> Iterator[Cause]:
    spec = obj.get("spec") or {}
    kind = spec.get("type")
    if kind not in ("ClusterIP", "NodePort", "LoadBalancer", "ExternalName"):
        yield _unsupported("spec.type", kind, "ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
    if kind == "ExternalName":
        if not spec.get("externalName"):
            yield _required("spec.externalName")
        return
    ports = _items(spec, "ports")
    if not ports and spec.get("clusterIP") != "None":
        yield _required("spec.ports")
    seen: set[str] = set()
    for index, port in ports:
        at, name = f"spec.ports[{index}]", port.get("name") or ""
        if len(ports) > 1 and not name:
            yield _required(f"{at}.name")
        elif name in seen and name:
            yield _duplicate(f"{at}.name", name)
        seen.add(name)
        yield from _port(port.get("port"), f"{at}.port")
        if port.get("protocol") not in ("TCP", "UDP", "SCTP"):
            yield _unsupported(f"{at}.protocol", port.get("protocol"), "SCTP", "TCP", "UDP")


def _service_change(new: Object, old: Object) -> Iterator[Cause]:
    before, after = old["spec"], new["spec"]
    same_type = "ExternalName" not in (before.get("type"), after.get("type"))
    if same_type and before.get("clusterIP") and after.get("clusterIP") != before["clusterIP"]:
        yield _invalid("spec.clusterIPs[0]", [after.get("clusterIP")], "may not change once set")


def _data(obj: Object) -> Iterator[Cause]:
    """ConfigMaps and Secrets."""
    size = 0
    for part in ("data", "binaryData"):
        values = obj.get(part) or {}
        if not isinstance(values, dict):
            yield Cause(part, "Invalid value: must be an object", "FieldValueTypeInvalid")
            continue
        for key, value in values.items():
            if not _DATA_KEY.fullmatch(key):
                text = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
                yield _invalid(f"{part}[{key}]", key, text)
            if not isinstance(value, str):
                yield _invalid(f"{part}[{key}]", value, "the value must be a string; quote it in YAML")
            else:
                size += len(value)
    if size > _MOST_DATA:
        yield Cause("", f"Too long: must have at most {_MOST_DATA} bytes", "FieldValueTooLong")


def _secret(obj: Object) -> Iterator[Cause]:
    yield from _data(obj)
    for key, value in (obj.get("data") or {}).items():
        try:
            base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError, TypeError):
            yield _invalid(f"data[{key}]", "", "the value must be base64; put plain text under stringData")


def _data_change(new: Object, old: Object) -> Iterator[Cause]:
    if old.get("immutable"):
        for part in ("data", "binaryData", "immutable"):
            if new.get(part) != old.get(part):
                yield Cause(part, "Forbidden: field is immutable when `immutable` is set", "FieldValueForbidden")
    if new.get("type") != old.get("type"):
        yield _invalid("type", new.get("type"), _IMMUTABLE)


def _claim(obj: Object) -> Iterator[Cause]:
    spec = obj.get("spec") or {}
    if not spec.get("accessModes"):
        yield _required("spec.accessModes", "at least 1 access mode is required")
    if not ((spec.get("resources") or {}).get("requests") or {}).get("storage"):
        yield _required("spec.resources[storage]")
    for source in ("dataSource", "dataSourceRef"):
        if spec.get(source):
            yield _invalid(f"spec.{source}", spec[source], "this server cannot copy volumes: fill the claim with a pod")
    if spec.get("volumeMode") == "Block":
        yield _unsupported("spec.volumeMode", "Block", "Filesystem")


Check = Callable[[Object], Iterable[Cause]]
ChangeCheck = Callable[[Object, Object], Iterable[Cause]]

Warnings = Callable[[Object], Iterable[str]]


def _service_warnings(obj: Object) -> Iterator[str]:
    kind = (obj.get("spec") or {}).get("type")
    if kind in ("NodePort", "LoadBalancer"):
        yield f"spec.type: {kind} opens no port of its own on this server: publish the Service with an HTTPRoute"


CHECKS: dict[str, Check] = {
    "pods": _pod,
    "deployments.apps": _workload,
    "replicasets.apps": _workload,
    "jobs.batch": _job,
    "services": _service,
    "configmaps": _data,
    "secrets": _secret,
    "persistentvolumeclaims": _claim,
    "customresourcedefinitions.apiextensions.k8s.io": crd_checks.problems,
}
WARNINGS: dict[str, Warnings] = {
    "services": _service_warnings,
    "customresourcedefinitions.apiextensions.k8s.io": crd_checks.warnings,
}
CHANGE_CHECKS: dict[str, ChangeCheck] = {
    "pods": _pod_change,
    "deployments.apps": _workload_change,
    "replicasets.apps": _workload_change,
    "jobs.batch": _job_change,
    "services": _service_change,
    "configmaps": _data_change,
    "secrets": _data_change,
    "customresourcedefinitions.apiextensions.k8s.io": crd_checks.change_problems,
}
