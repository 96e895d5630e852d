"""What is wrong with a pod, or with the template of one, beyond its schema."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Iterator
from typing import Any

from fairway.cluster.api.checks import causes, placement_checks, volume_checks
from fairway.cluster.api.objectmeta import LABEL_TEXT, SUBDOMAIN_TEXT, labels_problems
from fairway.kernel.objects import names, quantities
from fairway.kernel.objects.errors import ApiError, Cause
from fairway.kernel.objects.kinds import Object

_DNS_POLICIES = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
_VALUES = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef")
_HANDLERS = ("exec", "grpc", "httpGet", "tcpSocket")
_PROBE_NUMBERS = ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold")
_ENV_NAME = re.compile("[ -<>-~]+")
_ENV_NAME_TEXT = (
    "a valid environment variable name must consist only of printable ASCII characters other than '=' "
    "(e.g. 'my.env-name',  or 'MY_ENV.NAME',  or 'MyEnvName1', regex used for validation is '^[ -<>-~]+$')"
)


def pod(obj: Object) -> Iterator[Cause]:
    yield from pod_spec(obj.get("spec") or {}, "spec")


def warnings(obj: Object) -> Iterator[str]:
    """Of a pod, or of what has the template of one."""
    spec = obj.get("spec") or {}
    template = (spec.get("template") or {}).get("spec") or spec
    if template.get("dnsConfig"):
        yield "dnsConfig is not used by this server: other names than the cluster's are asked of the machine's servers"
    if template.get("runtimeClassName"):
        yield "runtimeClassName is not used by this server: what an image is says whether it runs in a container"


def pod_spec(spec: Object, path: str, claims: Collection[str] = ()) -> Iterator[Cause]:
    """`claims`: the names of volumes that its pods get besides the spec's own."""
    if not spec.get("containers"):
        yield causes.required(f"{path}.containers")
    if spec.get("restartPolicy") not in ("Always", "OnFailure", "Never"):
        yield causes.unsupported(f"{path}.restartPolicy", spec.get("restartPolicy"), "Always", "OnFailure", "Never")
    if spec.get("dnsPolicy") not in _DNS_POLICIES:
        yield causes.unsupported(f"{path}.dnsPolicy", spec.get("dnsPolicy"), *_DNS_POLICIES)
    yield from labels_problems(spec.get("nodeSelector") or {}, f"{path}.nodeSelector")
    yield from _names(spec, path)
    yield from placement_checks.problems(spec, path)
    volumes = {str(volume.get("name")) for _, volume in causes.items(spec, "volumes")}.union(claims)
    yield from volume_checks.volumes(spec, path)
    seen: set[str] = set()
    for part in ("initContainers", "containers"):
        for index, container in causes.items(spec, part):
            at = f"{path}.{part}[{index}]"
            name = container.get("name")
            if name in seen:
                yield causes.duplicate(f"{at}.name", name)
            seen.add(str(name))
            yield from _container(container, at, volumes)


def _names(spec: Object, path: str) -> Iterator[Cause]:
    """A pod's own names become those of endpoints, which would not be stored: a whole Service would stand still."""
    for field in ("hostname", "subdomain"):
        if (name := spec.get(field)) and not names.dns_label(name):
            yield causes.invalid(f"{path}.{field}", name, LABEL_TEXT)
    for index, alias in causes.items(spec, "hostAliases"):
        at = f"{path}.hostAliases[{index}]"
        if not _is_address(alias.get("ip")):
            yield causes.invalid(f"{at}.ip", alias.get("ip") or "", "must be a valid IP address")
        for place, name in enumerate(alias.get("hostnames") or ()):
            if not names.dns_subdomain(name.lower()):  # capitals, too, which upstream refuses: they mean the same
                yield causes.invalid(f"{at}.hostnames[{place}]", name, SUBDOMAIN_TEXT)


def _is_address(text: Any) -> bool:
    try:
        ipaddress.ip_address(str(text))
    except ValueError:
        return False
    return True


def _container(container: Object, at: str, volumes: set[str]) -> Iterator[Cause]:
    name = container.get("name")
    if not name:
        yield causes.required(f"{at}.name")
    elif not names.dns_label(str(name)):
        yield causes.invalid(f"{at}.name", name, LABEL_TEXT)
    if not container.get("image"):
        yield causes.required(f"{at}.image")
    for index, port in causes.items(container, "ports"):
        yield from port_number(port.get("containerPort"), f"{at}.ports[{index}].containerPort")
        if port.get("hostPort"):
            yield from port_number(port["hostPort"], f"{at}.ports[{index}].hostPort")
    for index, variable in causes.items(container, "env"):
        if not variable.get("name"):
            yield causes.required(f"{at}.env[{index}].name")
        elif not _ENV_NAME.fullmatch(variable["name"]):
            yield causes.invalid(f"{at}.env[{index}].name", variable["name"], _ENV_NAME_TEXT)
        if variable.get("value") and variable.get("valueFrom"):
            yield causes.invalid(f"{at}.env[{index}].valueFrom", "", "may not be specified when `value` is not empty")
        if isinstance(variable.get("valueFrom"), dict):
            yield from _value_from(variable["valueFrom"], f"{at}.env[{index}].valueFrom")
    for index, source in causes.items(container, "envFrom"):
        for reference in ("configMapRef", "secretRef"):
            if isinstance(source.get(reference), dict) and not source[reference].get("name"):
                yield causes.required(f"{at}.envFrom[{index}].{reference}.name")
    yield from volume_checks.mounts(container, at, volumes)
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        if isinstance(container.get(probe), dict):
            yield from _probe(container[probe], f"{at}.{probe}")
    yield from _resources(container.get("resources") or {}, f"{at}.resources")


