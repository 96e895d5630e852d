"""Recurring runs and their backfills in the records. Their runs carry `recurring_run_id`, and the slot as
`scheduled_at`."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Double, ForeignKey, Index, Integer, String, Table, Text, true

from fairway.pipelines.tables import METADATA, templates

recurring_runs = Table(
    "recurring_runs",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("display_name", String(255), nullable=False, default="", server_default=""),
    Column("description", Text, nullable=False, default="", server_default=""),
    *templates(),
    Column("cron", Text, nullable=False, default="", server_default=""),  # empty where an interval is set
    Column("interval_seconds", Integer, nullable=False, default=0, server_default="0"),
    Column(
        "time_zone", String(64), nullable=False, default="", server_default=""
    ),  # IANA's name; empty is the server's
    Column("start_at", Double),
    Column("end_at", Double),
    Column("max_concurrency", Integer, nullable=False, default=1, server_default="1"),
    Column("no_catchup", Boolean, nullable=False),
    Column("enabled", Boolean, nullable=False, default=True, server_default=true()),
    Column("late_after_seconds", Integer, nullable=False, default=0, server_default="0"),  # after the slot; 0: never
    Column("counts_from", Double, nullable=False),  # slots after this moment count, for the trigger as it is now
    Column("cursor", Double, nullable=False),  # slots up to this moment were started or given up
    Column("next_at", Double),  # the first slot after the cursor, for the loop to find what is due
    Column("started", Integer, nullable=False, default=0, server_default="0"),  # runs so far: the next [[Index]] less 1
    Column("created_by", String(255), nullable=False, default="", server_default=""),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    Column("error_message", Text, nullable=False, default="", server_default=""),  # why the last slot was not started
    Index(None, "created_at", "id"),
    Index(None, "experiment_id", "created_at", "id"),
    Index(None, "namespace", "created_at", "id"),
    Index(None, "enabled", "next_at"),
)

backfills = Table(
    "recurring_backfills",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("recurring_run_id", String(64), ForeignKey("recurring_runs.id", ondelete="CASCADE"), nullable=False),
    Column("start_at", Double, nullable=False),
    Column("end_at", Double, nullable=False),
    Column("max_concurrency", Integer, nullable=False),
    Column("cursor", Double, nullable=False),
    Column("created_by", String(255), nullable=False, default="", server_default=""),
    Column("created_at", Double, nullable=False),
    Index(None, "recurring_run_id"),
)
