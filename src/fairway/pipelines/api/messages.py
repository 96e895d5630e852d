"""Reading requests: JSON bodies with exactly the fields that a message has, names within their limits, numbers.

Fields that only the server sets (ids, times, states) are known and not read, as with any protobuf server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
from aiohttp import web

from fairway.kernel.objects import errors

NAME_LIMIT = 128
RUN_NAME_LIMIT = 255
NAMESPACE_LIMIT = 63
VALUES_LIMIT = 2_000_000
DEPTH_LIMIT = 100
_AT_ONCE = 256 * 1024

_EXPERIMENT = {"experiment_id", "display_name", "description", "created_at", "namespace", "storage_state",
               "last_run_created_at"}  # fmt: skip
_PIPELINE = {"pipeline_id", "display_name", "name", "description", "created_at", "namespace", "error", "tags"}
_VERSION = {"pipeline_id", "pipeline_version_id", "display_name", "name", "description", "created_at", "package_url",
            "code_source_url", "pipeline_spec", "error", "tags"}  # fmt: skip
_RUN = {"experiment_id", "run_id", "display_name", "storage_state", "description", "pipeline_version_id",
        "pipeline_spec", "pipeline_version_reference", "runtime_config", "service_account", "created_at",
        "scheduled_at", "finished_at", "state", "error", "run_details", "recurring_run_id", "state_history",
        "plugins_input", "plugins_output", "external", "pipeline_reference", "task_count", "tasks", "trigger_id",
        "source_run_id", "late_at", "late"}  # fmt: skip
_TASK = {"name", "display_name", "task_id", "run_id", "pods", "cache_fingerprint", "create_time", "start_time",
         "end_time", "state", "status_metadata", "state_history", "type", "type_attributes", "parent_task_id",
         "child_tasks", "inputs", "outputs", "scope_path", "error", "attempts", "cached_from_task_id"}  # fmt: skip
_ARTIFACT = {"artifact_id", "name", "description", "type", "uri", "metadata", "number_value", "created_at",
             "namespace"}  # fmt: skip
_TRIGGER = {"trigger_id", "display_name", "description", "experiment_id", "namespace", "pipeline_spec",
            "pipeline_version_reference", "runtime_config", "service_account", "max_concurrency", "mode", "status",
            "run", "artifact", "webhook", "created_at", "updated_at", "created_by", "fired_at", "error",
            "waiting"}  # fmt: skip
_RECURRING = {"recurring_run_id", "display_name", "description", "pipeline_version_id", "pipeline_spec",
              "pipeline_version_reference", "runtime_config", "service_account", "max_concurrency", "trigger", "mode",
              "created_at", "updated_at", "status", "error", "no_catchup", "namespace", "experiment_id",
              "plugins_input", "late_after_seconds", "next_slots", "created_by"}  # fmt: skip
_NOTICE = {"notice_id", "display_name", "namespace", "events", "only", "webhook", "email", "mode", "status",
           "created_at", "updated_at", "created_by"}  # fmt: skip

_MODES: dict[str | int, bool | None] = {
    "MODE_UNSPECIFIED": None, 0: None, "ENABLE": True, 1: True, "DISABLE": False, 2: False,
}  # fmt: skip

FIELDS: dict[str, set[str]] = {
    "Experiment": _EXPERIMENT,
    "Pipeline": _PIPELINE,
    "PipelineVersion": _VERSION,
    "CreatePipelineAndVersionRequest": {"pipeline", "pipeline_version"},
    "Run": _RUN,
    "PipelineVersionReference": {"pipeline_id", "pipeline_version_id"},
    "RuntimeConfig": {"parameters", "pipeline_root"},
    "Url": {"pipeline_url"},
    "FindCachedTaskRequest": {"namespace", "cache_fingerprint"},
    "PipelineTask": _TASK,
    "UpdateTasksBulkRequest": {"tasks", "run_id"},
    "TaskPod": {"name", "uid", "type"},
    "StatusMetadata": {"message", "custom_properties"},
    "TypeAttributes": {"iteration_index", "iteration_count", "download_to_workspace"},
    "InputOutputs": {"parameters", "artifacts"},
    "IOParameter": {"value", "type", "parameter_key", "producer"},
    "IOProducer": {"task_name", "iteration"},
    "Artifact": _ARTIFACT,
    "CreateArtifactRequest": {"artifact", "run_id", "task_id", "producer_key", "iteration_index", "reuse_if_exists"},
    "CreateArtifactsBulkRequest": {"artifacts"},
    "ArtifactTask": {"id", "artifact_id", "run_id", "task_id", "type", "producer", "key"},
    "CreateArtifactTaskRequest": {"artifact_task"},
    "CreateArtifactTasksBulkRequest": {"artifact_tasks"},
    "Trigger": _TRIGGER,
    "RunSource": {"pipeline_name", "experiment_id", "recurring_run_id", "states"},
    "ArtifactSource": {"name", "type", "pipeline_name", "uri", "every_seconds"},
    "WebhookSource": {"parameters"},
    "FireRequest": {"parameters", "key"},
    "RecurringRun": _RECURRING,
    "RecurringRunTrigger": {"cron_schedule", "periodic_schedule"},
    "CronSchedule": {"start_time", "end_time", "cron", "time_zone"},
    "PeriodicSchedule": {"start_time", "end_time", "interval_second"},
    "BackfillRequest": {"start_time", "end_time", "max_concurrency"},
    "RunNowRequest": {"runtime_config"},
    "Notice": _NOTICE,
    "NoticeFilter": {"experiment_id", "pipeline_name", "recurring_run_id"},
    "NoticeWebhook": {"url", "secret_name", "secret_key"},
    "NoticeEmail": {"to"},
    "Clone": {"display_name", "runtime_config"},
    "Rerun": {"from", "display_name", "runtime_config", "inputs"},
    "Verdict": {"comment"},
    "Pool": {"name", "slots", "description", "created_at", "used", "waiting"},
}


async def read(request: web.Request, message: str) -> dict[str, Any]:
    """The body of a request as the fields of `message`, in snake_case. A large one is read in a thread: the platform
    does nothing else meanwhile otherwise."""
    content = await request.read()
    body = _body(content) if len(content) <= _AT_ONCE else await asyncio.to_thread(_body, content)
    return part(body, message, "the body")


def _body(content: bytes) -> Any:
    try:
        body = orjson.loads(content)
    except orjson.JSONDecodeError as wrong:
        raise errors.BadRequest(f"the body is not JSON: {wrong}") from wrong
    bounded(body, "the body")
    return body


def bounded(value: Any, place: str) -> None:
    """Refuse documents that nest too deeply to be walked, or whose YAML aliases unfold to more than was written, and
    values that YAML knows and JSON does not."""
    left = VALUES_LIMIT
    waiting: list[Iterator[Any]] = [iter((value,))]
    while waiting:
        for inner in waiting[-1]:
            left -= 1
            if left < 0:
                raise errors.BadRequest(f"{place} unfolds to more than {VALUES_LIMIT:,} values")
            if isinstance(inner, dict):
                wrong = [key for key in inner if not isinstance(key, str)]
                if wrong:
                    raise errors.BadRequest(f"{place} has a key that is not a text: {wrong[0]!r}")
                waiting.append(iter(inner.values()))
                break
            if isinstance(inner, list):
                waiting.append(iter(inner))
                break
            if not _is_plain(inner):
                raise errors.BadRequest(f"{place} has a value that is none in JSON: {_told(inner)}")
        else:
            waiting.pop()
        if len(waiting) > DEPTH_LIMIT:
            raise errors.BadRequest(f"{place} is nested more than {DEPTH_LIMIT} levels deep")


def _is_plain(value: Any) -> bool:
    """Whether JSON has such a value; whole numbers are kept in 64 bits."""
    if isinstance(value, int):
        return -(2**63) <= value < 2**64
    return value is None or isinstance(value, str | float)


def _told(value: Any) -> str:
    return "a whole number that does not fit into 64 bits" if isinstance(value, int) else f"a {type(value).__name__}"


def part(body: Any, message: str, place: str) -> dict[str, Any]:
    """`body` checked to be a `message`: proto JSON allows camelCase names, and null for unset."""
    if body is None:
        return {}
    if not isinstance(body, Mapping):
        raise errors.BadRequest(f"{place} must be a JSON object, a {message}")
    found: dict[str, Any] = {}
    for key, value in body.items():
        name = snake(key)
        if name not in FIELDS[message]:
            known = ", ".join(sorted(FIELDS[message]))
            raise errors.BadRequest(f'unknown field "{key}" in {place}; the fields of {message} are {known}')
        if value is not None:
            found[name] = value
    return found


def snake(name: str) -> str:
    """
    >>> snake("pipelineVersionId"), snake("run_id")
    ('pipeline_version_id', 'run_id')
    """
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def text(fields: Mapping[str, Any], name: str, *, limit: int = 65_536) -> str:
    value = fields.get(name, "")
    if not isinstance(value, str):
        raise errors.BadRequest(f"{name} must be a string")
    if len(value) > limit:
        raise errors.BadRequest(f"{name} is longer than {limit} characters")
    return storable(value, name)


def storable(value: str, place: str) -> str:
    """The text, unless it holds the one character that PostgreSQL cannot keep."""
    if "\0" in value:
        raise errors.BadRequest(f"{place} must not contain the character NUL")
    return value


def integer(fields: Mapping[str, Any], name: str, *, default: int, least: int, most: int) -> int:
    """A whole number, which proto JSON may also write as a text."""
    value = fields.get(name, default)
    try:
        number = int(value) if isinstance(value, str | int) and not isinstance(value, bool) else least - 1
    except ValueError:
        number = least - 1
    if not least <= number <= most:
        raise errors.BadRequest(f"{name} must be a whole number from {least} to {most}, not {value!r}")
    return number


def instant(fields: Mapping[str, Any], name: str) -> float | None:
    """A moment in RFC 3339, as seconds since the epoch; None where it is not given."""
    value = fields.get(name)
    if value in (None, ""):
        return None
    try:
        found = datetime.fromisoformat(value)
        if found.tzinfo is None or not 1970 <= found.year < 9999:
            raise ValueError(value)
    except (ValueError, TypeError):
        raise errors.BadRequest(f"{name} must be a time such as 2026-05-01T09:00:00Z, not {value!r}") from None
    return max(0.0, found.timestamp())


def mode(fields: Mapping[str, Any], *, default: bool) -> bool:
    """What `mode` says, by name or by number; the default where it says nothing."""
    value = fields.get("mode", 0)
    if not isinstance(value, str | int) or value not in _MODES:
        raise errors.BadRequest(f"mode must be ENABLE or DISABLE, not {value!r}")
    found = _MODES[value]
    return default if found is None else found


def required_name(fields: Mapping[str, Any], name: str, *, limit: int = NAME_LIMIT) -> str:
    value = text(fields, name, limit=limit)
    if not value.strip():
        raise errors.BadRequest(f"{name} is missing")
    return value


def named(fields: Mapping[str, Any], *, limit: int = NAME_LIMIT) -> tuple[str, str]:
    """(name, display name) of a pipeline or a version, each of which stands in for the other. Exactly as given."""
    display_name = text(fields, "display_name", limit=limit)
    name = text(fields, "name", limit=limit)
    if not (name or display_name).strip():
        raise errors.BadRequest("name is missing")
    return name or display_name, display_name or name


def boolean(fields: Mapping[str, Any], name: str) -> bool:
    value = fields.get(name, False)
    if not isinstance(value, bool):
        raise errors.BadRequest(f"{name} must be true or false")
    return value


def whole(value: Any, name: str) -> int:
    """A whole number, which proto JSON writes as a text where it may be large."""
    try:
        found = int(value) if isinstance(value, str | int) and not isinstance(value, bool) else -1
    except ValueError:
        found = -1
    if not 0 <= found < 2**31:
        raise errors.BadRequest(f"{name} must be a whole number that is not negative")
    return found


def items(fields: Mapping[str, Any], name: str) -> Sequence[Any]:
    value = fields.get(name) or []
    if not isinstance(value, list):
        raise errors.BadRequest(f"{name} must be a list")
    return value


def tags(fields: Mapping[str, Any]) -> dict[str, str]:
    """At most 20 labels of a pipeline or version."""
    found = fields.get("tags") or {}
    if not isinstance(found, Mapping) or not all(isinstance(value, str) for value in found.values()):
        raise errors.BadRequest("tags must be an object of strings")
    if len(found) > 20:
        raise errors.BadRequest(f"there are {len(found)} tags, and 20 is the most")
    for key, value in found.items():
        if not key or len(key) > 63 or len(value) > 63 or "." in key:
            raise errors.BadRequest(
                f'the tag "{key}" must have a key without a dot, and at most 63 characters on each side'
            )
        storable(f"{key}{value}", "a tag")
    return dict(found)


def patched(fields: Mapping[str, Any], current: Mapping[str, Any], *, limit: int = NAME_LIMIT) -> dict[str, str]:
    """What PATCH changes in the row of a pipeline or a version: the display name. (Tags are elsewhere.)

    A client may send the whole message back with what it read (`current`) in the fields that are fixed.
    """
    fixed = {"name", "description", "namespace", "pipeline_spec", "package_url", "code_source_url"}
    wrong = [name for name in fields.keys() & fixed if fields[name] not in ("", current.get(name))]
    if wrong:
        raise errors.BadRequest(f"{min(wrong)} cannot be changed; only display_name and tags can")
    if fields.get("display_name"):
        return {"display_name": required_name(fields, "display_name", limit=limit)}
    return {}


def flag(request: web.Request, name: str) -> bool:
    value = request.query.get(name, "").lower()
    if value not in ("", "true", "false", "1", "0"):
        raise errors.BadRequest(f"{name} must be true or false, not {value!r}")
    return value in ("true", "1")


def number(request: web.Request, name: str, default: int) -> int:
    value = request.query.get(name, "")
    try:
        found = int(value) if value else default
    except ValueError as wrong:
        raise errors.BadRequest(f"{name} must be a whole number, not {value!r}") from wrong
    if found < 0:
        raise errors.BadRequest(f"{name} must not be negative")
    return found
