"""Questions asked of the API: whose token is this, who am I, what may I or somebody else do. Answered and forgotten."""

from __future__ import annotations

from contextlib import suppress

from fairway.cluster.api import shaping
from fairway.cluster.api.authorizing.attempts import Attempt
from fairway.cluster.api.backend import Backend
from fairway.cluster.api.calls import Call, Reply
from fairway.cluster.api.checks import causes
from fairway.cluster.api.identity import authentication, userinfo
from fairway.cluster.api.identity.tokens import AUDIENCE
from fairway.kernel.feature import Identity
from fairway.kernel.objects import errors
from fairway.kernel.objects.errors import Cause
from fairway.kernel.objects.kinds import Object


def answer(backend: Backend, call: Call) -> Reply:
    call.body = {} if call.body is None else call.body
    asked = shaping.shaped(call)
    shaping.complete(call, asked)
    shaping.refuse(call, {"metadata": {}}, shaping.check(call, asked, only="spec"))
    spec = asked.get("spec") or {}
    status = _ANSWERS[call.served.resource.kind.plural](backend, call, spec)
    kind = call.served.resource.kind
    metadata = {**(asked.get("metadata") or {}), "creationTimestamp": backend.now()}
    return Reply(
        {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": metadata, "spec": spec, "status": status}, 201
    )


def _token_review(backend: Backend, call: Call, spec: Object) -> Object:
    audiences = [str(audience) for audience in spec.get("audiences") or ()] or [AUDIENCE]
    known: dict[str, Identity] = {}
    for audience in audiences:
        with suppress(errors.Unauthorized):
            known[audience] = authentication.identify(backend, str(spec.get("token") or ""), audience=audience)
    if known:
        return {"authenticated": True, "user": userinfo.of(next(iter(known.values()))), "audiences": list(known)}
    return {
        "authenticated": False,
        "error": "the token is not one of this server, is not for this audience, or is over",
    }


def _self_subject_review(backend: Backend, call: Call, spec: Object) -> Object:
    return {"userInfo": userinfo.of(call.identity)}


def _self_subject_access_review(backend: Backend, call: Call, spec: Object) -> Object:
    return _access(backend, call.identity, _attempt(call, spec))


def _subject_access_review(backend: Backend, call: Call, spec: Object) -> Object:
    attempt = _attempt(call, spec)
    if not spec.get("user") and not spec.get("groups"):
        raise _wrong(call, causes.invalid("spec.user", "", "at least one of user or group must be specified"))
    extra = tuple((key, tuple(values or ())) for key, values in (spec.get("extra") or {}).items())
    groups = tuple(map(str, spec.get("groups") or ()))  # as they are told: whoever asks says what they know
    subject = Identity(str(spec.get("user") or ""), groups, str(spec.get("uid") or ""), extra)
    return _access(backend, subject, attempt)


def _local_subject_access_review(backend: Backend, call: Call, spec: Object) -> Object:
    if "nonResourceAttributes" in spec:
        text = "disallowed on this kind of request"
        raise _wrong(call, causes.invalid("spec.nonResourceAttributes", spec["nonResourceAttributes"], text))
    named = str((spec.get("resourceAttributes") or {}).get("namespace") or "")
    if named != call.namespace:
        text = f"must match metadata.namespace: {call.namespace}"
        raise _wrong(call, causes.invalid("spec.resourceAttributes.namespace", named, text))
    return _subject_access_review(backend, call, spec)


def _self_subject_rules_review(backend: Backend, call: Call, spec: Object) -> Object:
    namespace = str(spec.get("namespace") or "")
    if not namespace:
        raise errors.BadRequest("no namespace on request")
    rules, problems = backend.grants.rules(call.identity, namespace)
    wire = [rule.wire() for rule in dict.fromkeys(rules)]
    answer: Object = {
        "resourceRules": [each for each in wire if "nonResourceURLs" not in each],
        "nonResourceRules": [each for each in wire if "nonResourceURLs" in each],
        "incomplete": bool(problems),
    }
    return {**answer, "evaluationError": ", ".join(problems)} if problems else answer


def _attempt(call: Call, spec: Object) -> Attempt:
    """What is asked about. Raises Invalid unless it is a resource or a path."""
    resource, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if (resource is None) == (path is None):
        text = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        raise _wrong(call, causes.invalid("spec.resourceAttributes", resource, text))
    if path is not None:
        return Attempt(str(path.get("verb") or ""), path=str(path.get("path") or "/"))
    wanted = resource or {}
    fields = ("verb", "group", "resource", "namespace", "name", "subresource")
    return Attempt(*(str(wanted.get(field) or "") for field in fields))


def _access(backend: Backend, identity: Identity, attempt: Attempt) -> Object:
    found = backend.grants.answer(identity, attempt)
    status: Object = {"allowed": found.allowed}
    if found.reason:
        status["reason"] = found.reason
    return status | ({"evaluationError": found.problem} if found.problem else {})


def _wrong(call: Call, cause: Cause) -> errors.Invalid:
    return call.served.invalid("", [cause])


_ANSWERS = {
    "tokenreviews": _token_review,
    "selfsubjectreviews": _self_subject_review,
    "selfsubjectaccessreviews": _self_subject_access_review,
    "selfsubjectrulesreviews": _self_subject_rules_review,
    "subjectaccessreviews": _subject_access_review,
    "localsubjectaccessreviews": _local_subject_access_review,
}
