"""The built-in resources as one table: their names, verbs, subresources, and the fields a selector may name.

Discovery, OpenAPI, printing and the verbs' pipeline all read it, so that a new built-in kind is a row here
(and, where it has columns or defaults of its own, a row in those tables). Custom resources come from their
definitions as the same `Resource`. What is not in the table is not served.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fairway.kernel.objects import kinds
from fairway.kernel.objects.kinds import Kind

ALL = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
CREATE = ("create",)
READ = ("get", "list")
CHANGE = ("get", "patch", "update")

_REFERENCE = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
_ALL = ("all",)
_POD_FIELDS = (
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.schedulerName",
    "spec.serviceAccountName",
    "spec.hostNetwork",
    "status.phase",
    "status.podIP",
    "status.nominatedNodeName",
)
_EVENT_FIELDS = (
    *(f"involvedObject.{part}" for part in _REFERENCE),
    "reason",
    "reportingComponent",
    "source",
    "type",
)
_NEW_EVENT_FIELDS = (*(f"regarding.{part}" for part in _REFERENCE), "reason", "reportingController", "type")
_NEW_EVENT_NAMES = {
    "regarding": "involvedObject",
    "note": "message",
    "reportingController": "reportingComponent",
    "deprecatedSource": "source",
    "deprecatedFirstTimestamp": "firstTimestamp",
    "deprecatedLastTimestamp": "lastTimestamp",
    "deprecatedCount": "count",
}


@dataclass(frozen=True, slots=True)
class Subresource:
    """`kind` is what travels in its body: the parent's own for status, TokenRequest for a token."""

    name: str
    kind: str
    group: str
    version: str
    verbs: tuple[str, ...] = CHANGE
    connects: bool = False
    """It is a connection that is taken over, and no object that OpenAPI could describe."""

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version


@dataclass(frozen=True, slots=True)
class Resource:
    """One row. `storage` is the kind whose objects it shows: another one where the row is a second view."""

    kind: Kind
    singular: str
    storage: Kind
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL
    subresources: tuple[Subresource, ...] = ()
    selectable: tuple[str, ...] = ()
    """Fields that a field selector may name, besides metadata.name and metadata.namespace."""
    renamed: Mapping[str, str] = field(default_factory=dict)
    """Top-level fields that a second view calls differently: its name to the stored name."""

    @property
    def has_status(self) -> bool:
        return self.subresource("status") is not None

    @property
    def stored(self) -> bool:
        """False for reviews, which are answered and forgotten."""
        return "get" in self.verbs

    @property
    def measured(self) -> bool:
        """What is looked up at the moment, and is in no store."""
        return self.verbs == READ

    def subresource(self, name: str) -> Subresource | None:
        return next((sub for sub in self.subresources if sub.name == name), None)


_ANY_METHOD = ("create", "delete", "get", "patch", "update")
_SCALE = Subresource("scale", "Scale", "autoscaling", "v1", CHANGE)


def builtin() -> tuple[Resource, ...]:
    """All built-in resources, in the order in which discovery lists them."""
    return (*_core(), *_grouped(), *_reviews())


def _core() -> tuple[Resource, ...]:
    finalize = Subresource("finalize", "Namespace", "", "v1", ("update",))
    log = Subresource("log", "Pod", "", "v1", ("get",))
    forward = Subresource("portforward", "PodPortForwardOptions", "", "v1", ("create", "get"), connects=True)
    binding = Subresource("binding", "Binding", "", "v1", CREATE)
    evict = Subresource("eviction", "Eviction", "policy", "v1", CREATE)
    execute = Subresource("exec", "PodExecOptions", "", "v1", ("create", "get"), connects=True)
    attach = Subresource("attach", "PodAttachOptions", "", "v1", ("create", "get"), connects=True)
    token = Subresource("token", "TokenRequest", "authentication.k8s.io", "v1", CREATE)
    return (
        _resource(kinds.CONFIG_MAP, "cm"),
        _resource(kinds.ENDPOINTS, "ep"),
        _resource(kinds.EVENT, "ev", selectable=_EVENT_FIELDS),
        _resource(kinds.LIMIT_RANGE, "limits"),
        _resource(kinds.NAMESPACE, "ns", status=True, more=(finalize,), selectable=("status.phase",)),
        _resource(kinds.NODE, "no", status=True, more=(_proxy("Node"),), selectable=("spec.unschedulable",)),
        _resource(kinds.PERSISTENT_VOLUME_CLAIM, "pvc", status=True),
        _resource(Kind("", "v1", "PersistentVolume", "persistentvolumes", namespaced=False), "pv", status=True),
        _resource(
            kinds.POD,
            "po",
            categories=_ALL,
            status=True,
            more=(attach, binding, evict, execute, forward, log, _proxy("Pod")),
            selectable=_POD_FIELDS,
        ),
        _resource(kinds.POD_TEMPLATE),
        _resource(
            kinds.REPLICATION_CONTROLLER,
            "rc",
            categories=_ALL,
            status=True,
            more=(_SCALE,),
            selectable=("status.replicas",),
        ),
        _resource(kinds.RESOURCE_QUOTA, "quota", status=True),
        _resource(kinds.SECRET, selectable=("type",)),
        _resource(kinds.SERVICE_ACCOUNT, "sa", more=(token,)),
        _resource(
            kinds.SERVICE,
            "svc",
            categories=_ALL,
            status=True,
            more=(_proxy("Service"),),
            selectable=("spec.clusterIP", "spec.type"),
        ),
    )


