"""The rules of metadata, the same for every kind: what a client may say, and what the server alone says."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from typing import Any

from fairway.kernel.objects import fields, names
from fairway.kernel.objects.errors import BadRequest, Cause, Invalid
from fairway.kernel.objects.kinds import Object

_FROM_CLIENT = ("name", "generateName", "namespace", "labels", "annotations", "ownerReferences", "finalizers")
_FROM_SERVER = (
    "uid", "creationTimestamp", "generation", "deletionTimestamp", "deletionGracePeriodSeconds", "managedFields",
)  # fmt: skip
_KNOWN = {*_FROM_CLIENT, *_FROM_SERVER, "resourceVersion", "selfLink"}

_LONGEST_ANNOTATIONS = 256 * 1024
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?")
_LABEL_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")

SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
    "and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
LABEL_TEXT = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
    "with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)


_JSON_NAMES = {str: "string", bool: "bool", int: "int64", float: "float64"}
_GO: dict[type, str] = {dict: "map", list: "slice", str: "string"}
"""What upstream's texts call a value, and what it should have been."""

QUALIFIED_TEXT = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)

_STANDARD_FINALIZERS = ("kubernetes", "orphan", "foregroundDeletion")

_TYPES: dict[str, tuple[type, type, str]] = {
    "name": (str, str, "a string"),
    "generateName": (str, str, "a string"),
    "namespace": (str, str, "a string"),
    "labels": (dict, str, "an object of strings"),
    "annotations": (dict, str, "an object of strings"),
    "finalizers": (list, str, "a list of strings"),
    "ownerReferences": (list, dict, "a list of objects"),
    "managedFields": (list, dict, "a list of objects"),
}


def of(body: Object) -> Object:
    """The metadata of a body. Raises BadRequest where it is none."""
    metadata = body.get("metadata")
    if metadata is None:
        return {}
    if not isinstance(metadata, dict):
        raise BadRequest("metadata is an object")
    return metadata


def unknown(body: Object) -> list[str]:
    return [f"metadata.{key}" for key in of(body) if key not in _KNOWN]


def born(given: Object, namespace: str, now: str) -> Object:
    """The metadata of a new object: what the client may say, and the server's part."""
    decodable(given)
    # Upstream passes over what is no revision, and clients' own tests rely on it.
    if str(given.get("resourceVersion") or "0").strip("0").isdecimal():
        raise Invalid("metadata.resourceVersion: Forbidden: resourceVersion should not be set on objects to be created")
    metadata = {key: given[key] for key in _FROM_CLIENT if given.get(key) not in (None, {}, [], "")}
    if not metadata.get("name") and metadata.get("generateName"):
        metadata["name"] = generated(str(metadata["generateName"]))
    if namespace:
        metadata["namespace"] = namespace
    else:
        metadata.pop("namespace", None)
    return metadata | {"uid": str(uuid.uuid4()), "creationTimestamp": now, "generation": 1}


def generated(base: str) -> str:
    return base[:58] + names.random_suffix()


def changed(given: Object, old: Object) -> Object:
    """The metadata after an update: the client's part of `given`, the server's part of `old`."""
    decodable(given)
    metadata = {key: given[key] for key in _FROM_CLIENT if given.get(key) not in (None, {}, [], "")}
    metadata |= {key: old[key] for key in _FROM_SERVER if key in old}
    metadata["name"] = old["name"]
    if "namespace" in old:
        metadata["namespace"] = old["namespace"]
    if "generateName" in old:
        metadata["generateName"] = old["generateName"]
    entries = given.get("managedFields")
    if entries == [{}]:  # how a client asks to begin anew
        metadata.pop("managedFields", None)
    elif entries and entries != old.get("managedFields"):
        metadata["managedFields"] = _entries(entries)  # as kubectl does when an object changes to server-side apply
    return metadata


def _entries(given: list[Object]) -> list[Object]:
    """Owners of fields that a client writes itself. Raises Invalid where they cannot be read."""
    for number, entry in enumerate(given):
        path = f"metadata.managedFields[{number}]"
        if entry.get("operation") not in ("Apply", "Update"):
            raise Invalid(f"{path}.operation: Invalid value: {entry.get('operation')!r}: must be `Apply` or `Update`")
        if entry.get("fieldsType") != "FieldsV1":
            raise Invalid(f"{path}.fieldsType: Invalid value: {entry.get('fieldsType')!r}: must be `FieldsV1`")
        try:
            for each in fields.paths(entry.get("fieldsV1")):
                fields.text(each)
        except (ValueError, AttributeError, RecursionError):
            raise Invalid(f"{path}.fieldsV1: Invalid value: it is no set of fields") from None
    return given


def decodable(given: Object) -> None:
    """What has the wrong type could not even be read, as with the other fields of built-in kinds."""
    for key, value in given.items():
        if value is None or key not in _TYPES:
            continue
        wanted, inner, what = _TYPES[key]
        if value.__class__ is wanted is str:
            continue
        parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        if not isinstance(value, wanted) or not all(isinstance(part, inner) for part in parts):
            kind = _JSON_NAMES.get(type(value), "array")
            text = (
                f"it is {what}"
                if isinstance(value, wanted)
                else f"cannot restore {_GO[wanted]} from {kind}: it is {what}"
            )
            raise BadRequest(f"metadata.{key}: Invalid value: {value!r:.100}: {text}")


