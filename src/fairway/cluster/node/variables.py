"""A container's environment variables, in Kubernetes' order: services, envFrom, env, each later one winning.

What the platform itself adds stands first, so that a pod may replace it. A value that comes from an object which is
not there raises `CannotStart` with the kubelet's words, and is tried again.
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from fairway.cluster.node.runtime import CannotStart
from fairway.kernel.objects import meta, quantities
from fairway.kernel.objects.kinds import CONFIG_MAP, SECRET, Kind, Object

Fetch = Callable[[Kind, str, str], Awaitable["Object | None"]]
"""(kind, name, namespace) to the object, or None."""

_REFERENCE = re.compile(r"\$(\$|\(([^()]+)\))")


@dataclass(frozen=True)
class Facts:
    """What `fieldRef` and `resourceFieldRef` may ask for beyond the pod object."""

    node_name: str
    host_ip: str
    pod_ip: str
    allocatable: Mapping[str, str]


async def variables(
    pod: Object, container: Object, facts: Facts, first: Mapping[str, str], fetch: Fetch
) -> dict[str, str]:
    result = dict(first)
    for source in container.get("envFrom") or ():
        result.update(await _from_object(source, meta.namespace(pod), fetch))
    for entry in container.get("env") or ():
        if "valueFrom" in entry:
            value = await _value_from(entry["valueFrom"], pod, container, facts, fetch)
            if value is not None:
                result[entry["name"]] = value
        else:
            result[entry["name"]] = expand(entry.get("value") or "", result)
    return result


def expand(text: str, values: Mapping[str, str]) -> str:
    """$(NAME) by its value where it has one; $$ is a dollar.

    >>> expand("$(A)/$(B) $$(A)", {"A": "1"})
    '1/$(B) $(A)'
    """
    return _REFERENCE.sub(lambda found: "$" if found[1] == "$" else values.get(found[2], found[0]), text)


def services(found: Iterable[Object]) -> dict[str, str]:
    """The variables by which a container finds the Services of its namespace."""
    result: dict[str, str] = {}
    for service in sorted(found, key=meta.name):
        address = service["spec"].get("clusterIP")
        ports = service["spec"].get("ports") or ()
        if not address or address == "None" or not ports:
            continue
        name = meta.name(service).upper().replace("-", "_")
        result[f"{name}_SERVICE_HOST"] = address
        result[f"{name}_SERVICE_PORT"] = str(ports[0]["port"])
        for port in ports:
            if port.get("name"):
                result[f"{name}_SERVICE_PORT_{port['name'].upper().replace('-', '_')}"] = str(port["port"])
    return result


def field(pod: Object, path: str, facts: Facts) -> str:
    """The value of a `fieldRef`. Raises CannotStart for a path that Kubernetes does not offer."""
    metadata, spec = pod["metadata"], pod["spec"]
    simple = {
        "metadata.name": metadata["name"],
        "metadata.namespace": metadata.get("namespace", ""),
        "metadata.uid": metadata.get("uid", ""),
        "spec.nodeName": facts.node_name,
        "spec.serviceAccountName": spec.get("serviceAccountName") or "default",
        "status.hostIP": facts.host_ip,
        "status.hostIPs": facts.host_ip,
        "status.podIP": facts.pod_ip,
        "status.podIPs": facts.pod_ip,
    }
    if path in simple:
        return str(simple[path])
    for whole, part in (("metadata.labels", meta.labels(pod)), ("metadata.annotations", meta.annotations(pod))):
        if path == whole:
            return "\n".join(f'{key}="{value}"' for key, value in sorted(part.items()))
        if path.startswith(f"{whole}['") and path.endswith("']"):
            return part.get(path[len(whole) + 2 : -2], "")
    raise CannotStart("CreateContainerConfigError", f"unsupported fieldPath: {path}")


def resource(pod: Object, container: Object, reference: Object, facts: Facts) -> str:
    """The value of a `resourceFieldRef`, rounded up to the divisor; a limit that is not set is the node's size."""
    kind, _, name = str(reference["resource"]).partition(".")
    other = reference.get("containerName")
    if other:
        everyone = [*(pod["spec"].get("initContainers") or ()), *pod["spec"]["containers"]]
        container = next((each for each in everyone if each["name"] == other), container)
    amounts = (container.get("resources") or {}).get(kind) or {}
    amount = amounts.get(name) or (facts.allocatable.get(name, "0") if kind == "limits" else "0")
    divisor = quantities.parse(reference.get("divisor") or "1") or Decimal(1)
    return str(math.ceil(quantities.parse(amount) / divisor))


def text(value: object) -> str:
    return value if isinstance(value, str) else str(value)


async def _value_from(source: Object, pod: Object, container: Object, facts: Facts, fetch: Fetch) -> str | None:
    if reference := source.get("fieldRef"):
        return field(pod, reference["fieldPath"], facts)
    if reference := source.get("resourceFieldRef"):
        return resource(pod, container, reference, facts)
    for word, kind in (("configMapKeyRef", CONFIG_MAP), ("secretKeyRef", SECRET)):
        if reference := source.get(word):
            data = await values(kind, reference, meta.namespace(pod), fetch)
            if data is None:
                return None
            if reference["key"] not in data:
                if reference.get("optional"):
                    return None
                where = f"{kind.kind} {meta.namespace(pod)}/{reference['name']}"
                raise CannotStart("CreateContainerConfigError", f"couldn't find key {reference['key']} in {where}")
            return data[reference["key"]].decode(errors="replace")
    raise CannotStart("CreateContainerConfigError", f"valueFrom of {', '.join(source)} is not supported")


async def _from_object(source: Object, namespace: str, fetch: Fetch) -> dict[str, str]:
    for word, kind in (("configMapRef", CONFIG_MAP), ("secretRef", SECRET)):
        if reference := source.get(word):
            data = await values(kind, reference, namespace, fetch) or {}
            prefix = source.get("prefix") or ""
            return {prefix + key: value.decode(errors="replace") for key, value in data.items()}
    return {}


async def values(kind: Kind, reference: Object, namespace: str, fetch: Fetch) -> dict[str, bytes] | None:
    """The data of a ConfigMap or Secret. None where it is missing and optional; raises CannotStart otherwise."""
    found = await fetch(kind, reference["name"], namespace)
    if found is None:
        if reference.get("optional"):
            return None
        word = kind.kind.lower()
        raise CannotStart("CreateContainerConfigError", f'{word} "{reference["name"]}" not found')
    encoded = "data" if kind == SECRET else "binaryData"
    try:
        binary = {key: base64.b64decode(value) for key, value in (found.get(encoded) or {}).items()}
    except ValueError:  # what an earlier Fairway took
        where = f'{kind.kind.lower()} "{reference["name"]}"'
        raise CannotStart("CreateContainerConfigError", f"{where}: a value under {encoded} is not base64") from None
    if kind == SECRET:
        return binary
    return {key: text(value).encode() for key, value in (found.get("data") or {}).items()} | binary
