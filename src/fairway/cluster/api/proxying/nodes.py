"""nodes/NAME/proxy: of what a kubelet answers, what costs nothing here: whether it is well, and the pods on it."""

from __future__ import annotations

from fairway.cluster.api.backend import Backend
from fairway.cluster.api.calls import Call
from fairway.cluster.store.protocol import Key
from fairway.kernel.objects import errors
from fairway.kernel.objects.kinds import POD, Object

HEALTHZ, PODS = "/healthz", "/pods"


def answer(backend: Backend, call: Call, path: str) -> str | Object:
    """A text, or an object. Raises ApiError."""
    name = call.name.split(":")[0]
    node = backend.store.get(Key(call.served.storage, "", name))
    if node is None:
        raise errors.not_found(call.served.label, name)
    match path.rstrip("/"):
        case "/healthz":
            return _health(node.object)
        case "/pods":
            pods = [record.object for record in backend.store.list(POD.resource).records]
            mine = [pod for pod in pods if pod["spec"].get("nodeName") == name]
            return {"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": mine}
    raise errors.MethodNotAllowed(
        f"the node answers {HEALTHZ} and {PODS} here, and not {path or '/'}: for what pods use ask metrics.k8s.io, and "
        "for logs and commands the pods themselves"
    )


def _health(node: Object) -> str:
    conditions = (node.get("status") or {}).get("conditions") or ()
    if not any(each["type"] == "Ready" and each["status"] == "True" for each in conditions):
        raise errors.InternalError("the node's agent has stopped")
    return "ok"
