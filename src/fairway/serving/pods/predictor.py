"""The predictor's pod: the runtime's containers with the user's laid over them, or the user's alone. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fairway.kernel.objects.kinds import Object
from fairway.serving.component import PREDICTOR, Ports
from fairway.serving.pods import containers, places, templates
from fairway.serving.runtimes import built_in, merging, selection
from fairway.serving.runtimes.built_in import SERVER_TYPE
from fairway.serving.spec import defaults, fields
from fairway.serving.spec.refusals import NotSupported


@dataclass(frozen=True)
class Pod:
    """A template, and where what it serves listens."""

    template: Object
    ports: Ports


def of_model(isvc: Object, block: Mapping[str, Any], field: str, runtime: Object) -> Pod:
    """A model that `runtime` serves. `field` is the name of the block that the user wrote. Raises NotSupported."""
    predictor, where = isvc["spec"]["predictor"], f"spec.predictor.{field}"
    spec, name = runtime["spec"], runtime["metadata"]["name"]
    servers = {one["name"]: one for one in spec["containers"]}
    if containers.SERVER not in servers:
        text = f"{where}.runtime: {name} has no container named {containers.SERVER}; add it to the runtime."
        raise NotSupported("InvalidPredictorSpec", [text])
    kind = (runtime["metadata"].get("annotations") or {}).get(SERVER_TYPE, "")
    protocol = defaults.protocol(block) or selection.preferred_protocol(runtime)
    metadata = defaults.metadata(isvc, block["modelFormat"]["name"], kind, protocol)
    server = merging.container(servers.pop(containers.SERVER), _own(block))
    server = _versioned(merging.filled(server, metadata, name), block.get("runtimeVersion"))
    placed = places.placed(_configured(server, predictor), block["storageUri"])
    own = {one.get("name"): one for one in predictor.get("containers") or ()}
    both = [merging.container(one, own.pop(each, {})) for each, one in servers.items()]
    beside = [merging.filled(one, metadata, name) for one in both]
    return _pod(isvc, predictor, [placed.container, *beside, *own.values()], spec, placed.volumes)


def of_containers(isvc: Object) -> Pod:
    """The user's own containers: the one named kserve-container serves, or else the first."""
    predictor = isvc["spec"]["predictor"]
    given = list(predictor["containers"])
    at = next((number for number, one in enumerate(given) if one.get("name") == containers.SERVER), 0)
    server = {**given.pop(at), "name": containers.SERVER}
    uri = containers.variable(server, "STORAGE_URI")
    placed = places.Placed(server)
    if uri:
        server = {**server, "env": [_told_where(entry) for entry in server["env"]]}
        placed = places.placed(server, uri)
    return _pod(isvc, predictor, [_configured(placed.container, predictor), *given], {}, placed.volumes)


def _pod(isvc: Object, predictor: Object, serving: list[Object], runtime: Object, volumes: Any) -> Pod:
    """A transformer beside the model takes the requests; otherwise the model's server does."""
    serving = [_beside(one) if one.get("name") == containers.TRANSFORMER else one for one in serving]
    front = next((one for one in serving if one.get("name") == containers.TRANSFORMER), serving[0])
    finished = [containers.listening(one) if one in (front, serving[0]) else one for one in serving]
    template = templates.template(isvc, PREDICTOR, predictor, finished, runtime=runtime, volumes=volumes)
    return Pod(template, containers.ports(front))


def _own(block: Mapping[str, Any]) -> Object:
    return {key: value for key, value in block.items() if key in fields.CONTAINER and value not in (None, [], {})}


def _configured(server: Object, predictor: Object) -> Object:
    """What of the component's fields our own server has a flag for."""
    concurrency = predictor.get("containerConcurrency")
    if concurrency and built_in.ours(server):
        return {**server, "args": [*server["args"], f"--container_concurrency={concurrency}"]}
    return server


def _versioned(server: Object, version: str | None) -> Object:
    """With the image's tag replaced, as runtimeVersion asks; an image that is named by its digest stays."""
    image = str(server.get("image") or "")
    if not version or "@sha256:" in image:
        return server
    head, slash, last = image.rpartition("/")
    return {**server, "image": f"{head}{slash}{last.partition(':')[0]}:{version}"}


def _told_where(entry: Object) -> Object:
    return {"name": "STORAGE_URI", "value": built_in.MODEL_DIR} if entry["name"] == "STORAGE_URI" else entry


def _beside(transformer: Object) -> Object:
    """All containers of a pod share its address, which is not that of localhost here."""
    arguments = [
        text.replace("localhost:", "$(POD_IP):").replace("127.0.0.1:", "$(POD_IP):")
        for text in transformer.get("args") or ()
    ]
    changed = {**transformer, "args": arguments} if arguments else transformer
    return containers.with_env(changed, [containers.POD_IP])
