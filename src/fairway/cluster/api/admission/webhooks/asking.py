"""One webhook asked about one request: what it is shown, what its answer or its silence does.

`mutating` and `validating` come before: they know whom to ask, and when.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial
from typing import Any

from fairway.cluster.api import request_expressions
from fairway.cluster.api.admission import expressions
from fairway.cluster.api.admission.request import Request
from fairway.cluster.api.admission.webhooks import review
from fairway.cluster.api.admission.webhooks.hooks import Hook
from fairway.cluster.api.admission.webhooks.review import Verdict
from fairway.cluster.api.aside import AT_ONCE, Aside
from fairway.cluster.api.authorizing.grants import Grants
from fairway.cluster.api.custom.conversion import Conversions
from fairway.cluster.api.registry import Served
from fairway.cluster.api.webhooks.calling import Caller, CallFailed
from fairway.kernel.objects import errors
from fairway.kernel.objects.kinds import Object

log = logging.getLogger(__name__)


class Asker:
    def __init__(self, caller: Caller, conversions: Conversions, grants: Grants, aside: Aside) -> None:
        self._caller, self._conversions, self._grants, self._aside = caller, conversions, grants, aside

    async def wanted(self, hook: Hook, request: Request, seen_as: Served) -> bool:
        """Whether the webhook's conditions hold. Raises Forbidden where they have no value and it must be asked."""
        if not hook.conditions:
            return True
        new, old = await self.shown(request, seen_as), await self._shown(request, seen_as, request.old)
        variables = expressions.values(request, seen_as, new, old, None, self._grants)
        try:
            return await self._hold(hook, variables)
        except request_expressions.Undecided as problem:
            if hook.ignorable:
                log.warning("the conditions of webhook %s have no value, so it is not asked: %s", hook.name, problem)
                return False
            label, name = request.call.served.label, request.call.name
            details = {"name": name, "kind": request.call.served.resource.kind.plural}
            raise errors.Forbidden(f'{label} "{name}" is forbidden: {problem}', details=details) from None

    async def _hold(self, hook: Hook, variables: Mapping[str, Any]) -> bool:
        try:
            return request_expressions.all_hold(hook.conditions, variables, AT_ONCE)
        except request_expressions.TooLong:
            return await self._aside.run(partial(request_expressions.all_hold, hook.conditions, variables))

    async def ask(
        self, hook: Hook, request: Request, seen_as: Served, new: Object | None, *, mutating: bool
    ) -> Verdict | None:
        """What the webhook says of `new`, which `shown` gave; None where it gave no answer and may be passed over.

        Raises ApiError where it says no.
        """
        if request.dry_run and hook.side_effects:
            raise errors.BadRequest(f'admission webhook "{hook.name}" does not support dry run')
        question = review.question(request, seen_as, new, await self.shown_before(request, seen_as))
        try:
            answer = await self._caller.post(hook.config, question, hook.seconds)
            verdict = review.verdict(question, answer, mutating=mutating)
        except CallFailed as failure:
            _silent(hook, f"failed to call webhook: {failure}")
            return None
        except review.Unreadable as failure:
            _silent(hook, f"received invalid webhook response: {failure}")
            return None
        request.call.warnings += verdict.warnings
        request.call.notes |= {f"{hook.name}/{key}": value for key, value in verdict.notes.items()}
        if not verdict.allowed:
            raise review.refusal(hook.name, verdict.status)
        return verdict

    async def shown(self, request: Request, seen_as: Served) -> Object | None:
        """The object of the request as the webhook is to see it."""
        if request.operation == "DELETE":
            return None
        if request.operation == "CONNECT":
            return review.connection(request)
        return await self._shown(request, seen_as, request.object)

    async def shown_before(self, request: Request, seen_as: Served) -> Object | None:
        """The stored object, in the same way; None where there is none."""
        return await self._shown(request, seen_as, request.old)

    async def taken(self, request: Request, seen_as: Served, obj: Object) -> Object:
        """What the webhook made of it, in the form in which the request has its object."""
        return await self._conversions.taken_from(request.call.served, seen_as, obj)

    async def _shown(self, request: Request, seen_as: Served, obj: Object) -> Object | None:
        return await self._conversions.seen_as(request.call.served, seen_as, obj) if obj else None


def failed(text: str) -> errors.InternalError:
    details = {"causes": [{"message": text}]}
    return errors.InternalError(f"Internal error occurred: {text}", details=details)


def _silent(hook: Hook, why: str) -> None:
    """Refuse where the webhook had to answer."""
    text = f'failed calling webhook "{hook.name}": {why}'
    if not hook.ignorable:
        raise failed(text)
    log.warning("%s; it may fail, so the request goes on", text)
