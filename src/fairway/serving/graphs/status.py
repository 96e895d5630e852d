"""What a graph says of itself: Ready and Stopped, its address, and why not. Pure; the words are KServe's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fairway.kernel.objects import conditions, meta
from fairway.kernel.objects.kinds import Object
from fairway.serving.graphs import render
from fairway.serving.graphs.kinds import MODE
from fairway.serving.graphs.render import Children
from fairway.serving.render import place
from fairway.serving.render.place import Place
from fairway.serving.status import ingress, seen
from fairway.serving.status.ingress import Condition

_MODES = {"RawDeployment": "Standard", "Serverless": "Knative"}


def of_running(
    graph: Object, wanted: Children, deployments: Iterable[Object], routes: Iterable[Object], at: Place, now: str
) -> Object:
    (rendered,) = wanted.deployments
    current = next((one for one in deployments if meta.key(one) == meta.key(rendered)), None)
    available, rolled_out = seen.counted(rendered, current)
    type_, carried, reason, message = ingress.judged(wanted.routes, routes)
    ready: Condition
    if not available:
        ready = ("Ready", False, "RouterNotReady", "No router answers yet; see the pods of this graph.")
    elif not carried:
        ready = ("Ready", carried, reason or type_, message)
    else:
        ready = ("Ready", True, "", "" if rolled_out else "The last version answers while the new one starts.")
    status = _frame(graph, now, ready, ("Stopped", False, "", ""))
    if scales := _unscaled(graph):
        status["conditions"] = conditions.merged(status["conditions"], now, scales)
    if available:
        status["url"] = f"http://{place.hosts(graph, at)[0]}"
        status["address"] = {"url": f"{at.public_url}{render.path_prefix(graph)}"}
    return status


def of_refused(graph: Object, sentences: Sequence[str], now: str) -> Object:
    """What runs is left as it is."""
    old = graph.get("status") or {}
    ready = ("Ready", False, "InvalidGraph", " ".join(sentences))
    return {**old, **_frame(graph, now, ready, ("Stopped", False, "", ""))}


def of_missing(graph: Object, names: Iterable[str], now: str) -> Object:
    missing = ", ".join(sorted(names))
    text = f"There is no InferenceService {missing} in this namespace; the graph starts when there is."
    old = graph.get("status") or {}
    return {**old, **_frame(graph, now, ("Ready", False, "ServiceNotFound", text), ("Stopped", False, "", ""))}


def of_stopped(graph: Object, now: str) -> Object:
    text = "Stopped by its annotation; remove serving.kserve.io/stop to start it."
    return _frame(graph, now, ("Stopped", True, "Stopped", text), ("Ready", False, "Stopped", text))


def _unscaled(graph: Object) -> Condition | None:
    spec = graph["spec"]
    runs = render.replicas(graph)
    if (spec.get("maxReplicas") or runs) > runs or spec.get("minReplicas") == 0:
        text = f"Runs {runs} of its routers and does not scale them; set minReplicas to run more."
        return "AutoscalerReady", False, "NotSupported", text
    return None


def _frame(graph: Object, now: str, *judged: Condition) -> Object:
    types = {one[0] for one in judged}
    old = [one for one in (graph.get("status") or {}).get("conditions") or () if one["type"] in types]
    mode = meta.annotations(graph).get(MODE) or "Standard"
    return {
        "observedGeneration": graph["metadata"].get("generation", 0),
        "deploymentMode": _MODES.get(mode, mode),
        "conditions": conditions.merged(old, now, *judged),
    }
