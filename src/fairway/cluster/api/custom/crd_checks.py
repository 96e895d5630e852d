"""What is wrong with a CustomResourceDefinition. What it makes the API serve is in `crds`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fairway.cluster.api.custom import crd_version_checks
from fairway.cluster.api.rules import definitions as rules
from fairway.kernel.objects import formats, names, structural
from fairway.kernel.objects.errors import Cause
from fairway.kernel.objects.kinds import Object


def problems(definition: Object, before: Object | None) -> list[Cause]:
    """`before` is what the definition was, None for a new one."""
    return list(_problems(definition, before))


def _problems(definition: Object, before: Object | None) -> Iterator[Cause]:
    spec = definition.get("spec") or {}
    group, own = spec.get("group") or "", spec.get("names") or {}
    if not names.dns_subdomain(group) or "." not in group:
        yield Cause("spec.group", f'Invalid value: "{group}": should be a domain with at least one dot')
    for key in ("plural", "kind"):
        if not own.get(key):
            yield Cause(f"spec.names.{key}", "Required value", "FieldValueRequired")
    wanted = f"{own.get('plural')}.{group}"
    if definition["metadata"].get("name") != wanted:
        text = f'Invalid value: "{definition["metadata"].get("name")}": must be spec.names.plural+"."+spec.group'
        yield Cause("metadata.name", text)
    if spec.get("scope") not in ("Namespaced", "Cluster"):
        text = f'Unsupported value: "{spec.get("scope")}": supported values: "Cluster", "Namespaced"'
        yield Cause("spec.scope", text, "FieldValueNotSupported")
    yield from crd_version_checks.problems(spec)
    old = before["spec"].get("versions") or [] if before else []
    yield from _versions(spec.get("versions") or [], {version.get("name"): _schema(version) for version in old})


def _schema(version: Object) -> Any:
    return (version.get("schema") or {}).get("openAPIV3Schema")


def _versions(versions: list[Object], before: dict[Any, Any]) -> Iterator[Cause]:
    if not versions:
        yield Cause("spec.versions", "Required value", "FieldValueRequired")
    stored = [version.get("name") for version in versions if version.get("storage")]
    if versions and len(stored) != 1:
        text = "Invalid value: must have exactly one version marked as storage version"
        yield Cause("spec.versions", text)
    for index, version in enumerate(versions):
        at = f"spec.versions[{index}]"
        schema = _schema(version)
        if schema is None:
            yield Cause(f"{at}.schema.openAPIV3Schema", "Required value: schemas are required", "FieldValueRequired")
        else:
            found = structural.problems(schema, f"{at}.schema.openAPIV3Schema")
            yield from found
            if not found:
                yield from rules.problems(schema, f"{at}.schema.openAPIV3Schema", before.get(version.get("name")))


def warnings(definition: Object) -> Iterator[str]:
    schemas = [version.get("schema") for version in definition["spec"].get("versions") or ()]
    for name in sorted(set(_unknown_formats(schemas))):
        yield f'unrecognized format "{name}"'


def _unknown_formats(schema: Any) -> Iterator[str]:
    """Formats that are not checked, here or upstream."""
    if isinstance(schema, list):
        for inner in schema:
            yield from _unknown_formats(inner)
    if not isinstance(schema, dict):
        return
    name = schema.get("format")
    if isinstance(name, str) and schema.get("type") in ("string", "integer", "number"):
        known = {"integer": ("int32", "int64"), "number": ("float", "double")}.get(schema["type"], ())
        if name not in known and not (schema["type"] == "string" and formats.known(name)):
            yield name
    for inner in schema.values():
        if isinstance(inner, (dict, list)):
            yield from _unknown_formats(inner)


def change_problems(new: Object, old: Object) -> Iterator[Cause]:
    for field in ("group", "scope"):
        if new["spec"].get(field) != old["spec"].get(field):
            yield Cause(f"spec.{field}", f'Invalid value: "{new["spec"].get(field)}": field is immutable')
    for field in ("plural", "kind"):
        if new["spec"]["names"].get(field) != old["spec"]["names"].get(field):
            yield Cause(
                f"spec.names.{field}", f'Invalid value: "{new["spec"]["names"].get(field)}": field is immutable'
            )
    yield from crd_version_checks.change_problems(new, old)
