"""What is to be run later, by a schedule or a trigger: a pipeline that travels along, or an uploaded one by name."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fairway.pipelines.sdk import files, finding, values
from fairway.pipelines.sdk.failures import NotThere
from fairway.pipelines.sdk.wire import Api


def fields(api: Api, pipeline: Any, parameters: Mapping[str, Any] | None, experiment: str) -> dict[str, Any]:
    """The fields of a request that say what is run.

    `pipeline` is a pipeline function, the path of a Python file or of compiled YAML, or the name of an uploaded
    pipeline, of which the newest version at the time is run. The experiment is made where there is none of the name.
    """
    found = _pipeline(api, pipeline)
    if parameters:
        found["runtime_config"] = {"parameters": values.sent(parameters)}
    if experiment:
        found["experiment_id"] = experiment_id(api, experiment)
    return found


def experiment_id(api: Api, name: str, *, make: bool = True) -> str:
    """Of the experiment of this name. Raises NotThere where there is none and none is to be made."""
    for one in api.get("experiments", filter=finding.where(("EQUALS", "display_name", name))).get("experiments", ()):
        return str(one["experiment_id"])
    if not make:
        raise NotThere(f"there is no experiment {name!r}")
    return str(api.post("experiments", {"display_name": name})["experiment_id"])


def by_name(pipeline: Any) -> bool:
    """Whether this names an uploaded pipeline, and is no function and no file."""
    return (
        isinstance(pipeline, str) and not Path(pipeline).is_file() and not pipeline.endswith((".py", *files.PACKAGES))
    )


def _pipeline(api: Api, pipeline: Any) -> dict[str, Any]:
    if by_name(pipeline):
        return {"pipeline_version_reference": {"pipeline_id": _uploaded(api, pipeline)}}
    found = files.pipeline_in(Path(pipeline)) if isinstance(pipeline, str | Path) else pipeline
    return {"pipeline_spec": importlib.import_module("fairway.pipelines.sdk.packaging").documents(found)}


def _uploaded(api: Api, name: str) -> str:
    try:
        return str(finding.one(api, finding.PIPELINE, name)["pipeline_id"])
    except NotThere as missing:
        raise NotThere(f"{name} is no file here; and {missing}") from missing
