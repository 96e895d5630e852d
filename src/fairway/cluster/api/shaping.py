"""From what a client sent to what may be stored: shape, unknown fields, defaults, checks.

The same steps for every kind, in upstream's order. `writing` comes before (it knows the verb) and after (it
stores); rules that look beyond the one object are in `admission`.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from fairway.cluster.api import objectmeta, patches
from fairway.cluster.api.aside import AT_ONCE, Aside
from fairway.cluster.api.calls import Call
from fairway.cluster.api.documents import builtin_schemas
from fairway.cluster.api.rules import evaluating, ratcheting
from fairway.cluster.api.rules.compiling import Place as RulePlace
from fairway.cluster.api.strategies import Strategy
from fairway.kernel.objects import errors
from fairway.kernel.objects.errors import Cause
from fairway.kernel.objects.kinds import Kind, Object
from fairway.kernel.objects.schemas import Schema, path_text

_VALIDATIONS = ("Strict", "Warn", "Ignore")
_MOST_WARNINGS = 20
_LARGE = 128 * 1024
"""Bytes, from which on the shape of an object is looked at beside the event loop."""
_BLOCKING = (
    "FieldValueNotSupported",
    "FieldValueRequired",
    "FieldValueTooLong",
    "FieldValueTooMany",
    "FieldValueTypeInvalid",
)
_NOT_CHECKED = (
    "some validation rules were not checked because the object was invalid; correct the existing errors to complete "
    "validation"
)


def shaped(call: Call) -> Object:
    """The body as an object of the call's kind, in the form in which it is stored. Raises BadRequest."""
    body, kind = call.body, call.served.resource.kind
    if not isinstance(body, dict):
        raise errors.BadRequest("the body of the request must be an object")
    for key, wanted in (("apiVersion", kind.api_version), ("kind", kind.kind)):
        given = body.get(key) or wanted
        if given != wanted:
            what = "API version" if key == "apiVersion" else "kind"
            text = f"the {what} in the data ({given}) does not match the expected {what} ({wanted})"
            if key == "kind":
                group = kind.group.partition(".")[0] or "core"
                text = (
                    f'{given} in version "{kind.version}" cannot be handled as a {wanted}: converting '
                    f"({kind.version}.{given}) to ({group}.{wanted}): unknown conversion: {text}"
                )
            raise errors.BadRequest(text)
        body[key] = wanted
    metadata = objectmeta.of(body)
    if call.namespace and (metadata.get("namespace") or call.namespace) != call.namespace:
        raise errors.BadRequest("the namespace of the provided object does not match the namespace sent on the request")
    if call.name and (metadata.get("name") or call.name) != call.name:
        raise errors.BadRequest(
            f"the name of the object ({metadata.get('name')}) does not match the name on the URL ({call.name})"
        )
    return call.served.to_stored(body) if call.served.to_stored else body


def typed(body: Any, kind: Kind) -> Object:
    """A body that is no object of a resource (an Eviction, DeleteOptions), without what its kind does not know.

    Raises BadRequest where it is none, or something in it has another type than it should.
    """
    if not isinstance(body, dict):
        raise errors.BadRequest("the body of the request must be an object")
    objectmeta.decodable(objectmeta.of(body))
    schema = builtin_schemas.of(kind)
    if schema is None:
        return body
    found: Object = patches.copied(body)
    schema.prune(found)
    _decodable(kind, schema.check(found))
    return found


def complete(call: Call, obj: Object, *, only: str = "") -> None:
    """Prune, settle and default in place; what is unknown is refused, warned of or dropped, as the client chose.

    Afterwards each field of a built-in kind has its type: defaults, checks and admission need not look.
    `only` names the one field that this write may change (status), so that the others cost nothing.
    """
    strategy = call.served.strategy
    schema = strategy.schema()
    unknown: list[str] = list(call.duplicates)
    if schema is not None:
        part = schema.field(only) if only else schema
        if part is not None:
            prefix = f"{only}." if only else ""
            unknown += [prefix + path for path in part.prune(obj.get(only) if only else obj)]
    if not only:
        unknown += objectmeta.unknown(obj)
    report(call, unknown)
    given = {only: obj.get(only)} if only else obj
    if (kept := settled(call, given)) is not given:
        obj.update(kept)
    if only and strategy.custom:
        part = schema.field(only) if schema else None
        if part is not None:
            part.default(obj.get(only))
    elif not only:
        if schema is not None and not strategy.custom:
            found = schema.check(obj)
            _decodable(call.served.resource.kind, found)
            call.sound = None if found else obj
        strategy.default(obj)


