"""The tables of pipelines: experiments, pipelines, runs, tasks, artifacts, the cache."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "artifacts",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), server_default="", nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("type", sa.String(length=255), server_default="", nullable=False),
        sa.Column("schema_version", sa.String(length=32), server_default="", nullable=False),
        sa.Column("uri", sa.Text(), server_default="", nullable=False),
        sa.Column("metadata", sa.JSON(), nullable=False),
        sa.Column("number_value", sa.Double(), nullable=True),
        sa.Column("namespace", sa.String(length=63), server_default="", nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_artifacts")),
    )
    op.create_index(op.f("ix_artifacts_created_at_id"), "artifacts", ["created_at", "id"], unique=False)
    op.create_index(op.f("ix_artifacts_name_id"), "artifacts", ["name", "id"], unique=False)
    op.create_index(op.f("ix_artifacts_type_created_at_id"), "artifacts", ["type", "created_at", "id"], unique=False)
    op.create_table(
        "experiments",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("display_name", sa.String(length=255), server_default="", nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("namespace", sa.String(length=63), server_default="", nullable=False),
        sa.Column("storage_state", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("last_run_created_at", sa.Double(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_experiments")),
        sa.UniqueConstraint("namespace", "display_name", name=op.f("uq_experiments_namespace_display_name")),
    )
    op.create_index(op.f("ix_experiments_created_at_id"), "experiments", ["created_at", "id"], unique=False)
    op.create_table(
        "pipeline_specs",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_pipeline_specs")),
    )
    op.create_table(
        "pipeline_tags",
        sa.Column("owner_id", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=63), nullable=False),
        sa.Column("value", sa.String(length=63), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("owner_id", "key", name=op.f("pk_pipeline_tags")),
    )
    op.create_index(op.f("ix_pipeline_tags_key_value"), "pipeline_tags", ["key", "value"], unique=False)
    op.create_table(
        "pipelines",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), server_default="", nullable=False),
        sa.Column("display_name", sa.String(length=255), server_default="", nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("namespace", sa.String(length=63), server_default="", nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pipelines")),
        sa.UniqueConstraint("namespace", "name", name=op.f("uq_pipelines_namespace_name")),
    )
    op.create_index(op.f("ix_pipelines_created_at_id"), "pipelines", ["created_at", "id"], unique=False)
    op.create_table(
        "pipeline_versions",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("pipeline_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), server_default="", nullable=False),
        sa.Column("display_name", sa.String(length=255), server_default="", nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("code_source_url", sa.Text(), server_default="", nullable=False),
        sa.Column("package_url", sa.Text(), server_default="", nullable=False),
        sa.Column("spec_digest", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["pipeline_id"], ["pipelines.id"], name=op.f("fk_pipeline_versions_pipeline_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["spec_digest"], ["pipeline_specs.digest"], name=op.f("fk_pipeline_versions_spec_digest")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pipeline_versions")),
        sa.UniqueConstraint("pipeline_id", "name", name=op.f("uq_pipeline_versions_pipeline_id_name")),
    )
    op.create_index(
        op.f("ix_pipeline_versions_pipeline_id_created_at_id"),
        "pipeline_versions",
        ["pipeline_id", "created_at", "id"],
        unique=False,
    )
    op.create_table(
        "runs",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("display_name", sa.String(length=255), server_default="", nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("experiment_id", sa.String(length=64), server_default="", nullable=False),
        sa.Column("namespace", sa.String(length=63), server_default="", nullable=False),
        sa.Column("object_namespace", sa.String(length=63), server_default="", nullable=False),
        sa.Column("storage_state", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("pipeline_id", sa.String(length=64), server_default="", nullable=False),
        sa.Column("pipeline_version_id", sa.String(length=64), server_default="", nullable=False),
        sa.Column("pipeline_name", sa.String(length=255), server_default="", nullable=False),
        sa.Column("spec_digest", sa.String(length=64), nullable=False),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.Column("pipeline_root", sa.Text(), server_default="", nullable=False),
        sa.Column("service_account", sa.String(length=255), server_default="", nullable=False),
        sa.Column("recurring_run_id", sa.String(length=64), server_default="", nullable=False),
        sa.Column("retries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("scheduled_at", sa.Double(), server_default="0", nullable=False),
        sa.Column("finished_at", sa.Double(), server_default="0", nullable=False),
        sa.Column("error_code", sa.Integer(), server_default="0", nullable=False),
        sa.Column("error_message", sa.Text(), server_default="", nullable=False),
        sa.Column("outputs", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["spec_digest"], ["pipeline_specs.digest"], name=op.f("fk_runs_spec_digest")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
    )
    op.create_index(op.f("ix_runs_created_at_id"), "runs", ["created_at", "id"], unique=False)
    op.create_index(op.f("ix_runs_display_name_id"), "runs", ["display_name", "id"], unique=False)
    op.create_index(
        op.f("ix_runs_experiment_id_created_at_id"), "runs", ["experiment_id", "created_at", "id"], unique=False
    )
    op.create_index(
        op.f("ix_runs_experiment_id_storage_state_created_at_id"),
        "runs",
        ["experiment_id", "storage_state", "created_at", "id"],
        unique=False,
    )
    op.create_index(op.f("ix_runs_finished_at_id"), "runs", ["finished_at", "id"], unique=False)
    op.create_index(op.f("ix_runs_namespace_created_at_id"), "runs", ["namespace", "created_at", "id"], unique=False)
    op.create_index(op.f("ix_runs_state_created_at_id"), "runs", ["state", "created_at", "id"], unique=False)
    op.create_index(
        op.f("ix_runs_storage_state_created_at_id"), "runs", ["storage_state", "created_at", "id"], unique=False
    )
    op.create_table(
        "run_states",
        sa.Column("number", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("run_id", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("error_code", sa.Integer(), server_default="0", nullable=False),
        sa.Column("error_message", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_run_states_run_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_run_states")),
    )
    op.create_index(op.f("ix_run_states_run_id_number"), "run_states", ["run_id", "number"], unique=False)
    op.create_table(
        "tasks",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("run_id", sa.String(length=64), nullable=False),
        sa.Column("parent_task_id", sa.String(length=64), server_default="", nullable=False),
        sa.Column("name", sa.String(length=255), server_default="", nullable=False),
        sa.Column("display_name", sa.String(length=255), server_default="", nullable=False),
        sa.Column("type", sa.String(length=32), nullable=False),
        sa.Column("scope_path", sa.Text(), server_default="", nullable=False),
        sa.Column("iteration_index", sa.Integer(), nullable=True),
        sa.Column("iteration_count", sa.Integer(), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("started_at", sa.Double(), nullable=True),
        sa.Column("finished_at", sa.Double(), nullable=True),
        sa.Column("pod_name", sa.String(length=255), server_default="", nullable=False),
        sa.Column("folder", sa.Text(), server_default="", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("retry_at", sa.Double(), nullable=True),
        sa.Column("fingerprint", sa.String(length=64), server_default="", nullable=False),
        sa.Column("cached_from", sa.String(length=64), server_default="", nullable=False),
        sa.Column("error_code", sa.Integer(), server_default="0", nullable=False),
        sa.Column("error_message", sa.Text(), server_default="", nullable=False),
        sa.Column("inputs", sa.JSON(), nullable=False),
        sa.Column("outputs", sa.JSON(), nullable=False),
        sa.Column("states", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_tasks_run_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tasks")),
        sa.UniqueConstraint("run_id", "scope_path", name=op.f("uq_tasks_run_id_scope_path")),
    )
    op.create_index(op.f("ix_tasks_parent_task_id"), "tasks", ["parent_task_id"], unique=False)
    op.create_index(op.f("ix_tasks_run_id_created_at_id"), "tasks", ["run_id", "created_at", "id"], unique=False)
    op.create_table(
        "cache_entries",
        sa.Column("number", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("pipeline_name", sa.String(length=255), server_default="", nullable=False),
        sa.Column("namespace", sa.String(length=63), server_default="", nullable=False),
        sa.Column("task_id", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], name=op.f("fk_cache_entries_task_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_cache_entries")),
    )
    op.create_index(
        op.f("ix_cache_entries_fingerprint_pipeline_name_namespace_number"),
        "cache_entries",
        ["fingerprint", "pipeline_name", "namespace", "number"],
        unique=False,
    )
    op.create_index(op.f("ix_cache_entries_task_id"), "cache_entries", ["task_id"], unique=False)
    op.create_table(
        "task_artifacts",
        sa.Column("task_id", sa.String(length=64), nullable=False),
        sa.Column("output", sa.Boolean(), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.String(length=64), nullable=False),
        sa.Column("artifact_id", sa.String(length=64), nullable=False),
        sa.Column("type", sa.String(length=32), nullable=False),
        sa.Column("producer_task_name", sa.String(length=255), server_default="", nullable=False),
        sa.Column("producer_iteration", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["artifact_id"], ["artifacts.id"], name=op.f("fk_task_artifacts_artifact_id")),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_task_artifacts_run_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], name=op.f("fk_task_artifacts_task_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("task_id", "output", "key", "position", name=op.f("pk_task_artifacts")),
    )
    op.create_index(op.f("ix_task_artifacts_artifact_id"), "task_artifacts", ["artifact_id"], unique=False)
    op.create_index(op.f("ix_task_artifacts_run_id"), "task_artifacts", ["run_id"], unique=False)
