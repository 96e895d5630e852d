"""What is wrong with an object of a built-in kind beyond its schema: the mistakes that users make.

One function for each resource that has rules of its own, in four tables: `CHECKS` for an object by itself,
`CHECKS_BESIDE` for one whose past counts, `CHANGE_CHECKS` for what may not change, `WARNINGS` for what is accepted and
may surprise. Shapes and types are the schema's part (`schema_of`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from fairway.cluster.api import objectmeta
from fairway.cluster.api.checks import (
    api_service_checks,
    autoscaler_checks,
    causes,
    cron_checks,
    endpoint_checks,
    job_checks,
    network_checks,
    pod_checks,
    policy_checks,
    role_checks,
    selector_checks,
    volume_checks,
    workload_checks,
)
from fairway.cluster.api.custom import crd_checks
from fairway.cluster.api.documents import builtin_schemas, policy_documents
from fairway.cluster.api.signing import requests
from fairway.cluster.api.webhooks import configurations
from fairway.kernel.objects import names
from fairway.kernel.objects.errors import Cause
from fairway.kernel.objects.kinds import Kind, Object
from fairway.kernel.objects.schemas import Schema

_ACCOUNT = "kubernetes.io/service-account.name"
_MOST_DATA = 1024 * 1024


def schema_of(kind: Kind) -> Callable[[], Schema | None]:
    """The schema, compiled at first use: most servers never see most kinds."""
    return lambda: builtin_schemas.of(kind)


def _service(obj: Object) -> Iterator[Cause]:
    spec = obj.get("spec") or {}
    kind = spec.get("type")
    if kind not in ("ClusterIP", "NodePort", "LoadBalancer", "ExternalName"):
        yield causes.unsupported("spec.type", kind, "ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
    if kind == "ExternalName":
        name = str(spec.get("externalName") or "")
        if not name:
            yield causes.required("spec.externalName")
        elif not names.dns_subdomain(name.removesuffix(".").lower()):
            yield causes.invalid("spec.externalName", name, objectmeta.SUBDOMAIN_TEXT)
        return
    ports = causes.items(spec, "ports")
    if not ports and spec.get("clusterIP") != "None":
        yield causes.required("spec.ports")
    seen: set[str] = set()
    numbers: set[tuple[object, object]] = set()
    for index, port in ports:
        at, name, number = f"spec.ports[{index}]", port.get("name") or "", (port.get("protocol"), port.get("port"))
        if number in numbers:
            yield causes.duplicate(at, {"protocol": number[0], "port": number[1]})
        numbers.add(number)
        if len(ports) > 1 and not name:
            yield causes.required(f"{at}.name")
        elif name in seen and name:
            yield causes.duplicate(f"{at}.name", name)
        seen.add(name)
        yield from pod_checks.port_number(port.get("port"), f"{at}.port")
        if port.get("protocol") not in ("TCP", "UDP", "SCTP"):
            yield causes.unsupported(f"{at}.protocol", port.get("protocol"), "SCTP", "TCP", "UDP")


def _service_change(new: Object, old: Object) -> Iterator[Cause]:
    before, after = old["spec"], new["spec"]
    same_type = "ExternalName" not in (before.get("type"), after.get("type"))
    if same_type and before.get("clusterIP") and after.get("clusterIP") != before["clusterIP"]:
        yield causes.invalid("spec.clusterIPs[0]", [after.get("clusterIP")], "may not change once set")


def _data(obj: Object) -> Iterator[Cause]:
    """ConfigMaps and Secrets."""
    size = 0
    for part in ("data", "binaryData"):
        values = obj.get(part) or {}
        if not isinstance(values, dict):
            yield Cause(part, "Invalid value: must be an object", "FieldValueTypeInvalid")
            continue
        for key, value in values.items():
            yield from volume_checks.data_key(part, key)
            if not isinstance(value, str):
                yield causes.invalid(f"{part}[{key}]", value, "the value must be a string; quote it in YAML")
            else:
                size += len(value)
    if size > _MOST_DATA:
        yield Cause("", f"Too long: must have at most {_MOST_DATA} bytes", "FieldValueTooLong")


def _config_map(obj: Object) -> Iterator[Cause]:
    yield from _data(obj)
    yield from volume_checks.base64_problem("binaryData", obj, "the value must be base64; put plain text under data")
    for key in sorted((obj.get("data") or {}).keys() & (obj.get("binaryData") or {}).keys()):
        yield causes.invalid(f"data[{key}]", key, "duplicate of key present in binaryData")


def _secret(obj: Object) -> Iterator[Cause]:
    yield from _data(obj)
    annotations = obj["metadata"].get("annotations") or {}
    if obj.get("type") == "kubernetes.io/service-account-token" and not annotations.get(_ACCOUNT):
        yield causes.required(f"metadata.annotations[{_ACCOUNT}]")
    yield from volume_checks.base64_problem("data", obj, "the value must be base64; put plain text under stringData")


def _data_change(new: Object, old: Object) -> Iterator[Cause]:
    if old.get("immutable"):
        for part in ("data", "binaryData", "immutable"):
            if new.get(part) != old.get(part):
                yield Cause(part, "Forbidden: field is immutable when `immutable` is set", "FieldValueForbidden")
    if new.get("type") != old.get("type"):
        yield causes.invalid("type", new.get("type"), causes.IMMUTABLE)


def _claim(obj: Object) -> Iterator[Cause]:
    spec = obj.get("spec") or {}
    if not spec.get("accessModes"):
        yield causes.required("spec.accessModes", "at least 1 access mode is required")
    if not ((spec.get("resources") or {}).get("requests") or {}).get("storage"):
        yield causes.required("spec.resources[storage]")
    yield from selector_checks.of_labels(spec.get("selector"), "spec.selector")
    for source in ("dataSource", "dataSourceRef"):
        if spec.get(source):
            yield causes.invalid(
                f"spec.{source}", spec[source], "this server cannot copy volumes: fill the claim with a pod"
            )
    if spec.get("volumeMode") == "Block":
        yield causes.unsupported("spec.volumeMode", "Block", "Filesystem")


def _runtime_class(obj: Object) -> Iterator[Cause]:
    if not obj.get("handler"):
        yield causes.required("handler")


def _runtime_class_change(new: Object, old: Object) -> Iterator[Cause]:
    if new.get("handler") != old.get("handler"):
        yield causes.invalid("handler", new.get("handler"), causes.IMMUTABLE)


def _claim_change(new: Object, old: Object) -> Iterator[Cause]:
    before, after = dict(old.get("spec") or {}), dict(new["spec"])
    if not before.get("volumeName"):
        before.pop("volumeName", None)
        after.pop("volumeName", None)
    grown = (before.pop("resources", None), after.pop("resources", None))
    if before != after:
        text = (
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
        )
        yield causes.forbidden("spec", text)
    elif grown[0] != grown[1]:
        text = "claims of this server have no size that is kept, and cannot be resized"
        yield causes.forbidden("spec.resources.requests.storage", text)


def _volume(obj: Object) -> Iterator[Cause]:
    spec = obj.get("spec") or {}
    if not spec.get("accessModes"):
        yield causes.required("spec.accessModes")
    if not (spec.get("capacity") or {}).get("storage"):
        yield causes.required("spec.capacity")
    policies = ("Delete", "Recycle", "Retain")
    if spec.get("persistentVolumeReclaimPolicy") not in policies:
        policy = spec.get("persistentVolumeReclaimPolicy")
        yield causes.unsupported("spec.persistentVolumeReclaimPolicy", policy, *policies)
    yield from selector_checks.of_nodes((spec.get("nodeAffinity") or {}).get("required"), "spec.nodeAffinity.required")


Check = Callable[[Object], Iterable[Cause]]
ChangeCheck = Callable[[Object, Object], Iterable[Cause]]
CheckBeside = Callable[[Object, Object | None], list[Cause]]
"""Where it depends on what the object was before, None for a new one, whether something may be; run in a thread."""

Warnings = Callable[[Object], Iterable[str]]


def _service_warnings(obj: Object) -> Iterator[str]:
    kind = (obj.get("spec") or {}).get("type")
    if kind in ("NodePort", "LoadBalancer"):
        yield f"spec.type: {kind} opens no port of its own on this server: publish the Service with an HTTPRoute"


CHECKS: dict[str, Check] = {
    "pods": pod_checks.pod,
    "deployments.apps": workload_checks.deployment,
    "replicasets.apps": workload_checks.workload,
    "replicationcontrollers": workload_checks.replication_controller,
    "podtemplates": workload_checks.pod_template,
    "statefulsets.apps": workload_checks.stateful_set,
    "daemonsets.apps": workload_checks.daemon_set,
    "jobs.batch": job_checks.job,
    "cronjobs.batch": cron_checks.cron_job,
    "services": _service,
    "endpoints": endpoint_checks.old,
    "endpointslices.discovery.k8s.io": endpoint_checks.endpoint_slice,
    "ingresses.networking.k8s.io": network_checks.ingress,
    "ingressclasses.networking.k8s.io": network_checks.ingress_class,
    "networkpolicies.networking.k8s.io": network_checks.policy,
    "runtimeclasses.node.k8s.io": _runtime_class,
    "configmaps": _config_map,
    "secrets": _secret,
    "persistentvolumeclaims": _claim,
    "persistentvolumes": _volume,
    "certificatesigningrequests.certificates.k8s.io": requests.problems,
    "roles.rbac.authorization.k8s.io": role_checks.role,
    "clusterroles.rbac.authorization.k8s.io": role_checks.role,
    "rolebindings.rbac.authorization.k8s.io": role_checks.binding,
    "clusterrolebindings.rbac.authorization.k8s.io": role_checks.binding,
    "horizontalpodautoscalers.autoscaling": autoscaler_checks.problems,
    "apiservices.apiregistration.k8s.io": api_service_checks.problems,
    "priorityclasses.scheduling.k8s.io": policy_checks.priority_class,
    "mutatingwebhookconfigurations.admissionregistration.k8s.io": configurations.problems,
    "validatingwebhookconfigurations.admissionregistration.k8s.io": configurations.problems,
    "validatingadmissionpolicies.admissionregistration.k8s.io": policy_documents.validating_policy,
    "validatingadmissionpolicybindings.admissionregistration.k8s.io": policy_documents.validating_binding,
    "mutatingadmissionpolicies.admissionregistration.k8s.io": policy_documents.mutating_policy,
    "mutatingadmissionpolicybindings.admissionregistration.k8s.io": policy_documents.mutating_binding,
    "resourcequotas": policy_checks.resource_quota,
    "limitranges": policy_checks.limit_range,
    "storageclasses.storage.k8s.io": policy_checks.storage_class,
    "poddisruptionbudgets.policy": policy_checks.disruption_budget,
}
WARNINGS: dict[str, Warnings] = {
    **dict.fromkeys(
        ("pods", "deployments.apps", "statefulsets.apps", "daemonsets.apps", "jobs.batch"), pod_checks.warnings
    ),
    "services": _service_warnings,
    "customresourcedefinitions.apiextensions.k8s.io": crd_checks.warnings,
    "ingresses.networking.k8s.io": network_checks.ingress_warnings,
    "networkpolicies.networking.k8s.io": network_checks.policy_warnings,
}
CHECKS_BESIDE: dict[str, CheckBeside] = {
    "customresourcedefinitions.apiextensions.k8s.io": crd_checks.problems,
}
CHANGE_CHECKS: dict[str, ChangeCheck] = {
    "pods": pod_checks.pod_change,
    "deployments.apps": workload_checks.workload_change,
    "replicasets.apps": workload_checks.workload_change,
    "statefulsets.apps": workload_checks.stateful_set_change,
    "daemonsets.apps": workload_checks.workload_change,
    "jobs.batch": job_checks.job_change,
    "services": _service_change,
    "ingressclasses.networking.k8s.io": network_checks.ingress_class_change,
    "runtimeclasses.node.k8s.io": _runtime_class_change,
    "configmaps": _data_change,
    "secrets": _data_change,
    "persistentvolumeclaims": _claim_change,
    "rolebindings.rbac.authorization.k8s.io": role_checks.binding_change,
    "clusterrolebindings.rbac.authorization.k8s.io": role_checks.binding_change,
    "customresourcedefinitions.apiextensions.k8s.io": crd_checks.change_problems,
    "priorityclasses.scheduling.k8s.io": policy_checks.priority_class_change,
    "resourcequotas": policy_checks.resource_quota_change,
    "storageclasses.storage.k8s.io": policy_checks.storage_class_change,
}
