"""Nobody gives what they have not: the checks of writes to roles and bindings.

Who writes a role needs its permissions, or the verb `escalate` on it; who writes a binding needs the permissions of the
role it names, or the verb `bind` on that role. As upstream, this is asked when what they give changes.
"""

from __future__ import annotations

from collections.abc import Iterable

from fairway.cluster.api.admission.chain import Step
from fairway.cluster.api.admission.request import Request
from fairway.cluster.api.authorizing.attempts import Attempt
from fairway.cluster.api.authorizing.grants import Grants
from fairway.cluster.api.authorizing.rules import EVERYTHING, Rule, uncovered
from fairway.cluster.api.calls import Call
from fairway.cluster.api.identity.tokens import MASTERS
from fairway.kernel.feature import Identity
from fairway.kernel.objects import errors
from fairway.kernel.objects.kinds import CLUSTER_ROLE, CLUSTER_ROLE_BINDING, ROLE, ROLE_BINDING, Object


class NoEscalation(Step):
    """The last step of a write: it judges what will be stored."""

    resources = tuple(kind.resource for kind in (ROLE, CLUSTER_ROLE, ROLE_BINDING, CLUSTER_ROLE_BINDING))

    def __init__(self, grants: Grants) -> None:
        self._grants = grants

    def wants(self, request: Request) -> bool:
        return request.operation in ("CREATE", "UPDATE") and MASTERS not in request.call.identity.groups

    async def validate(self, request: Request) -> None:
        if "roleRef" in request.object:
            self._check_binding(request.call, request.object, request.old)
        else:
            self._check_role(request.call, request.object, request.old)

    def _check_role(self, call: Call, new: Object, old: Object) -> None:
        wanted: list[Rule] = []
        if new.get("rules") != old.get("rules"):
            wanted += (Rule.of(each) for each in new.get("rules") or ())
        if new.get("aggregationRule") and new["aggregationRule"] != old.get("aggregationRule"):
            wanted += EVERYTHING  # it may come to hold anything
        kind = call.served.resource.kind
        attempt = Attempt("escalate", kind.group, kind.plural, call.namespace, call.name)
        if wanted and not self._grants.allowed(call.identity, attempt):
            self._has(call, wanted)

    def _check_binding(self, call: Call, new: Object, old: Object) -> None:
        if new.get("subjects") == old.get("subjects"):
            return
        reference = new["roleRef"]
        role, name = ROLE if reference["kind"] == ROLE.kind else CLUSTER_ROLE, str(reference["name"])
        if self._grants.allowed(call.identity, Attempt("bind", role.group, role.plural, call.namespace, name)):
            return
        rules = self._grants.role_rules(reference, call.namespace)
        if rules is None:
            raise errors.not_found(role.resource, name)
        self._has(call, rules)

    def _has(self, call: Call, wanted: Iterable[Rule]) -> None:
        owned, problems = self._grants.rules(call.identity, call.namespace)
        missing = uncovered(owned, wanted)
        if not missing:
            return
        kind = call.served.resource.kind
        text = "is attempting to grant RBAC permissions not currently held:\n" + "\n".join(missing)
        if problems:
            text += f"; resolution errors: [{', '.join(problems)}]"
        raise errors.Forbidden(
            f'{kind.resource} "{call.name}" is forbidden: {_who(call.identity)} {text}',
            details={"name": call.name, "group": kind.group, "kind": kind.plural},
        )


def _who(identity: Identity) -> str:
    groups = " ".join(f'"{group}"' for group in identity.groups)
    return f'user "{identity.user}" (groups=[{groups}])'
