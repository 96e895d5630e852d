"""Questions asked of the API: whose token is this, who am I, what may I do. Answered and forgotten."""

from __future__ import annotations

from fairway.cluster.api import authentication, authorization, shaping
from fairway.cluster.api.backend import Backend
from fairway.cluster.api.calls import Call, Reply
from fairway.cluster.api.tokens import AUDIENCE
from fairway.kernel.feature import Identity
from fairway.kernel.objects.errors import Unauthorized
from fairway.kernel.objects.kinds import Object


def answer(backend: Backend, call: Call) -> Reply:
    kind = call.served.resource.kind
    body = shaping.shaped(call)
    shaping.complete(call, body)
    status = _ANSWERS[kind.plural](backend, call.identity, body.get("spec") or {})
    reply = {
        "kind": kind.kind,
        "apiVersion": kind.api_version,
        "metadata": {"creationTimestamp": backend.now()},
        "spec": body.get("spec") or {},
        "status": status,
    }
    return Reply(reply, 201)


def _token_review(backend: Backend, identity: Identity, spec: Object) -> Object:
    audiences = [str(audience) for audience in spec.get("audiences") or ()] or [AUDIENCE]
    for audience in audiences:
        try:
            found = authentication.identify(backend, str(spec.get("token") or ""), audience=audience)
        except Unauthorized:
            continue
        return {"authenticated": True, "user": _user(found), "audiences": [audience]}
    return {
        "authenticated": False,
        "error": "the token is not one of this server, is not for this audience, or is over",
    }


def _self_subject_review(backend: Backend, identity: Identity, spec: Object) -> Object:
    return {"userInfo": _user(identity)}


def _self_subject_access_review(backend: Backend, identity: Identity, spec: Object) -> Object:
    if "nonResourceAttributes" in spec:
        wanted = spec["nonResourceAttributes"] or {}
        reading = wanted.get("verb") in ("get", "head")
        return {"allowed": reading or authorization.allowed(identity, authorization.Attempt("*", "*", "*"))}
    wanted = spec.get("resourceAttributes") or {}
    attempt = authorization.Attempt(
        wanted.get("verb") or "",
        wanted.get("group") or "",
        wanted.get("resource") or "",
        wanted.get("namespace") or "",
        wanted.get("name") or "",
        wanted.get("subresource") or "",
    )
    return {"allowed": authorization.allowed(identity, attempt)}


def _user(identity: Identity) -> Object:
    return {"username": identity.user, "groups": list(identity.groups)}


_ANSWERS = {
    "tokenreviews": _token_review,
    "selfsubjectreviews": _self_subject_review,
    "selfsubjectaccessreviews": _self_subject_access_review,
}