def settled(call: Call, obj: Object) -> Object:
    """The object with its quantities in the one form in which the server keeps them. Raises BadRequest."""
    amounts = call.served.strategy.amounts()
    if amounts is None:
        return obj
    try:
        result: Object = amounts.settled(obj)
    except errors.BadRequest as problem:
        kind = call.served.resource.kind
        text = f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: {problem.message}'
        raise errors.BadRequest(text) from None
    return result


def _decodable(kind: Kind, causes: Iterable[Cause]) -> None:
    """Upstream cannot even decode a built-in object whose fields have the wrong type: that is a bad request."""
    wrong = [cause for cause in causes if cause.reason == "FieldValueTypeInvalid"]
    if wrong:
        texts = ", ".join(f"{cause.field}: {cause.message}" for cause in wrong)
        raise errors.BadRequest(f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: {texts}')


def report(call: Call, unknown: list[str]) -> None:
    """Refuse, warn of, or pass over unknown and duplicate fields, as the client chose."""
    if not unknown:
        return
    wanted = call.query.get("fieldValidation") or "Warn"
    if wanted not in _VALIDATIONS:
        raise errors.BadRequest(
            f'fieldValidation: Unsupported value: "{wanted}": supported values: "Ignore", "Strict", "Warn"'
        )
    duplicates = set(call.duplicates)
    texts = [f'{"duplicate" if path in duplicates else "unknown"} field "{path}"' for path in unknown]
    if wanted == "Strict":
        kind = call.served.resource.kind
        raise errors.BadRequest(
            f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: '
            f"strict decoding error: {', '.join(texts)}"
        )
    if wanted == "Warn":
        call.warnings += texts[:_MOST_WARNINGS]


async def judged(aside: Aside, call: Call, obj: Object, old: Object | None = None, *, only: str = "") -> list[Cause]:
    """All that is wrong with a complete object; `old` is what it was, None for a new one."""
    strategy = call.served.strategy
    if strategy.custom and call.size > _LARGE:
        found = await aside.run(partial(check, call, obj, old, only=only))
    else:
        found = check(call, obj, old, only=only)
    if not found and not only and strategy.check_beside is not None:
        found = list(await aside.run(partial(strategy.check_beside, obj, old)))
    root = strategy.rules()
    return found if root is None else found + await _rules(aside, root, call, obj, old, found)


def check(call: Call, obj: Object, old: Object | None = None, *, only: str = "") -> list[Cause]:
    """What is wrong with it but for what is asked in CEL, or about CEL, which may take long."""
    strategy = call.served.strategy
    found: list[Cause] = []
    schema = strategy.schema()
    if only:
        part = schema.field(only) if schema else None
        if part is not None and only in obj:
            found += _shape(strategy, part, obj, old, only)
        return found
    found += objectmeta.problems(obj["metadata"], label_name=strategy.label_name, path_name=strategy.path_name)
    if schema is not None and call.sound is not obj:
        found += _shape(strategy, schema, obj, old, "")
    if not found and (found := list(strategy.check(obj))) and old is not None:
        # What an earlier Fairway took may stay as it is: else nothing of the object could be changed any more.
        before = set(strategy.check(old))
        found = [cause for cause in found if cause not in before]
    if not found:
        call.warnings += strategy.warn(obj)
    return found


def _shape(strategy: Strategy, schema: Schema, obj: Object, old: Object | None, only: str) -> list[Cause]:
    """What the schema refuses. Of custom resources, what was wrong before and did not change may stay."""
    found = schema.findings(obj[only] if only else obj)
    if found and old is not None and strategy.document is not None:
        document = strategy.document["properties"][only] if only else strategy.document
        new, before = (obj[only], old.get(only)) if only else (obj, old)
        found = ratcheting.remaining(document, found, new, before, schema.findings(before))
    return [finding.cause(path_text((only, *finding.steps) if only else finding.steps)) for finding in found]


async def _rules(
    aside: Aside, root: RulePlace, call: Call, obj: Object, old: Object | None, found: list[Cause]
) -> list[Cause]:
    """What the author of a custom resource refuses, where the object has the shape that rules count on."""
    if any(cause.reason in _BLOCKING for cause in found):
        return [Cause("<nil>", f"Invalid value: null: {_NOT_CHECKED}")]
    said = evaluating.verdict(root, obj, old, AT_ONCE)
    if said.spent:
        said = await aside.run(partial(evaluating.verdict, root, obj, old))
    call.warnings += said.warnings[:_MOST_WARNINGS]
    return said.causes


def refuse(call: Call, obj: Object, causes: list[Cause]) -> None:
    if causes:
        raise call.served.invalid(str(obj["metadata"].get("name") or ""), causes)
