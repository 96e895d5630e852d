"""What is wrong with a pod, or with the template of one, beyond its schema."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from fairway.cluster.api.checks import causes
from fairway.cluster.api.objectmeta import LABEL_TEXT, labels_problems
from fairway.kernel.objects import names, quantities
from fairway.kernel.objects.errors import ApiError, Cause
from fairway.kernel.objects.kinds import Object

_DNS_POLICIES = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")


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
    volumes = {str(volume.get("name")) for _, volume in causes.items(spec, "volumes")}.union(claims)
    yield from _volumes(spec, path)
    seen: set[str] = set()
    for part in ("initContainers", "containers"):
        for index, container in causes.items(spec, part):
            at = f"{path}.{part}[{index}]"
            name = container.get("name")
            if name in seen:
                yield causes.duplicate(f"{at}.name", name)
            seen.add(str(name))
            yield from _container(container, at, volumes)


def _volumes(spec: Object, path: str) -> Iterator[Cause]:
    seen: set[str] = set()
    for index, volume in causes.items(spec, "volumes"):
        at, name = f"{path}.volumes[{index}]", volume.get("name")
        if not name:
            yield causes.required(f"{at}.name")
        elif not names.dns_label(str(name)):
            yield causes.invalid(f"{at}.name", name, "a lowercase RFC 1123 label is required")
        elif name in seen:
            yield causes.duplicate(f"{at}.name", name)
        seen.add(str(name))
        if len(volume) > 2:
            sources = sorted(volume.keys() - {"name"})
            yield Cause(
                at, f"Forbidden: may not specify more than 1 volume type: {', '.join(sources)}", "FieldValueForbidden"
            )


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
    for index, variable in causes.items(container, "env"):
        if not variable.get("name"):
            yield causes.required(f"{at}.env[{index}].name")
        if variable.get("value") and variable.get("valueFrom"):
            yield causes.invalid(f"{at}.env[{index}].valueFrom", "", "may not be specified when `value` is not empty")
    for index, mount in causes.items(container, "volumeMounts"):
        where = f"{at}.volumeMounts[{index}]"
        if mount.get("name") not in volumes:
            yield Cause(f"{where}.name", f"Not found: {causes.shown(mount.get('name'))}", "FieldValueNotFound")
        if not mount.get("mountPath"):
            yield causes.required(f"{where}.mountPath")
    yield from _resources(container.get("resources") or {}, f"{at}.resources")


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

    kept = lasting(after)
    if any(each not in kept for each in lasting(before)):
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
        each not in (after.get(part) or ())
        for part in ("matchExpressions", "matchFields")
        for _, each in causes.items(before, part)
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
