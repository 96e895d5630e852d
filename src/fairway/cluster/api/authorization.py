"""Who may do what. Three rules, in this order, and nothing else is allowed:

- the group system:masters may do everything, as may the group system:nodes (the node agent);
- a service account may do everything in its own namespace, and read that namespace;
- everyone who is known may read discovery, and ask who they are and what they may do.

Roles (RBAC) have their own issue; until then their kinds are not served.
"""

from __future__ import annotations

from dataclasses import dataclass

from fairway.cluster.api.tokens import MASTERS
from fairway.kernel.feature import Identity
from fairway.kernel.objects.errors import Forbidden

NODES = "system:nodes"
READ = ("get", "list", "watch")

_ACCOUNT = "system:serviceaccount:"
_SELF_QUESTIONS = ("selfsubjectreviews", "selfsubjectaccessreviews")


@dataclass(frozen=True, slots=True)
class Attempt:
    """What somebody wants to do."""

    verb: str
    group: str
    resource: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""


def allowed(identity: Identity, attempt: Attempt) -> bool:
    if MASTERS in identity.groups or NODES in identity.groups:
        return True
    if attempt.resource in _SELF_QUESTIONS:
        return True
    own = namespace_of(identity)
    if not own:
        return False
    if attempt.resource == "namespaces" and not attempt.group:
        return attempt.name == own and attempt.verb in READ and not attempt.subresource
    return attempt.namespace == own


def namespace_of(identity: Identity) -> str:
    """The namespace of a service account; empty for everyone else."""
    if not identity.user.startswith(_ACCOUNT):
        return ""
    return identity.user.removeprefix(_ACCOUNT).partition(":")[0]


def check(identity: Identity, attempt: Attempt) -> None:
    """Raise Forbidden, in upstream's words, unless the attempt is allowed."""
    if allowed(identity, attempt):
        return
    resource = f"{attempt.resource}.{attempt.group}" if attempt.group else attempt.resource
    named = f'{resource} "{attempt.name}"' if attempt.name else resource
    full = f"{attempt.resource}/{attempt.subresource}" if attempt.subresource else attempt.resource
    where = f'in the namespace "{attempt.namespace}"' if attempt.namespace else "at the cluster scope"
    text = (
        f'{named} is forbidden: User "{identity.user}" cannot {attempt.verb} resource "{full}" '
        f'in API group "{attempt.group}" {where}'
    )
    details = {"name": attempt.name, "group": attempt.group, "kind": attempt.resource}
    raise Forbidden(text, details={key: value for key, value in details.items() if value})
