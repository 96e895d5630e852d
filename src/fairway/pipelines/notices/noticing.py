"""From what happened to what is to be told: for each rule and event one delivery, kept together with how far the rule
has followed. Ends of runs have numbers; lateness and questions have the time at which they were noticed.

`sending` takes the deliveries from there.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson
from sqlalchemy import Connection, Select, select

from fairway.pipelines import chronicle
from fairway.pipelines.notices import rules, wording
from fairway.pipelines.notices.rules import Event
from fairway.pipelines.notices.tables import deliveries, notice_rules
from fairway.pipelines.tables import approvals, runs, tasks

_AT_ONCE = 1000


@dataclass(frozen=True)
class Cursor:
    """How far a rule has followed: ends up to a number, lateness and questions up to a time. It began at `since`."""

    number: int
    since: float
    late: float
    asked: float

    def text(self) -> str:
        return orjson.dumps(self).decode()

    @classmethod
    def of(cls, text: str) -> Cursor:
        return cls(**orjson.loads(text))


@dataclass(frozen=True)
class Noticed:
    """For one rule: its cursor from now on, and the deliveries that are new up to there."""

    rule: Mapping[str, Any]
    cursor: str
    deliveries: tuple[Mapping[str, Any], ...]


def fresh(connection: Connection, now: float) -> str:
    """The cursor of a rule that counts from now on."""
    before = now - 1  # what comes in this very moment counts: `since` says so
    return Cursor(chronicle.newest(connection), now, before, before).text()


def look(connection: Connection, now: float, url: str) -> tuple[list[Noticed], bool]:
    """What is new for the rules, and whether there is more to read. `url` is where the dashboard is."""
    enabled = connection.execute(select(notice_rules).where(notice_rules.c.enabled)).mappings()
    followers = [dict(row) for row in enabled]
    if not followers:
        return [], False
    cursors = {rule["id"]: Cursor.of(rule["cursor"]) for rule in followers}
    stretch = chronicle.read(connection, min(cursor.number for cursor in cursors.values()), now)
    late = _late(connection, min(cursor.late for cursor in cursors.values()))
    asked = _asked(connection, min(cursor.asked for cursor in cursors.values()))
    noticed = []
    for rule in followers:
        cursor = cursors[rule["id"]]
        ends = [end for end in stretch.ends if end.number > cursor.number]
        events = [*_of_ends(connection, rule, ends), *(each for each in (*late, *asked) if each.at >= cursor.since)]
        new = _new(connection, rule, events, now, url)
        moved = replace(
            cursor,
            number=max(cursor.number, stretch.settled),
            late=_settled(cursor.late, late, now),
            asked=_settled(cursor.asked, asked, now),
        )
        if new or moved != cursor:
            noticed.append(Noticed(rule, moved.text(), new))
    return noticed, stretch.more or max(len(late), len(asked)) >= _AT_ONCE


def record(connection: Connection, noticed: Iterable[Noticed]) -> None:
    """Keep the deliveries and move the cursors; of rules that somebody changed meanwhile, neither."""
    for one in noticed:
        as_it_was = (notice_rules.c.id == one.rule["id"], notice_rules.c.cursor == one.rule["cursor"])
        moving = notice_rules.update().where(*as_it_was, notice_rules.c.enabled).values(cursor=one.cursor)
        if connection.execute(moving).rowcount:
            chronicle.insert_new(connection, deliveries, one.deliveries)


def delivery(rule_id: str, event: Event, now: float, url: str) -> dict[str, Any]:
    """As the records keep it until it is sent, and after."""
    id_ = chronicle.event_id(rule_id, event.key)
    return {
        "id": id_,
        "rule_id": rule_id,
        "run_id": event.run.get("id", ""),
        "event": event.kind,
        "body": wording.body(id_, event.kind, event.run, event.message, url, event.more),
        "state": "PENDING",
        "next_at": now,
        "created_at": event.at,
    }


def _of_ends(connection: Connection, rule: Mapping[str, Any], ends: Sequence[chronicle.End]) -> list[Event]:
    told = [end for end in ends if rules.wants(rule, end.state, end.run)]
    if not told:
        return []
    query = select(runs).where(runs.c.id.in_({end.run["id"] for end in told}))
    found = {row["id"]: dict(row) for row in connection.execute(query).mappings()}
    return [
        Event(
            end.state,
            f"end {end.number}",
            end.at,
            {**found[end.run["id"]], "state": end.state, "finished_at": end.at},
            wording.ended(end.state, end.run, end.message),
        )
        for end in told
    ]


def _late(connection: Connection, after: float) -> list[Event]:
    """Runs that were noticed to be late."""
    told = runs.c.told_late_at
    until = _page_end(connection, select(told).where(told > after).order_by(told))
    query = select(runs).where(told > after, told <= until).order_by(told)
    found = [dict(row) for row in connection.execute(query).mappings()]
    return [Event(rules.LATE, f"late {run['id']}", run["told_late_at"], run, wording.late(run)) for run in found]


def _asked(connection: Connection, after: float) -> list[Event]:
    """Questions that wait for an answer."""
    waiting = (approvals.c.state == "WAITING", approvals.c.asked_at > after)
    until = _page_end(connection, select(approvals.c.asked_at).where(*waiting).order_by(approvals.c.asked_at))
    query = (
        select(approvals.c.task_id, approvals.c.message, approvals.c.asked_at, tasks.c.display_name, tasks.c.name)
        .add_columns(approvals.c.run_id)
        .join(tasks, tasks.c.id == approvals.c.task_id)
        .where(*waiting, approvals.c.asked_at <= until)
        .order_by(approvals.c.asked_at)
    )
    found = connection.execute(query).mappings().all()
    of_runs = select(runs).where(runs.c.id.in_({each["run_id"] for each in found}))
    known = {row["id"]: dict(row) for row in connection.execute(of_runs).mappings()} if found else {}
    questions = []
    for each in found:
        run, step = known[each["run_id"]], each["display_name"] or each["name"]
        more = {"approval": {"task_id": each["task_id"], "message": each["message"]}}
        message = wording.asked(run, step, each["message"])
        key = f"approval {each['task_id']} {each['asked_at']}"
        questions.append(Event(rules.APPROVAL, key, each["asked_at"], run, message, more))
    return questions


def _page_end(connection: Connection, moments: Select[float]) -> float:
    """The moment that a page ends with. Many may have the same, and a page has all of those: the next begins after."""
    last = connection.execute(moments.offset(_AT_ONCE - 1).limit(1)).first()
    return math.inf if last is None else float(last[0])


def _settled(before: float, seen: Sequence[Event], now: float) -> float:
    """The time up to which nothing comes to light any more: not while what was seen is young, as with numbers."""
    last = max([before, *(event.at for event in seen)])
    return last if len(seen) >= _AT_ONCE or now - last >= chronicle.IN_FLIGHT_SECONDS else before


def _new(
    connection: Connection, rule: Mapping[str, Any], events: Sequence[Event], now: float, url: str
) -> tuple[Mapping[str, Any], ...]:
    wanted = [event for event in events if rules.wants(rule, event.kind, event.run)]
    made = {each["id"]: each for each in (delivery(rule["id"], event, now, url) for event in wanted)}
    unknown = chronicle.unknown(connection, deliveries, made)
    return tuple(each for id_, each in made.items() if id_ in unknown)
