"""Uploaded pipelines: kept by name and version, so that schedules, triggers and people run them without the source."""

from __future__ import annotations

import importlib
import json
import tempfile
import urllib.parse
import uuid
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from fairway.pipelines.sdk import files, finding
from fairway.pipelines.sdk.connecting import connect
from fairway.pipelines.sdk.failures import Failure, NotThere
from fairway.pipelines.sdk.wire import Api


@dataclass(frozen=True, slots=True)
class Pipeline:
    """One uploaded pipeline. `submit` and `schedule` take its name."""

    api: Api = field(repr=False)
    id: str
    name: str

    def versions(self) -> list[dict[str, Any]]:
        """Newest first, as the API tells of them."""
        return list(self.api.pages(f"pipelines/{self.id}/versions", "pipeline_versions", sort_by="created_at desc"))

    def delete(self) -> None:
        """With all its versions; runs of it stay."""
        self.api.delete(f"pipelines/{self.id}", cascade=True)


def upload(pipeline: Any, name: str = "", *, version: str = "", server: Api | None = None) -> Pipeline:
    """Upload a pipeline function or a file under a name; as its next version where the name is there already."""
    api = server or connect()
    with tempfile.TemporaryDirectory() as folder:
        file = _package(pipeline, Path(folder))
        name = name or getattr(pipeline, "name", "") or file.name.partition(".")[0]
        try:
            known = find_pipeline(name, server=api)
        except NotThere:
            return _read(api, _send(api, "pipelines/upload", file, name=name))
        version = version or _next({str(each["name"]) for each in known.versions()}, name)
        _send(api, "pipelines/upload_version", file, pipelineid=known.id, name=version)
        return known


def _next(taken: set[str], name: str) -> str:
    """The next version's name; of those between, some may have been deleted."""
    return next(free for number in count(len(taken) + 1) if (free := f"{name}-{number}") not in taken)


def pipelines(*, server: Api | None = None) -> list[Pipeline]:
    """All uploaded ones, newest first."""
    api = server or connect()
    return [_read(api, each) for each in finding.newest(api, finding.PIPELINE)]


def find_pipeline(asked: str, *, server: Api | None = None) -> Pipeline:
    """An uploaded pipeline by its name or id. Raises NotThere."""
    api = server or connect()
    return _read(api, finding.one(api, finding.PIPELINE, asked))


def _read(api: Api, found: dict[str, Any]) -> Pipeline:
    return Pipeline(api, found["pipeline_id"], found.get("name") or found.get("display_name", ""))


def _package(pipeline: Any, folder: Path) -> Path:
    found = files.pipeline_in(Path(pipeline)) if isinstance(pipeline, str | Path) else pipeline
    if isinstance(found, Path):
        return found
    file = folder / f"{getattr(found, 'name', 'pipeline')}.yaml"
    importlib.import_module("fairway.pipelines.sdk.packaging").compile_to(file, found)
    return file


def _send(api: Api, path: str, file: Path, **query: str) -> dict[str, Any]:
    """A form with one file part, as upstream's upload endpoints take it."""
    try:
        content = file.read_bytes()
    except OSError as problem:
        raise Failure(f"{file} cannot be read: {problem.strerror}") from problem
    boundary = uuid.uuid4().hex
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="uploadfile"; '
        f'filename="{urllib.parse.quote(file.name)}"\r\nContent-Type: application/octet-stream\r\n\r\n'
    )
    form = head.encode() + content + f"\r\n--{boundary}--\r\n".encode()
    answer: dict[str, Any] = json.loads(
        api.send("POST", path, form, f"multipart/form-data; boundary={boundary}", **query)
    )
    return answer
