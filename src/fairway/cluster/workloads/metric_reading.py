"""Metrics of other servers, asked for by the client as upstream's controller asks for them.

`external.metrics.k8s.io` knows things that are no objects (the length of a queue), `custom.metrics.k8s.io` what is
known of pods and other objects. Either is an aggregated API: the adapter of Prometheus, KEDA's, or one of your own.
Nothing is kept between two questions.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from urllib.parse import quote

from fairway.cluster.workloads import metric_wishes
from fairway.cluster.workloads.horizontal import CannotMeasure, Tolerances, Wish
from fairway.kernel.client.client import Client
from fairway.kernel.objects import errors, meta, quantities, selectors
from fairway.kernel.objects.kinds import Object

EXTERNAL, CUSTOM = "external.metrics.k8s.io", "custom.metrics.k8s.io"
_CUSTOM_VERSIONS = ("v1beta2", "v1beta1")


async def wish(
    client: Client, metric: Object, target: Object, pods: Iterable[Object], replicas: int, tolerances: Tolerances
) -> Wish:
    """What a metric of type External, Object or Pods wants for `target`. Raises CannotMeasure, in upstream's words."""
    namespace, name = meta.namespace(target), _name(metric)
    scale = replicas, int((target.get("status") or {}).get("replicas") or 0)
    try:
        match metric["type"]:
            case "External":
                values = await _external(client, namespace, metric)
                return metric_wishes.of_values(metric, values, pods, scale, tolerances)
            case "Object":
                value = await _object(client, namespace, metric)
                return metric_wishes.of_values(metric, (value,), pods, scale, tolerances)
        by_pod = await _pods(client, namespace, metric, target)
        return metric_wishes.of_pods_values(metric, by_pod, pods, replicas, tolerances)
    except (errors.ApiError, KeyError, TypeError, AttributeError, ArithmeticError) as failure:
        raise CannotMeasure(f"FailedGet{metric['type']}Metric", _sentence(metric, namespace, name, failure)) from None


def _name(metric: Object) -> str:
    return str(metric[metric_wishes.part(metric)]["metric"]["name"])


def _sentence(metric: Object, namespace: str, name: str, failure: Exception) -> str:
    """`failure` is the server's, or what is wrong with its answer."""
    why = str(failure) if isinstance(failure, errors.ApiError) else f"its answer is no list of metrics ({failure!r})"
    if metric["type"] == "External":
        selector = _selector(metric)
        asked = f"unable to get external metric {namespace}/{name}/{selector or '<none>'}"
        return f"{asked}: unable to fetch metrics from external metrics API: {why}"
    asked = f"unable to get metric {name}: unable to fetch metrics from custom metrics API: {why}"
    if metric["type"] == "Object":
        described = metric["object"]["describedObject"]
        return f"{asked} on {described['kind']} {namespace}/{described['name']}"
    return asked


async def _external(client: Client, namespace: str, metric: Object) -> list[Decimal]:
    path = f"/apis/{EXTERNAL}/v1beta1/namespaces/{namespace}/{quote(_name(metric), safe='')}"
    items = await _items(client, path, {"labelSelector": _selector(metric)}, "external")
    return [quantities.parse(each["value"]) for each in items]


async def _pods(client: Client, namespace: str, metric: Object, target: Object) -> dict[str, Decimal]:
    path = f"{await _custom(client)}/namespaces/{namespace}/pods/*/{quote(_name(metric), safe='')}"
    labels = selectors.to_text(selectors.widened(target["spec"].get("selector")))
    items = await _items(client, path, {"labelSelector": labels, "metricLabelSelector": _selector(metric)}, "custom")
    return {str(each["describedObject"]["name"]): quantities.parse(each["value"]) for each in items}


async def _object(client: Client, namespace: str, metric: Object) -> Decimal:
    described, name = metric["object"]["describedObject"], quote(_name(metric), safe="")
    root = f"{await _custom(client)}/namespaces/{namespace}"
    if described["kind"] == "Namespace":
        path = f"{root}/metrics/{name}"  # its own, whatever name is said: nobody looks into another's
    else:
        path = f"{root}/{await _resource(client, described)}/{quote(described['name'], safe='')}/{name}"
    items = await _items(client, path, {"metricLabelSelector": _selector(metric)}, "custom")
    if len(items) != 1:
        text = f"the custom metrics API server returned {len(items)} results when we asked for exactly one"
        raise errors.InternalError(text)
    return quantities.parse(items[0]["value"])


async def _items(client: Client, path: str, query: dict[str, str], which: str) -> list[Object]:
    asked = {name: text for name, text in query.items() if text}
    items: list[Object] = (await client.transport.request("GET", path, query=asked)).get("items") or []
    if not items:
        raise errors.NotFound(f"no metrics returned from {which} metrics API")
    return items


async def _custom(client: Client) -> str:
    """The newest version that is there. Raises NotFound."""
    try:
        group = await client.transport.request("GET", f"/apis/{CUSTOM}")
    except errors.NotFound:
        raise errors.NotFound(f"no custom metrics API ({CUSTOM}) registered") from None
    served = {each["version"] for each in group.get("versions") or ()}
    version = next((each for each in _CUSTOM_VERSIONS if each in served), None)
    if version is None:
        raise errors.NotFound(f"no custom metrics API ({CUSTOM}) registered")
    return f"/apis/{CUSTOM}/{version}"


async def _resource(client: Client, described: Object) -> str:
    """plural.group of what is described, as the API has it. Raises NotFound."""
    version, kind = str(described.get("apiVersion") or "v1"), described["kind"]
    answer = await client.transport.request("GET", f"/apis/{version}" if "/" in version else f"/api/{version}")
    for each in answer.get("resources") or ():
        if each["kind"] == kind and "/" not in each["name"]:
            group = version.rpartition("/")[0]
            return f"{each['name']}.{group}" if group else str(each["name"])
    raise errors.NotFound(f'no matches for kind "{kind}" in version "{version}"')


def _selector(metric: Object) -> str:
    chosen = metric[metric_wishes.part(metric)]["metric"].get("selector")
    return selectors.to_text(selectors.widened(chosen)) if chosen else ""
