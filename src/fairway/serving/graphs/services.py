"""Where the steps of a graph ask: the address of each InferenceService that it names. Pure.

Services are called through the gateway, at their path, with the token of the router's pod: so their canaries, their
mirrors and their waking from zero are the same for a graph as for everybody else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import Object
from fairway.serving.pods import containers
from fairway.serving.render import place
from fairway.serving.render.place import Place
from fairway.serving.spec import defaults

_SPEAK_V2 = ("mlserver", "triton")


def named(graph: Object) -> frozenset[str]:
    """The services that the graph names."""
    nodes = ((graph.get("spec") or {}).get("nodes") or {}).values()
    return frozenset(step["serviceName"] for node in nodes for step in node.get("steps") or () if _is_service(step))


def resolved(graph: Object, services: Mapping[str, Object], at: Place) -> Object:
    """The spec as the router reads it: each step with an address. All services that it names are there."""
    spec = graph["spec"]
    nodes = {name: {**node, "steps": list(_steps(node, services, at))} for name, node in spec["nodes"].items()}
    timeouts = {"routerTimeouts": spec["routerTimeouts"]} if spec.get("routerTimeouts") else {}
    return {"nodes": nodes, **timeouts}


def _steps(node: Object, services: Mapping[str, Object], at: Place) -> Iterator[Object]:
    for step in node.get("steps") or ():
        if _is_service(step):
            rest = {field: value for field, value in step.items() if field != "serviceName"}
            yield {**rest, "serviceUrl": address(services[step["serviceName"]], at), "authorize": True}
        else:
            yield step


def _is_service(step: Object) -> bool:
    return bool(step.get("serviceName"))


def address(isvc: Object, at: Place) -> str:
    """Where its predictions are asked for, as KServe finds it: by its model's name and its protocol."""
    base = f"{at.public_url}{place.path_prefix(isvc)}"
    version, verb = ("v2", "/infer") if _protocol(isvc) == "v2" else ("v1", ":predict")
    return f"{base}/{version}/models/{_model_name(isvc)}{verb}"


def _model_name(isvc: Object) -> str:
    for container in _containers(isvc):
        name = containers.variable(container, "MLSERVER_MODEL_NAME") or containers.argument(container, "--model_name")
        if name:
            return name
    return meta.name(isvc)


def _containers(isvc: Object) -> Iterator[Object]:
    spec = isvc.get("spec") or {}
    yield from (spec.get("transformer") or {}).get("containers") or ()
    predictor = spec.get("predictor") or {}
    found = defaults.model(predictor)
    if found:
        yield found[1]
    yield from predictor.get("containers") or ()


def _protocol(isvc: Object) -> str:
    spec = isvc.get("spec") or {}
    transformer = ((spec.get("transformer") or {}).get("containers") or [{}])[0]
    predictor = spec.get("predictor") or {}
    found = defaults.model(predictor)
    if spec.get("transformer"):
        return containers.variable(transformer, "PROTOCOL") or "v1"
    if not found:
        return containers.variable((predictor.get("containers") or [{}])[0], "PROTOCOL") or "v1"
    block = found[1]
    if any(word in (block.get("runtime") or "") for word in _SPEAK_V2):
        return "v2"
    return defaults.protocol(block) or "v1"
