"""A component's containers put together into its pod: models placed, ports named, the sidecar before them. Pure.

`predictor` and `custom` say which containers there are; what is the same for all components is here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fairway.kernel.objects.kinds import Object
from fairway.serving.component import PREDICTOR, Ports
from fairway.serving.pods import containers, models, places, pulling, sidecar, templates
from fairway.serving.pods.models import STORAGE_URI, Storage
from fairway.serving.pods.places import Placed
from fairway.serving.runtimes import built_in
from fairway.serving.runtimes.built_in import MODEL_DIR
from fairway.serving.spec import defaults, scaling, steering
from fairway.serving.storage import credentials
from fairway.serving.storage.credentials import Given

_METRICS = "prometheus.kserve.io/port"
_AGGREGATED = 9088
"""Where KServe has the metrics of all containers of a pod; here one of them has them all."""


@dataclass(frozen=True)
class Pod:
    """A template, and where what it serves listens."""

    template: Object
    ports: Ports


@dataclass(frozen=True)
class Parts:
    """What a pod is made of: `serving` are its containers, the server first; `block` is the model that the user wrote,
    and `runtime` the spec of what serves it, both empty for containers of the user's own."""

    role: str
    serving: Sequence[Object]
    block: Mapping[str, Any] = field(default_factory=dict)
    runtime: Mapping[str, Any] = field(default_factory=dict)


def pod(isvc: Object, parts: Parts, storage: Storage) -> Pod:
    """Raises NotSupported."""
    part = isvc["spec"][parts.role]
    server, *others = (_beside(one) for one in parts.serving)
    server = _telling(isvc, server)
    beside = [one for one in others if one.get("name") == containers.TRANSFORMER]
    placed, more = _placed(isvc, parts, [server, *beside], storage)
    server, *beside = (containers.listening(_told_where(one)) for one in placed.containers)
    front = beside[0] if beside else server  # a transformer beside the model takes the requests
    ports = containers.ports(front)
    rest = [one for one in others if one.get("name") != containers.TRANSFORMER]
    server = server if beside else containers.found_by_name(server, rest)
    finished, volumes, noted = [server, *beside, *rest, *more], [*placed.volumes], {}
    knative = defaults.mode(isvc) == "Knative"
    if sidecar.is_wanted(part, front, scaling.read(isvc, part), ports, knative=knative):
        given = _given(isvc, part, storage)
        finished.append(sidecar.container(isvc, parts.role, part, front, ports, given))
        volumes += [one for one in given.volumes if one not in volumes]
        ports, noted = Ports(sidecar.PORT, ports.grpc), {_METRICS: str(sidecar.PORT)}
    around = templates.Around(parts.runtime, tuple(volumes), placed.inits, noted)
    return Pod(templates.template(isvc, parts.role, part, finished, around), ports)


def _placed(isvc: Object, parts: Parts, reading: Sequence[Object], storage: Storage) -> tuple[Placed, Sequence[Object]]:
    """The containers that read models, and those that bring models while these run."""
    part, block = isvc["spec"][parts.role], parts.block
    wanted = models.wanted(isvc, part, block, reading[0], storage)
    if wanted is not None:
        return places.placed(isvc, reading, wanted), ()
    many = models.is_multi_model(part, block) if block else models.says_multi_model(reading[0])
    if parts.role != PREDICTOR or not many:
        return Placed(tuple(reading)), ()
    given = credentials.of_secrets(storage.secrets.get(models.account(part), ()))
    placed, puller = pulling.placed(isvc, reading, storage.stores, given)
    return placed, (puller,)


def _given(isvc: Object, part: Object, storage: Storage) -> Given:
    """The credentials for the place that the logger writes to."""
    kept = (part.get("logger") or {}).get("storage")
    if not kept:
        return Given()
    if kept.get("key") and not kept.get("serviceAccountName"):
        return credentials.of_storage(isvc, kept["key"], {}, "")
    return credentials.of_secrets(storage.secrets.get(kept.get("serviceAccountName") or models.account(part), ()))


def _told_where(container: Object) -> Object:
    """STORAGE_URI is where the model was; a container finds in it where the model is."""
    if containers.variable(container, STORAGE_URI) is None:
        return container
    env = [{"name": STORAGE_URI, "value": MODEL_DIR} if one["name"] == STORAGE_URI else one for one in container["env"]]
    return {**container, "env": env}


def _beside(container: Object) -> Object:
    """All containers of a pod share its address, which is not that of localhost here."""
    if container.get("name") != containers.TRANSFORMER:
        return container
    arguments = [
        text.replace("localhost:", "$(POD_IP):").replace("127.0.0.1:", "$(POD_IP):")
        for text in container.get("args") or ()
    ]
    changed = {**container, "args": arguments} if arguments else container
    return containers.with_env(changed, [containers.POD_IP])


def _telling(isvc: Object, server: Object) -> Object:
    if steering.aggregates(isvc) and built_in.ours(server):
        return {**server, "args": [*server["args"], f"--metrics_port={_AGGREGATED}"]}
    return server


def limited(server: Object, part: Object) -> Object:
    """What of the component's fields our own server has a flag for."""
    concurrency = part.get("containerConcurrency")
    if concurrency and built_in.ours(server):
        return {**server, "args": [*server["args"], f"--container_concurrency={concurrency}"]}
    return server
