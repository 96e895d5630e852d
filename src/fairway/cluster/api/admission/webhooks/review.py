"""AdmissionReview v1: what a webhook is told, and what its answer means. Pure."""

from __future__ import annotations

import base64
import binascii
import uuid
from dataclasses import dataclass
from typing import Any

import orjson

from fairway.cluster.api.admission.request import Request
from fairway.cluster.api.calls import TRUE
from fairway.cluster.api.identity import userinfo
from fairway.cluster.api.registry import Served
from fairway.kernel.objects import errors
from fairway.kernel.objects.kinds import Object

_VERSION, _KIND = "admission.k8s.io/v1", "AdmissionReview"
_OPTIONS = {"CREATE": "CreateOptions", "UPDATE": "UpdateOptions", "DELETE": "DeleteOptions"}
_FLAGS = ("stdin", "stdout", "stderr", "tty")


class Unreadable(Exception):
    """The answer is no AdmissionReview that was asked for; the text is upstream's."""


@dataclass(frozen=True, slots=True)
class Verdict:
    allowed: bool
    patch: list[Any]
    warnings: tuple[str, ...]
    notes: dict[str, str]
    """Annotations for the audit record."""
    status: Object


def question(request: Request, seen_as: Served, new: Object | None, old: Object | None) -> Object:
    """The review to send. `new` and `old` are as the webhook wants to see them."""
    call = request.call
    kind, resource = _kind(seen_as, request.subresource), _resource(seen_as)
    asked: Object = {
        "uid": str(uuid.uuid4()),
        "kind": kind,
        "resource": resource,
        "requestKind": _kind(call.served, request.subresource),
        "requestResource": _resource(call.served),
        "name": call.name,
        "operation": request.operation,
        "userInfo": userinfo.of(call.identity),
        "object": new,
        "oldObject": old,
        "dryRun": request.dry_run,
        "options": _options(request),
    }
    if request.subresource:
        asked |= {"subResource": request.subresource, "requestSubResource": request.subresource}
    if request.namespace:
        asked["namespace"] = request.namespace
    return {"kind": _KIND, "apiVersion": _VERSION, "request": asked}


def connection(request: Request) -> Object:
    """The options of a connection as an object."""
    kind = _kind(request.call.served, request.subresource)
    values = {key: value in TRUE if key in _FLAGS else value for key, value in request.object.items()}
    if "command" in values:
        values["command"] = [values["command"]]
    return {"kind": kind["kind"], "apiVersion": "v1", **values}


def verdict(question_: Object, answer: Object, *, mutating: bool) -> Verdict:
    """What the webhook decided. Raises Unreadable."""
    response = answer.get("response")
    if not isinstance(response, dict):
        raise Unreadable("webhook response was absent")
    wanted = question_["request"]["uid"]
    if response.get("uid") != wanted:
        raise Unreadable(f'expected response.uid="{wanted}", got "{response.get("uid") or ""}"')
    if (answer.get("apiVersion"), answer.get("kind")) != (_VERSION, _KIND):
        got = f"{answer.get('apiVersion') or ''}, Kind={answer.get('kind') or ''}"
        raise Unreadable(f"expected webhook response of {_VERSION}, Kind={_KIND}, got {got}")
    warnings, notes = response.get("warnings") or [], response.get("auditAnnotations") or {}
    status = response.get("status")
    return Verdict(
        response.get("allowed") is True,
        _patch(response, mutating=mutating),
        tuple(str(one) for one in warnings) if isinstance(warnings, list) else (),
        {str(key): str(value) for key, value in notes.items()} if isinstance(notes, dict) else {},
        status if isinstance(status, dict) else {},
    )


def refusal(name: str, status: Object) -> errors.ApiError:
    """The error that a webhook's no becomes."""
    denied = f'admission webhook "{name}" denied the request'
    said = status.get("message") or status.get("reason")
    code = status.get("code")
    code = code if isinstance(code, int) and 400 <= code <= 599 else 400
    text = f"{denied}: {said}" if said else f"{denied} without explanation"
    details = status.get("details")
    told = {"message": text, "code": code, "reason": str(status.get("reason") or "")}
    return errors.from_status(told | ({"details": details} if isinstance(details, dict) else {}))


def _patch(response: Object, *, mutating: bool) -> list[Any]:
    patch, type_ = response.get("patch"), response.get("patchType")
    if not mutating:
        if patch:
            raise Unreadable("validating webhook may not return response.patch")
        if type_ is not None:
            raise Unreadable("validating webhook may not return response.patchType")
        return []
    if patch and type_ is None:
        raise Unreadable("webhook returned response.patch but not response.patchType")
    if not patch:
        if type_ is not None:
            raise Unreadable("webhook returned response.patchType but not response.patch")
        return []
    if type_ != "JSONPatch":
        raise Unreadable(f'unsupported patch type "{type_}"')
    try:
        operations = orjson.loads(base64.b64decode(patch, validate=True))
    except (binascii.Error, TypeError, ValueError) as problem:
        raise Unreadable(f"received undecodable patch in webhook response: {problem}") from None
    if not isinstance(operations, list):
        raise Unreadable("received undecodable patch in webhook response: it is no list of operations")
    return operations


def _kind(served: Served, subresource: str) -> Object:
    row = served.resource
    part = row.subresource(subresource) if subresource else None
    if part is not None:
        return {"group": part.group, "version": part.version, "kind": part.kind}
    return {"group": row.kind.group, "version": row.kind.version, "kind": row.kind.kind}


def _resource(served: Served) -> Object:
    kind = served.resource.kind
    return {"group": kind.group, "version": kind.version, "resource": kind.plural}


def _options(request: Request) -> Object | None:
    if request.operation not in _OPTIONS:
        return None
    call = request.call
    kind = "PatchOptions" if call.verb == "patch" else _OPTIONS[request.operation]
    options: Object = {"kind": kind, "apiVersion": "meta.k8s.io/v1"}
    if request.operation == "DELETE":
        return {**request.object, **options}
    for key in ("fieldManager", "fieldValidation"):
        if call.query.get(key):
            options[key] = call.query[key]
    if request.dry_run:
        options["dryRun"] = ["All"]
    if call.flag("force"):
        options["force"] = True
    return options
