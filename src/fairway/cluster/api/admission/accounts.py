"""ServiceAccount: a pod runs as an account of its namespace that exists, and gets what the account says.

The account `default` is what each namespace is furnished with a moment after its birth; a pod that is quicker than that
brings it. Where Kubernetes mounts a volume kube-api-access, the node of this server puts the same files in the same
place by itself, and renews them: the pod says no more than whether it wants them.
"""

from __future__ import annotations

from collections.abc import Iterator

from fairway.cluster.api import objectmeta
from fairway.cluster.api.admission.chain import Step
from fairway.cluster.api.admission.request import Request
from fairway.cluster.store.protocol import Key, Store, WrongRevision
from fairway.kernel import clock as time
from fairway.kernel.clock import Clock
from fairway.kernel.objects import errors, meta
from fairway.kernel.objects.kinds import POD, SERVICE_ACCOUNT, Object

DEFAULT = "default"
_MOUNTABLE = "kubernetes.io/enforce-mountable-secrets"
"""An annotation of accounts whose pods may use the secrets that the account lists, and no others."""


class Accounts(Step):
    resources = (POD.resource,)

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock

    def wants(self, request: Request) -> bool:
        return request.operation == "CREATE" and not request.subresource

    async def mutate(self, request: Request) -> None:
        spec = request.object["spec"]
        account = await self._account(request)
        if account.get("automountServiceAccountToken") is False:
            spec.setdefault("automountServiceAccountToken", False)
        if account.get("imagePullSecrets") and not spec.get("imagePullSecrets"):
            spec["imagePullSecrets"] = [dict(each) for each in account["imagePullSecrets"]]

    async def validate(self, request: Request) -> None:
        account = await self._account(request)
        if meta.annotations(account).get(_MOUNTABLE) == "true":
            for why in _foreign_secrets(request.object["spec"], account):
                raise errors.forbidden(POD.resource, request.call.name, why)

    async def _account(self, request: Request) -> Object:
        namespace, name = request.call.namespace, request.object["spec"].get("serviceAccountName") or DEFAULT
        key = Key(SERVICE_ACCOUNT.resource, namespace, name)
        record = self._store.get(key)
        if record is None and name == DEFAULT and not request.dry_run:
            await self._make(key)
            record = self._store.get(key)
        if record is not None:
            return record.object
        if name == DEFAULT:
            return SERVICE_ACCOUNT.new(name, namespace)
        why = f'error looking up service account {namespace}/{name}: serviceaccount "{name}" not found'
        raise errors.forbidden(POD.resource, request.call.name, why)

    async def _make(self, key: Key) -> None:
        metadata = objectmeta.born({"name": key.name}, key.namespace, time.timestamp(self._clock.now()))
        del metadata["generation"]
        account: Object = {"apiVersion": "v1", "kind": SERVICE_ACCOUNT.kind, "metadata": metadata}
        try:
            await self._store.create(key, account)
        except WrongRevision as race:
            await self._store.progress(race.current)


def _foreign_secrets(spec: Object, account: Object) -> Iterator[str]:
    """Why a pod may not use the secrets that it names, in upstream's words."""
    name = meta.name(account)
    listed = {each.get("name") for each in account.get("secrets") or ()}
    for where, secret in _secrets(spec):
        if secret not in listed:
            refers = f"because service account {name} does not reference that secret"
            yield f'{where} secret.secretName="{secret}" is not allowed {refers}'
    pulling = {each.get("name") for each in account.get("imagePullSecrets") or ()}
    for index, each in enumerate(spec.get("imagePullSecrets") or ()):
        if each.get("name") not in pulling:
            why = f"is not allowed because service account {name} does not reference that imagePullSecret"
            yield f'imagePullSecrets[{index}].name="{each.get("name")}" {why}'


def _secrets(spec: Object) -> Iterator[tuple[str, str]]:
    """(where, name) of every secret that volumes and containers name."""
    for volume in spec.get("volumes") or ():
        if secret := (volume.get("secret") or {}).get("secretName"):
            yield "volume with", secret
    for part, word in (("initContainers", "init container"), ("containers", "container")):
        for container in spec.get(part) or ():
            where = f"{word} {container.get('name')} with"
            for variable in container.get("env") or ():
                if reference := (variable.get("valueFrom") or {}).get("secretKeyRef"):
                    yield f"{where} envVar {variable.get('name')} referencing", reference.get("name")
            for source in container.get("envFrom") or ():
                if reference := source.get("secretRef"):
                    yield f"{where} envFrom referencing", reference.get("name")
