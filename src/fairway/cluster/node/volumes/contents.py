"""What is in a volume that objects fill: from its sources to files by their paths. It writes nothing.

As the kubelet does it, all of a volume's sources count or none: where one is missing that is not optional, what the
volume had stays.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import NamedTuple

from fairway.cluster.node.runtime import CannotStart
from fairway.cluster.node.variables import Facts, Fetch, field, resource, values
from fairway.cluster.node.volumes.publishing import File
from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import CONFIG_MAP, SECRET, Kind, Object

Token = Callable[[Object], Awaitable[str]]
"""From a projected serviceAccountToken source to a token."""

_FILE_MODE = 0o644
_KINDS = ("configMap", "secret", "downwardAPI")
_OBJECTS = (("configMap", CONFIG_MAP), ("secret", SECRET))


class Source(NamedTuple):
    """One source of a volume, as a projected volume has it; the mode is for files that have none of their own."""

    content: Object
    mode: int


def sources(volume: Object) -> list[Source] | None:
    """None where the volume is not one that objects fill."""
    if "projected" in volume:
        projected = volume["projected"] or {}
        mode = _mode(projected)
        return [Source(source, mode) for source in projected.get("sources") or ()]
    for word in _KINDS:
        if word in volume:
            content = dict(volume[word] or {})
            content.setdefault("name", content.get("secretName"))
            return [Source({word: content}, _mode(content))]
    return None


def objects(pod: Object) -> Iterator[tuple[Kind, str]]:
    """Kind and name of what fills the pod's volumes."""
    for volume in pod["spec"].get("volumes") or ():
        for source in sources(volume) or ():
            for word, kind in _OBJECTS:
                if word in source.content:
                    yield kind, source.content[word]["name"]


def tokens(volume: Object) -> Iterator[Object]:
    for source in sources(volume) or ():
        if wanted := source.content.get("serviceAccountToken"):
            yield wanted


def shows_pod(pod: Object) -> bool:
    """Whether something of the pod itself is in its volumes."""
    volumes = pod["spec"].get("volumes") or ()
    return any("downwardAPI" in source.content for volume in volumes for source in sources(volume) or ())


async def files(wanted: list[Source], pod: Object, facts: Facts, fetch: Fetch, token: Token) -> dict[str, File]:
    """Raises CannotStart where a source is not there, or not as it is asked for."""
    result: dict[str, File] = {}
    for source, mode in wanted:
        for word, kind in _OBJECTS:
            if word in source:
                data = await values(kind, source[word], meta.namespace(pod), fetch)
                for path, content, own in _chosen(source[word], data or {}):
                    result[path] = File(content, own or mode)
        for item in (source.get("downwardAPI") or {}).get("items") or ():
            if "fieldRef" in item:
                text = field(pod, item["fieldRef"]["fieldPath"], facts)
            else:
                text = resource(pod, pod["spec"]["containers"][0], item["resourceFieldRef"], facts)
            result[item["path"]] = File(text.encode(), item.get("mode") or mode)
        if asked := source.get("serviceAccountToken"):
            result[asked["path"]] = File((await token(asked)).encode(), mode)
    return result


def _mode(content: Object) -> int:
    return int(content.get("defaultMode") or _FILE_MODE)


def _chosen(source: Object, data: dict[str, bytes]) -> list[tuple[str, bytes, int]]:
    """(path, content, its own mode or 0) of the keys that are wanted: all, or those of `items`."""
    if not source.get("items"):
        return [(key, content, 0) for key, content in data.items()]
    missing = [item["key"] for item in source["items"] if item["key"] not in data]
    if missing and not source.get("optional"):
        message = f"references non-existent config key: {missing[0]}"
        raise CannotStart("CreateContainerConfigError", message)
    return [(item["path"], data[item["key"]], item.get("mode") or 0) for item in source["items"] if item["key"] in data]
