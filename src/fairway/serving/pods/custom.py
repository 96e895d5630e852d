"""The pods of a transformer and of an explainer: the user's containers, told where the predictor is. Pure."""

from __future__ import annotations

from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import Object
from fairway.serving.component import EXPLAINER, GRPC_PORT, TRANSFORMER
from fairway.serving.pods import containers, templates
from fairway.serving.pods.predictor import Pod
from fairway.serving.spec.refusals import NotSupported


def transformer(isvc: Object, predictor: str) -> Pod:
    """`predictor` is the name of the predictor's Service. Raises NotSupported."""
    return _pod(isvc, TRANSFORMER, predictor)


def explainer(isvc: Object, predictor: str) -> Pod:
    return _pod(isvc, EXPLAINER, predictor)


def _pod(isvc: Object, role: str, predictor: str) -> Pod:
    part = isvc["spec"][role]
    given = list(part.get("containers") or ())
    if not given:
        text = f"spec.{role}.containers is missing; give the container that is the {role}."
        raise NotSupported("InvalidPredictorSpec", [text])
    at = next((number for number, one in enumerate(given) if one.get("name") == containers.SERVER), 0)
    server = {**given.pop(at), "name": containers.SERVER}
    server = containers.listening(containers.with_env(_told(isvc, server, predictor), [containers.POD_IP]))
    return Pod(templates.template(isvc, role, part, [server, *given]), containers.ports(server))


def _told(isvc: Object, server: Object, predictor: str) -> Object:
    """With the arguments that KServe adds, unless they are there."""
    wanted = {
        "--model_name": meta.name(isvc),
        "--predictor_host": _address(server, predictor),
        "--http_port": "8080",
    }
    added = [
        text for flag, value in wanted.items() if containers.argument(server, flag) is None for text in (flag, value)
    ]
    return {**server, "args": [*(server.get("args") or ()), *added]}


def _address(server: Object, predictor: str) -> str:
    """By the variable that every container finds, so that it is reached with or without names for Services."""
    host = f"$({predictor.upper().replace('-', '_')}_SERVICE_HOST)"
    grpc = (containers.argument(server, "--predictor_protocol") or "").startswith("grpc")
    return f"{host}:{GRPC_PORT}" if grpc else host
