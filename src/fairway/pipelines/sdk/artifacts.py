"""What steps made: artifacts as bytes, as files on this machine, as tables."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from fairway.pipelines.sdk.failures import Failure, NotThere
from fairway.pipelines.sdk.wire import Api

_READERS = {
    ".parquet": "read_parquet",
    ".json": "read_json",
    ".feather": "read_feather",
    ".tsv": "read_table",
}
_PARQUET = b"PAR1"


@dataclass(frozen=True, slots=True)
class Artifact:
    """A record of the API: `type` is KFP's (Dataset, Model, Metric, ...), `uri` where its bytes are.

    `step` is the path of the step that made it, and `key` the name of that step's output.
    """

    api: Api = field(repr=False, compare=False)
    id: str
    name: str
    type: str
    uri: str
    metadata: Mapping[str, Any]
    step: str = ""
    key: str = ""
    number: float | None = None

    def read(self, file: str = "") -> bytes:
        """The bytes, of one file of it where the artifact is a folder. Raises NotThere where they are gone."""
        return self.api.read(f"artifacts/{self.id}:content", path=file)

    def text(self, file: str = "") -> str:
        return self.read(file).decode()

    def value(self, file: str = "") -> Any:
        """The content as JSON."""
        try:
            return json.loads(self.read(file))
        except ValueError as wrong:
            raise Failure(f"{self.uri} is not JSON: {wrong}; read() gives its bytes") from wrong

    def files(self) -> dict[str, int]:
        """The files of a folder and their sizes in bytes; of a file, itself under the empty path."""
        answer = self.api.get(f"artifacts/{self.id}:files")
        listed = {entry["path"]: int(entry.get("size", 0)) for entry in answer.get("files", ())}
        if int(answer.get("total_size", 0)) > len(listed):
            raise Failure(f"{self.uri} has {answer['total_size']} files, too many to list; copy it where it is")
        return listed

    def path(self) -> Path:
        """Where the artifact is on this machine; a copy in a temporary folder where it is elsewhere.

        What is there is shared with every run that uses it: read it, and do not change it.
        """
        local = self.uri.removeprefix("file://")
        if "://" not in local and os.path.exists(local):
            return Path(local)
        return self.save(Path(tempfile.mkdtemp(prefix="artifact-")) / _file_name(self.name))

    def save(self, to: str | Path) -> Path:
        """A copy at `to`, which must not exist yet: a file, or a folder where the artifact is one."""
        target = Path(to).expanduser().absolute()
        if target.exists():
            raise Failure(f"{target} is there already; choose another place")
        for file in self.files():
            place = target / _inside(file) if file else target
            place.parent.mkdir(parents=True, exist_ok=True)
            with place.open("wb") as out:
                out.writelines(self.api.stream(f"artifacts/{self.id}:content", path=file))
        return target

    def frame(self, file: str = "", **options: Any) -> Any:
        """The content as a pandas DataFrame: by its ending Parquet, JSON, Feather, ...; CSV otherwise.

        `options` go to pandas' reader. Needs pandas.
        """
        try:
            import pandas  # noqa: PLC0415 - an optional dependency
        except ImportError as missing:
            raise Failure("pandas is not installed; run `pip install pandas`, or use path() and read()") from missing
        place = self.path() / file if file else self.path()
        if place.is_dir():
            raise Failure(f"{self.name} is a folder; name one of its files: {', '.join(self.files())}")
        reader = _READERS.get(place.suffix) or ("read_parquet" if _begins(place, _PARQUET) else "read_csv")
        return getattr(pandas, reader)(place, **options)


def listed(api: Api, run_id: str) -> Iterator[Artifact]:
    """What the steps of a run made, scalar metrics included; what several steps gave on comes once."""
    seen: set[str] = set()
    for task in api.pages(f"runs/{run_id}/tasks", "tasks"):
        for artifact in of_task(api, task):
            if artifact.id not in seen:
                seen.add(artifact.id)
                yield artifact


def of_task(api: Api, task: Mapping[str, Any]) -> Iterator[Artifact]:
    """The outputs of one task, as the API tells of it."""
    for output in (task.get("outputs") or {}).get("artifacts", ()):
        for found in output["artifacts"]:
            yield read(api, found, task.get("scope_path", ""), output.get("artifact_key", ""))


def read(api: Api, found: Mapping[str, Any], step: str = "", key: str = "") -> Artifact:
    number = found.get("number_value")
    return Artifact(
        api,
        found["artifact_id"],
        found.get("name", ""),
        found.get("type", ""),
        found.get("uri", ""),
        found.get("metadata") or {},
        step,
        key,
        None if number is None else float(number),
    )


def find(artifacts: list[Artifact], name: str) -> Artifact:
    """The only one of this name, or of this name in a step as in "train/model". Raises NotThere."""
    found = [one for one in artifacts if name in (one.name, one.id, one.key, f"{one.step}/{one.key}")]
    if len(found) == 1:
        return found[0]
    choice = ", ".join(f"{one.step}/{one.key}" for one in (found or artifacts)[:20]) or "none"
    if found:
        raise NotThere(f"the run has several artifacts {name!r}; say which: {choice}")
    raise NotThere(f"the run has no artifact {name!r}; it has {choice}")


def _file_name(name: str) -> str:
    """A name in a folder, whatever whoever registered the artifact called it.

    >>> _file_name("model"), _file_name("/home/ann/.ssh/authorized_keys"), _file_name("a/..")
    ('model', 'authorized_keys', 'artifact')
    """
    last = PurePosixPath(name).name
    return last if last not in ("", "..") else "artifact"


def _inside(file: str) -> PurePosixPath:
    """A path below a folder, whatever the server says."""
    path = PurePosixPath(file)
    if path.is_absolute() or ".." in path.parts:
        raise Failure(f"the artifact has a file {file!r}, which would lie outside its folder")
    return path


def _begins(place: Path, mark: bytes) -> bool:
    with place.open("rb") as file:
        return file.read(len(mark)) == mark
