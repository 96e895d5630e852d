"""Who asked for a certificate, who may approve or deny it, and who may sign it.

The step of admission writes down who asked, and judges by what changes: the answer to a request needs the verb
`approve` on its signer, the certificate the verb `sign`. What is asked for never changes, nor is an answer taken back.
`answer` is the subresource by which kubectl approves: a write of the status that may change the answer only.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from fairway.cluster.api import patches, reading, shaping, writing
from fairway.cluster.api.admission.chain import Step
from fairway.cluster.api.admission.request import Request
from fairway.cluster.api.authorizing.attempts import Attempt
from fairway.cluster.api.authorizing.grants import Grants
from fairway.cluster.api.backend import Backend
from fairway.cluster.api.calls import Call, Reply, of_record
from fairway.cluster.api.checks import causes
from fairway.cluster.api.identity import userinfo
from fairway.cluster.api.identity.tokens import MASTERS
from fairway.cluster.api.signing import requests
from fairway.kernel.objects import errors
from fairway.kernel.objects.errors import Cause
from fairway.kernel.objects.kinds import CERTIFICATE_SIGNING_REQUEST as REQUEST
from fairway.kernel.objects.kinds import Object

_ANSWERS = ("Approved", "Denied")
_WHO = ("username", "uid", "groups", "extra")
"""What the server alone says of who asked."""


class CertificateRequests(Step):
    resources = (REQUEST.resource,)

    def __init__(self, grants: Grants) -> None:
        self._grants = grants

    def wants(self, request: Request) -> bool:
        return request.operation in ("CREATE", "UPDATE")

    async def mutate(self, request: Request) -> None:
        if request.operation == "CREATE":
            asked = {key: value for key, value in (request.object.get("spec") or {}).items() if key not in _WHO}
            request.object["spec"] = {**asked, **userinfo.of(request.call.identity)}
        elif not request.subresource:
            request.object["spec"] = request.old["spec"]

    async def validate(self, request: Request) -> None:
        if request.operation == "CREATE":
            _no_administrators(request)
        elif request.subresource:
            self._status(request)

    def _status(self, request: Request) -> None:
        old, new = (each.get("status") or {} for each in (request.old, request.object))
        before, after = _answers(old), _answers(new)
        _settled(request, before, after)
        if before != after:
            self._may(request, "approve")
        rest = (new.get("certificate"), _others(new))
        if rest != (old.get("certificate"), _others(old)):
            self._may(request, "sign")

    def _may(self, request: Request, verb: str) -> None:
        signer = str(request.old["spec"]["signerName"])
        domain = signer.partition("/")[0]
        attempts = (Attempt(verb, REQUEST.group, "signers", name=name) for name in (signer, f"{domain}/*"))
        if not any(self._grants.allowed(request.call.identity, attempt) for attempt in attempts):
            raise _forbidden(request, f'user not permitted to {verb} requests with signerName "{signer}"')


async def answer(backend: Backend, call: Call) -> Reply:
    """certificatesigningrequests/approval."""
    if call.verb == "get":
        return of_record(reading.found(backend.store, call), call.served)
    wanted = patches.applied(call) if call.verb == "patch" else lambda _: dict(call.body)

    def next_(stored: Object) -> Object:
        given = shaping.typed(wanted(stored), REQUEST)
        kept = [each for each in _conditions(stored.get("status") or {}) if each.get("type") not in _ANSWERS]
        found = [_dated(each, backend.now()) for each in _answers(given.get("status") or {})]
        status = {**(stored.get("status") or {}), "conditions": [*kept, *found]}
        return {**stored, "metadata": given.get("metadata") or stored["metadata"], "status": status}

    return await writing.change(backend, replace(call, subresource="status"), next_)


def _no_administrators(request: Request) -> None:
    """As upstream's CertificateSubjectRestriction: nobody becomes an administrator by a signature."""
    spec = request.object["spec"]
    if spec.get("signerName") != requests.CLIENT_SIGNER:
        return
    if MASTERS in requests.organizations(requests.parsed(spec)):
        raise _forbidden(request, f"use of {requests.CLIENT_SIGNER} signer with {MASTERS} group is not allowed")


def _settled(request: Request, before: list[Object], after: list[Object]) -> None:
    """An answer stays, and is one."""
    types = {each.get("type") for each in after}
    for condition in before:
        if condition.get("type") not in types:
            text = f"Forbidden: updates may not remove a condition of type {condition.get('type')!r}"
            raise _invalid(request, Cause("status.conditions", text, "FieldValueForbidden"))
    if len(types) > 1:
        text = "Approved and Denied conditions are mutually exclusive"
        raise _invalid(request, causes.invalid("status.conditions[1].type", after[1].get("type"), text))


def _invalid(request: Request, cause: Cause) -> errors.Invalid:
    return request.call.served.invalid(request.call.name, [cause])


def _forbidden(request: Request, why: str) -> errors.Forbidden:
    name = str(request.object["metadata"].get("name") or "")
    details = {"name": name, "group": REQUEST.group, "kind": REQUEST.plural}
    return errors.Forbidden(f'{REQUEST.resource} "{name}" is forbidden: {why}', details=details)


def _conditions(status: Object) -> list[Object]:
    return [each for each in status.get("conditions") or () if isinstance(each, dict)]


def _answers(status: Object) -> list[Object]:
    return [each for each in _conditions(status) if each.get("type") in _ANSWERS]


def _others(status: Object) -> Iterable[Object]:
    return [each for each in _conditions(status) if each.get("type") not in _ANSWERS]


def _dated(condition: Object, now: str) -> Object:
    """Conditions of kubectl say when they were made; those of others need not."""
    return {"status": "True", **condition, **{
        key: condition.get(key) or now for key in ("lastUpdateTime", "lastTransitionTime")
    }}  # fmt: skip
