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
from sqlalchemy import Connection, select

from fairway.pipelines import chronicle
from fairway.pipelines.chronicle import End
from fairway.pipelines.tables import artifacts, runs, task_artifacts, tasks
from fairway.pipelines.triggers import sources
from fairway.pipelines.triggers.tables import events, triggers

_RECENT_SECONDS = 10.0
"""Artifacts are looked for by their time this far back; a look follows what was written sooner than that."""


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
    by_artifact = any(trigger["kind"] == sources.ARTIFACT for trigger in followers)
    made = _made(connection, stretch.ends, now) if by_artifact else []
    found = []
    for trigger in followers:
        cursor, source = cursors[trigger["id"]], trigger["source"]
        if trigger["kind"] == sources.RUN:
            ends = (end for end in stretch.ends if end.number > cursor.number)
            seen = [_of_end(end) for end in ends if sources.wants(source, end)]
        else:
            since_then = (each for each in made if each["created_at"] >= cursor.since)
            seen = [_of_artifact(each) for each in since_then if sources.wants_artifact(source, each)]
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


def _of_artifact(made: Mapping[str, Any]) -> Event:
    facts = {"artifact_id": made["id"], "artifact_uri": made["uri"], "run_id": made["run_id"]}
    return Event(f"artifact {made['id']}", made["created_at"], facts)


def _made(connection: Connection, ends: Sequence[End], now: float) -> list[Mapping[str, Any]]:
    """Artifacts that were made a moment ago, or by runs that have ended, in their order.

    What a run took from the cache another one made, and scalar metrics are parts of artifacts.
    """
    query = (
        select(artifacts.c.id, artifacts.c.name, artifacts.c.type, artifacts.c.uri, artifacts.c.created_at)
        .add_columns(task_artifacts.c.run_id, runs.c.pipeline_name)
        .join(task_artifacts, (task_artifacts.c.artifact_id == artifacts.c.id) & task_artifacts.c.output)
        .join(tasks, (tasks.c.id == task_artifacts.c.task_id) & (tasks.c.cached_from == ""))
        .join(runs, (runs.c.id == task_artifacts.c.run_id) & (runs.c.created_at <= artifacts.c.created_at))
        .where(artifacts.c.number_value.is_(None))
    )
    parts = [query.where(artifacts.c.created_at > now - _RECENT_SECONDS)]
    if ends:
        parts.append(query.where(task_artifacts.c.run_id.in_({end.run["id"] for end in ends})))
    found = {row["id"]: dict(row) for part in parts for row in connection.execute(part).mappings()}
    return sorted(found.values(), key=lambda made: made["created_at"])


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
