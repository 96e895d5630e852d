"""The facts of pipelines: experiments, pipelines and their versions, runs, tasks, artifacts, the cache, pools.

The API writes experiments, pipelines and new runs; the engine writes tasks, artifacts and the states of runs; both
read all of it. What starts runs by itself has tables of its own: `schedules`, `triggers`, `notices`. Times are seconds
since the epoch. Identifiers are texts, UUIDs where we make them. The tables are created by the migrations of
`fairway.records`; a test holds the two equal.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Computed,
    Double,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from fairway.records.tables import new_metadata

METADATA = new_metadata()


def _id(name: str = "id") -> Column[str]:
    return Column(name, String(64), primary_key=True)


def _text(name: str, length: int = 255) -> Column[str]:
    return Column(name, String(length), nullable=False, default="", server_default="")


def _long_text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False, default="", server_default="")


def _time(name: str, *, nullable: bool = True) -> Column[float]:
    return Column(name, Double, nullable=nullable)


def _moment(name: str) -> Column[float]:
    """A time that lists are sorted by: 0, the epoch, as long as it has not come."""
    return Column(name, Double, nullable=False, default=0.0, server_default="0")


HEAD = 255
"""How much of a long text is indexed."""


def _head(of: str) -> Column[str]:
    """The beginning of a long text, to sort and to look it up by: no index takes a text of any length."""
    return Column(f"{of}_head", String(HEAD), Computed(f"substr({of}, 1, {HEAD})"))


def _json(name: str) -> Column[Any]:
    return Column(name, JSON, nullable=False, default=dict)


def templates() -> tuple[Column[Any], ...]:
    """The columns that say what is run: of a run, and of what starts runs later (see `api.templates`)."""
    return (
        _text("experiment_id", 64),  # no foreign key: deleting an experiment leaves its runs
        _text("namespace", 63),  # as the client said
        _text("object_namespace", 63),  # where Run objects and their pods are
        _text("pipeline_id", 64),
        _text("pipeline_version_id", 64),  # empty in what starts later: the newest version at that time
        _text("spec_digest", 64),  # of the documents; empty where the version is chosen later
        _json("parameters"),  # {name: value} as the client gave them
        _long_text("pipeline_root"),
        _text("service_account"),
    )


experiments = Table(
    "experiments",
    METADATA,
    _id(),
    _text("display_name"),
    _long_text("description"),
    _text("namespace", 63),
    Column("storage_state", String(16), nullable=False),  # AVAILABLE, ARCHIVED
    _time("created_at", nullable=False),
    _moment("last_run_created_at"),
    UniqueConstraint("namespace", "display_name"),
    Index(None, "created_at", "id"),
)

pipelines = Table(
    "pipelines",
    METADATA,
    _id(),
    _text("name"),
    _text("display_name"),
    _long_text("description"),
    _text("namespace", 63),
    _time("created_at", nullable=False),
    UniqueConstraint("namespace", "name"),
    Index(None, "created_at", "id"),
)

specs = Table(
    "pipeline_specs",
    METADATA,
    _id("digest"),  # SHA-256 of the body: a thousand runs of one pipeline keep one copy
    Column("body", Text, nullable=False),  # JSON: {"pipeline_spec": {...}, "platform_spec": {...} or null}
)

pipeline_versions = Table(
    "pipeline_versions",
    METADATA,
    _id(),
    Column("pipeline_id", String(64), ForeignKey("pipelines.id", ondelete="CASCADE"), nullable=False),
    _text("name"),
    _text("display_name"),
    _long_text("description"),
    _long_text("code_source_url"),
    _long_text("package_url"),
    Column("spec_digest", String(64), ForeignKey("pipeline_specs.digest"), nullable=False),
    _time("created_at", nullable=False),
    UniqueConstraint("pipeline_id", "name"),
    Index(None, "pipeline_id", "created_at", "id"),
)

tags = Table(
    "pipeline_tags",
    METADATA,
    _id("owner_id"),  # of a pipeline or of a version
    Column("key", String(63), primary_key=True),
    _text("value", 63),
    Index(None, "key", "value"),
)

runs = Table(
    "runs",
    METADATA,
    _id(),
    _text("display_name"),
    _long_text("description"),
    _text("experiment_id", 64),
    _text("namespace", 63),
    _text("object_namespace", 63),
    Column("storage_state", String(16), nullable=False),
    Column("state", String(16), nullable=False),  # PENDING RUNNING SUCCEEDED FAILED CANCELING CANCELED
    _text("pipeline_id", 64),
    _text("pipeline_version_id", 64),
    _text("pipeline_name"),  # pipelineInfo.name: a part of artifact addresses and of the cache's key
    Column("spec_digest", String(64), ForeignKey("pipeline_specs.digest"), nullable=False),
    _json("parameters"),  # {name: value} as the client gave them
    _long_text("pipeline_root"),
    _text("service_account"),
    _text("recurring_run_id", 64),
    _text("trigger_id", 64),
    _text("source_run_id", 64),  # the run that it is a clone of, or goes on from
    # {scope path: {parameter: value}}: inputs of steps that were changed for this run, steps that are to run and not
    # to be taken from the cache
    Column("overrides", JSON, nullable=False, default=dict, server_default="{}"),
    Column("paused", Boolean, nullable=False, default=False, server_default=false()),
    Column("asked", Integer, nullable=False, default=0, server_default="0"),  # requests that the engine is to read
    Column("external", Boolean, nullable=False, default=False, server_default=false()),  # played by somebody else
    _moment("late_at"),  # not over by then is late; 0 for never
    _moment("told_late_at"),  # when that was noticed
    _moment("expires_at"),  # what the cluster holds of it is removed then (resourceTtlOnCompletion); 0 for never
    Column("retries", Integer, nullable=False, default=0, server_default="0"),  # how often `retry` was asked
    _time("created_at", nullable=False),
    _moment("scheduled_at"),
    _moment("finished_at"),
    Column("error_code", Integer, nullable=False, default=0, server_default="0"),
    _long_text("error_message"),
    _json("outputs"),  # {name: value} of the root's output parameters, once it succeeded
    _head("description"),
    # Lists look for names in the order of time, so that both stand in one index: the rows themselves are too wide.
    Index(None, "created_at", "id", "display_name"),
    Index(None, "experiment_id", "created_at", "id", "display_name"),
    Index(None, "experiment_id", "storage_state", "created_at", "id", "display_name"),
    Index(None, "namespace", "created_at", "id", "display_name"),
    Index(None, "state", "created_at", "id", "display_name"),
    Index(None, "storage_state", "created_at", "id", "display_name"),
    Index(None, "display_name", "id"),
    Index(None, "description_head", "id"),
    Index(None, "finished_at", "id", "display_name"),
    Index(None, "scheduled_at", "id", "display_name"),
    Index(None, "pipeline_id", "created_at", "id"),
    Index(None, "recurring_run_id", "scheduled_at", "id"),
    Index(None, "trigger_id", "created_at", "id"),
    Index(None, "pipeline_name", "created_at", "id"),
    Index(None, "late_at"),
    Index(None, "told_late_at"),
    Index(None, "expires_at"),
)

run_states = Table(
    "run_states",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("run_id", String(64), ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("state", String(16), nullable=False),
    _time("at", nullable=False),
    Column("error_code", Integer, nullable=False, default=0, server_default="0"),
    _long_text("error_message"),
    Index(None, "run_id", "number"),
    sqlite_autoincrement=True,  # numbers are followed (see `following`): none is given twice
)

run_metrics = Table(
    "run_metrics",
    METADATA,
    Column("run_id", String(64), ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    Column("name", String(255), primary_key=True),
    Column("value", Double, nullable=False),  # the one that was written last, where several steps tell of it
    Index(None, "name", "value", "run_id"),
)

tasks = Table(
    "tasks",
    METADATA,
    _id(),
    Column("run_id", String(64), ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    _text("parent_task_id", 64),  # empty for the root
    _text("name"),  # the task's key in its DAG
    _text("display_name"),
    Column(
        "type", String(32), nullable=False
    ),  # ROOT RUNTIME CONDITION_BRANCH CONDITION LOOP EXIT_HANDLER IMPORTER DAG
    _long_text("scope_path"),  # from the root with iterations, such as "for-loop-1[3]/train": one task each in a run
    Column("iteration_index", Integer),
    Column("iteration_count", Integer),
    Column("state", String(16), nullable=False),  # PENDING RUNNING SUCCEEDED SKIPPED FAILED CACHED CANCELED
    _time("created_at", nullable=False),
    _time("started_at"),
    _time("finished_at"),
    _text("pod_name"),  # of the newest attempt
    _long_text("folder"),  # address of the task folder of the newest attempt
    Column("attempts", Integer, nullable=False, default=0, server_default="0"),
    Column("disruptions", Integer, nullable=False, default=0, server_default="0"),  # attempts ended from outside
    Column("looks", Integer, nullable=False, default=0, server_default="0"),  # a sensor's attempts that said "not yet"
    _text("pool"),  # that the step takes slots of while it runs
    Column("slots", Integer, nullable=False, default=0, server_default="0"),
    _time("retry_at"),  # when the next attempt may start
    _text("fingerprint", 64),
    _text("cached_from", 64),  # the task whose outputs were taken
    Column("error_code", Integer, nullable=False, default=0, server_default="0"),
    _long_text("error_message"),
    _json("inputs"),  # {parameter: value}
    # {parameter: {"type": ..., "task": ..., "iteration": ...}}: KFP 3.0's IOType of each, and who made it
    Column("sources", JSON, nullable=False, default=dict, server_default="{}"),
    _json("outputs"),  # {parameter: value}
    Column("states", JSON, nullable=False, default=list),  # [{"state": ..., "at": seconds}], oldest first
    UniqueConstraint("run_id", "scope_path"),
    Index(None, "run_id", "created_at", "id"),
    Index(None, "parent_task_id"),
    # Few steps are of a pool, and all of those that run or wait are counted often.
    # On PostgreSQL too, says the migration: to say it here would load that dialect and its drivers at every start.
    Index(None, "pool", "state", sqlite_where=text("pool != ''")),
)

artifacts = Table(
    "artifacts",
    METADATA,
    _id(),
    _text("name"),
    _long_text("description"),
    _text("type"),  # the schema title, such as system.Model
    _text("schema_version", 32),
    _long_text("uri"),
    _text("digest", 64),  # SHA-256 of the content, where it was read (see `caching`)
    _json("metadata"),
    Column("number_value", Double),  # of a scalar metric: one row for each
    _text("namespace", 63),
    _time("created_at", nullable=False),
    _head("uri"),
    Index(None, "created_at", "id"),
    Index(None, "type", "created_at", "id"),
    Index(None, "namespace", "created_at", "id"),
    Index(None, "name", "id"),
    Index(None, "uri_head", "id"),
)

task_artifacts = Table(
    "task_artifacts",
    METADATA,
    Column("task_id", String(64), ForeignKey("tasks.id", ondelete="CASCADE"), primary_key=True),
    Column("output", Boolean, primary_key=True),  # made by the task, or given to it
    Column("key", String(255), primary_key=True),  # the input's or output's name
    Column("position", Integer, primary_key=True),  # in a list of artifacts; 0 otherwise
    Column("run_id", String(64), ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("artifact_id", String(64), ForeignKey("artifacts.id"), nullable=False),
    Column("type", String(32), nullable=False),  # KFP 3.0's IOType: OUTPUT, TASK_OUTPUT_INPUT, COLLECTED_INPUTS, ...
    _text("producer_task_name"),
    Column("producer_iteration", Integer),
    Index(None, "artifact_id"),
    Index(None, "run_id"),
)

cache_entries = Table(
    "cache_entries",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("fingerprint", String(64), nullable=False),
    _text("pipeline_name"),
    _text("namespace", 63),
    Column("task_id", String(64), ForeignKey("tasks.id", ondelete="CASCADE"), nullable=False),
    _time("created_at", nullable=False),
    Index(None, "fingerprint", "pipeline_name", "namespace", "number"),
    Index(None, "task_id"),
)

approvals = Table(
    "approvals",
    METADATA,
    Column("task_id", String(64), ForeignKey("tasks.id", ondelete="CASCADE"), primary_key=True),
    Column("run_id", String(64), ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("state", String(16), nullable=False),  # WAITING, APPROVED, REJECTED
    _long_text("message"),  # what the person is asked
    _time("asked_at", nullable=False),
    _time("decided_at"),
    _text("decided_by"),
    _long_text("comment"),
    Index(None, "run_id"),
    Index(None, "state", "asked_at"),
)

pools = Table(
    "pools",
    METADATA,
    Column("name", String(63), primary_key=True),
    Column("slots", Integer, nullable=False),
    _long_text("description"),
    _time("created_at", nullable=False),
)

leavings = Table(
    "leavings",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=True),
    _text("run_id", 64),  # that there was
    _text("namespace", 63),  # where its pods were
    _long_text("address"),  # of the folder whose bytes are to go
    Column("kept", JSON, nullable=False),  # addresses in it whose bytes are used, and stay
    _time("at", nullable=False),
)
