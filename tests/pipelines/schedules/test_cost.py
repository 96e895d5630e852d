"""What waits costs nothing: a look with ten thousand schedules reads those that are due, along indexes."""

from typing import Any

from sqlalchemy import Connection, event, select

from fairway.pipelines.schedules import finding, lateness
from fairway.pipelines.schedules.tables import recurring_runs
from tests.pipelines.schedules.conftest import NOON, World

MANY = 10_000


async def copies(world: World, schedule: str, **columns: Any) -> None:
    """Ten thousand more like it."""
    row = await world.row(schedule)
    rows = [{**row, **columns, "id": f"copy-{number}"} for number in range(MANY)]
    await world.context.records.write(lambda connection: connection.execute(recurring_runs.insert(), rows))


def plan(connection: Connection, query: Any) -> list[str]:
    text = str(query.compile(connection.engine, compile_kwargs={"literal_binds": True}))
    return [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}")]


async def test_a_look_with_ten_thousand_schedules_starts_the_one_that_is_due(world: World) -> None:
    schedule = await world.schedule()
    await copies(world, schedule, next_at=NOON + 3600)
    await world.pass_(minutes=1)
    assert await world.slots(schedule) == ["12:01:00"]
    read = await world.context.records.read(lambda connection: finding.due(connection, world.clock.now() + 60))
    assert read == []  # the one has no room, and no other is due
    assert await world.look() == NOON + 120  # its next slot


async def test_what_is_due_is_found_along_an_index(world: World) -> None:
    await copies(world, await world.schedule(), next_at=NOON + 3600)

    def explain(connection: Connection) -> list[str]:
        seen: list[Any] = []

        def note(_connection: Connection, clause: Any, *_: Any) -> None:
            seen.append(clause)

        event.listen(connection, "before_execute", note)
        finding.due(connection, NOON + 60)
        finding.next_at(connection, NOON + 60)
        lateness.next_at(connection, NOON + 60)
        finding.open_backfills(connection)
        event.remove(connection, "before_execute", note)
        return [step for clause in seen for step in plan(connection, clause)]

    steps = await world.context.records.read(explain)
    assert any("ix_recurring_runs_enabled_next_at" in step for step in steps)
    assert [step for step in steps if step.startswith(("SCAN recurring_runs", "SCAN runs"))] == []


async def test_a_schedule_that_is_disabled_is_not_looked_at(world: World) -> None:
    schedule = await world.schedule(mode="DISABLE")
    await copies(world, schedule)
    await world.clock.advance(3600)
    assert await world.context.records.read(lambda c: finding.due(c, world.clock.now())) == []
    count = select(recurring_runs.c.id).where(recurring_runs.c.enabled)
    assert (await world.context.records.read(lambda c: c.execute(count).all())) == []
