"""Forgetting a run: its record and all that hangs on it, and the folders whose bytes are to go afterwards.

Everything is decided in the one transaction that removes the record: what another run was given, took from the cache or
took over stays, record and bytes, and so does what a service serves. The folders are written down as leavings, which
`removing` empties, however often it is interrupted.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, select

from fairway.pipelines.recalling import chunks
from fairway.pipelines.render.model import Type
from fairway.pipelines.tables import artifacts, leavings, runs, task_artifacts, tasks

_MADE_BY = (str(Type.STEP),)


def forget(connection: Connection, run_id: str, now: float, *, with_artifacts: bool, served: str = "") -> None:
    """`served` is a text in which the addresses stand that services use."""
    if not with_artifacts:
        connection.execute(runs.delete().where(runs.c.id == run_id))
        return
    row = connection.execute(select(runs).where(runs.c.id == run_id)).mappings().first()
    if row is None:
        return
    made = _made(connection, run_id)
    orphans = _orphans(connection, run_id, row["pipeline_name"])
    used = _used_elsewhere(connection, run_id, [*made, *orphans])
    used |= {id_ for id_, uri in (made | orphans).items() if uri and _bare(uri) in served}
    folders = _folders(connection, run_id, f"/{row['pipeline_name']}/{run_id}", made.values())
    folders |= {uri for id_, uri in orphans.items() if id_ not in used}
    connection.execute(runs.delete().where(runs.c.id == run_id))
    for chunk in chunks(sorted({*made, *orphans} - used)):
        connection.execute(artifacts.delete().where(artifacts.c.id.in_(chunk)))
    kept = sorted({made[id_] for id_ in used if made.get(id_)})
    rows = [
        {
            "run_id": run_id,
            "namespace": row["object_namespace"],
            "address": folder,
            "kept": [uri for uri in kept if uri.startswith(f"{folder}/")],
            "at": now,
        }
        for folder in sorted(folders)
    ]
    if rows:
        connection.execute(leavings.insert(), rows)


def overdue(connection: Connection, before: float, limit: int) -> list[tuple[str, str]]:
    """(id, namespace of the Run object) of runs that were over before that time; those that played elsewhere too."""
    over = runs.c.state.in_(("SUCCEEDED", "FAILED", "CANCELED", "SKIPPED"))
    query = select(runs.c.id, runs.c.object_namespace).where(over, runs.c.finished_at > 0, runs.c.finished_at < before)
    return [(id_, namespace) for id_, namespace in connection.execute(query.order_by(runs.c.finished_at).limit(limit))]


def _made(connection: Connection, run_id: str) -> dict[str, str]:
    """The addresses of what steps of this run made, by the artifact's id."""
    query = (
        select(artifacts.c.id, artifacts.c.uri)
        .join(task_artifacts, task_artifacts.c.artifact_id == artifacts.c.id)
        .join(tasks, tasks.c.id == task_artifacts.c.task_id)
        .where(task_artifacts.c.run_id == run_id, task_artifacts.c.output)
        .where(tasks.c.type.in_(_MADE_BY), tasks.c.cached_from == "")
    )
    return {row.id: row.uri for row in connection.execute(query)}


def _orphans(connection: Connection, run_id: str, pipeline: str) -> dict[str, str]:
    """What this run took from the cache, and whose maker was forgotten before, by the artifact's id."""
    maker = tasks.alias("maker")
    there = select(maker.c.id).where(maker.c.id == tasks.c.cached_from).exists()
    query = (
        select(artifacts.c.id, artifacts.c.uri, tasks.c.cached_from)
        .join(task_artifacts, task_artifacts.c.artifact_id == artifacts.c.id)
        .join(tasks, tasks.c.id == task_artifacts.c.task_id)
        .where(task_artifacts.c.run_id == run_id, task_artifacts.c.output)
        .where(tasks.c.type.in_(_MADE_BY), tasks.c.cached_from != "", ~there)
    )
    # Only where the step's own folder was: an author may give an artifact any address.
    ours = (row for row in connection.execute(query) if f"/{pipeline}/" in row.uri and f"/{row.cached_from}" in row.uri)
    return {row.id: row.uri for row in ours}


def _used_elsewhere(connection: Connection, run_id: str, made: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for chunk in chunks(sorted(made)):
        query = select(task_artifacts.c.artifact_id).where(
            task_artifacts.c.artifact_id.in_(chunk), task_artifacts.c.run_id != run_id
        )
        found |= set(connection.execute(query).scalars())
    return found


def _folders(connection: Connection, run_id: str, ending: str, uris: Iterable[str]) -> set[str]:
    """The folders of this run, here and in buckets: nothing that is not under the run's own name."""
    query = select(tasks.c.folder).where(tasks.c.run_id == run_id, tasks.c.folder != "")
    addresses = [*connection.execute(query).scalars(), *uris]
    return {address.partition(f"{ending}/")[0] + ending for address in addresses if f"{ending}/" in address}


def _bare(uri: str) -> str:
    return uri.removeprefix("file://")
