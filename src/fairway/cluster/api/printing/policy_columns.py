"""The columns of the kinds that rule others, as kubectl's users know them: quotas, limits, classes, budgets."""

from __future__ import annotations

from collections.abc import Mapping

from fairway.cluster.api.printing.columns import AGE, NAME, Cell, Column, at, number, size, value
from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import Object


def _used(*, limits: bool) -> Cell:
    """What is used of each limited name."""

    def cell(obj: Object, now: float) -> str:
        hard, used = value(obj, "status.hard") or {}, value(obj, "status.used") or {}
        names = sorted(name for name in hard if name.startswith("limits") is limits)
        return ", ".join(f"{name}: {used.get(name, '0')}/{hard[name]}" for name in names)

    return cell


def _class_name(obj: Object, now: float) -> str:
    default = meta.annotations(obj).get("storageclass.kubernetes.io/is-default-class") == "true"
    return f"{meta.name(obj)} (default)" if default else meta.name(obj)


def _share(path: str) -> Cell:
    return lambda obj, now: "N/A" if value(obj, path) is None else str(value(obj, path))


def _counted(name: str, path: str) -> tuple[Column, ...]:
    """Of an admission policy: how many rules it has, and what its parameters are."""
    return (NAME, Column(name, size(path), type="integer"), Column("ParamKind", _parameter_kind), AGE)


def _parameter_kind(obj: Object, now: float) -> str:
    kind = value(obj, "spec.paramKind")
    return f"{kind['apiVersion']}/{kind['kind']}" if kind else "<unset>"


def _parameter(obj: Object, now: float) -> str:
    reference = value(obj, "spec.paramRef")
    if not reference:
        return "<unset>"
    namespace = f"{reference['namespace']}/" if reference.get("namespace") else "*/"
    return f"{namespace}{reference.get('name') or '*'}"


_BINDING = (NAME, Column("PolicyName", at("spec.policyName")), Column("ParamRef", _parameter), AGE)

COLUMNS: Mapping[str, tuple[Column, ...]] = {
    "validatingadmissionpolicies.admissionregistration.k8s.io": _counted("Validations", "spec.validations"),
    "mutatingadmissionpolicies.admissionregistration.k8s.io": _counted("Mutations", "spec.mutations"),
    "validatingadmissionpolicybindings.admissionregistration.k8s.io": _BINDING,
    "mutatingadmissionpolicybindings.admissionregistration.k8s.io": _BINDING,
    "poddisruptionbudgets.policy": (
        NAME,
        Column("Min Available", _share("spec.minAvailable")),
        Column("Max Unavailable", _share("spec.maxUnavailable")),
        Column("Allowed Disruptions", number("status.disruptionsAllowed"), type="integer"),
        AGE,
    ),
    "storageclasses.storage.k8s.io": (
        Column("Name", _class_name, format="name"),
        Column("Provisioner", at("provisioner")),
        Column("ReclaimPolicy", at("reclaimPolicy", default="Delete")),
        Column("VolumeBindingMode", at("volumeBindingMode", default="Immediate")),
        Column("AllowVolumeExpansion", lambda obj, now: str(bool(value(obj, "allowVolumeExpansion"))).lower()),
        AGE,
    ),
    "limitranges": (NAME, Column("Created At", at("metadata.creationTimestamp"), type="date")),
    "resourcequotas": (
        NAME,
        Column("Request", _used(limits=False)),
        Column("Limit", _used(limits=True)),
        AGE,
    ),
    "priorityclasses.scheduling.k8s.io": (
        NAME,
        Column("Value", number("value"), type="integer"),
        Column("Global-Default", lambda obj, now: bool(value(obj, "globalDefault")), type="boolean"),
        AGE,
        Column("PreemptionPolicy", at("preemptionPolicy")),
    ),
}
