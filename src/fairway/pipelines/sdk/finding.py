"""Finding things by what people call them: an id, or a name that only one has."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from fairway.pipelines.sdk.failures import NotThere
from fairway.pipelines.sdk.wire import Api


@dataclass(frozen=True, slots=True)
class Kind:
    """Where the API lists things of a kind, and what they are called."""

    path: str
    key: str
    id: str
    word: str
    command: str


SCHEDULE = Kind("recurringruns", "recurringRuns", "recurring_run_id", "schedule", "schedules")
TRIGGER = Kind("triggers", "triggers", "trigger_id", "trigger", "triggers")
NOTICE = Kind("notices", "notices", "notice_id", "notice", "notices")
PIPELINE = Kind("pipelines", "pipelines", "pipeline_id", "pipeline", "pipelines")


def one(api: Api, kind: Kind, asked: str) -> dict[str, Any]:
    """The one with this id, or the only one of this name, as the API tells of it. Raises NotThere."""
    try:
        return api.get(f"{kind.path}/{asked}")
    except NotThere:
        found = list(api.pages(kind.path, kind.key, filter=where(("EQUALS", "display_name", asked))))
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(each[kind.id] for each in found[:5])
        raise NotThere(f"several {kind.word}s are called {asked!r}; use an id: {ids}")
    raise NotThere(f'there is no {kind.word} "{asked}"; `fairway {kind.command} list` shows which there are')


def newest(api: Api, kind: Kind) -> list[dict[str, Any]]:
    """All of a kind, newest first, as the API tells of them."""
    return list(api.pages(kind.path, kind.key, sort_by="created_at desc"))


def where(*conditions: tuple[str, str, str]) -> str:
    """KFP's filter, in which every (operation, key, value) must hold; empty where there is none."""
    found = [{"operation": operation, "key": key, "string_value": value} for operation, key, value in conditions]
    return json.dumps({"predicates": found}) if found else ""