def _value_from(source: Object, at: str) -> Iterator[Cause]:
    if not any(source.get(word) for word in _VALUES):
        listed = ", ".join(f"`{word}`" for word in _VALUES[:-1])
        yield causes.invalid(at, "", f"must specify one of: {listed} or `{_VALUES[-1]}`")
    for word in _VALUES[2:]:
        if source.get(word) and not source[word].get("name"):
            yield causes.required(f"{at}.{word}.name")


def _probe(probe: Object, at: str) -> Iterator[Cause]:
    if not any(isinstance(probe.get(word), dict) for word in _HANDLERS):
        yield causes.required(at, "must specify a handler type")
    for field in _PROBE_NUMBERS:
        if (number := probe.get(field)) is not None and number < 0:
            yield causes.invalid(f"{at}.{field}", number, "must be greater than or equal to 0")


def port_number(value: Any, path: str) -> Iterator[Cause]:
    if value is None:
        yield causes.required(path)
    elif not isinstance(value, int) or not 0 < value < 65536:
        yield causes.invalid(path, value, "must be between 1 and 65535, inclusive")


def _resources(resources: Object, path: str) -> Iterator[Cause]:
    limits = resources.get("limits") or {}
    amounts: dict[str, Any] = {}
    for part in ("limits", "requests"):
        for name, text in (resources.get(part) or {}).items():
            at = f"{path}.{part}[{name}]"
            try:
                amount = quantities.parse(text)
            except (ApiError, ValueError):
                yield causes.invalid(
                    at,
                    text,
                    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
                )
                continue
            if amount < 0:
                yield causes.invalid(at, text, "must be greater than or equal to 0")
            elif part == "limits":
                amounts[name] = amount
            elif name in amounts and amount > amounts[name]:
                yield causes.invalid(
                    f"{path}.requests", text, f"must be less than or equal to {name} limit of {limits[name]}"
                )


_CHANGEABLE_POD_SPEC = ("activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds", "schedulingGates")
_TERMS = "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms"


def pod_change(new: Object, old: Object) -> Iterator[Cause]:
    after, before = new.get("spec") or {}, old.get("spec") or {}
    if after == before:
        return
    yield from _only_fewer_gates(after, before)
    yield from _only_more_tolerations(after, before)
    gated = bool(before.get("schedulingGates"))
    if gated:  # who holds a pod back may say where it is to go
        yield from _narrowed(after, before)
    if _frozen(after, gated=gated) != _frozen(before, gated=gated):
        text = (
            "pod updates may not change fields other than `spec.containers[*].image`,"
            "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to "
            "existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously "
            "negative)"
        )
        yield causes.forbidden("spec", text)


def _only_fewer_gates(after: Object, before: Object) -> Iterator[Cause]:
    known = {gate.get("name") for _, gate in causes.items(before, "schedulingGates")}
    for index, gate in causes.items(after, "schedulingGates"):
        if (name := gate.get("name")) not in known:
            text = f"only deletion is allowed, but found new scheduling gate '{name}'"
            yield causes.forbidden(f"spec.schedulingGates[{index}].name", text)


def _only_more_tolerations(after: Object, before: Object) -> Iterator[Cause]:
    def lasting(spec: Object) -> list[Object]:
        return [{**each, "tolerationSeconds": None} for _, each in causes.items(spec, "tolerations")]

    if causes.words(lasting(before)) - causes.words(lasting(after)):
        text = "existing toleration can not be modified except its tolerationSeconds"
        yield causes.forbidden("spec.tolerations", text)


def _narrowed(after: Object, before: Object) -> Iterator[Cause]:
    chosen = after.get("nodeSelector") or {}
    if any(chosen.get(key) != value for key, value in (before.get("nodeSelector") or {}).items()):
        text = "only additions to spec.nodeSelector are allowed (no mutations or deletions)"
        yield causes.invalid("spec.nodeSelector", chosen, text)
    old, new = _terms(before), _terms(after)
    if old and len(old) != len(new):
        yield causes.invalid(_TERMS, new, "no additions/deletions to non-empty NodeSelectorTerms list are allowed")
    elif any(_lost(one, other) for one, other in zip(old, new, strict=False)):
        yield causes.invalid(_TERMS, new, "only additions are allowed (no mutations or deletions)")


def _terms(spec: Object) -> list[Object]:
    nodes = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = nodes.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    return [term for _, term in causes.items(required, "nodeSelectorTerms")]


def _lost(before: Object, after: Object) -> bool:
    """Whether the term asks for something no longer that it asked for."""
    return any(
        causes.words(before.get(part) or ()) - causes.words(after.get(part) or ())
        for part in ("matchExpressions", "matchFields")
    )


def _frozen(spec: Object, *, gated: bool) -> Object:
    rest = {key: value for key, value in spec.items() if key not in _CHANGEABLE_POD_SPEC}
    for part in ("containers", "initContainers"):
        if part in rest:
            rest[part] = [{**item, "image": "", "imagePullPolicy": ""} for _, item in causes.items(spec, part)]
    if gated:
        rest.pop("nodeSelector", None)
        rest["affinity"] = {key: value for key, value in (rest.get("affinity") or {}).items() if key != "nodeAffinity"}
    return rest