def _proxy(kind: str) -> Subresource:
    return Subresource("proxy", f"{kind}ProxyOptions", "", "v1", _ANY_METHOD, connects=True)


def _grouped() -> tuple[Resource, ...]:
    approval = Subresource("approval", "CertificateSigningRequest", "certificates.k8s.io", "v1", CHANGE)
    return (
        _resource(kinds.CRD, "crd", "crds", categories=("api-extensions",), status=True),
        _resource(kinds.API_SERVICE, categories=("api-extensions",), status=True),
        _resource(kinds.MUTATING_WEBHOOK_CONFIGURATION, categories=("api-extensions",)),
        _resource(kinds.VALIDATING_WEBHOOK_CONFIGURATION, categories=("api-extensions",)),
        _resource(kinds.VALIDATING_ADMISSION_POLICY, categories=("api-extensions",), status=True),
        _resource(kinds.VALIDATING_ADMISSION_POLICY_BINDING, categories=("api-extensions",)),
        _resource(kinds.MUTATING_ADMISSION_POLICY, categories=("api-extensions",)),
        _resource(kinds.MUTATING_ADMISSION_POLICY_BINDING, categories=("api-extensions",)),
        _resource(kinds.DEPLOYMENT, "deploy", categories=_ALL, status=True, more=(_SCALE,)),
        _resource(
            kinds.REPLICA_SET, "rs", categories=_ALL, status=True, more=(_SCALE,), selectable=("status.replicas",)
        ),
        _resource(kinds.STATEFUL_SET, "sts", categories=_ALL, status=True, more=(_SCALE,)),
        _resource(kinds.DAEMON_SET, "ds", categories=_ALL, status=True),
        _resource(kinds.CONTROLLER_REVISION),
        _resource(kinds.JOB, categories=_ALL, status=True, selectable=("status.successful",)),
        _resource(kinds.CRON_JOB, "cj", categories=_ALL, status=True),
        _resource(kinds.HORIZONTAL_POD_AUTOSCALER, "hpa", categories=_ALL, status=True),
        _resource(
            Kind("autoscaling", "v1", "HorizontalPodAutoscaler", "horizontalpodautoscalers"),
            "hpa",
            categories=_ALL,
            status=True,
            storage=kinds.HORIZONTAL_POD_AUTOSCALER,
        ),
        # Measured when they are asked for, and stored nowhere.
        _resource(kinds.NODE_METRICS, verbs=READ),
        _resource(kinds.POD_METRICS, verbs=READ),
        _resource(kinds.INGRESS, "ing", status=True),
        _resource(kinds.INGRESS_CLASS),
        _resource(kinds.NETWORK_POLICY, "netpol"),
        _resource(kinds.RUNTIME_CLASS),
        _resource(kinds.STORAGE_CLASS, "sc"),
        _resource(kinds.CSI_DRIVER),
        _resource(kinds.CSI_NODE),
        _resource(kinds.LEASE),
        _resource(kinds.PRIORITY_CLASS, "pc"),
        _resource(kinds.POD_DISRUPTION_BUDGET, "pdb", status=True),
        _resource(kinds.ENDPOINT_SLICE),
        _resource(
            kinds.CERTIFICATE_SIGNING_REQUEST, "csr", status=True, more=(approval,), selectable=("spec.signerName",)
        ),
        _resource(kinds.CLUSTER_ROLE),
        _resource(kinds.CLUSTER_ROLE_BINDING),
        _resource(kinds.ROLE),
        _resource(kinds.ROLE_BINDING),
        _resource(
            # Without upstream's short name: kubectl would warn at each `get ev` that there are two.
            Kind("events.k8s.io", "v1", "Event", "events"),
            storage=kinds.EVENT,
            selectable=_NEW_EVENT_FIELDS,
            renamed=_NEW_EVENT_NAMES,
        ),
    )


def _reviews() -> tuple[Resource, ...]:
    """Questions that are answered in the reply to their creation."""
    return (
        _resource(Kind("authentication.k8s.io", "v1", "SelfSubjectReview", "selfsubjectreviews", False), verbs=CREATE),
        _resource(kinds.TOKEN_REVIEW, verbs=CREATE),
        *(
            _resource(Kind("authorization.k8s.io", "v1", kind, f"{kind.lower()}s", namespaced), verbs=CREATE)
            for kind, namespaced in (
                ("LocalSubjectAccessReview", True),
                ("SelfSubjectAccessReview", False),
                ("SelfSubjectRulesReview", False),
                ("SubjectAccessReview", False),
            )
        ),
    )


def _resource(
    kind: Kind,
    *short_names: str,
    categories: tuple[str, ...] = (),
    verbs: tuple[str, ...] = ALL,
    status: bool = False,
    more: tuple[Subresource, ...] = (),
    selectable: tuple[str, ...] = (),
    storage: Kind | None = None,
    renamed: Mapping[str, str] | None = None,
) -> Resource:
    own = (Subresource("status", kind.kind, kind.group, kind.version, CHANGE),) if status else ()
    return Resource(
        kind=kind,
        singular=kind.kind.lower(),
        storage=storage or kind,
        short_names=short_names,
        categories=categories,
        verbs=verbs,
        subresources=(*more, *own),
        selectable=selectable,
        renamed=renamed or {},
    )