def problems(
    metadata: Object, *, label_name: bool = False, path_name: bool = False, subdomain: bool = True
) -> Iterator[Cause]:
    """What is wrong with metadata, whatever the kind.

    `label_name` is for kinds whose names have no dots, `path_name` for those whose names may be any part of a path.
    """
    name = metadata.get("name")
    if not name:
        text = "Required value: name or generateName is required"
        yield Cause("metadata.name", text, "FieldValueRequired")
    elif path_name:
        if name in (".", "..") or "/" in name or "%" in name:
            why = f"may not be '{name}'" if name in (".", "..") else "may not contain '/' or '%'"
            yield Cause("metadata.name", f'Invalid value: "{name}": {why}')
    elif label_name and not names.dns_label(name):
        yield Cause("metadata.name", f'Invalid value: "{name}": {LABEL_TEXT}')
    elif subdomain and not names.dns_subdomain(name):
        yield Cause("metadata.name", f'Invalid value: "{name}": {SUBDOMAIN_TEXT}')
    if labels := metadata.get("labels"):
        yield from labels_problems(labels, "metadata.labels")
    if annotations := metadata.get("annotations"):
        yield from _annotation_problems(annotations)
    if owners := metadata.get("ownerReferences"):
        yield from _owner_problems(owners)
    if finalizers := metadata.get("finalizers"):
        yield from _finalizer_problems(finalizers)


def labels_problems(labels: Any, path: str) -> Iterator[Cause]:
    if not isinstance(labels, dict):
        text = f"Invalid value: {labels!r:.100}: cannot restore map from {_JSON_NAMES.get(type(labels), 'array')}"
        yield Cause(path, text, "FieldValueTypeInvalid")
        return
    for key, value in labels.items():
        if not _qualified(key):
            yield Cause(path, f'Invalid value: "{key}": {QUALIFIED_TEXT}')
        if not isinstance(value, str):
            yield Cause(f"{path}[{key}]", f"Invalid value: {value!r}: a label's value is a string")
        elif len(value) > 63:
            yield Cause(path, f'Invalid value: "{value}": must be no more than 63 bytes')
        elif not _LABEL_VALUE.fullmatch(value):
            text = (
                "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and "
                "must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', "
                "regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
            )
            yield Cause(path, f'Invalid value: "{value}": {text}')


def _qualified(key: str) -> bool:
    prefix, slash, name = key.rpartition("/")
    return 0 < len(name) <= 63 and bool(_LABEL_NAME.fullmatch(name)) and (not slash or names.dns_subdomain(prefix))


def _annotation_problems(annotations: dict[str, str]) -> Iterator[Cause]:
    path = "metadata.annotations"
    size = 0
    for key, value in annotations.items():
        if not _qualified(key.lower()):
            yield Cause(path, f'Invalid value: "{key}": {QUALIFIED_TEXT}')
        size += len(key) + len(value)
    if size > _LONGEST_ANNOTATIONS:
        yield Cause(path, f"Too long: may not be more than {_LONGEST_ANNOTATIONS} bytes", "FieldValueTooLong")


def _owner_problems(owners: list[Object]) -> Iterator[Cause]:
    controllers = 0
    for index, owner in enumerate(owners):
        path = f"metadata.ownerReferences[{index}]"
        for key in ("apiVersion", "kind", "name", "uid"):
            if not owner.get(key):
                yield Cause(f"{path}.{key}", 'Invalid value: "": must not be empty')
        controllers += bool(owner.get("controller"))
    if controllers > 1:
        text = "Invalid value: Only one reference can have Controller set to true"
        yield Cause("metadata.ownerReferences", text)


def _finalizer_problems(finalizers: list[str]) -> Iterator[Cause]:
    path = "metadata.finalizers"
    for index, word in enumerate(finalizers):
        if not _qualified(word):
            yield Cause(path, f'Invalid value: "{word}": {QUALIFIED_TEXT}')
        if "/" not in word and word not in _STANDARD_FINALIZERS:
            why = "name is neither a standard finalizer name nor is it fully qualified"
            yield Cause(f"{path}[{index}]", f'Invalid value: "{word}": {why}')


def finalizer_problems_when_dying(new: Object, old: Object) -> Iterator[Cause]:
    """An object that is being deleted takes no new finalizers."""
    if old.get("deletionTimestamp"):
        added = sorted(set(new.get("finalizers") or ()) - set(old.get("finalizers") or ()))
        if added:
            listed = ", ".join(f'"{word}"' for word in added)
            text = (
                "Forbidden: no new finalizers can be added if the object is being deleted, "
                f"found new finalizers []string{{{listed}}}"
            )
            yield Cause("metadata.finalizers", text, "FieldValueForbidden")
