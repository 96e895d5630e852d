"""The columns of the built-in kinds, as kubectl's users know them (names and order are upstream's)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from fairway.cluster.api.printing import (
    api_service_columns,
    autoscaler_columns,
    durations,
    network_columns,
    pod_columns,
    policy_columns,
    role_columns,
)
from fairway.cluster.api.printing.columns import (
    AGE,
    NAME,
    NONE,
    WIDE,
    Column,
    age,
    at,
    joined,
    number,
    pairs,
    size,
    value,
)
from fairway.cluster.api.signing import requests
from fairway.kernel.clock import parse
from fairway.kernel.objects import conditions, meta, selectors
from fairway.kernel.objects.kinds import Object

# Workloads


def _containers(part: str, path: str = "spec.template.spec.containers") -> Column:
    name = "Containers" if part == "name" else "Images"
    return Column(
        name, lambda obj, now: ",".join(str(each.get(part, "")) for each in value(obj, path) or ()), priority=1
    )


def _selector(obj: Object, now: float) -> str:
    return selectors.to_text(selectors.widened(value(obj, "spec.selector"))) or NONE


def _deployment_ready(obj: Object, now: float) -> str:
    return f"{value(obj, 'status.readyReplicas') or 0}/{value(obj, 'spec.replicas') or 0}"


def _owner_of(obj: Object, now: float) -> str:
    owner = meta.controller_of(obj)
    if owner is None:
        return NONE
    group = owner["apiVersion"].rpartition("/")[0]
    return f"{owner['kind'].lower()}{'.' if group else ''}{group}/{owner['name']}"


def _job_status(obj: Object, now: float) -> str:
    for type_ in ("Complete", "Failed"):
        if conditions.is_true(obj, type_):
            return type_
    if value(obj, "metadata.deletionTimestamp"):
        return "Terminating"
    for type_ in ("Suspended", "FailureTarget", "SuccessCriteriaMet"):
        if conditions.is_true(obj, type_):
            return type_
    return "Running"


def _job_completions(obj: Object, now: float) -> str:
    done, wanted = value(obj, "status.succeeded") or 0, value(obj, "spec.completions")
    if wanted is not None:
        return f"{done}/{wanted}"
    parallel = value(obj, "spec.parallelism") or 1
    return f"{done}/1 of {parallel}" if parallel > 1 else f"{done}/1"


def _job_duration(obj: Object, now: float) -> str:
    start, end = value(obj, "status.startTime"), value(obj, "status.completionTime")
    if not start:
        return ""
    return durations.text((parse(end) if end else now) - parse(start))


def _last_schedule(obj: Object, now: float) -> str:
    last = value(obj, "status.lastScheduleTime")
    return durations.text(now - parse(last)) if last else NONE


# Nodes and events


def _node_status(obj: Object, now: float) -> str:
    ready = conditions.find(obj, "Ready")
    word = "Unknown" if ready is None else "Ready" if ready.get("status") == "True" else "NotReady"
    return word + (",SchedulingDisabled" if value(obj, "spec.unschedulable") else "")


def _node_roles(obj: Object, now: float) -> str:
    prefix = "node-role.kubernetes.io/"
    labels: Mapping[str, str] = value(obj, "metadata.labels") or {}
    return ",".join(sorted(label.removeprefix(prefix) for label in labels if label.startswith(prefix))) or NONE


def _node_address(type_: str) -> Column:
    def cell(obj: Object, now: float) -> str:
        addresses: Iterable[Object] = value(obj, "status.addresses") or ()
        return next((str(each["address"]) for each in addresses if each.get("type") == type_), NONE)

    return Column(type_.replace("IP", "-IP"), cell, priority=WIDE)


def _about(field: str) -> Column:
    def cell(obj: Object, now: float) -> str:
        return f"{str(value(obj, field + '.kind') or '').lower()}/{value(obj, field + '.name') or ''}"

    return Column("Object", cell)


def _source(obj: Object, now: float) -> str:
    source = obj.get("source") or obj.get("deprecatedSource") or {}
    names = [obj.get("reportingComponent") or obj.get("reportingController") or source.get("component")]
    names.append(obj.get("reportingInstance") or source.get("host"))
    return ", ".join(str(name) for name in names if name)


_LAST_SEEN = age(
    "series.lastObservedTime", "lastTimestamp", "deprecatedLastTimestamp", "eventTime", "metadata.creationTimestamp"
)


def _event_columns(about: str, message: str) -> tuple[Column, ...]:
    return (
        Column("Last Seen", _LAST_SEEN),
        Column("Type", at("type")),
        Column("Reason", at("reason")),
        _about(about),
        Column("Subobject", at(f"{about}.fieldPath"), priority=WIDE),
        Column("Source", _source, priority=WIDE),
        Column("Message", lambda obj, now: str(obj.get(message) or "").strip()),
        Column("First Seen", age("firstTimestamp", "deprecatedFirstTimestamp", "eventTime"), priority=WIDE),
        Column("Count", number("series.count", 1), type="integer", priority=WIDE),
        Column("Name", at("metadata.name"), format="name", priority=WIDE),
    )


# Storage

_MODES = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}


def _modes(path: str) -> Column:
    return Column("Access Modes", lambda obj, now: ",".join(_MODES.get(m, m) for m in value(obj, path) or ()))


def _phase(obj: Object, now: float) -> str:
    return "Terminating" if value(obj, "metadata.deletionTimestamp") else str(value(obj, "status.phase") or "")


def _claim(obj: Object, now: float) -> str:
    claim: Any = value(obj, "spec.claimRef")
    return f"{claim.get('namespace', '')}/{claim.get('name', '')}" if claim else ""


def _switch(name: str, path: str, *, default: bool = False) -> Column:
    def cell(obj: Object, now: float) -> bool:
        found = value(obj, path)
        return default if found is None else bool(found)

    return Column(name, cell, type="boolean")


def _audiences(obj: Object, now: float) -> str:
    return ",".join(str(each.get("audience") or "") for each in value(obj, "spec.tokenRequests") or ()) or "<unset>"


_CLASS = Column("StorageClass", at("spec.storageClassName"))
_ATTRIBUTES_CLASS = Column("VolumeAttributesClass", at("spec.volumeAttributesClassName", default="<unset>"))
_VOLUME_MODE = Column("VolumeMode", at("spec.volumeMode", default="<unset>"), priority=WIDE)
_WORKLOAD = (_containers("name"), _containers("image"), Column("Selector", _selector, priority=WIDE))


def _integer(name: str, path: str) -> Column:
    return Column(name, number(path), type="integer")


_REPLICAS = (
    NAME,
    _integer("Desired", "spec.replicas"),
    _integer("Current", "status.replicas"),
    _integer("Ready", "status.readyReplicas"),
    AGE,
    *_WORKLOAD,
)

_WEBHOOKS = (NAME, Column("Webhooks", lambda obj, now: len(obj.get("webhooks") or ()), type="integer"), AGE)

COLUMNS: Mapping[str, tuple[Column, ...]] = {
    **network_columns.COLUMNS,
    "pods": pod_columns.COLUMNS,
    "deployments.apps": (
        NAME,
        Column("Ready", _deployment_ready),
        _integer("Up-to-date", "status.updatedReplicas"),
        _integer("Available", "status.availableReplicas"),
        AGE,
        *_WORKLOAD,
    ),
    "replicasets.apps": _REPLICAS,
    "replicationcontrollers": _REPLICAS,
    "podtemplates": (
        NAME,
        Column("Containers", _containers("name", "template.spec.containers").cell),
        Column("Images", _containers("image", "template.spec.containers").cell),
        Column("Pod Labels", pairs("template.metadata.labels")),
    ),
    "statefulsets.apps": (NAME, Column("Ready", _deployment_ready), AGE, *_WORKLOAD[:2]),
    "daemonsets.apps": (
        NAME,
        _integer("Desired", "status.desiredNumberScheduled"),
        _integer("Current", "status.currentNumberScheduled"),
        _integer("Ready", "status.numberReady"),
        _integer("Up-to-date", "status.updatedNumberScheduled"),
        _integer("Available", "status.numberAvailable"),
        Column("Node Selector", pairs("spec.template.spec.nodeSelector")),
        AGE,
        *_WORKLOAD,
    ),
    "controllerrevisions.apps": (NAME, Column("Controller", _owner_of), _integer("Revision", "revision"), AGE),
    "horizontalpodautoscalers.autoscaling": autoscaler_columns.COLUMNS,
    "jobs.batch": (
        NAME,
        Column("Status", _job_status),
        Column("Completions", _job_completions),
        Column("Duration", _job_duration),
        AGE,
        *_WORKLOAD,
    ),
    "cronjobs.batch": (
        NAME,
        Column("Schedule", at("spec.schedule")),
        Column("Timezone", at("spec.timeZone", default=NONE)),
        Column("Suspend", lambda obj, now: str(bool(value(obj, "spec.suspend")))),
        Column("Active", lambda obj, now: len(value(obj, "status.active") or ()), type="integer"),
        Column("Last Schedule", _last_schedule),
        AGE,
        *(_containers(part, "spec.jobTemplate.spec.template.spec.containers") for part in ("name", "image")),
        Column("Selector", lambda obj, now: NONE, priority=WIDE),
    ),
    "nodes": (
        NAME,
        Column("Status", _node_status),
        Column("Roles", _node_roles),
        AGE,
        Column("Version", at("status.nodeInfo.kubeletVersion")),
        _node_address("InternalIP"),
        _node_address("ExternalIP"),
        Column("OS-Image", at("status.nodeInfo.osImage", default="<unknown>"), priority=WIDE),
        Column("Kernel-Version", at("status.nodeInfo.kernelVersion", default="<unknown>"), priority=WIDE),
        Column("Container-Runtime", at("status.nodeInfo.containerRuntimeVersion", default="<unknown>"), priority=WIDE),
    ),
    "namespaces": (NAME, Column("Status", at("status.phase")), AGE),
    "events": _event_columns("involvedObject", "message"),
    "events.events.k8s.io": _event_columns("regarding", "note"),
    "configmaps": (NAME, Column("Data", size("data", "binaryData"), type="string"), AGE),
    "secrets": (NAME, Column("Type", at("type")), Column("Data", size("data"), type="string"), AGE),
    "serviceaccounts": (NAME, Column("Secrets", size("secrets"), type="string"), AGE),
    "persistentvolumes": (
        NAME,
        Column("Capacity", at("spec.capacity.storage")),
        _modes("spec.accessModes"),
        Column("Reclaim Policy", at("spec.persistentVolumeReclaimPolicy")),
        Column("Status", _phase),
        Column("Claim", _claim),
        _CLASS,
        _ATTRIBUTES_CLASS,
        Column("Reason", at("status.reason")),
        AGE,
        _VOLUME_MODE,
    ),
    "persistentvolumeclaims": (
        NAME,
        Column("Status", _phase),
        Column("Volume", at("spec.volumeName")),
        Column("Capacity", at("status.capacity.storage")),
        _modes("status.accessModes"),
        _CLASS,
        _ATTRIBUTES_CLASS,
        AGE,
        _VOLUME_MODE,
    ),
    "runtimeclasses.node.k8s.io": (NAME, Column("Handler", at("handler")), AGE),
    "csidrivers.storage.k8s.io": (
        NAME,
        _switch("AttachRequired", "spec.attachRequired", default=True),
        _switch("PodInfoOnMount", "spec.podInfoOnMount"),
        _switch("StorageCapacity", "spec.storageCapacity"),
        Column("TokenRequests", _audiences),
        _switch("RequiresRepublish", "spec.requiresRepublish"),
        Column("Modes", joined("spec.volumeLifecycleModes")),
        AGE,
    ),
    "csinodes.storage.k8s.io": (NAME, Column("Drivers", size("spec.drivers"), type="integer"), AGE),
    "leases.coordination.k8s.io": (NAME, Column("Holder", at("spec.holderIdentity")), AGE),
    "mutatingwebhookconfigurations.admissionregistration.k8s.io": _WEBHOOKS,
    "validatingwebhookconfigurations.admissionregistration.k8s.io": _WEBHOOKS,
    "apiservices.apiregistration.k8s.io": api_service_columns.COLUMNS,
    "customresourcedefinitions.apiextensions.k8s.io": (
        NAME,
        Column("Created At", at("metadata.creationTimestamp"), type="date"),
    ),
    "certificatesigningrequests.certificates.k8s.io": requests.COLUMNS,
    **role_columns.COLUMNS,
    **policy_columns.COLUMNS,
}

VIEWS: Mapping[tuple[str, str], tuple[Column, ...]] = {
    ("autoscaling/v1", "Scale"): (
        NAME,
        _integer("Desired", "spec.replicas"),
        _integer("Available", "status.replicas"),
        AGE,
    ),
}
"""Of subresources that answer with a kind of their own, by apiVersion and kind."""
