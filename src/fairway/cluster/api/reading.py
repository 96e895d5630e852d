"""Reading: get and list, with selectors and pages. Answers come from the store's memory as encoded bytes."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from itertools import islice

import orjson

from fairway.cluster.api.backend import Backend
from fairway.cluster.api.calls import Call, Reply, of_record, shown
from fairway.cluster.api.registry import Served
from fairway.cluster.store.protocol import Compacted, Key, Label, Position, Record, Snapshot, Store
from fairway.kernel.objects import errors, selectors
from fairway.kernel.objects.kinds import Object

Test = Callable[[Object], bool]

_NONE: dict[str, str] = {}
_EQUALITY = re.compile(r"(?:^|,)\s*([A-Za-z0-9][-A-Za-z0-9_./]*)\s*==?\s*([-A-Za-z0-9_.]+)\s*(?:,|\Z)")
"""A term key=value of a label selector; inside the parentheses of a set there is no equals sign."""
_ALWAYS_SELECTABLE = ("metadata.name", "metadata.namespace")


def key_of(call: Call) -> Key:
    return Key(call.served.storage, call.namespace, call.name)


def found(store: Store, call: Call) -> Record:
    """The object that the call names. Raises NotFound."""
    record = store.get(key_of(call))
    if record is None:
        raise errors.not_found(call.served.label, call.name)
    return record


async def get(backend: Backend, call: Call) -> Reply:
    record = found(backend.store, call)
    if call.served.conversion is not None:
        record = await backend.conversions.shown(call.served, record)
    return of_record(record, call.served)


async def list_(backend: Backend, call: Call) -> Reply:
    """A page of a collection, or all of it."""
    if call.served.conversion is None:
        return _page(backend.store, call, None)
    if not call.query.get("fieldSelector"):
        return await backend.conversions.reply(call.served, _page(backend.store, call, None))
    # Fields have the names of the version that was asked for: all objects are needed in it, to choose among them.
    everything = _snapshot(backend.store, call)
    shown = await backend.conversions.all_shown(call.served, everything.records)
    return _page(backend.store, call, Snapshot(everything.revision, shown))


def _page(store: Store, call: Call, everything: Snapshot | None) -> Reply:
    """A page from the store; or of `everything`, where objects are shown otherwise than they are stored."""
    if "sendInitialEvents" in call.query:
        raise errors.Invalid("sendInitialEvents is forbidden for list", details={"causes": []})
    limit = call.number("limit") or 0
    metadata: Object = {}
    test = selection(call)
    if test is None:
        snapshot = everything or _snapshot(store, call, limit)
        records = snapshot.records
        if snapshot.remaining:
            metadata["remainingItemCount"] = snapshot.remaining
    else:
        snapshot = everything or _snapshot(store, call)
        records = list(islice((each for each in snapshot.records if test(each.object)), limit + 1 if limit else None))
    if limit and (snapshot.remaining or len(records) > limit):
        records = records[:limit]
        last = records[-1].key
        metadata["continue"] = _token(snapshot.revision, (last.namespace, last.name))
    metadata["resourceVersion"] = str(snapshot.revision)
    return _listing(call.served, records, metadata)


def _listing(served: Served, records: list[Record], metadata: Object) -> Reply:
    kind = served.resource.kind
    head = {"kind": f"{kind.kind}List", "apiVersion": kind.api_version, "metadata": metadata}
    if served.to_view is None:
        whole = [record.object for record in records]
        return Reply(head, served=served, items=whole, values=[record.value for record in records])
    items = [shown(record, served) for record in records]
    values = [value for _, value in items if value is not None]
    return Reply(
        head, served=served, items=[obj for obj, _ in items], values=values if len(values) == len(items) else None
    )


def _position(call: Call) -> tuple[Position | None, int, bool]:
    """Where the page starts, at which revision, and whether its token has forgotten the revision."""
    token = call.query.get("continue", "")
    revision, match = call.query.get("resourceVersion", ""), call.query.get("resourceVersionMatch", "")
    if match:
        _match_fits(match, revision, token)
    if not token:
        exact = match == "Exact" or (not match and call.query.get("limit", "0") != "0" and revision not in ("", "0"))
        return None, number(revision) if exact else 0, False
    if revision not in ("", "0"):
        raise errors.BadRequest("specifying resource version is not allowed when using continue")
    try:
        value = orjson.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        start = (str(value["start"][0]), str(value["start"][1]))
        at = int(value["rv"])
    except (ValueError, KeyError, TypeError, IndexError, binascii.Error):
        raise errors.BadRequest("continue key is not valid: it is no token that this server gave") from None
    return start, max(at, 0), at <= 0


def _match_fits(match: str, revision: str, token: str) -> None:
    """Upstream's conditions for resourceVersionMatch."""
    text = ""
    if not revision:
        text = "resourceVersionMatch is forbidden unless resourceVersion is provided"
    elif token:
        text = "resourceVersionMatch is forbidden when continue is provided"
    elif match == "Exact" and revision == "0":
        text = 'resourceVersionMatch "Exact" is forbidden for resourceVersion "0"'
    if text:
        raise _bad_options(errors.Cause("resourceVersionMatch", f"Forbidden: {text}", "FieldValueForbidden"))
    if match not in ("Exact", "NotOlderThan"):
        text = f'Unsupported value: "{match}": supported values: "Exact", "NotOlderThan"'
        raise _bad_options(errors.Cause("resourceVersionMatch", text, "FieldValueNotSupported"))


