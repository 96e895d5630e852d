"""What differs between kinds when they are written, as values: one `Strategy` for each resource.

The pipeline in `writing` and `deleting` is the same for all; it asks the strategy for defaults, checks and
the few switches below. Built-in kinds take theirs from tables, custom resources from their definition.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache

from fairway.cluster.api.checks import builtin_checks
from fairway.cluster.api.defaults import builtin_defaults
from fairway.cluster.api.documents import builtin_schemas
from fairway.cluster.api.resources import Resource
from fairway.cluster.api.rules.compiling import Place as RulePlace
from fairway.kernel.objects.amounts import Amounts
from fairway.kernel.objects.errors import Cause
from fairway.kernel.objects.kinds import CLUSTER_ROLE, CLUSTER_ROLE_BINDING, ROLE, ROLE_BINDING, Object
from fairway.kernel.objects.schemas import Schema
from fairway.kernel.objects.topology import Place

Check = Callable[[Object], Iterable[Cause]]
CheckBeside = Callable[[Object, Object | None], list[Cause]]
ChangeCheck = Callable[[Object, Object], Iterable[Cause]]


def _nothing(obj: Object) -> None:
    return None


def _fine(obj: Object) -> Iterable[Cause]:
    return ()


def _free(new: Object, old: Object) -> Iterable[Cause]:
    return ()


def _quiet(obj: Object) -> Iterable[str]:
    return ()


@dataclass(frozen=True, slots=True)
class Strategy:
    """How one resource is written. `default` changes the given object, which the pipeline owns."""

    status: bool = False
    """Status is written through its subresource only."""
    born_with_status: bool = False
    """Except when the object is created: who registers a node tells what it has."""
    custom: bool = False
    schema: Callable[[], Schema | None] = lambda: None
    document: Object | None = None
    """The schema of a custom resource as its author wrote it."""
    rules: Callable[[], RulePlace | None] = lambda: None
    """What its author asks of it in CEL, if anything."""
    topology: Callable[[], Place] = lambda: Place({})
    """How objects are owned, part by part, by those who apply to them."""
    amounts: Callable[[], Amounts | None] = lambda: None
    """Where the quantities are of which the server knows one form: those of built-in kinds."""
    default: Callable[[Object], None] = _nothing
    check: Check = _fine
    check_beside: CheckBeside | None = None
    """For what takes long to check, and may be there only because it was there before; a new object has no old one."""
    check_change: ChangeCheck = _free
    warn: Callable[[Object], Iterable[str]] = _quiet
    revision_required: bool = False
    """A PUT without resourceVersion is refused."""
    created_by_put: bool = False
    propagation: str = "Background"
    """What deletion does to dependents where the client does not say."""
    returned: bool = False
    """A deletion is answered with the object, not with a Status."""
    graceful: bool = False
    """Deletion waits for the node agent (pods)."""
    label_name: bool = False
    """Names are DNS labels: no dots."""
    path_name: bool = False
    """Names may be whatever is one part of a path, such as system:node."""
    generation: bool = True
    """The object counts changes of what is wanted in metadata.generation."""


_RBAC = tuple(kind.resource for kind in (ROLE, CLUSTER_ROLE, ROLE_BINDING, CLUSTER_ROLE_BINDING))
_PATH_NAMED = (*_RBAC, "apiservices.apiregistration.k8s.io")
_ORPHANING = ("jobs.batch", "replicationcontrollers")
_BORN_WITH_STATUS = ("nodes",)
_RETURNED = (
    "pods",
    "podtemplates",
    "persistentvolumes",
    "persistentvolumeclaims",
    "resourcequotas",
    "services",
    "serviceaccounts",
    "csidrivers.storage.k8s.io",
    "csinodes.storage.k8s.io",
    "storageclasses.storage.k8s.io",
    "volumeattachments.storage.k8s.io",
)
_LABEL_NAMED = ("namespaces", "services")
_PUT_CREATES = (
    "limitranges",
    "leases.coordination.k8s.io",
    "endpoints",
    "events",
    "events.events.k8s.io",
    "services",
    *_RBAC,
)
_PUT_NEEDS_REVISION = (
    "poddisruptionbudgets.policy",
    "leases.coordination.k8s.io",
    "customresourcedefinitions.apiextensions.k8s.io",
    "mutatingwebhookconfigurations.admissionregistration.k8s.io",
    "validatingwebhookconfigurations.admissionregistration.k8s.io",
    "apiservices.apiregistration.k8s.io",
)
_WITHOUT_GENERATION = (
    "configmaps",
    "secrets",
    "serviceaccounts",
    "events",
    "events.events.k8s.io",
    "endpoints",
    "nodes",
    "namespaces",
    *_RBAC,
    "resourcequotas",
    "storageclasses.storage.k8s.io",
    "limitranges",
    "certificatesigningrequests.certificates.k8s.io",
    "apiservices.apiregistration.k8s.io",
)


def builtin_strategy(row: Resource) -> Strategy:
    name = row.kind.resource
    return Strategy(
        status=row.has_status,
        born_with_status=name in _BORN_WITH_STATUS,
        schema=builtin_checks.schema_of(row.storage),
        topology=lambda: builtin_schemas.topology(row.storage),
        amounts=cache(lambda: builtin_schemas.amounts(row.storage)),
        default=builtin_defaults.DEFAULTS.get(row.storage.resource, _nothing),
        check=builtin_checks.CHECKS.get(row.storage.resource, _fine),
        check_beside=builtin_checks.CHECKS_BESIDE.get(row.storage.resource),
        check_change=builtin_checks.CHANGE_CHECKS.get(row.storage.resource, _free),
        warn=builtin_checks.WARNINGS.get(row.storage.resource, _quiet),
        revision_required=name in _PUT_NEEDS_REVISION,
        created_by_put=name in _PUT_CREATES,
        propagation="Orphan" if name in _ORPHANING else "Background",
        returned=name in _RETURNED,
        graceful=name == "pods",
        path_name=name in _PATH_NAMED,
        label_name=name in _LABEL_NAMED,
        generation=name not in _WITHOUT_GENERATION,
    )
