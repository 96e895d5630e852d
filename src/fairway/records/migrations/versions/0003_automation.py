"""Recurring runs, triggers, notices, approvals, pools; what runs and steps remember of them; long lists; deleting."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "notice_rules",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("display_name", sa.String(length=255), server_default="", nullable=False),
        sa.Column("namespace", sa.String(length=63), server_default="", nullable=False),
        sa.Column("events", sa.JSON(), nullable=False),
        sa.Column("only", sa.JSON(), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("target", sa.JSON(), nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("cursor", sa.Text(), server_default="", nullable=False),
        sa.Column("created_by", sa.String(length=255), server_default="", nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice_rules")),
    )
    op.create_index(op.f("ix_notice_rules_created_at_id"), "notice_rules", ["created_at", "id"], unique=False)
    op.create_table(
        "pools",
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("slots", sa.Integer(), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_pools")),
    )
    op.create_table(
        "recurring_runs",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("display_name", sa.String(length=255), server_default="", nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("experiment_id", sa.String(length=64), server_default="", nullable=False),
        sa.Column("namespace", sa.String(length=63), server_default="", nullable=False),
        sa.Column("object_namespace", sa.String(length=63), server_default="", nullable=False),
        sa.Column("pipeline_id", sa.String(length=64), server_default="", nullable=False),
        sa.Column("pipeline_version_id", sa.String(length=64), server_default="", nullable=False),
        sa.Column("spec_digest", sa.String(length=64), server_default="", nullable=False),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.Column("pipeline_root", sa.Text(), server_default="", nullable=False),
        sa.Column("service_account", sa.String(length=255), server_default="", nullable=False),
        sa.Column("cron", sa.Text(), server_default="", nullable=False),
        sa.Column("interval_seconds", sa.Integer(), server_default="0", nullable=False),
        sa.Column("time_zone", sa.String(length=64), server_default="", nullable=False),
        sa.Column("start_at", sa.Double(), nullable=True),
        sa.Column("end_at", sa.Double(), nullable=True),
        sa.Column("max_concurrency", sa.Integer(), server_default="1", nullable=False),
        sa.Column("no_catchup", sa.Boolean(), nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("late_after_seconds", sa.Integer(), server_default="0", nullable=False),
        sa.Column("counts_from", sa.Double(), nullable=False),
        sa.Column("cursor", sa.Double(), nullable=False),
        sa.Column("next_at", sa.Double(), nullable=True),
        sa.Column("started", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_by", sa.String(length=255), server_default="", nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.Column("error_message", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recurring_runs")),
    )
    op.create_index(op.f("ix_recurring_runs_created_at_id"), "recurring_runs", ["created_at", "id"], unique=False)
    op.create_index(op.f("ix_recurring_runs_enabled_next_at"), "recurring_runs", ["enabled", "next_at"], unique=False)
    op.create_index(
        op.f("ix_recurring_runs_experiment_id_created_at_id"),
        "recurring_runs",
        ["experiment_id", "created_at", "id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_recurring_runs_namespace_created_at_id"),
        "recurring_runs",
        ["namespace", "created_at", "id"],
        unique=False,
    )
    op.create_table(
        "recurring_backfills",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("recurring_run_id", sa.String(length=64), nullable=False),
        sa.Column("start_at", sa.Double(), nullable=False),
        sa.Column("end_at", sa.Double(), nullable=False),
        sa.Column("max_concurrency", sa.Integer(), nullable=False),
        sa.Column("cursor", sa.Double(), nullable=False),
        sa.Column("created_by", sa.String(length=255), server_default="", nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["recurring_run_id"],
            ["recurring_runs.id"],
            name=op.f("fk_recurring_backfills_recurring_run_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recurring_backfills")),
    )
    op.create_index(
        op.f("ix_recurring_backfills_recurring_run_id"), "recurring_backfills", ["recurring_run_id"], unique=False
    )
    op.create_table(
        "triggers",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("display_name", sa.String(length=255), server_default="", nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("experiment_id", sa.String(length=64), server_default="", nullable=False),
        sa.Column("namespace", sa.String(length=63), server_default="", nullable=False),
        sa.Column("object_namespace", sa.String(length=63), server_default="", nullable=False),
        sa.Column("pipeline_id", sa.String(length=64), server_default="", nullable=False),
        sa.Column("pipeline_version_id", sa.String(length=64), server_default="", nullable=False),
        sa.Column("spec_digest", sa.String(length=64), server_default="", nullable=False),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.Column("pipeline_root", sa.Text(), server_default="", nullable=False),
        sa.Column("service_account", sa.String(length=255), server_default="", nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("source", sa.JSON(), nullable=False),
        sa.Column("token_digest", sa.String(length=64), server_default="", nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("max_concurrency", sa.Integer(), server_default="1", nullable=False),
        sa.Column("cursor", sa.Text(), server_default="", nullable=False),
        sa.Column("fired_at", sa.Double(), server_default="0", nullable=False),
        sa.Column("created_by", sa.String(length=255), server_default="", nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.Column("error_message", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_triggers")),
    )
    op.create_index(op.f("ix_triggers_created_at_id"), "triggers", ["created_at", "id"], unique=False)
    op.create_index(op.f("ix_triggers_kind_enabled"), "triggers", ["kind", "enabled"], unique=False)
    op.create_table(
        "trigger_events",
        sa.Column("number", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("trigger_id", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.Column("ancestors", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("error_message", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["trigger_id"], ["triggers.id"], name=op.f("fk_trigger_events_trigger_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_trigger_events")),
        sa.UniqueConstraint("id", name=op.f("uq_trigger_events_id")),
    )
    op.create_index(op.f("ix_trigger_events_state_created_at"), "trigger_events", ["state", "created_at"], unique=False)
    op.create_index(
        op.f("ix_trigger_events_trigger_id_created_at_id"),
        "trigger_events",
        ["trigger_id", "created_at", "id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_trigger_events_trigger_id_state_number"),
        "trigger_events",
        ["trigger_id", "state", "number"],
        unique=False,
    )
    op.create_table(
        "notice_deliveries",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("rule_id", sa.String(length=64), nullable=False),
        sa.Column("run_id", sa.String(length=64), server_default="", nullable=False),
        sa.Column("event", sa.String(length=16), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_at", sa.Double(), nullable=False),
        sa.Column("error_message", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["rule_id"], ["notice_rules.id"], name=op.f("fk_notice_deliveries_rule_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice_deliveries")),
    )
    op.create_index(
        op.f("ix_notice_deliveries_rule_id_created_at_id"),
        "notice_deliveries",
        ["rule_id", "created_at", "id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_notice_deliveries_rule_id_state_created_at_id"),
        "notice_deliveries",
        ["rule_id", "state", "created_at", "id"],
        unique=False,
    )
    op.create_index(op.f("ix_notice_deliveries_state_next_at"), "notice_deliveries", ["state", "next_at"], unique=False)
    op.create_table(
        "approvals",
        sa.Column("task_id", sa.String(length=64), nullable=False),
        sa.Column("run_id", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("message", sa.Text(), server_default="", nullable=False),
        sa.Column("asked_at", sa.Double(), nullable=False),
        sa.Column("decided_at", sa.Double(), nullable=True),
        sa.Column("decided_by", sa.String(length=255), server_default="", nullable=False),
        sa.Column("comment", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_approvals_run_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], name=op.f("fk_approvals_task_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("task_id", name=op.f("pk_approvals")),
    )
    op.create_index(op.f("ix_approvals_run_id"), "approvals", ["run_id"], unique=False)
    op.create_index(op.f("ix_approvals_state_asked_at"), "approvals", ["state", "asked_at"], unique=False)
    op.add_column("artifacts", sa.Column("digest", sa.String(length=64), server_default="", nullable=False))
    op.add_column("runs", sa.Column("trigger_id", sa.String(length=64), server_default="", nullable=False))
    op.add_column("runs", sa.Column("source_run_id", sa.String(length=64), server_default="", nullable=False))
    op.add_column("runs", sa.Column("overrides", sa.JSON(), server_default="{}", nullable=False))
    op.add_column("runs", sa.Column("paused", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("runs", sa.Column("asked", sa.Integer(), server_default="0", nullable=False))
    op.add_column("runs", sa.Column("late_at", sa.Double(), server_default="0", nullable=False))
    op.add_column("runs", sa.Column("told_late_at", sa.Double(), server_default="0", nullable=False))
    op.add_column("runs", sa.Column("expires_at", sa.Double(), server_default="0", nullable=False))
    op.create_index(op.f("ix_runs_expires_at"), "runs", ["expires_at"], unique=False)
    op.create_index(op.f("ix_runs_late_at"), "runs", ["late_at"], unique=False)
    op.create_index(op.f("ix_runs_told_late_at"), "runs", ["told_late_at"], unique=False)
    op.create_index(
        op.f("ix_runs_pipeline_name_created_at_id"), "runs", ["pipeline_name", "created_at", "id"], unique=False
    )
    op.add_column("tasks", sa.Column("looks", sa.Integer(), server_default="0", nullable=False))
    op.add_column("tasks", sa.Column("pool", sa.String(length=255), server_default="", nullable=False))
    op.add_column("tasks", sa.Column("slots", sa.Integer(), server_default="0", nullable=False))
    of_a_pool = sa.text("pool != ''")
    op.create_index(
        op.f("ix_tasks_pool_state"),
        "tasks",
        ["pool", "state"],
        unique=False,
        sqlite_where=of_a_pool,
        postgresql_where=of_a_pool,
    )
    _never_number_twice("run_states")
    _long_lists()


def _long_lists() -> None:
    """Indexes that lists of a hundred thousand runs are read along, and metrics to sort runs by."""
    for by in (["created_at"], ["finished_at"], ["experiment_id", "created_at"], ["namespace", "created_at"],
               ["state", "created_at"], ["storage_state", "created_at"],
               ["experiment_id", "storage_state", "created_at"]):  # fmt: skip
        name = f"ix_runs_{'_'.join(by)}_id"
        op.drop_index(op.f(name), "runs")
        op.create_index(op.f(f"{name}_display_name"), "runs", [*by, "id", "display_name"], unique=False)
    _add_head("runs", "description")
    op.create_index(
        op.f("ix_runs_scheduled_at_id_display_name"), "runs", ["scheduled_at", "id", "display_name"], unique=False
    )
    for by in (["pipeline_id", "created_at"], ["trigger_id", "created_at"], ["recurring_run_id", "scheduled_at"]):
        op.create_index(op.f(f"ix_runs_{'_'.join(by)}_id"), "runs", [*by, "id"], unique=False)
    _add_head("artifacts", "uri")
    op.create_index(
        op.f("ix_artifacts_namespace_created_at_id"), "artifacts", ["namespace", "created_at", "id"], unique=False
    )
    op.create_table(
        "run_metrics",
        sa.Column("run_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_run_metrics_run_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "name", name=op.f("pk_run_metrics")),
    )
    op.create_index(op.f("ix_run_metrics_name_value_run_id"), "run_metrics", ["name", "value", "run_id"], unique=False)
    op.execute(
        "INSERT INTO run_metrics (run_id, name, value) "
        "SELECT task_artifacts.run_id, artifacts.name, MAX(artifacts.number_value) FROM task_artifacts "
        "JOIN artifacts ON artifacts.id = task_artifacts.artifact_id "
        "WHERE task_artifacts.output AND artifacts.number_value IS NOT NULL "
        "GROUP BY task_artifacts.run_id, artifacts.name"
    )
    op.add_column("tasks", sa.Column("sources", sa.JSON(), server_default="{}", nullable=False))
    op.add_column("runs", sa.Column("external", sa.Boolean(), server_default=sa.false(), nullable=False))


def _add_head(table: str, of: str) -> None:
    # SQLite adds no stored column to a table that is there, and PostgreSQL indexes no virtual one.
    stored = True if op.get_bind().dialect.name == "postgresql" else None
    beginning = sa.Computed(f"substr({of}, 1, 255)", persisted=stored)
    op.add_column(table, sa.Column(f"{of}_head", sa.String(length=255), beginning))
    op.create_index(op.f(f"ix_{table}_{of}_head_id"), table, [f"{of}_head", "id"], unique=False)


def _never_number_twice(table: str) -> None:
    """What follows a table by its numbers must not miss a row that got the number of one that was deleted.

    PostgreSQL's sequences never go back; SQLite's numbers do, unless the table says AUTOINCREMENT.
    """
    if op.get_bind().dialect.name == "sqlite":
        with op.batch_alter_table(table, recreate="always", table_kwargs={"sqlite_autoincrement": True}):
            pass
