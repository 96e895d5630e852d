"""serviceaccounts/token: a token for a service account, which dies with the pod, Secret or Node that it is bound to."""

from __future__ import annotations

import uuid

from fairway.cluster.api import reading
from fairway.cluster.api.backend import Backend
from fairway.cluster.api.calls import Call, Reply
from fairway.cluster.api.identity.tokens import AUDIENCE
from fairway.cluster.store.protocol import Key
from fairway.kernel import clock as time
from fairway.kernel.objects import errors
from fairway.kernel.objects.errors import Cause
from fairway.kernel.objects.kinds import NODE, POD, SECRET, Kind, Object

_SHORTEST, _LONGEST, _USUAL = 600, 366 * 24 * 3600, 3600
_GROUP = "authentication.k8s.io"
_BINDABLE = {(kind.api_version, kind.kind): kind for kind in (POD, SECRET, NODE)}


async def answer(backend: Backend, call: Call) -> Reply:
    account = reading.found(backend.store, call).object
    body = call.body if isinstance(call.body, dict) else {}
    spec = body.get("spec") or {}
    seconds = _seconds(call, spec)
    claims: Object = {
        "jti": str(uuid.uuid4()),
        "kubernetes.io": {
            "namespace": call.namespace,
            "serviceaccount": {"name": call.name, "uid": account["metadata"]["uid"]},
            **_bound(backend, call, spec.get("boundObjectRef")),
        },
    }
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{call.namespace}")
    user = f"system:serviceaccount:{call.namespace}:{call.name}"
    audiences = [str(each) for each in spec.get("audiences") or ()]
    token = backend.issuer.mint(user, groups, seconds=seconds, audiences=audiences, extra=claims)
    reply = {
        "kind": "TokenRequest",
        "apiVersion": f"{_GROUP}/v1",
        "metadata": {"name": call.name, "namespace": call.namespace, "creationTimestamp": backend.now()},
        "spec": {**spec, "audiences": audiences or [AUDIENCE], "expirationSeconds": seconds},
        "status": {"token": token, "expirationTimestamp": time.timestamp(backend.clock.now() + seconds)},
    }
    return Reply(reply, 201)


def _seconds(call: Call, spec: Object) -> int:
    seconds = spec.get("expirationSeconds") or _USUAL
    if not isinstance(seconds, int) or not _SHORTEST <= seconds <= _LONGEST:
        text = f"Invalid value: {seconds}: may not specify a duration less than 10 minutes or more than a year"
        raise errors.invalid("TokenRequest", _GROUP, call.name, [Cause("spec.expirationSeconds", text)])
    return seconds


def _bound(backend: Backend, call: Call, reference: Object | None) -> Object:
    """The claim that names the object with which the token dies. Raises ApiError where there is no such object."""
    if not reference:
        return {}
    kind = _BINDABLE.get((reference.get("apiVersion") or "v1", reference.get("kind") or ""))
    name, uid = str(reference.get("name") or ""), str(reference.get("uid") or "")
    if kind is None:
        raise errors.BadRequest(
            f"cannot bind token for serviceaccount {name!r} to type {reference.get('apiVersion')}/"
            f"{reference.get('kind')}: it may be bound to a Pod, a Secret or a Node"
        )
    record = backend.store.get(Key(kind.resource, call.namespace if kind.namespaced else "", name))
    if record is None:
        raise errors.not_found(kind.resource, name)
    found = str(record.object["metadata"]["uid"])
    if uid and uid != found:
        why = f"the UID in the bound object reference ({uid}) does not match the UID in record ({found})"
        raise errors.conflict(kind.resource, name, f"{why}. The object might have been deleted and then recreated")
    if kind == POD:
        _same_account(call, name, record.object)
    return {kind.kind.lower(): {"name": name, "uid": found}} | _node_of(backend, kind, record.object)


def _same_account(call: Call, name: str, pod: Object) -> None:
    account = pod["spec"].get("serviceAccountName") or "default"
    if account != call.name:
        raise errors.BadRequest(
            f'cannot bind token for serviceaccount "{call.name}" to pod "{name}" running with different serviceaccount '
            f'"{account}"'
        )


def _node_of(backend: Backend, kind: Kind, obj: Object) -> Object:
    """A pod's token says where the pod runs."""
    name = obj["spec"].get("nodeName") if kind == POD else ""
    node = backend.store.get(Key(NODE.resource, "", name)) if name else None
    return {"node": {"name": name, "uid": node.object["metadata"]["uid"]}} if node else {}
