"""Which policies run on a request, and with what: their parameters, and the object as they want to see it."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from fairway.cluster.api.admission import expressions
from fairway.cluster.api.admission.policies.compiling import Binding, Constraints, Policy
from fairway.cluster.api.admission.policies.evaluating import Evaluation
from fairway.cluster.api.admission.policies.parameters import Parameters
from fairway.cluster.api.admission.request import Request
from fairway.cluster.api.admission.webhooks.asking import Asker
from fairway.cluster.api.admission.webhooks.matching import Matcher
from fairway.cluster.api.aside import Aside
from fairway.cluster.api.authorizing.grants import Grants
from fairway.cluster.api.registry import Registry, Served
from fairway.cluster.store.protocol import Key, Store
from fairway.kernel.objects import errors
from fairway.kernel.objects.kinds import NAMESPACE, Object

_CODES = {"Unauthorized": 401, "Forbidden": 403, "RequestEntityTooLarge": 413, "Invalid": 422}


class Invoker:
    def __init__(self, store: Store, registry: Registry, asker: Asker, grants: Grants, aside: Aside) -> None:
        self.aside = aside
        self._store, self._asker, self._grants = store, asker, grants
        self._matcher, self._parameters = Matcher(store, registry), Parameters(store, registry)

    def seen_as(self, policy: Policy, binding: Binding, request: Request) -> Served | None:
        """As what the policy is shown the request's object; None where the two do not concern it."""
        seen_as = self._seen_as(policy.constraints, request)
        return seen_as if seen_as and self._seen_as(binding.constraints, request) else None

    def _seen_as(self, wanted: Constraints, request: Request) -> Served | None:
        matcher = self._matcher
        if not matcher.selected(wanted, request):
            return None
        if wanted.excluded and matcher.by_rules(wanted.excluded, request, exact=wanted.exact):
            return None
        return matcher.by_rules(wanted.rules, request, exact=wanted.exact) if wanted.rules else request.call.served

    async def evaluations(self, policy: Policy, binding: Binding, request: Request) -> AsyncGenerator[Evaluation]:
        """One for each set of parameters, where the match conditions hold. Raises Misconfigured and Failed."""
        seen_as = self.seen_as(policy, binding, request)
        if seen_as is None:
            return
        for parameters in self.parameters(policy, binding, request):
            evaluation = await self.evaluation(policy, parameters, request, seen_as)
            if await evaluation.part(self.aside, Evaluation.concerned):
                yield evaluation

    def parameters(self, policy: Policy, binding: Binding, request: Request) -> list[Object | None]:
        """Raises Misconfigured."""
        return self._parameters.of(policy, binding, request.namespace)

    async def taken(self, request: Request, seen_as: Served, obj: Object) -> Object:
        """What became of the object, in the form in which the request has it."""
        return await self._asker.taken(request, seen_as, obj)

    async def evaluation(
        self, policy: Policy, parameters: Object | None, request: Request, seen_as: Served
    ) -> Evaluation:
        new = await self._asker.shown(request, seen_as)
        old = await self._asker.shown_before(request, seen_as)
        values = expressions.values(request, seen_as, new, old, self._namespace(request), self._grants)
        return Evaluation(policy, values, parameters)

    def _namespace(self, request: Request) -> Object | None:
        if not request.namespace or request.resource == NAMESPACE.resource:
            return None
        record = self._store.get(Key(NAMESPACE.resource, "", request.namespace))
        return record.object if record else None


def refusal(request: Request, text: str, reason: str) -> errors.ApiError:
    """The error that a policy's no becomes, with the reason that it chose."""
    refused = errors.forbidden(request.call.served.label, request.call.name, text).status()
    details = {**refused["details"], "causes": [{"message": text}]}
    return errors.from_status({**refused, "reason": reason, "code": _CODES.get(reason, 422), "details": details})
