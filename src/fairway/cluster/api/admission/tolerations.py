"""DefaultTolerationSeconds: a pod bears for five minutes that its node is not ready or not heard of."""

from __future__ import annotations

from fairway.cluster.api.admission.chain import Step
from fairway.cluster.api.admission.request import Request
from fairway.kernel.objects.kinds import POD, Object

_KEYS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
_EFFECT = "NoExecute"


class Tolerations(Step):
    resources = (POD.resource,)

    def wants(self, request: Request) -> bool:
        return request.operation in ("CREATE", "UPDATE") and not request.subresource

    async def mutate(self, request: Request) -> None:
        spec = request.object["spec"]
        borne = spec.get("tolerations") or []
        added = [_for_five_minutes(key) for key in _KEYS if not any(_bears(one, key) for one in borne)]
        if added:
            spec["tolerations"] = [*borne, *added]


def _bears(toleration: Object, key: str) -> bool:
    return toleration.get("key") in (None, "", key) and toleration.get("effect") in (None, "", _EFFECT)


def _for_five_minutes(key: str) -> Object:
    return {"key": key, "operator": "Exists", "effect": _EFFECT, "tolerationSeconds": 300}
