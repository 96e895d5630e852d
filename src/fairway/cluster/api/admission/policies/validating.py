"""ValidatingAdmissionPolicy: policies of the cluster judge what will be stored, before programs of others are asked."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

import orjson

from fairway.cluster.api.admission.chain import Step
from fairway.cluster.api.admission.policies.book import Book
from fairway.cluster.api.admission.policies.compiling import Binding, Policy
from fairway.cluster.api.admission.policies.evaluating import Denial, Evaluation, Failed
from fairway.cluster.api.admission.policies.invoking import Invoker, refusal
from fairway.cluster.api.admission.policies.parameters import Misconfigured
from fairway.cluster.api.admission.request import Request
from fairway.cluster.api.admission.webhooks.matching import EXEMPT
from fairway.cluster.store.protocol import Store
from fairway.kernel.objects.kinds import VALIDATING_ADMISSION_POLICY, VALIDATING_ADMISSION_POLICY_BINDING

_FAILURES = "validation.policy.admission.k8s.io/validation_failure"
_MOST_FAILURES = 50


@dataclass(frozen=True, slots=True)
class _Said:
    policy: Policy
    binding: Binding
    denial: Denial


class ValidatingPolicies(Step):
    def __init__(self, store: Store, invoker: Invoker) -> None:
        self._book = Book(store, VALIDATING_ADMISSION_POLICY, VALIDATING_ADMISSION_POLICY_BINDING)
        self._invoker = invoker

    def wants(self, request: Request) -> bool:
        return bool(self._book.policies()) and request.call.served.resource.kind.group != EXEMPT

    async def validate(self, request: Request) -> None:
        said = [one async for one in self._said(request)]
        audited = [one for one in said if "Audit" in one.binding.actions]
        if audited:
            request.call.notes[_FAILURES] = orjson.dumps([_wire(one) for one in audited[:_MOST_FAILURES]]).decode()
        for one in said:
            if "Warn" in one.binding.actions:
                request.call.warnings.append(
                    f"Validation failed for ValidatingAdmissionPolicy '{one.policy.name}' with binding "
                    f"'{one.binding.name}': {one.denial.message}"
                )
        for one in said:
            if "Deny" in one.binding.actions:
                who = f"ValidatingAdmissionPolicy '{one.policy.name}' with binding '{one.binding.name}'"
                raise refusal(request, f"{who} denied request: {one.denial.message}", one.denial.reason)

    async def _said(self, request: Request) -> AsyncGenerator[_Said]:
        for policy in self._book.policies():
            for binding in policy.bindings:
                try:
                    async for evaluation in self._invoker.evaluations(policy, binding, request):
                        for denial in await evaluation.part(self._invoker.aside, Evaluation.denials):
                            yield _Said(policy, binding, denial)
                        request.call.notes |= await evaluation.part(self._invoker.aside, Evaluation.notes)
                except Misconfigured as problem:
                    if not policy.ignorable:
                        denial = Denial(f"failed to configure binding: {problem}")
                        yield _Said(policy, _denying(binding), denial)
                except Failed as problem:
                    if not policy.ignorable:
                        yield _Said(policy, binding, Denial(str(problem)))


def _denying(binding: Binding) -> Binding:
    """Where a policy cannot be run, whatever its binding asks for, the request is refused."""
    return Binding(binding.name, binding.constraints, binding.parameters, ("Deny",))


def _wire(one: _Said) -> dict[str, Any]:
    return {
        "message": one.denial.message,
        "policy": one.policy.name,
        "binding": one.binding.name,
        "expressionIndex": one.denial.index,
        "validationActions": list(one.binding.actions),
    }
