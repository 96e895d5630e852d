"""Task folders as the engine sees them: written before a pod starts, read after it has ended.

Blocking, and called in threads. Folders are on this machine; the records say where.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson

from fairway.kernel.objects.kinds import Object
from fairway.pipelines.ir import values
from fairway.pipelines.render import folders
from fairway.pipelines.render.model import Outcome

_NEVER_STARTS = frozenset(
    {
        "ImageNotInCatalogue",
        "ProgramNotInstalled",
        "InvalidRequirements",
        "EnvironmentFailed",
        "VolumeNotSupported",
        "NoContainerEngine",
        "InvalidRuntime",
        "SecurityContextNotSupported",
        "DeviceNotSupported",
        "ErrImageNeverPull",
    }
)
"""Reasons of a waiting container that our node does not get over by itself, or not soon: a step whose packages cannot
be installed fails, as it would in a container of its own. On other clusters an image may come yet."""


_SIGKILL = 137
_FIELDS: tuple[tuple[str, type], ...] = (
    ("succeeded", bool),
    ("parameters", dict),
    ("artifacts", dict),
    ("present", list),
    ("message", str),
    ("code", int),
    ("beside", bool),
)
_HIGHEST_CODE = (1 << 31) - 1
_LONGEST_MESSAGE = 16 << 10
"""Characters of what a step says of its failure; its log has all of it."""
_LARGEST = 64 << 20
_TOO_LARGE = (
    f"the output parameters and the metadata of the step have more than {_LARGEST >> 20} MiB together: "
    "give what is large as an artifact"
)


@dataclass(frozen=True, slots=True)
class Trace:
    """What an attempt has left behind: its outcome, or only the mark that it began, or nothing.

    `started` is when it began, and 0.0 where it has not.
    """

    started: float
    outcome: Outcome | None
    beside: bool = False
    """What it made was gathered beside it: whether it ended well is its container's to say."""


def prepare(tasks: Iterable[tuple[str, dict[str, Any]]]) -> None:
    """Write task.json into each folder, whole or not at all. Writing it again is harmless."""
    for address, task in tasks:
        folder = Path(folders.path(address))
        folder.mkdir(parents=True, exist_ok=True)
        # A name of its own: an engine that died a moment ago may still be writing the same file from its thread.
        unfinished = folder / f".{folders.TASK}-{threading.get_ident()}-{os.getpid()}"
        unfinished.write_bytes(orjson.dumps(task))
        os.replace(unfinished, folder / folders.TASK)


def traces(addresses: Iterable[str]) -> list[Trace]:
    return [_trace(Path(folders.path(address))) for address in addresses]


def intact(addresses: Iterable[str]) -> list[bool]:
    """For each folder of a step that succeeded, whether the artifacts it made are still there."""
    return [not address or _intact(Path(folders.path(address))) for address in addresses]


def taken(address: str) -> list[str] | None:
    """Where the artifacts of a step are since the engine took them from its folder; None where it has not."""
    found = _read(Path(folders.path(address)) / folders.TAKEN)
    return found if isinstance(found, list) and all(isinstance(uri, str) for uri in found) else None


def leave_taken(address: str, uris: list[str]) -> None:
    """Say that the artifacts are there, and remove them here: in that order."""
    folder = Path(folders.path(address))
    unfinished = folder / f".{folders.TAKEN}-{threading.get_ident()}-{os.getpid()}"
    with open(unfinished, "wb") as file:
        file.write(orjson.dumps(uris))
        file.flush()
        os.replace(unfinished, folder / folders.TAKEN)
        os.fsync(file.fileno())
    shutil.rmtree(folder / "outputs", ignore_errors=True)
    shutil.rmtree(folder / "inputs", ignore_errors=True)


def of_pod(pod: Object | None, trace: Trace) -> Outcome:
    """How an attempt ended. The folder knows best; without its word the pod tells what it can.

    A step that was asked to stop with its node may still have told of a failure: that is the stop, not the step.
    """
    if trace.beside and (pod is None or _terminated(pod.get("status") or {}).get("exitCode") != 0):
        trace = replace(trace, outcome=None)
    if trace.outcome is not None and (trace.outcome.succeeded or not _disrupted(pod)):
        killed = "" if trace.outcome.succeeded else _killed(pod, trace.outcome.code)
        return replace(trace.outcome, message=f"{trace.outcome.message}: {killed}") if killed else trace.outcome
    if pod is None:
        return Outcome(False, message="the step's pod disappeared while it ran", code=1)
    status = pod.get("status") or {}
    terminated = _terminated(status)
    code = int(terminated.get("exitCode") or 1)
    why = status.get("message") or terminated.get("message") or status.get("reason") or terminated.get("reason")
    if killed := _killed(pod, code):
        why = killed
    elif trace.beside and why in (None, "", "Error"):
        why = f"the command ended with exit status {code}"
    elif not why or why == "Error":
        why = f"the step ended with exit status {code} and left no outcome; see its log"
    return Outcome(False, message=str(why), code=code, disrupted=_disrupted(pod))


