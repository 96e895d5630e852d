"""The containers of a transformer and of an explainer: the user's, told where the predictor is. Pure."""

from __future__ import annotations

from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import Object
from fairway.serving.component import GRPC_PORT
from fairway.serving.pods import assembly, containers
from fairway.serving.pods.assembly import Parts, Pod
from fairway.serving.pods.models import Storage


def pod(isvc: Object, role: str, predictor: str, storage: Storage) -> Pod:
    """`role` is transformer or explainer; `predictor` is the name of the predictor's Service. Raises NotSupported."""
    part = isvc["spec"][role]
    server, *others = containers.server_first(part["containers"])
    server = containers.with_env(_told(isvc, server, predictor), [containers.POD_IP])
    return assembly.pod(isvc, Parts(role, [assembly.limited(server, part), *others]), storage)


def _told(isvc: Object, server: Object, predictor: str) -> Object:
    """With the arguments that KServe adds, unless they are there."""
    wanted = {
        "--model_name": meta.name(isvc),
        "--predictor_host": _address(server, predictor),
        "--http_port": "8080",
    }
    missing = [pair for pair in wanted.items() if containers.argument(server, pair[0]) is None]
    return {**server, "args": [*(server.get("args") or ()), *(text for pair in missing for text in pair)]}


def _address(server: Object, predictor: str) -> str:
    """By the variable that every container finds, so that it is reached with or without names for Services."""
    host = f"$({predictor.upper().replace('-', '_')}_SERVICE_HOST)"
    grpc = (containers.argument(server, "--predictor_protocol") or "").startswith("grpc")
    return f"{host}:{GRPC_PORT}" if grpc else host
