"""Triggers in the records, and the events that they fire for. Their runs carry `trigger_id`."""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, Column, Double, ForeignKey, Index, Integer, String, Table, Text, true

from fairway.pipelines.tables import METADATA, templates

triggers = Table(
    "triggers",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("display_name", String(255), nullable=False, default="", server_default=""),
    Column("description", Text, nullable=False, default="", server_default=""),
    *templates(),
    Column("kind", String(16), nullable=False),  # RUN, ARTIFACT, WEBHOOK
    Column("source", JSON, nullable=False, default=dict),  # what events of that kind count (see `sources`)
    Column("token_digest", String(64), nullable=False, default="", server_default=""),  # SHA-256 of a webhook's token
    Column("enabled", Boolean, nullable=False, default=True, server_default=true()),
    Column("max_concurrency", Integer, nullable=False, default=1, server_default="1"),
    Column("cursor", Text, nullable=False, default="", server_default=""),  # how far the events were followed
    Column("fired_at", Double, nullable=False, default=0.0, server_default="0"),
    Column("created_by", String(255), nullable=False, default="", server_default=""),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    Column("error_message", Text, nullable=False, default="", server_default=""),
    Index(None, "created_at", "id"),
    Index(None, "kind", "enabled"),
)

events = Table(
    "trigger_events",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=True),  # events of one trigger start in this order
    Column("id", String(64), nullable=False, unique=True),  # made of the trigger and the event; the run's id too
    Column("trigger_id", String(64), ForeignKey("triggers.id", ondelete="CASCADE"), nullable=False),
    Column("state", String(16), nullable=False),  # WAITING, STARTED, FAILED
    Column("facts", JSON, nullable=False, default=dict),  # what macros give: {run_id, artifact_id, artifact_uri}
    Column("parameters", JSON, nullable=False, default=dict),  # that a webhook's call gave
    Column("ancestors", JSON, nullable=False, default=list),  # the triggers that led to the run that this is about
    Column("created_at", Double, nullable=False),
    Column("error_message", Text, nullable=False, default="", server_default=""),
    Index(None, "trigger_id", "state", "number"),
    Index(None, "trigger_id", "created_at", "id"),
    Index(None, "state", "created_at"),
)
