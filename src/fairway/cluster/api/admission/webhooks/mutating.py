"""MutatingAdmissionWebhook: programs of others complete what will be stored, one after the other.

Where one of them changed the object, the chain runs its mutating halves once more, and those webhooks are asked again
that want it so.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from fairway.cluster.api import objectmeta, patches, shaping
from fairway.cluster.api.admission.chain import Step
from fairway.cluster.api.admission.request import Request
from fairway.cluster.api.admission.webhooks import asking
from fairway.cluster.api.admission.webhooks.asking import Asker
from fairway.cluster.api.admission.webhooks.hooks import Book, Hook
from fairway.cluster.api.admission.webhooks.matching import EXEMPT, Matcher
from fairway.cluster.api.registry import Registry, Served
from fairway.cluster.store.protocol import Store
from fairway.kernel.objects import errors, patching
from fairway.kernel.objects.kinds import MUTATING_WEBHOOK_CONFIGURATION, Object


@dataclass(slots=True)
class _Rounds:
    """What is remembered of a request between its two rounds."""

    asked: set[tuple[str, int]] = field(default_factory=set)
    """Those that want to be asked again where something changes after them."""
    due: set[tuple[str, int]] = field(default_factory=set)
    """Those of them after which something did change."""
    left: Object = field(default_factory=dict)
    """The object as the last webhook of the first round left it."""

    def changed(self) -> None:
        self.due |= self.asked
        self.asked = set()


class MutatingWebhooks(Step):
    def __init__(self, store: Store, registry: Registry, asker: Asker) -> None:
        self._book = Book(store, MUTATING_WEBHOOK_CONFIGURATION)
        self._matcher, self._asker = Matcher(store, registry), asker

    def wants(self, request: Request) -> bool:
        return bool(self._book.hooks()) and request.call.served.resource.kind.group != EXEMPT

    async def mutate(self, request: Request) -> None:
        rounds = request.memory.setdefault(MutatingWebhooks, _Rounds())
        if request.again and rounds.left != request.object:
            rounds.changed()
        for hook in self._book.hooks():
            if request.again and hook.place not in rounds.due:
                continue
            seen_as = self._matcher.seen_as(hook, request)
            if seen_as is None or not await self._asker.wanted(hook, request, seen_as):
                continue
            if await self._ask(hook, request, seen_as):
                rounds.changed()
                request.run_again()
            if hook.again:
                rounds.asked.add(hook.place)
        rounds.left = patches.copied(request.object)

    async def _ask(self, hook: Hook, request: Request, seen_as: Served) -> bool:
        """Whether the webhook changed the object."""
        shown = await self._asker.shown(request, seen_as)
        verdict = await self._asker.ask(hook, request, seen_as, shown, mutating=True)
        if verdict is None or not verdict.patch:
            return False
        if shown is None or request.operation == "CONNECT":
            text = f'admission webhook "{hook.name}" attempted to modify the object, which is not supported'
            raise asking.failed(f"{text} for this operation")
        try:
            patched = patching.json_patch(shown, verdict.patch)
        except errors.ApiError as problem:
            raise asking.failed(str(problem)) from None
        new = taken(request, await self._asker.taken(request, seen_as, patched))
        if new == request.object:
            return False
        request.object = new
        return True


def taken(request: Request, patched: Object) -> Object:
    """What a webhook or a policy may change of the object, completed as any object."""
    now = request.object
    if (patched.get("apiVersion"), patched.get("kind")) != (now["apiVersion"], now["kind"]):
        raise asking.failed("a webhook may not change apiVersion or kind")
    strategy = request.call.served.strategy
    schema = strategy.schema()
    if request.subresource == "status":
        new = {**now, "status": patches.copied(patched.get("status"))}
        if schema is not None and (part := schema.field("status")) is not None:
            part.prune(new["status"])
        return shaping.settled(request.call, new)
    new = {**patches.copied(patched), "metadata": objectmeta.changed(objectmeta.of(patched), now["metadata"])}
    if strategy.status:
        new.pop("status", None)
        if "status" in now:
            new["status"] = now["status"]
    if schema is not None:
        schema.prune(new)
    new = shaping.settled(request.call, new)
    strategy.default(new)
    return new
