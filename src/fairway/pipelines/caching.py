"""When is a step the same as an earlier one: the fingerprint, by upstream's recipe (`cacheutils`).

In it: names and ids of input artifacts, input values, declared outputs, image, command line, mounted claims. Not in
it: environment, resources, the component's name. Artifacts count by id, so a cached step must hand on the ids it
found; or, where that is asked for, by what a step can see of them: their bytes and their metadata. Pure; `recalling`
looks fingerprints up.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from fairway.pipelines.ir.model import Component, Container, Importer, Task
from fairway.pipelines.render.model import Instance, RunFacts, Values


def by_content(run: RunFacts, instance: Instance) -> bool:
    """Whether the step's input artifacts count by their content."""
    return (instance.options.cache_by or run.cache_by) == "content"


def max_age(run: RunFacts, instance: Instance) -> float:
    """How many seconds a finished step counts; 0 for ever."""
    return instance.options.cache_max_age or run.cache_max_age


def of_step(
    component: Component,
    task: Task,
    inputs: Values,
    claims: Iterable[str] = (),
    contents: Mapping[str, str] | None = None,
) -> str:
    """`contents` are the digests of the input artifacts by id, where they count by content."""
    assert isinstance(component.body, Container)
    if task.cache_key:
        return hashlib.sha256(task.cache_key.encode()).hexdigest()
    container = component.body
    return _digest(
        {
            **_artifacts(inputs, contents),
            "inputParameterValues": inputs.parameters,
            "outputArtifactsSpec": {
                key: {"type": slot.type.wire(), "metadata": dict(slot.metadata)}
                for key, slot in component.output_artifacts.items()
            },
            "outputParametersSpec": {key: declared.type for key, declared in component.output_parameters.items()},
            "containerSpec": {"image": container.image, "cmdArgs": [*container.command, *container.args]},
            "pvcNames": sorted(claims),
        }
    )


def of_claim(component: Component, inputs: Values, name: str) -> str:
    """For a step that makes a volume claim. One with a name made for the run is the same in no other run."""
    outputs = {key: declared.type for key, declared in component.output_parameters.items()}
    return _digest({"inputParameterValues": inputs.parameters, "outputParametersSpec": outputs, "pvcNames": [name]})


def of_import(importer: Importer, uri: str, metadata: Any) -> str:
    """For an importer that takes an artifact registered before: same address, type and metadata."""
    return _digest({"uri": uri, "type": importer.type.wire(), "metadata": metadata})


def _artifacts(inputs: Values, contents: Mapping[str, str] | None) -> dict[str, Any]:
    if contents is None:
        return {"inputArtifactNames": {key: [item.id for item in items] for key, items in inputs.artifacts.items()}}
    seen = {
        key: [[contents[item.id], item.type, dict(item.metadata)] for item in items]
        for key, items in inputs.artifacts.items()
    }
    return {"inputArtifactContents": seen}


def _digest(content: Any) -> str:
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
