"""Kinds: what an object is called, where it lives under the API's paths, and the kinds that the house uses.

A `Kind` is a name, not a schema. Features declare their own kinds as `CustomKind` (see `crds`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from fairway.kernel.objects import errors

Object = dict[str, Any]

_NO_SEGMENT = re.compile(r"[/?#%\x00-\x20]|\A\.\.?\Z")
"""What no name of an object has (upstream's path segment names), and what would make of it another path."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One resource of one API version.

    >>> Kind("apps", "v1", "Deployment", "deployments").path("default", "web", "status")
    '/apis/apps/v1/namespaces/default/deployments/web/status'
    """

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True
    api_version: str = field(init=False, repr=False, compare=False)
    """group/version, as objects have it."""
    resource: str = field(init=False, repr=False, compare=False)
    """plural.group, as error texts and CRD names have it."""

    def __post_init__(self) -> None:
        # Asked for at each step of each request, so they are put together once.
        grouped = (f"{self.group}/{self.version}", f"{self.plural}.{self.group}")
        api_version, resource = grouped if self.group else (self.version, self.plural)
        object.__setattr__(self, "api_version", api_version)
        object.__setattr__(self, "resource", resource)

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str = "") -> str:
        """Raises NotFound for what can be no name: a user's text must not lead to somebody else's object."""
        for text in (namespace, name):
            if text and _NO_SEGMENT.search(text):
                raise errors.NotFound(f'{self.resource} "{name or namespace}" not found')
        parts = [f"/apis/{self.api_version}" if self.group else f"/api/{self.version}"]
        if self.namespaced and namespace:
            parts.append(f"namespaces/{namespace}")
        parts.append(self.plural)
        if name:
            parts.append(name)
        if subresource:
            parts.append(subresource)
        return "/".join(parts)

    def new(self, name: str, namespace: str | None = None, **fields: Any) -> Object:
        """A new object of this kind; `fields` are top-level: metadata (merged), spec, data, ..."""
        metadata = {
            "name": name,
            **({"namespace": namespace} if namespace else {}),
            **fields.pop("metadata", {}),
        }
        return {"apiVersion": self.api_version, "kind": self.kind, "metadata": metadata, **fields}


NAMESPACE = Kind("", "v1", "Namespace", "namespaces", namespaced=False)
NODE = Kind("", "v1", "Node", "nodes", namespaced=False)
POD = Kind("", "v1", "Pod", "pods")
SERVICE = Kind("", "v1", "Service", "services")
ENDPOINTS = Kind("", "v1", "Endpoints", "endpoints")
CONFIG_MAP = Kind("", "v1", "ConfigMap", "configmaps")
SECRET = Kind("", "v1", "Secret", "secrets")
SERVICE_ACCOUNT = Kind("", "v1", "ServiceAccount", "serviceaccounts")
EVENT = Kind("", "v1", "Event", "events")
PERSISTENT_VOLUME = Kind("", "v1", "PersistentVolume", "persistentvolumes", namespaced=False)
PERSISTENT_VOLUME_CLAIM = Kind("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims")
REPLICATION_CONTROLLER = Kind("", "v1", "ReplicationController", "replicationcontrollers")
POD_TEMPLATE = Kind("", "v1", "PodTemplate", "podtemplates")
DEPLOYMENT = Kind("apps", "v1", "Deployment", "deployments")
REPLICA_SET = Kind("apps", "v1", "ReplicaSet", "replicasets")
STATEFUL_SET = Kind("apps", "v1", "StatefulSet", "statefulsets")
DAEMON_SET = Kind("apps", "v1", "DaemonSet", "daemonsets")
CONTROLLER_REVISION = Kind("apps", "v1", "ControllerRevision", "controllerrevisions")
HORIZONTAL_POD_AUTOSCALER = Kind("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers")
POD_METRICS = Kind("metrics.k8s.io", "v1beta1", "PodMetrics", "pods")
NODE_METRICS = Kind("metrics.k8s.io", "v1beta1", "NodeMetrics", "nodes", namespaced=False)
JOB = Kind("batch", "v1", "Job", "jobs")
CRON_JOB = Kind("batch", "v1", "CronJob", "cronjobs")
JOB_SET = Kind("jobset.x-k8s.io", "v1alpha2", "JobSet", "jobsets")
ENDPOINT_SLICE = Kind("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices")
INGRESS = Kind("networking.k8s.io", "v1", "Ingress", "ingresses")
INGRESS_CLASS = Kind("networking.k8s.io", "v1", "IngressClass", "ingressclasses", namespaced=False)
NETWORK_POLICY = Kind("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies")
RUNTIME_CLASS = Kind("node.k8s.io", "v1", "RuntimeClass", "runtimeclasses", namespaced=False)
CSI_DRIVER = Kind("storage.k8s.io", "v1", "CSIDriver", "csidrivers", namespaced=False)
CSI_NODE = Kind("storage.k8s.io", "v1", "CSINode", "csinodes", namespaced=False)
RESOURCE_QUOTA = Kind("", "v1", "ResourceQuota", "resourcequotas")
LIMIT_RANGE = Kind("", "v1", "LimitRange", "limitranges")
POD_DISRUPTION_BUDGET = Kind("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets")
STORAGE_CLASS = Kind("storage.k8s.io", "v1", "StorageClass", "storageclasses", namespaced=False)
PRIORITY_CLASS = Kind("scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses", namespaced=False)
LEASE = Kind("coordination.k8s.io", "v1", "Lease", "leases")
CRD = Kind("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False)
API_SERVICE = Kind("apiregistration.k8s.io", "v1", "APIService", "apiservices", namespaced=False)
MUTATING_WEBHOOK_CONFIGURATION = Kind(
    "admissionregistration.k8s.io", "v1", "MutatingWebhookConfiguration", "mutatingwebhookconfigurations", False
)
VALIDATING_WEBHOOK_CONFIGURATION = Kind(
    "admissionregistration.k8s.io", "v1", "ValidatingWebhookConfiguration", "validatingwebhookconfigurations", False
)
VALIDATING_ADMISSION_POLICY = Kind(
    "admissionregistration.k8s.io", "v1", "ValidatingAdmissionPolicy", "validatingadmissionpolicies", False
)
VALIDATING_ADMISSION_POLICY_BINDING = Kind(
    "admissionregistration.k8s.io", "v1", "ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings", False
)
MUTATING_ADMISSION_POLICY = Kind(
    "admissionregistration.k8s.io", "v1", "MutatingAdmissionPolicy", "mutatingadmissionpolicies", False
)
MUTATING_ADMISSION_POLICY_BINDING = Kind(
    "admissionregistration.k8s.io", "v1", "MutatingAdmissionPolicyBinding", "mutatingadmissionpolicybindings", False
)
TOKEN_REVIEW = Kind("authentication.k8s.io", "v1", "TokenReview", "tokenreviews", namespaced=False)
ROLE = Kind("rbac.authorization.k8s.io", "v1", "Role", "roles")
CLUSTER_ROLE = Kind("rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", namespaced=False)
ROLE_BINDING = Kind("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings")
CLUSTER_ROLE_BINDING = Kind(
    "rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings", namespaced=False
)
CERTIFICATE_SIGNING_REQUEST = Kind(
    "certificates.k8s.io", "v1", "CertificateSigningRequest", "certificatesigningrequests", namespaced=False
)
HTTP_ROUTE = Kind("gateway.networking.k8s.io", "v1", "HTTPRoute", "httproutes")
GATEWAY = Kind("gateway.networking.k8s.io", "v1", "Gateway", "gateways")
