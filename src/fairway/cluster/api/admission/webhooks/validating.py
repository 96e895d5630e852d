"""ValidatingAdmissionWebhook: programs of others judge what will be stored, all at the same time."""

from __future__ import annotations

import asyncio

from fairway.cluster.api.admission.chain import Step
from fairway.cluster.api.admission.request import Request
from fairway.cluster.api.admission.webhooks.asking import Asker
from fairway.cluster.api.admission.webhooks.hooks import Book, Hook
from fairway.cluster.api.admission.webhooks.matching import EXEMPT, Matcher
from fairway.cluster.api.registry import Registry, Served
from fairway.cluster.store.protocol import Store
from fairway.kernel.objects import errors
from fairway.kernel.objects.kinds import VALIDATING_WEBHOOK_CONFIGURATION


class ValidatingWebhooks(Step):
    def __init__(self, store: Store, registry: Registry, asker: Asker) -> None:
        self._book = Book(store, VALIDATING_WEBHOOK_CONFIGURATION)
        self._matcher, self._asker = Matcher(store, registry), asker

    def wants(self, request: Request) -> bool:
        return bool(self._book.hooks()) and request.call.served.resource.kind.group != EXEMPT

    async def validate(self, request: Request) -> None:
        concerned = [
            (hook, as_)
            for hook in self._book.hooks()
            if (as_ := self._matcher.seen_as(hook, request)) and await self._asker.wanted(hook, request, as_)
        ]
        if len(concerned) == 1:
            if refusal := await self._ask(request, *concerned[0]):
                raise refusal
            return
        async with asyncio.TaskGroup() as tasks:
            asked = [tasks.create_task(self._ask(request, hook, as_)) for hook, as_ in concerned]
        for task in asked:
            if refusal := task.result():
                raise refusal

    async def _ask(self, request: Request, hook: Hook, seen_as: Served) -> errors.ApiError | None:
        """The refusal, as a value, so that nobody's no cuts off another's question."""
        try:
            await self._asker.ask(hook, request, seen_as, await self._asker.shown(request, seen_as), mutating=False)
        except errors.ApiError as refusal:
            return refusal
        return None
