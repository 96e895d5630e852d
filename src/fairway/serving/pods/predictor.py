"""The predictor's containers: the runtime's with the user's laid over them, or the user's alone. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import Object
from fairway.serving.component import PREDICTOR
from fairway.serving.pods import assembly, containers
from fairway.serving.pods.assembly import Parts, Pod
from fairway.serving.pods.models import Storage
from fairway.serving.runtimes import built_in, merging, selection
from fairway.serving.runtimes.built_in import MODEL_DIR, SERVER_TYPE
from fairway.serving.spec import defaults, fields, workers
from fairway.serving.spec.refusals import NotSupported


def of_model(isvc: Object, block: Mapping[str, Any], where: str, runtime: Object, storage: Storage) -> Pod:
    """A model that `runtime` serves. `where` names the block that the user wrote. Raises NotSupported."""
    predictor, spec, name = isvc["spec"]["predictor"], runtime["spec"], meta.name(runtime)
    servers = {one.get("name") or "": one for one in spec["containers"]}
    if containers.SERVER not in servers:
        text = f"{where}.runtime: {name} has no container named {containers.SERVER}; add it to the runtime."
        raise NotSupported("InvalidPredictorSpec", [text])
    kind = meta.annotations(runtime).get(SERVER_TYPE, "")
    protocol = defaults.protocol(block) or selection.preferred_protocol(runtime)
    metadata = defaults.metadata(isvc, block["modelFormat"]["name"], kind, protocol)
    own = {one.get("name"): one for one in predictor.get("containers") or ()}
    server = merging.container(servers.pop(containers.SERVER), _own(block))
    server = merging.container(server, own.pop(containers.SERVER, {}))
    server = _versioned(merging.filled(server, metadata, name), block.get("runtimeVersion"))
    server = containers.with_env(_as_upstream(server, isvc, kind), workers.variables(predictor))
    server = assembly.limited(server, predictor)
    both = [merging.container(one, own.pop(each, {})) for each, one in servers.items()]
    beside = [merging.filled(one, metadata, name) for one in both]
    return assembly.pod(isvc, Parts(PREDICTOR, [server, *beside, *own.values()], block, spec), storage)


def of_containers(isvc: Object, storage: Storage) -> Pod:
    """The user's own containers: the one named kserve-container serves, or else the first."""
    predictor = isvc["spec"]["predictor"]
    server, *others = containers.server_first(predictor["containers"])
    return assembly.pod(isvc, Parts(PREDICTOR, [assembly.limited(server, predictor), *others]), storage)


def _own(block: Mapping[str, Any]) -> Object:
    return {key: value for key, value in block.items() if key in fields.CONTAINER and value not in (None, [], {})}


def _as_upstream(server: Object, isvc: Object, kind: str) -> Object:
    """The variables that KServe sets for MLServer, and the name that a user may give the model by one of them."""
    if kind != "mlserver":
        return server
    name = containers.variable(server, "MLSERVER_MODEL_NAME")
    if name and built_in.ours(server):
        server = {**server, "args": [*server["args"], f"--model_name={name}"]}
    wanted = {"MLSERVER_MODEL_NAME": meta.name(isvc), "MLSERVER_MODEL_URI": MODEL_DIR}
    return containers.with_env(server, [{"name": key, "value": value} for key, value in wanted.items()])


def _versioned(server: Object, version: str | None) -> Object:
    """With the image's tag replaced, as runtimeVersion asks; an image that is named by its digest stays."""
    image = str(server.get("image") or "")
    if not version or "@sha256:" in image:
        return server
    head, slash, last = image.rpartition("/")
    return {**server, "image": f"{head}{slash}{last.partition(':')[0]}:{version}"}
