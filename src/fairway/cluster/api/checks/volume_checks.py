"""What is wrong with a pod's volumes, and with where its containers mount them.

The node makes files of what stands here: a path that leaves its volume, or a source without a name, is refused before
anything is stored.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import Any

from fairway.cluster.api.checks import causes
from fairway.kernel.objects import names, quantities
from fairway.kernel.objects.errors import Cause
from fairway.kernel.objects.kinds import Object

_HOST_TYPES = (
    "", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket",
)  # fmt: skip
_NAMED = {"configMap": "name", "secret": "secretName"}
_LEAST_LIFE, _MOST_LIFE = 600, 1 << 32
"""Seconds of a token."""
_DATA_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_KEY_TEXT = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  "
    "or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)


def volumes(spec: Object, path: str) -> Iterator[Cause]:
    seen: set[str] = set()
    for index, volume in causes.items(spec, "volumes"):
        at, name = f"{path}.volumes[{index}]", volume.get("name")
        if not name:
            yield causes.required(f"{at}.name")
        elif not names.dns_label(str(name)):
            yield causes.invalid(f"{at}.name", name, "a lowercase RFC 1123 label is required")
        elif name in seen:
            yield causes.duplicate(f"{at}.name", name)
        seen.add(str(name))
        if len(volume) > 2:
            sources = ", ".join(sorted(volume.keys() - {"name"}))
            yield causes.forbidden(at, f"may not specify more than 1 volume type: {sources}")
        yield from _source(volume, at)


def mounts(container: Object, at: str, known: set[str]) -> Iterator[Cause]:
    """`known`: the names of the volumes that there are."""
    places: set[str] = set()
    for index, mount in causes.items(container, "volumeMounts"):
        where, place = f"{at}.volumeMounts[{index}]", mount.get("mountPath")
        if mount.get("name") not in known:
            yield Cause(f"{where}.name", f"Not found: {causes.shown(mount.get('name'))}", "FieldValueNotFound")
        if not place:
            yield causes.required(f"{where}.mountPath")
        elif place in places:
            yield causes.invalid(f"{where}.mountPath", place, "must be unique")
        places.add(str(place))
        if mount.get("subPath") and mount.get("subPathExpr"):
            text = "subPathExpr and subPath are mutually exclusive"
            yield causes.invalid(f"{where}.subPathExpr", mount["subPathExpr"], text)
        for field in ("subPath", "subPathExpr"):
            yield from _descending(mount.get(field), f"{where}.{field}")


def data_key(part: str, key: str) -> Iterator[Cause]:
    """Of a ConfigMap or a Secret: it may become the name of a file."""
    if not _DATA_KEY.fullmatch(key):
        yield causes.invalid(f"{part}[{key}]", key, _KEY_TEXT)
    elif key == ".":
        yield causes.invalid(f"{part}[{key}]", key, "must not be '.'")
    elif key == "..":
        yield causes.invalid(f"{part}[{key}]", key, "must not be '..'")
    elif key.startswith(".."):
        yield causes.invalid(f"{part}[{key}]", key, "must not start with '..'")


def base64_problem(part: str, obj: Object, why: str) -> Iterator[Cause]:
    for key, value in (obj.get(part) or {}).items():
        try:
            base64.b64decode(value.replace("\r", "").replace("\n", ""), validate=True)
        except (AttributeError, TypeError, ValueError):
            yield causes.invalid(f"{part}[{key}]", "", why)


def _source(volume: Object, at: str) -> Iterator[Cause]:
    for word, named in _NAMED.items():
        if word in volume:
            yield from _filled(volume[word] or {}, f"{at}.{word}", named)
    if "downwardAPI" in volume:
        yield from _downward(volume["downwardAPI"] or {}, f"{at}.downwardAPI")
    if "projected" in volume:
        yield from _projected(volume["projected"] or {}, f"{at}.projected")
    if "hostPath" in volume:
        yield from _host(volume["hostPath"] or {}, f"{at}.hostPath")
    if "persistentVolumeClaim" in volume and not (volume["persistentVolumeClaim"] or {}).get("claimName"):
        yield causes.required(f"{at}.persistentVolumeClaim.claimName")
    if (size := (volume.get("emptyDir") or {}).get("sizeLimit")) and quantities.parse(size) < 0:
        yield causes.forbidden(f"{at}.emptyDir.sizeLimit", "SizeLimit field must be a valid resource quantity")


def _filled(source: Object, at: str, named: str) -> Iterator[Cause]:
    if not source.get(named):
        yield causes.required(f"{at}.{named}")
    yield from _mode(source.get("defaultMode"), f"{at}.defaultMode")
    for index, item in causes.items(source, "items"):
        where = f"{at}.items[{index}]"
        if not item.get("key"):
            yield causes.required(f"{where}.key")
        yield from _file(item, where)


def _downward(source: Object, at: str) -> Iterator[Cause]:
    yield from _mode(source.get("defaultMode"), f"{at}.defaultMode")
    for index, item in causes.items(source, "items"):
        where = f"{at}.items[{index}]"
        yield from _file(item, where)
        if not item.get("fieldRef") and not item.get("resourceFieldRef"):
            yield causes.required(where, "one of fieldRef and resourceFieldRef is required")
        elif item.get("fieldRef") and item.get("resourceFieldRef"):
            text = "fieldRef and resourceFieldRef can not be specified simultaneously"
            yield causes.invalid(where, "resource", text)
        elif item.get("resourceFieldRef") and not item["resourceFieldRef"].get("containerName"):
            yield causes.required(f"{where}.resourceFieldRef.containerName")


def _projected(source: Object, at: str) -> Iterator[Cause]:
    yield from _mode(source.get("defaultMode"), f"{at}.defaultMode")
    for index, part in causes.items(source, "sources"):
        where = f"{at}.sources[{index}]"
        if len(part) > 1:
            yield causes.forbidden(where, "may not specify more than 1 volume type per source")
        for word in _NAMED:
            if word in part:
                yield from _filled(part[word] or {}, f"{where}.{word}", "name")
        if "downwardAPI" in part:
            yield from _downward(part["downwardAPI"] or {}, f"{where}.downwardAPI")
        if "serviceAccountToken" in part:
            yield from _token(part["serviceAccountToken"] or {}, f"{where}.serviceAccountToken")


def _token(source: Object, at: str) -> Iterator[Cause]:
    seconds = source.get("expirationSeconds")
    if seconds is not None and seconds < _LEAST_LIFE:
        text = "may not specify a duration less than 10 minutes"
        yield causes.invalid(f"{at}.expirationSeconds", seconds, text)
    elif seconds is not None and seconds > _MOST_LIFE:
        text = "may not specify a duration larger than 2^32 seconds"
        yield causes.invalid(f"{at}.expirationSeconds", seconds, text)
    yield from _file(source, at)


def _host(source: Object, at: str) -> Iterator[Cause]:
    place, kind = source.get("path"), source.get("type") or ""
    if not place:
        yield causes.required(f"{at}.path")
    else:
        yield from _without_steps_back(place, f"{at}.path")
    if kind not in _HOST_TYPES:
        yield causes.unsupported(f"{at}.type", kind, *_HOST_TYPES)


def _file(item: Object, at: str) -> Iterator[Cause]:
    """Where in a volume a file is to be, and with which mode."""
    place = item.get("path")
    if not place:
        yield causes.required(f"{at}.path")
    else:
        yield from _descending(place, f"{at}.path")
        if place.startswith("..") and not place.startswith("../"):
            yield causes.invalid(f"{at}.path", place, "must not start with '..'")
    yield from _mode(item.get("mode"), f"{at}.mode")


def _descending(place: Any, at: str) -> Iterator[Cause]:
    if not place:
        return
    if place.startswith("/"):
        yield causes.invalid(at, place, "must be a relative path")
    yield from _without_steps_back(place, at)


def _without_steps_back(place: str, at: str) -> Iterator[Cause]:
    if ".." in place.split("/"):
        yield causes.invalid(at, place, "must not contain '..'")
    elif "\0" in place:
        yield causes.invalid(at, place, "must not contain a null character")


def _mode(mode: Any, at: str) -> Iterator[Cause]:
    if mode is not None and not 0 <= mode <= 0o777:
        yield causes.invalid(at, mode, "must be a number between 0 and 0777 (octal), both inclusive")
