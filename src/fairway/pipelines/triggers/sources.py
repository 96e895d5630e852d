"""What a trigger fires for, pure: the three kinds of sources, read and checked, and the macros that each of them gives.

A source is kept as it was checked. `finding` looks for its events, `calls` takes a webhook's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from fairway.kernel.objects import errors
from fairway.pipelines import chronicle
from fairway.pipelines.api import messages
from fairway.pipelines.chronicle import ENDS, End

RUN, ARTIFACT, WEBHOOK = "RUN", "ARTIFACT", "WEBHOOK"

FIELDS = {"run": RUN, "artifact": ARTIFACT, "webhook": WEBHOOK}
"""The field of a trigger that holds its source, and the kind that it makes the trigger."""

EVERY_SECONDS, SHORTEST, LONGEST = 30, 5, 24 * 3600
"""How often an address is looked at: unless it is said, at least and at most."""

_MACRO = re.compile(r"\[\[trigger\.([^\[\]]*)\]\]")


def read(fields: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """(kind, source) in the fields of a Trigger. Raises BadRequest."""
    given = [name for name in FIELDS if name in fields]
    if len(given) != 1:
        named = f"this one has {' and '.join(given)}" if given else "this one has none"
        raise errors.BadRequest(f"a trigger has exactly one of run, artifact and webhook; {named}")
    name = given[0]
    return FIELDS[name], _READERS[name](fields[name])


def wants(source: Mapping[str, Any], end: End) -> bool:
    """Whether a trigger of kind RUN fires for the end of this run."""
    return end.state in source["states"] and chronicle.is_chosen(end.run, source)


def wants_artifact(source: Mapping[str, Any], made: Mapping[str, Any]) -> bool:
    """Whether a trigger of kind ARTIFACT fires for this one. Types may leave out "system.", as in the API."""
    types = (source.get("type"), f"system.{source.get('type')}")
    return (
        source.get("name", made["name"]) == made["name"]
        and ("type" not in source or made["type"] in types)
        and source.get("pipeline_name", made["pipeline_name"]) == made["pipeline_name"]
    )


def facts(kind: str, source: Mapping[str, Any]) -> tuple[str, ...]:
    """The names that macros may have: [[trigger.NAME]]."""
    if kind == RUN:
        return ("run_id", "time")
    if kind == WEBHOOK:
        return ("time",)
    return ("artifact_uri", "time") if source.get("uri") else ("artifact_id", "artifact_uri", "run_id", "time")


def check_macros(value: Any, known: tuple[str, ...]) -> None:
    """Refuse macros that events of this kind give no value for. Raises BadRequest."""
    if isinstance(value, str):
        for name in _MACRO.findall(value):
            if name not in known:
                has = ", ".join(f"[[trigger.{each}]]" for each in known)
                raise errors.BadRequest(f"[[trigger.{name}]] has no value in this trigger; there is {has}")
    elif isinstance(value, list):
        for item in value:
            check_macros(item, known)
    elif isinstance(value, Mapping):
        for item in value.values():
            check_macros(item, known)


def filled(value: Any, given: Mapping[str, str]) -> Any:
    """The parameters with their macros replaced, in texts at any depth. What is put in is not looked at again.

    >>> filled({"of": ["run [[trigger.run_id]]", 3]}, {"run_id": "4f2a"})
    {'of': ['run 4f2a', 3]}
    """
    if isinstance(value, str):
        return _MACRO.sub(lambda match: given.get(match[1], match[0]), value)
    if isinstance(value, list):
        return [filled(item, given) for item in value]
    if isinstance(value, Mapping):
        return {key: filled(item, given) for key, item in value.items()}
    return value


def _run(value: Any) -> dict[str, Any]:
    fields = messages.part(value, "RunSource", "run")
    states = fields.get("states", ["SUCCEEDED"])
    if not isinstance(states, list) or not states or not all(state in ENDS for state in states):
        raise errors.BadRequest(f"run.states must be a list of some of {', '.join(ENDS)}, not {states!r}")
    return {**_texts(fields, *chronicle.CHOICES), "states": states}


def _artifact(value: Any) -> dict[str, Any]:
    fields = messages.part(value, "ArtifactSource", "artifact")
    made = _texts(fields, "name", "type", "pipeline_name")
    uri = messages.text(fields, "uri", limit=2048)
    if bool(made) == bool(uri):
        raise errors.BadRequest(
            "artifact needs name, type or pipeline_name of what runs make, or instead the uri of a file or a folder"
        )
    if made:
        if "every_seconds" in fields:
            raise errors.BadRequest("artifact.every_seconds is for a uri; what runs make is seen at once")
        return made
    every = fields.get("every_seconds", EVERY_SECONDS)
    if not isinstance(every, int) or isinstance(every, bool) or not SHORTEST <= every <= LONGEST:
        raise errors.BadRequest(
            f"artifact.every_seconds must be a whole number from {SHORTEST} to {LONGEST}, not {every!r}"
        )
    return {"uri": uri, "every_seconds": every}


def _webhook(value: Any) -> dict[str, Any]:
    fields = messages.part(value, "WebhookSource", "webhook")
    if "parameters" not in fields:
        return {}
    allowed = fields["parameters"]
    if not isinstance(allowed, list) or not all(isinstance(name, str) for name in allowed):
        raise errors.BadRequest("webhook.parameters must be a list of names: the parameters that a call may give")
    return {"parameters": allowed}


def _texts(fields: Mapping[str, Any], *names: str) -> dict[str, Any]:
    found = {name: messages.text(fields, name, limit=255) for name in names}
    return {name: value for name, value in found.items() if value}


_READERS: Mapping[str, Callable[[Any], dict[str, Any]]] = {"run": _run, "artifact": _artifact, "webhook": _webhook}
