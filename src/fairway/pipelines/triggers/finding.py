"""Which events triggers have not seen yet: ends of runs, and artifacts that runs made. Reads, and then records both,
the events and how far they were followed, in one transaction.

An artifact is found soon after it was registered, by its time; and should it have come to light late, with the end of
its run at the latest, which is numbered and cannot be missed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Connection, select

from fairway.pipelines import chronicle
from fairway.pipelines.chronicle import End
from fairway.pipelines.tables import artifacts, runs, task_artifacts, tasks
from fairway.pipelines.triggers import sources
from fairway.pipelines.triggers.tables import events, triggers

_RECENT_SECONDS = 15.0
"""Artifacts are looked for by their time this far back: looks are more frequent, and servers' clocks differ."""


@dataclass(frozen=True)
class Event:
    """`key` makes it one among those of its trigger. With `refused` it starts nothing, and says why."""

    key: str
    at: float
    facts: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    ancestors: tuple[str, ...] = ()
    refused: str = ""


@dataclass(frozen=True)
class Found:
    """For one trigger: its cursor from now on, and the events up to there. `trigger` is its row as it was."""

    trigger: Mapping[str, Any]
    cursor: str
    events: tuple[Event, ...]


@dataclass(frozen=True)
class Cursor:
    """How far a trigger has followed: changes of runs up to a number; nothing from before `since` counts."""

    number: int
    since: float

    def text(self) -> str:
        return orjson.dumps({"number": self.number, "since": self.since}).decode()

    @classmethod
    def of(cls, text: str) -> Cursor:
        kept = orjson.loads(text)
        return cls(kept["number"], kept["since"])


def fresh(connection: Connection, now: float) -> str:
    """The cursor of who follows from now on."""
    return Cursor(chronicle.newest(connection), now).text()


def look(connection: Connection, followers: Sequence[Mapping[str, Any]], now: float) -> tuple[list[Found], bool]:
    """What is new for enabled triggers that follow runs or what they make, and whether there is more to read."""
    if not followers:
        return [], False
    cursors = {trigger["id"]: Cursor.of(trigger["cursor"]) for trigger in followers}
    stretch = chronicle.read(connection, min(cursor.number for cursor in cursors.values()), now)
    found = []
    for trigger in followers:
        cursor = cursors[trigger["id"]]
        ends = [end for end in stretch.ends if end.number > cursor.number]
        if trigger["kind"] == sources.RUN:
            seen = [_of_end(end) for end in ends if sources.wants(trigger["source"], end)]
        else:
            seen = _of_artifacts(connection, trigger["source"], cursor.since, ends, now)
        moved = replace(cursor, number=max(cursor.number, stretch.settled))
        new = _new(connection, trigger["id"], seen)
        if new or moved != cursor:
            found.append(Found(trigger, moved.text(), new))
    return found, stretch.more


def record(connection: Connection, found: Iterable[Found]) -> None:
    """Keep the events and move the cursors; of triggers that somebody changed meanwhile, neither."""
    for one in found:
        id_ = one.trigger["id"]
        as_it_was = (triggers.c.id == id_, triggers.c.cursor == one.trigger["cursor"], triggers.c.enabled)
        if connection.execute(triggers.update().where(*as_it_was).values(cursor=one.cursor)).rowcount:
            chronicle.insert_new(connection, events, [row(id_, event) for event in one.events])
            refused = [event.refused for event in one.events if event.refused]
            if refused:
                connection.execute(triggers.update().where(triggers.c.id == id_).values(error_message=refused[-1]))


def row(trigger_id: str, event: Event) -> dict[str, Any]:
    """The event as the records keep it."""
    return {
        "id": chronicle.event_id(trigger_id, event.key),
        "trigger_id": trigger_id,
        "state": "FAILED" if event.refused else "WAITING",
        "facts": dict(event.facts),
        "parameters": dict(event.parameters),
        "ancestors": list(event.ancestors),
        "created_at": event.at,
        "error_message": event.refused,
    }


def _of_end(end: End) -> Event:
    return Event(f"run {end.run['id']} {end.number}", end.at, {"run_id": end.run["id"]})


def _of_artifacts(
    connection: Connection, source: Mapping[str, Any], since: float, ends: Sequence[End], now: float
) -> list[Event]:
    made = _made(connection, source, since, artifacts.c.created_at > now - _RECENT_SECONDS)
    if ends:
        made |= _made(connection, source, since, task_artifacts.c.run_id.in_({end.run["id"] for end in ends}))
    return sorted(made.values(), key=lambda event: event.at)


def _made(
    connection: Connection, source: Mapping[str, Any], since: float, where: ColumnElement[bool]
) -> dict[str, Event]:
    """Artifacts that were made since then, by their ids. What a run took from the cache, another one made."""
    query = (
        select(artifacts.c.id, artifacts.c.uri, artifacts.c.created_at, task_artifacts.c.run_id)
        .join(task_artifacts, (task_artifacts.c.artifact_id == artifacts.c.id) & task_artifacts.c.output)
        .join(tasks, (tasks.c.id == task_artifacts.c.task_id) & (tasks.c.cached_from == ""))
        .join(runs, (runs.c.id == task_artifacts.c.run_id) & (runs.c.created_at <= artifacts.c.created_at))
        .where(where, artifacts.c.created_at >= since, artifacts.c.number_value.is_(None))
    )
    if source.get("name"):
        # Not along the index of names: there are many of one name, and few since then or of these runs.
        query = query.where(artifacts.c.name.concat("") == source["name"])
    if source.get("type"):
        query = query.where(artifacts.c.type.in_({source["type"], f"system.{source['type']}"}))
    if source.get("pipeline_name"):
        query = query.where(runs.c.pipeline_name == source["pipeline_name"])
    return {
        each["id"]: Event(
            f"artifact {each['id']}",
            each["created_at"],
            {"artifact_id": each["id"], "artifact_uri": each["uri"], "run_id": each["run_id"]},
        )
        for each in connection.execute(query).mappings()
    }


def _new(connection: Connection, trigger_id: str, seen: Sequence[Event]) -> tuple[Event, ...]:
    """Those that are not in the records, with the triggers that led to them."""
    if not seen:
        return ()
    ids = {chronicle.event_id(trigger_id, event.key): event for event in seen}
    new = chronicle.unknown(connection, events, ids)
    ancestors = _ancestors(connection, {event.facts["run_id"] for id_, event in ids.items() if id_ in new})
    return tuple(
        _descended(trigger_id, event, ancestors.get(event.facts["run_id"], ()))
        for id_, event in ids.items()
        if id_ in new
    )


def _ancestors(connection: Connection, run_ids: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """For each run that a trigger started, the triggers that led to it. A run has the id of its event."""
    query = select(events.c.id, events.c.trigger_id, events.c.ancestors).where(events.c.id.in_(list(run_ids)))
    return {each.id: (*each.ancestors, each.trigger_id) for each in connection.execute(query)}


def _descended(trigger_id: str, event: Event, ancestors: tuple[str, ...]) -> Event:
    """A trigger does not fire on what followed from a run that it started itself: no cycle goes round twice."""
    if trigger_id not in ancestors:
        return replace(event, ancestors=ancestors)
    why = (
        f"the run {event.facts['run_id']} followed from a run that this trigger had started, and triggers that start "
        "each other would never end: it started nothing"
    )
    return replace(event, ancestors=ancestors, refused=why)
