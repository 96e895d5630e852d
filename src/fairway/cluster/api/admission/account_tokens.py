"""Secrets of type kubernetes.io/service-account-token: born with a token of the service account that they name.

Older tools expect one; pods have a better one anyway, which is renewed. The token is the Secret's own: it dies with it,
or with the service account. Where upstream lets a controller write it a moment later, it is there at once.
"""

from __future__ import annotations

import base64
import uuid

from fairway.cluster.api.admission.chain import Step
from fairway.cluster.api.admission.request import Request
from fairway.cluster.api.identity.tokens import Issuer
from fairway.cluster.store.protocol import Key, Store
from fairway.kernel.objects import errors
from fairway.kernel.objects.kinds import CONFIG_MAP, SECRET, SERVICE_ACCOUNT, Object

_TYPE = "kubernetes.io/service-account-token"
_ACCOUNT, _UID = "kubernetes.io/service-account.name", "kubernetes.io/service-account.uid"
_ROOT_CA = "kube-root-ca.crt"
_SECONDS = 3650 * 24 * 3600.0


class AccountTokens(Step):
    resources = (SECRET.resource,)

    def __init__(self, store: Store, issuer: Issuer) -> None:
        self._store, self._issuer = store, issuer

    def wants(self, request: Request) -> bool:
        return request.operation in ("CREATE", "UPDATE") and request.object.get("type") == _TYPE

    async def mutate(self, request: Request) -> None:
        secret = request.object
        metadata, data = secret["metadata"], secret.get("data") or {}
        name = (metadata.get("annotations") or {}).get(_ACCOUNT)
        if not name or data.get("token"):
            return  # the checks say what is missing; a token that is there stays
        account = self._store.get(Key(SERVICE_ACCOUNT.resource, request.namespace, name))
        if account is None:
            raise errors.not_found(SERVICE_ACCOUNT.resource, name)
        uid = account.object["metadata"]["uid"]
        metadata["annotations"] = {**metadata["annotations"], _UID: uid}
        token = self._token(request.namespace, name, uid, metadata)
        secret["data"] = {**data, **self._beside(request.namespace), "token": _encoded(token)}

    def _token(self, namespace: str, name: str, uid: str, secret: Object) -> str:
        bound = {
            "namespace": namespace,
            "serviceaccount": {"name": name, "uid": uid},
            "secret": {"name": secret["name"], "uid": secret["uid"]},
        }
        claims = {"jti": str(uuid.uuid4()), "kubernetes.io": bound}
        return self._issuer.mint(f"system:serviceaccount:{namespace}:{name}", seconds=_SECONDS, extra=claims)

    def _beside(self, namespace: str) -> Object:
        """What else a client in a pod reads: its namespace, and whom it may trust."""
        found: Object = {"namespace": _encoded(namespace)}
        authority = self._store.get(Key(CONFIG_MAP.resource, namespace, _ROOT_CA))
        if authority is not None:
            found["ca.crt"] = _encoded(str((authority.object.get("data") or {}).get("ca.crt") or ""))
        return found


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