def never_starts(pod: Object) -> str:
    """Why the pod waits where waiting is of no use; empty where it may still start."""
    for container in (pod.get("status") or {}).get("containerStatuses") or ():
        held = (container.get("state") or {}).get("waiting") or {}
        if held.get("reason") in _NEVER_STARTS:
            return str(held.get("message") or held["reason"])
    return ""


def waiting(pod: Object) -> str:
    """Why a pod does not run yet, in the words of whoever holds it back."""
    status = pod.get("status") or {}
    for container in status.get("containerStatuses") or ():
        held = (container.get("state") or {}).get("waiting") or {}
        if held.get("message"):
            return str(held["message"])
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return str(condition.get("message") or "")
    return ""


def _killed(pod: Object | None, code: int) -> str:
    """What may have killed a step, and what to do; empty for a step that ended in any other way."""
    if pod is None or code != _SIGKILL:
        return ""
    if _terminated(pod.get("status") or {}).get("reason") == "OOMKilled":
        limit = ((pod["spec"]["containers"][0].get("resources") or {}).get("limits") or {}).get("memory")
        told = f" of {limit}" if limit else ""
        return (
            f"the step took more memory than its limit{told} and was killed (OOMKilled): "
            "raise it with set_memory_limit, or let the step take less"
        )
    return (
        f"the step was killed (exit status {_SIGKILL}, SIGKILL), most likely because the machine ran out of memory: "
        "let it take less, run fewer steps at a time, or set a limit with set_memory_limit"
    )


def _disrupted(pod: Object | None) -> bool:
    """Kubernetes' word for an end that is not the pod's fault: its node went down, or its room was needed."""
    found = ((pod or {}).get("status") or {}).get("conditions") or ()
    return any(each.get("type") == "DisruptionTarget" and each.get("status") == "True" for each in found)


def _trace(folder: Path) -> Trace:
    content = _outcome(folder)
    if content is None:
        return Trace(_begun(folder), None)
    return Trace(
        _begun(folder),
        Outcome(
            succeeded=content["succeeded"],
            parameters=content.get("parameters", {}),
            artifacts=content.get("artifacts", {}),
            message=content.get("message", "")[:_LONGEST_MESSAGE],
            code=content.get("code", 0),
        ),
        content.get("beside", False),
    )


def _begun(folder: Path) -> float:
    try:
        return (folder / folders.STARTED).stat().st_mtime
    except (FileNotFoundError, NotADirectoryError):
        return 0.0


def _intact(folder: Path) -> bool:
    content = _outcome(folder)
    if content is not None and (folder / folders.TAKEN).exists():
        return True  # elsewhere, and looked for there
    return content is not None and all(os.path.exists(path) for path in content.get("present", ()))


def _outcome(folder: Path) -> dict[str, Any] | None:
    """One that cannot be read was being written when the machine lost its power: its step had not ended. One that is
    none was written by the step itself, which may write in its folder as it likes."""
    content = _read(folder / folders.OUTCOME)
    return content if isinstance(content, dict) and _is_outcome(content) else None


def _is_outcome(content: dict[str, Any]) -> bool:
    if "succeeded" not in content or not all(isinstance(content.get(key, kind()), kind) for key, kind in _FIELDS):
        return False
    made = content.get("artifacts", {}).values()
    told = all(isinstance(each, dict) and isinstance(each.get("metadata", {}), dict) for each in made)
    code = content.get("code", 0)
    return told and abs(code) <= _HIGHEST_CODE and all(isinstance(path, str) for path in content.get("present", ()))


def _read(file: Path) -> Any:
    """The JSON in a file; None where there is none, or what nobody here could keep."""
    try:
        if file.stat().st_size > _LARGEST:
            return {"succeeded": False, "message": _TOO_LARGE, "code": 1}
        content = orjson.loads(file.read_bytes())
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError, orjson.JSONDecodeError):
        return None
    return content if values.shallow(content) else None


def _terminated(status: dict[str, Any]) -> dict[str, Any]:
    """How the step's container ended, or else what was to come before it and failed."""
    before = [each for each in status.get("initContainerStatuses") or () if not each.get("started")]
    for container in (*(status.get("containerStatuses") or ()), *before):
        found = (container.get("state") or {}).get("terminated")
        if found and (container not in before or found.get("exitCode")):
            return dict(found)
    return {}
