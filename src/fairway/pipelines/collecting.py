"""After a step has run: gather what it gave, by KFP's rules, and write the outcome. Standard library only.

Values that kfp's executor wrote win over files of single parameters; a file is read by its declared type; a declared
parameter that is in neither fails the step, a missing artifact does not.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
from typing import Any

from fairway.pipelines import digests
from fairway.pipelines.ir.model import ParameterType
from fairway.pipelines.ir.values import DEEPEST, WrongType, parsed, plain, shallow, text

LARGEST = 8 << 20
"""Bytes of one parameter. Parameters are kept in the records and shown as they are; larger values are artifacts."""


class BadOutput(Exception):
    """The step ended well, and its outputs are not what it declares."""


def collect(task: dict[str, Any], told: dict[str, Any] | None = None) -> dict[str, Any]:
    """The outputs: {"parameters": {name: value}, "artifacts": {name: {"uri", "metadata", "name", "digest"?}},
    "present": [paths of artifacts that have bytes]}. `told` is what the step gave, where it has left no file."""
    declared = task["executorInput"]["outputs"]
    if told is None:
        told = _told(declared["outputFile"])
    made = _artifacts(declared.get("artifacts", {}), told.get("artifacts") or {}, bool(task.get("digests")))
    return {
        "parameters": _parameters(task["outputs"], declared.get("parameters", {}), told.get("parameterValues") or {}),
        "artifacts": made,
        "present": [place for place in map(_here, made.values()) if os.path.exists(place)],
    }


def leave(path: str, outcome: dict[str, Any]) -> None:
    """Write the outcome so that it is there whole or not at all, and for good once this returns.

    One sync is enough, after the file has its name: file systems with a journal write the name down with the file. It
    is a short step's longest wait.
    """
    unfinished = f"{path}.part"
    content = json.dumps(_finite(outcome), ensure_ascii=False).encode(errors="replace")  # half a surrogate pair
    with open(unfinished, "wb") as file:
        file.write(content)
        file.flush()
        os.replace(unfinished, path)
        os.fsync(file.fileno())


def _told(path: str) -> dict[str, Any]:
    try:
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
    except FileNotFoundError:
        return {}
    except (ValueError, RecursionError) as wrong:
        raise BadOutput(f"the file {os.path.basename(path)} that the step wrote is not JSON: {wrong}") from wrong
    for part in ("parameterValues", "artifacts"):
        if not isinstance(content, dict) or not isinstance(content.get(part) or {}, dict):
            raise BadOutput(f"the file {os.path.basename(path)} that the step wrote has no struct under {part!r}")
    return dict(content)


def _parameters(types: dict[str, str], files: dict[str, Any], told: dict[str, Any]) -> dict[str, Any]:
    result = {}
    for name, type_ in types.items():
        if name in told:
            if not shallow(told[name]):
                raise BadOutput(f"the output parameter {name!r} is nested more than {DEEPEST} levels deep")
            _check_size(name, len(text(told[name])))
            result[name] = plain(told[name])
            continue
        try:
            with open(files[name]["outputFile"], encoding="utf-8") as file:
                _check_size(name, os.fstat(file.fileno()).st_size)
                result[name] = parsed(file.read(), ParameterType(type_))
        except FileNotFoundError:
            raise BadOutput(f"the step did not write its output parameter {name!r}") from None
        except WrongType as wrong:
            raise BadOutput(f"the output parameter {name!r} does not fit: {wrong}") from wrong
        except UnicodeDecodeError as wrong:
            raise BadOutput(f"the output parameter {name!r} is not a text in UTF-8: {wrong}") from wrong
    return result


def _check_size(name: str, size: int) -> None:
    if size > LARGEST:
        raise BadOutput(
            f"the output parameter {name!r} has {size:,} bytes, and a parameter has at most {LARGEST:,}: "
            "give it as an artifact"
        )


def _artifacts(declared: dict[str, Any], told: dict[str, Any], digested: bool) -> dict[str, Any]:
    result = {}
    for name, entry in declared.items():
        ours = entry["artifacts"][0]
        found = _said(name, told, ours)
        uri = str(found.get("uri") or ours["uri"])
        if "://" not in uri:
            uri = os.path.abspath(uri)
        taken = ours.get("customPath")
        if taken and uri == taken:
            uri = ours["uri"]
        result[name] = {"name": found.get("name") or name, "uri": uri, "metadata": found.get("metadata") or {}}
        if taken and uri == ours["uri"]:
            result[name]["path"] = taken
        place = _here(result[name])
        _fetch_custom(found.get("custom_path") or found.get("customPath"), place)
        if digested and "://" not in place:
            with contextlib.suppress(OSError):  # the server may still read it
                result[name]["digest"] = digests.of(place)
    return result


def _said(name: str, told: dict[str, Any], ours: dict[str, Any]) -> dict[str, Any]:
    """What the step says of an output artifact; kfp's executor writes it, and a command may write it by hand."""
    entry = told.get(name) or {}
    found = (entry.get("artifacts") or [ours])[0] if isinstance(entry, dict) else None
    if not isinstance(found, dict) or not isinstance(found.get("metadata") or {}, dict) or not shallow(found):
        raise BadOutput(f"what the step says of its output artifact {name!r} is not understood: {text(entry)[:200]}")
    return found


def _here(made: dict[str, Any]) -> str:
    """Where the bytes of an output are when its step ends: at its address, or at its path, to be taken from there."""
    return str(made.get("path") or made["uri"])


def _fetch_custom(path: str | None, place: str) -> None:
    """An author may write an artifact elsewhere (`custom_path`); its bytes belong at its place all the same."""
    if not path or "://" in place or not os.path.exists(path) or os.path.abspath(path) == place:
        return
    os.makedirs(os.path.dirname(place), exist_ok=True)
    if os.path.isdir(path):
        shutil.copytree(path, place, dirs_exist_ok=True)
    else:
        shutil.copyfile(path, place)


def _finite(value: Any) -> Any:
    """JSON has no NaN and no infinity; they become texts, as protobuf writes them."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return value
