"""From a visit and its answer to an audit.k8s.io/v1 Event at the level Metadata: no body, and nothing of one. Pure.

The query is left out but for a dry run: that of a connection is a command line. A message is told where somebody was
refused; those of other errors may quote what was sent.
"""

from __future__ import annotations

from fairway.cluster.api import paths
from fairway.cluster.api.auditing.visits import Visit
from fairway.cluster.api.identity import userinfo
from fairway.kernel import clock
from fairway.kernel.objects.errors import ApiError
from fairway.kernel.objects.kinds import Object

REFUSED = (401, 403)
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete", "HEAD": "get"}


def event(visit: Visit, code: int, error: ApiError | None, now: float) -> Object:
    found: Object = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Metadata",
        "auditID": visit.id,
        "stage": "ResponseStarted" if code == 101 else "ResponseComplete",
        "requestURI": f"{visit.path}?dryRun=All" if "dryRun" in visit.query else visit.path,
        "verb": visit.call.verb if visit.call else visit.elsewhere or _verb(visit),
        "user": {},
    }
    identity = visit.identity
    if identity is not None:
        found["user"] = userinfo.of(identity.impersonator or identity)
        if identity.impersonator is not None:
            found["impersonatedUser"] = userinfo.of(identity)
    if visit.address:
        found["sourceIPs"] = [visit.address]
    if visit.agent:
        found["userAgent"] = visit.agent
    if reference := _object(visit):
        found["objectRef"] = reference
    found["responseStatus"] = _status(code, error)
    found["requestReceivedTimestamp"] = clock.timestamp_micro(visit.received)
    found["stageTimestamp"] = clock.timestamp_micro(now)
    notes = visit.call.notes if visit.call else {}
    found["annotations"] = {**notes, "authorization.k8s.io/decision": "forbid" if code in REFUSED else "allow"}
    return found


def _verb(visit: Visit) -> str:
    """Of a request that was refused before its verb was known."""
    target = paths.parse(visit.path)
    if target is None:
        return visit.method.lower()
    if visit.method == "GET" and not target.name:
        return "watch" if target.watch or "watch" in visit.query else "list"
    if visit.method == "DELETE" and not target.name:
        return "deletecollection"
    return _VERBS.get(visit.method, visit.method.lower())


def _object(visit: Visit) -> Object:
    target = paths.parse(visit.path)
    if target is None:
        return {}
    parts = {
        "resource": target.plural,
        "namespace": target.namespace,
        "name": visit.call.name if visit.call else target.name,
        "apiGroup": target.group,
        "apiVersion": target.version,
        "subresource": target.subresource,
    }
    return {key: value for key, value in parts.items() if value}


def _status(code: int, error: ApiError | None) -> Object:
    if error is None:
        return {"metadata": {}, "code": code}
    status: Object = {"metadata": {}, "status": "Failure", "reason": error.reason, "code": code}
    return {**status, "message": error.message} if code in REFUSED else status
