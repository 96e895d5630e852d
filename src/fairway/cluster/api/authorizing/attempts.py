"""What somebody wants to do, and how it reads when they may not, in upstream's words."""

from __future__ import annotations

from typing import NamedTuple

from fairway.kernel.feature import Identity
from fairway.kernel.objects.errors import Forbidden


class Attempt(NamedTuple):
    """A verb on a resource, or on a `path` that is none (then the other fields are empty)."""

    verb: str
    group: str = ""
    resource: str = ""
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    path: str = ""

    @property
    def whole_resource(self) -> str:
        """As rules spell it: pods, pods/log."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


def forbidden(identity: Identity, attempt: Attempt, why: str = "") -> Forbidden:
    because = f": {why}" if why else ""
    if attempt.path:
        return Forbidden(f'forbidden: User "{identity.user}" cannot {attempt.verb} path "{attempt.path}"{because}')
    resource = f"{attempt.resource}.{attempt.group}" if attempt.group else attempt.resource
    named = f'{resource} "{attempt.name}"' if attempt.name else resource
    where = f'in the namespace "{attempt.namespace}"' if attempt.namespace else "at the cluster scope"
    text = (
        f'{named} is forbidden: User "{identity.user}" cannot {attempt.verb} resource "{attempt.whole_resource}" '
        f'in API group "{attempt.group}" {where}{because}'
    )
    details = {"name": attempt.name, "group": attempt.group, "kind": attempt.resource}
    return Forbidden(text, details={key: value for key, value in details.items() if value})
