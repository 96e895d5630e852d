"""MutatingAdmissionPolicy: policies of the cluster complete what will be stored, one after the other.

Where one of them changed the object, the chain runs its mutating halves once more; those policies run again that want
it so, where something changed after them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

from fairway.cluster.api import patches as copying
from fairway.cluster.api.admission.chain import Step
from fairway.cluster.api.admission.policies import patches
from fairway.cluster.api.admission.policies.book import Book
from fairway.cluster.api.admission.policies.compiling import Binding, Mutation, Policy
from fairway.cluster.api.admission.policies.evaluating import Evaluation, Failed
from fairway.cluster.api.admission.policies.invoking import Invoker, refusal
from fairway.cluster.api.admission.policies.parameters import Misconfigured
from fairway.cluster.api.admission.request import Request
from fairway.cluster.api.admission.webhooks.matching import EXEMPT
from fairway.cluster.api.admission.webhooks.mutating import taken
from fairway.cluster.api.registry import Served
from fairway.cluster.store.protocol import Store
from fairway.kernel.objects import errors
from fairway.kernel.objects.kinds import MUTATING_ADMISSION_POLICY, MUTATING_ADMISSION_POLICY_BINDING, Object


@dataclass(slots=True)
class _Rounds:
    """What is remembered of a request between its two rounds."""

    run: set[str] = field(default_factory=set)
    """Those that want to run again where something changes after them."""
    due: set[str] = field(default_factory=set)
    """Those of them after which something did change."""
    left: Object = field(default_factory=dict)
    """The object as the last policy of the first round left it."""

    def changed(self) -> None:
        self.due |= self.run
        self.run = set()


class MutatingPolicies(Step):
    def __init__(self, store: Store, invoker: Invoker) -> None:
        self._book = Book(store, MUTATING_ADMISSION_POLICY, MUTATING_ADMISSION_POLICY_BINDING)
        self._invoker = invoker

    def wants(self, request: Request) -> bool:
        if request.operation not in ("CREATE", "UPDATE"):
            return False  # there is nothing to change
        return bool(self._book.policies()) and request.call.served.resource.kind.group != EXEMPT

    async def mutate(self, request: Request) -> None:
        rounds = request.memory.setdefault(MutatingPolicies, _Rounds())
        if request.again and rounds.left != request.object:
            rounds.changed()
        for policy in self._book.policies():
            if request.again and policy.name not in rounds.due:
                continue
            before = copying.copied(request.object)
            for binding in policy.bindings:
                await self._run(policy, binding, request)
            if request.object != before:
                rounds.changed()
                request.run_again()
            if policy.again:
                rounds.run.add(policy.name)
        rounds.left = copying.copied(request.object)

    async def _run(self, policy: Policy, binding: Binding, request: Request) -> None:
        try:
            seen_as = self._invoker.seen_as(policy, binding, request)
            if seen_as is None:
                return
            for parameters in self._invoker.parameters(policy, binding, request):
                evaluation = await self._invoker.evaluation(policy, parameters, request, seen_as)
                if await evaluation.part(self._invoker.aside, Evaluation.concerned):
                    await self._changes(policy, parameters, request, seen_as)
        except Misconfigured as problem:
            _refuse(policy, binding, request, f"failed to configure binding: {problem}")
        except (Failed, patches.Unfit) as problem:
            _refuse(policy, binding, request, str(problem))
        except errors.ApiError as problem:
            _refuse(policy, binding, request, problem.message)

    async def _changes(self, policy: Policy, parameters: Object | None, request: Request, seen_as: Served) -> None:
        """Each mutation sees what the one before it left."""
        for mutation in policy.mutations:
            evaluation = await self._invoker.evaluation(policy, parameters, request, seen_as)
            value = await evaluation.part(self._invoker.aside, partial(Evaluation.value, program=mutation.program))
            patched = _changed(mutation, value, evaluation.values["object"], seen_as)
            request.object = taken(request, await self._invoker.taken(request, seen_as, patched))


def _changed(mutation: Mutation, value: object, shown: Object, seen_as: Served) -> Object:
    if mutation.applies:
        return patches.applied(shown, value, seen_as.strategy.topology())
    return patches.patched(shown, value)


def _refuse(policy: Policy, binding: Binding, request: Request, why: str) -> None:
    if not policy.ignorable:
        raise refusal(request, f"policy '{policy.name}' with binding '{binding.name}' denied request: {why}", "Invalid")
