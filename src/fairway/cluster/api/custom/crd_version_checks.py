"""What is wrong with the versions of a CustomResourceDefinition and with the way between them.

`crd_checks` comes before: it looks at the definition as a whole, and at each schema.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from fairway.cluster.api.checks import causes
from fairway.cluster.api.webhooks import checks
from fairway.kernel.objects import names
from fairway.kernel.objects.errors import Cause
from fairway.kernel.objects.kinds import Object

_MOST_SELECTABLE = 8
_SCALARS = ("string", "boolean", "integer")
_SELECTABLE = re.compile(r"(\.[A-Za-z_][A-Za-z0-9_-]*)+")
_LONGEST_WARNING = 256
_REVIEWS = ("v1", "v1beta1")


def problems(spec: Object) -> Iterator[Cause]:
    versions = spec.get("versions") or []
    called = [version.get("name") for version in versions]
    if len(set(called)) != len(called):
        yield causes.invalid("spec.versions", called, "must contain unique version names")
    for index, version in enumerate(versions):
        at = f"spec.versions[{index}]"
        name = str(version.get("name") or "")
        if not names.dns_label(name) or name[0].isdigit():
            yield causes.invalid(f"{at}.name", name, _LABEL_1035)
        yield from _deprecation(version, at)
        yield from _selectable(version, f"{at}.selectableFields")
    yield from _conversion(spec.get("conversion") or {}, "spec.conversion")
    if spec.get("preserveUnknownFields"):
        why = "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"
        yield causes.invalid("spec.preserveUnknownFields", True, why)


_LABEL_1035 = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, "
    "and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is "
    "'[a-z]([-a-z0-9]*[a-z0-9])?')"
)


def _deprecation(version: Object, at: str) -> Iterator[Cause]:
    warning = version.get("deprecationWarning")
    if warning is None:
        return
    at = f"{at}.deprecationWarning"
    if not version.get("deprecated"):
        yield causes.invalid(at, warning, "can only be set for deprecated versions")
    if len(warning) > _LONGEST_WARNING:
        yield causes.invalid(at, warning, f"must be <= {_LONGEST_WARNING} characters long")
    if not warning:
        yield causes.invalid(at, warning, "must not be an empty string")
    elif not warning.isprintable():
        yield causes.invalid(at, warning, "must only contain printable UTF-8 characters")


def _selectable(version: Object, at: str) -> Iterator[Cause]:
    fields = version.get("selectableFields") or []
    schema = (version.get("schema") or {}).get("openAPIV3Schema") or {}
    seen = set[str]()
    for index, field in enumerate(fields):
        path, here = str(field.get("jsonPath") or ""), f"{at}[{index}].jsonPath"
        if not path:
            yield causes.required(here)
            continue
        if not _SELECTABLE.fullmatch(path):
            yield causes.invalid(here, path, "is an invalid path: it is a list of names, such as .spec.colour")
            continue
        if path.startswith(".metadata"):
            yield causes.invalid(here, path, "must not point to fields in metadata")
        elif (found := _at(schema, path)) is None:
            yield causes.invalid(here, path, "is an invalid path: does not refer to a valid field")
        elif found.get("type") not in _SCALARS:
            why = (
                "must point to a field of type string, boolean or integer. Enum string fields and strings with formats "
                "are allowed."
            )
            yield causes.invalid(here, path, why)
        if path in seen:
            yield causes.duplicate(here, path)
        seen.add(path)
    if len(seen) > _MOST_SELECTABLE:
        yield Cause(at, f"Too many: {len(seen)}: must have at most {_MOST_SELECTABLE} items", "FieldValueTooMany")


def _at(schema: Any, path: str) -> Object | None:
    """The schema of a field, or None where there is none."""
    for step in path.strip(".").split("."):
        properties = schema.get("properties") if isinstance(schema, dict) else None
        schema = properties.get(step) if isinstance(properties, dict) else None
    return schema if isinstance(schema, dict) else None


def _conversion(conversion: Object, at: str) -> Iterator[Cause]:
    strategy, webhook = conversion.get("strategy", "None"), conversion.get("webhook")
    if strategy == "None":
        if webhook is not None:
            text = "Forbidden: should not be set when strategy is not set to Webhook"
            yield Cause(f"{at}.webhook", text, "FieldValueForbidden")
        return
    if strategy != "Webhook":
        yield causes.unsupported(f"{at}.strategy", strategy, "None", "Webhook")
        return
    config = (webhook or {}).get("clientConfig")
    if not config:
        yield causes.required(f"{at}.webhookClientConfig", "required when strategy is set to Webhook")
    else:
        yield from checks.client_config(config, f"{at}.webhookClientConfig")
    reviews = (webhook or {}).get("conversionReviewVersions") or []
    at = f"{at}.conversionReviewVersions"
    if not reviews:
        yield causes.required(at)
    elif not set(reviews) & set(_REVIEWS):
        yield causes.invalid(at, reviews, "must include at least one of v1, v1beta1")
    elif "v1" not in reviews:
        yield causes.invalid(at, reviews, "this server sends ConversionReviews of v1: add it to the list")
    if len(set(reviews)) != len(reviews):
        yield causes.invalid(at, reviews, "duplicate version")


def change_problems(new: Object, old: Object) -> Iterator[Cause]:
    """A version that was stored stays until nothing is stored in it."""
    there = {version.get("name") for version in new["spec"].get("versions") or ()}
    for index, name in enumerate((old.get("status") or {}).get("storedVersions") or ()):
        if name not in there:
            why = (
                f"missing from spec.versions; {name} was previously a storage version, and must remain in "
                f"spec.versions until a storage migration ensures no data remains persisted in {name} and removes "
                f"{name} from status.storedVersions"
            )
            yield causes.invalid(f"status.storedVersions[{index}]", name, why)
