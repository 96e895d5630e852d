"""Rules and deliveries in the records."""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, Column, Double, ForeignKey, Index, Integer, String, Table, Text, true

from fairway.pipelines.tables import METADATA

notice_rules = Table(
    "notice_rules",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("display_name", String(255), nullable=False, default="", server_default=""),
    Column("namespace", String(63), nullable=False, default="", server_default=""),
    Column("events", JSON, nullable=False, default=list),  # FAILED, SUCCEEDED, CANCELED, LATE, APPROVAL
    Column("only", JSON, nullable=False, default=dict),  # {experiment_id, pipeline_name, recurring_run_id}: all hold
    Column("channel", String(16), nullable=False),  # WEBHOOK, EMAIL
    Column("target", JSON, nullable=False, default=dict),  # {url, secret_name, secret_key, anywhere} or {to}
    Column("enabled", Boolean, nullable=False, default=True, server_default=true()),
    Column("cursor", Text, nullable=False, default="", server_default=""),
    Column("created_by", String(255), nullable=False, default="", server_default=""),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    Index(None, "created_at", "id"),
)

deliveries = Table(
    "notice_deliveries",
    METADATA,
    Column("id", String(64), primary_key=True),  # made of the rule and the event: one each
    Column("rule_id", String(64), ForeignKey("notice_rules.id", ondelete="CASCADE"), nullable=False),
    Column("run_id", String(64), nullable=False, default="", server_default=""),
    Column("event", String(16), nullable=False),
    Column("body", JSON, nullable=False, default=dict),
    Column("state", String(16), nullable=False),  # PENDING, DELIVERED, FAILED
    Column("attempts", Integer, nullable=False, default=0, server_default="0"),
    Column("next_at", Double, nullable=False),
    Column("error_message", Text, nullable=False, default="", server_default=""),
    Column("created_at", Double, nullable=False),
    Index(None, "state", "next_at"),
    Index(None, "rule_id", "created_at", "id"),
    Index(None, "rule_id", "state", "created_at", "id"),
)