def _bad_options(cause: errors.Cause) -> errors.Invalid:
    return errors.invalid("ListOptions", "meta.k8s.io", "", [cause])


def _snapshot(store: Store, call: Call, limit: int = 0) -> Snapshot:
    """What the call asks for, from where its page starts; all of the rest without a limit."""
    start, at, fresh = _position(call)
    wanted = at if at or fresh else number(call.query.get("resourceVersion", ""))
    if wanted > store.revision:
        raise too_large(wanted, store.revision)
    try:
        return store.list(
            call.served.storage,
            call.namespace,
            name=name(call),
            label=label(call),
            at=at,
            after=start,
            limit=limit,
        )
    except Compacted:
        token = _token(0, start) if start else ""
        raise expired(token) from None


def _token(revision: int, start: Position) -> str:
    value = orjson.dumps({"v": "meta.k8s.io/v1", "rv": revision, "start": start})
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def number(revision: str) -> int:
    """A resourceVersion of the query as a number."""
    if revision and not revision.isdecimal():
        raise errors.BadRequest(f'resourceVersion: Invalid value: "{revision}": it is not a revision of this server')
    return int(revision or 0)


def too_large(wanted: int, current: int) -> errors.Timeout:
    return errors.Timeout(
        f"Too large resource version: {wanted}, current: {current}",
        details={
            "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
            "retryAfterSeconds": 1,
        },
    )


def expired(token: str = "") -> errors.Expired:
    """The history that was asked for is gone. `token` goes on from the same place at the present revision."""
    if not token:
        return errors.Expired("The resourceVersion for the provided list or watch is too old: list again.")
    text = (
        "The provided continue parameter is too old to display a consistent list result. "
        "You can start a new list without the continue parameter, or use the continue token in this "
        "response to retrieve the remainder of the results, which may be inconsistent."
    )
    return _ExpiredPage(text, token)


class _ExpiredPage(errors.Expired):
    """Carries the token to go on with, where upstream carries it: in the Status' own metadata."""

    def __init__(self, message: str, token: str) -> None:
        super().__init__(message)
        self._token = token

    def status(self) -> Object:
        return {**super().status(), "metadata": {"continue": self._token}}


def selection(call: Call) -> Test | None:
    """The test that the call's selectors (and name, for a watch of one object) describe; None for everything."""
    tests: list[Test] = []
    if call.name:
        wanted = call.name
        tests.append(lambda obj: bool(obj["metadata"]["name"] == wanted))
    if text := call.query.get("labelSelector", ""):
        tests.append(_labels_test(text))
    for term in selectors.fields(call.query.get("fieldSelector", "")):
        tests.append(_field_test(call.served, term))
    if not tests:
        return None
    if len(tests) == 1:
        return tests[0]
    return lambda obj: all(test(obj) for test in tests)


def label(call: Call) -> Label | None:
    """A label that all of the call's selection carries, for the store to start from; None where there is none."""
    found = _EQUALITY.search(call.query.get("labelSelector", ""))
    return (found[1], found[2]) if found else None


def name(call: Call) -> str:
    """The name that all of the call's selection has, likewise; empty where there is none."""
    terms = selectors.fields(call.query.get("fieldSelector", ""))
    named = (term.value for term in terms if term.path == "metadata.name" and not term.negate)
    return call.name or next(named, "")


def _labels_test(text: str) -> Test:
    labels = selectors.labels(text)
    return lambda obj: labels(obj["metadata"].get("labels") or _NONE)


def _field_test(served: Served, term: selectors.Term) -> Test:
    row = served.resource
    if term.path not in _ALWAYS_SELECTABLE and term.path not in row.selectable:
        raise errors.BadRequest(f"field label not supported: {term.path}")
    head, *rest = term.path.split(".")
    steps = [row.renamed.get(head, head), *rest]
    value, negate = term.value, term.negate

    def test(obj: Object) -> bool:
        current: object = obj
        for step in steps:
            current = current.get(step) if isinstance(current, dict) else None
        return (_text(current) == value) is not negate

    return test


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):  # an Event's source is shown by its component
        return str(value.get("component") or "")
    return str(value)
