"""Make cluster/api/data/protobuf.json: the field numbers that kubectl's protobuf bodies are written with.

    python tools/generate_protobuf.py GOPATH/src/k8s.io

reads the sources of k8s.io/api, k8s.io/apimachinery and k8s.io/apiextensions-apiserver (release v0.36.3 made the
table that is committed): numbers and types from generated.proto, and from the Go structs what JSON calls a field,
whether it is inlined, and whether its zero value is said. The table is facts only; it is committed, because the
sources are not on PyPI. `cluster/api/protobuf.py` reads it.

A field is [number, name in JSON, type, shape, zero]: shape is "", "list" or "map" (of text to type), zero is
"keep" where an explicit zero is content (pointers, fields without omitempty) and "drop" elsewhere. An empty name is
an inlined struct.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "src/fairway/cluster/api/data/protobuf.json"

_PREFIX = "k8s.io."
_META = "apimachinery.pkg.apis.meta.v1."
_EXTENSIONS = "apiextensions_apiserver.pkg.apis.apiextensions.v1."
# What `protobuf.py` decodes by hand, because JSON has another shape for it than the fields say.
SPECIAL = {
    "apimachinery.pkg.api.resource.Quantity",
    "apimachinery.pkg.util.intstr.IntOrString",
    _META + "Time",
    _META + "MicroTime",
    _META + "FieldsV1",
    _EXTENSIONS + "JSON",
}
# Whole groups, so that a kind which is served later needs no sources: they are not at hand where it is written.
_GROUPS = (
    "api.apps.v1", "api.autoscaling.v1", "api.autoscaling.v2", "api.batch.v1", "api.certificates.v1",
    "api.coordination.v1", "api.core.v1", "api.discovery.v1", "api.events.v1", "api.networking.v1", "api.policy.v1",
    "api.rbac.v1", "api.scheduling.v1", "api.storage.v1", "api.admissionregistration.v1", "api.authorization.v1",
    "api.authentication.v1",
)  # fmt: skip
_DOMAINS = {
    group: f"{group}.k8s.io"
    for group in ("certificates", "coordination", "discovery", "events", "networking", "rbac", "scheduling", "storage",
                  "admissionregistration", "authorization", "authentication")
} | {"rbac": "rbac.authorization.k8s.io"}  # fmt: skip
_SCALARS = {"string", "bytes", "bool", "int32", "int64", "uint32", "uint64", "double", "float"}

_PACKAGE = re.compile(r"^package (\S+);", re.M)
_MESSAGE = re.compile(r"^message (\w+) \{\n(.*?)^\}", re.M | re.S)
_FIELD = re.compile(r"^  (?:(optional|repeated) |map<string, )([\w.]+)>? (\w+) = (\d+);", re.M)
_STRUCT = re.compile(r"^type (\w+) struct \{\n(.*?)^\}", re.M | re.S)
_TAGGED = re.compile(r'^\s+(?:\w+\s+)?(\*?)\S+\s+`json:"([^"]*)"[^`]*protobuf:"\w+,(\d+),', re.M)


class Tag(NamedTuple):
    """What the Go struct says of a field."""

    name: str
    pointer: bool
    omitempty: bool


@dataclass(frozen=True)
class Source:
    """Everything found in the folder, by message (without the leading k8s.io.) and field number."""

    fields: dict[str, list[tuple[int, str, str]]]
    """message: (number, type, shape)"""
    tags: dict[str, dict[int, Tag]]
    names: dict[str, dict[int, str]]
    """The names in the .proto file, for messages that are no struct in Go."""


def read(folder: Path) -> Source:
    source = Source({}, {}, {})
    for proto in sorted(folder.rglob("generated.proto")):
        text = proto.read_text()
        found = _PACKAGE.search(text)
        if not found:
            continue
        package = found[1].removeprefix(_PREFIX)
        structs = _structs(proto.parent)
        for message, body in _MESSAGE.findall(text):
            name = f"{package}.{message}"
            matches = list(_FIELD.finditer(body))
            source.fields[name] = [
                (int(m[4]), _full(m[2], package), "list" if m[1] == "repeated" else "" if m[1] else "map")
                for m in matches
            ]
            source.names[name] = {int(m[4]): m[3] for m in matches}
            source.tags[name] = structs.get(message, {})
    return source


def _structs(folder: Path) -> dict[str, dict[int, Tag]]:
    result: dict[str, dict[int, Tag]] = {}
    for file in sorted(folder.glob("*.go")):
        if file.name.endswith((".pb.go", "_test.go")):
            continue
        for name, body in _STRUCT.findall(file.read_text()):
            for pointer, tag, number in _TAGGED.findall(body):
                said, *options = tag.split(",")
                result.setdefault(name, {})[int(number)] = Tag(said, bool(pointer), "omitempty" in options)
    return result


def _full(type_: str, package: str) -> str:
    if type_ in _SCALARS:
        return type_
    return type_.removeprefix("." + _PREFIX) if type_.startswith(".") else f"{package}.{type_}"


def _rows(source: Source, message: str) -> Iterator[list[object]]:
    for number, type_, shape in source.fields[message]:
        tag = source.tags[message].get(number)
        if tag is None and source.tags[message]:
            raise SystemExit(f"field {number} of {message} is in the .proto file and not in the Go struct")
        # Messages without tags are named slices and unions, which `protobuf.py` gives the shape they have in JSON.
        name, keep = (tag.name, tag.pointer or not tag.omitempty) if tag else (source.names[message][number], True)
        yield [number, name, type_, shape, "keep" if keep else "drop"]


def _reachable(source: Source, roots: Iterable[str]) -> set[str]:
    found: set[str] = set()
    waiting = list(roots)
    while waiting:
        message = waiting.pop()
        if message in found or message in _SCALARS or message in SPECIAL:
            continue
        found.add(message)
        waiting += [type_ for _, type_, _ in source.fields[message]]
    return found


def _served_kinds() -> Iterator[tuple[str, str, str]]:
    sys.path.insert(0, str(ROOT / "src"))
    from fairway.cluster.api import resources  # noqa: PLC0415 (the tree need not be installed)

    for resource in resources.builtin():
        kind = resource.kind
        yield kind.group, kind.version, kind.kind
        for sub in resource.subresources:
            yield sub.group, sub.version, sub.kind


def _kinds_of(source: Source) -> Iterator[tuple[str, str, str]]:
    """Everything with metadata in the groups that we know."""
    for message, fields in source.fields.items():
        package, _, kind = message.rpartition(".")
        is_kind = any(type_ == _META + "ObjectMeta" and number == 1 for number, type_, _ in fields)
        if package in _GROUPS and is_kind and not kind.endswith("TemplateSpec") and kind != "PodTemplate":
            _, group, version = package.split(".")
            yield "" if group == "core" else _DOMAINS.get(group, group), version, kind


def _message_of(group: str, version: str, kind: str) -> str:
    if group == "apiextensions.k8s.io":
        return _EXTENSIONS + kind
    return f"api.{group.split('.')[0] or 'core'}.{version}.{kind}"


def main(folder: Path) -> None:
    source = read(folder)
    kinds = {
        "/".join(part for part in gvk if part): _message_of(*gvk)
        for gvk in sorted({*_served_kinds(), *_kinds_of(source)})
        if _message_of(*gvk) in source.fields
    }
    messages = _reachable(source, [*kinds.values(), _META + "DeleteOptions"])
    lines = [f"{json.dumps(name)}: {json.dumps(list(_rows(source, name)))}" for name in sorted(messages)]
    TARGET.write_text('{"kinds": ' + json.dumps(kinds, indent=1) + ',\n"messages": {\n' + ",\n".join(lines) + "\n}}\n")
    print(f"{TARGET.relative_to(ROOT)}: {len(kinds)} kinds, {len(messages)} messages")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]))
