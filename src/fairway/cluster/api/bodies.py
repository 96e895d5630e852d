"""Reading bodies: JSON, YAML and protobuf become objects; patches stay what they are.

Where the client asked for strictness, a field that is named twice is found here, since an object no longer
shows it.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

import orjson
import yaml

from fairway.cluster.api import protobuf
from fairway.cluster.api.patches import APPLY_PATCH, STRATEGIC_PATCH
from fairway.kernel.client.transport import JSON, JSON_PATCH, MERGE_PATCH
from fairway.kernel.objects.errors import BadRequest, UnsupportedMediaType
from fairway.kernel.objects.schemas import path_text

PROTOBUF = "application/vnd.kubernetes.protobuf"
YAML = ("application/yaml", "text/yaml", "application/x-yaml")

_MOST_DUPLICATES = 20
_DEEPEST = 100
_PATCHES = (MERGE_PATCH, JSON_PATCH, STRATEGIC_PATCH)


def media_type(header: str) -> str:
    """The media type without its parameters; a missing one is JSON, as upstream has it."""
    return header.partition(";")[0].strip().lower() or JSON


def decode(body: bytes, media: str, *, strict: bool, kind: str = "object") -> tuple[Any, tuple[str, ...]]:
    """The body, and the fields that it names twice (looked for only where `strict`). `kind` is what it should be."""
    if not body:
        return None, ()
    if media == JSON:
        return _json(body, kind), _duplicates(body, kind) if strict else ()
    if media in _PATCHES:
        return _json(body, kind), ()
    if media == PROTOBUF:
        return protobuf.decode(body), ()
    if media in YAML or (media == APPLY_PATCH and body[:1] != b"{"):
        return _yaml(body, kind), ()
    if media == APPLY_PATCH:
        return _json(body, kind), ()
    accepted = ", ".join((JSON, "application/yaml", PROTOBUF))
    raise UnsupportedMediaType(
        f"the body of the request was in an unknown format - accepted media types include: {accepted}"
    )


def _json(body: bytes, kind: str) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as problem:
        raise _unrecognized(kind, "json", problem) from None


def _duplicates(body: bytes, kind: str) -> tuple[str, ...]:
    """The paths of fields that a JSON document names twice, which its decoded form no longer shows."""
    twice: list[tuple[dict[str, Any], str]] = []

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            counts = Counter(name for name, _ in pairs)
            twice.extend((found, name) for name, count in counts.items() if count > 1)
        return found

    try:
        document = json.loads(body, object_pairs_hook=members)
        return tuple(path_text((*_place_of(document, where), name)) for where, name in twice[:_MOST_DUPLICATES])
    except (ValueError, RecursionError) as problem:
        raise _unrecognized(kind, "json", problem) from None


def _unrecognized(kind: str, language: str, problem: Exception) -> BadRequest:
    text = f"couldn't get version/kind; {language} parse error: {problem}"
    return BadRequest(f"the object provided is unrecognized (must be of type {kind}): {text}")


def _place_of(value: Any, wanted: dict[str, Any]) -> tuple[str | int, ...]:
    """The way to one object in a document; empty for the document itself and for what a duplicate hides."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, child in inner:
        if child is wanted:
            return (step,)
        if rest := _place_of(child, wanted):
            return (step, *rest)
    return ()


class _Loader(yaml.SafeLoader):
    """YAML as JSON has it: true and false are the only booleans, and no text becomes a date.

    Aliases are refused: a few of them can stand for more than the memory holds. So is deep nesting, for which the
    loader would need a deep stack; it is written in Python, since the one in C ends the process in such a case.
    """

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases (*name) are not accepted here: write the value out")
        if self._depth == _DEEPEST:
            raise yaml.YAMLError(f"values are nested more than {_DEEPEST} deep")
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


_Loader.yaml_implicit_resolvers = {}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"(true|false)\Z"), list("tf"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"(~|null|)\Z"), ["~", "n", ""])
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"-?(0|[1-9][0-9]*)\Z"), list("-0123456789"))
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+([eE][-+]?[0-9]+)?|[eE][-+]?[0-9]+)\Z"),
    list("-0123456789"),
)


def _yaml(body: bytes, kind: str) -> Any:
    try:
        value = yaml.load(body, Loader=_Loader)  # noqa: S506 - a SafeLoader with fewer types
        return orjson.loads(orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS))
    except (yaml.YAMLError, orjson.JSONEncodeError, RecursionError) as problem:
        raise _unrecognized(kind, "yaml", problem) from None
