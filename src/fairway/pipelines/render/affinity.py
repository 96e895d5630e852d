"""Which nodes, and which other pods near or far, a step's pod asks for. Whether it can be had, the scheduler says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fairway.kernel.objects.kinds import Object

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def add_nodes(pod: Object, term: Mapping[str, Any]) -> None:
    """One term of kfp-kubernetes: with a weight it is a wish, without one a condition."""
    wanted = {key: list(term[key]) for key in ("matchExpressions", "matchFields") if term.get(key)}
    if wanted and "weight" in term:
        _add(pod, "nodeAffinity", _PREFERRED, [{"weight": int(term["weight"]), "preference": wanted}])
    elif wanted:
        _add_required_nodes(pod, [wanted])


def add_nodes_given(pod: Object, given: Mapping[str, Any]) -> None:
    """A node affinity as Kubernetes has it, added to what there is."""
    if required := (given.get(_REQUIRED) or {}).get("nodeSelectorTerms"):
        _add_required_nodes(pod, required)
    if preferred := given.get(_PREFERRED):
        _add(pod, "nodeAffinity", _PREFERRED, preferred)


def add_pods(pod: Object, term: Mapping[str, Any]) -> None:
    """Near pods that match, or with `anti` away from them."""
    kind = "podAntiAffinity" if term.get("anti") else "podAffinity"
    wanted: Object = {"topologyKey": term["topologyKey"]}
    if pods := _selector(term.get("matchPodLabels"), term.get("matchPodExpressions")):
        wanted["labelSelector"] = pods
    if namespaces := _selector(term.get("matchNamespaceLabels"), term.get("matchNamespaceExpressions")):
        wanted["namespaceSelector"] = namespaces
    if term.get("namespaces"):
        wanted["namespaces"] = list(term["namespaces"])
    if "weight" in term:
        _add(pod, kind, _PREFERRED, [{"weight": int(term["weight"]), "podAffinityTerm": wanted}])
    else:
        _add(pod, kind, _REQUIRED, [wanted])


def _selector(labels: Any, expressions: Any) -> Object:
    return {
        **({"matchLabels": dict(labels)} if labels else {}),
        **({"matchExpressions": list(expressions)} if expressions else {}),
    }


def _add_required_nodes(pod: Object, terms: list[Object]) -> None:
    nodes = pod["spec"].setdefault("affinity", {}).setdefault("nodeAffinity", {})
    nodes.setdefault(_REQUIRED, {}).setdefault("nodeSelectorTerms", []).extend(terms)


def _add(pod: Object, kind: str, strength: str, terms: list[Object]) -> None:
    pod["spec"].setdefault("affinity", {}).setdefault(kind, {}).setdefault(strength, []).extend(terms)
