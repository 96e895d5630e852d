"""Small pipelines for tests, written as the SDK's compiler writes them, without the SDK."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

KINDS = {str: "STRING", int: "NUMBER_INTEGER", float: "NUMBER_DOUBLE", bool: "BOOLEAN", list: "LIST", dict: "STRUCT"}
BOOTSTRAP = (
    'program_path=$(mktemp -d)\nprintf "%s" "$0" > "$program_path/ephemeral_component.py"\n'
    "_KFP_RUNTIME=true python3 -m kfp.dsl.executor_main --component_module_path "
    '"$program_path/ephemeral_component.py" "$@"\n'
)
IMPORTS = "import kfp\nfrom kfp import dsl\nfrom kfp.dsl import *\nfrom typing import *\n\n"


@dataclass(frozen=True)
class In:
    """An input of the surrounding DAG."""

    name: str


@dataclass(frozen=True)
class Out:
    """An output of a sibling."""

    task: str
    key: str = "Output"


@dataclass
class Spec:
    """Components by name; `compiled` gives the document."""

    name: str = "test-pipeline"
    components: dict[str, Any] = field(default_factory=dict)
    executors: dict[str, Any] = field(default_factory=dict)

    def step(
        self,
        name: str,
        inputs: dict[str, Any] | None = None,
        outputs: dict[str, Any] | None = None,
        **container: Any,
    ) -> Spec:
        """A leaf. Types are Python's; "Model" and the like declare artifacts; a pair (type, default) is optional."""
        body = {"image": "python:3.11", "command": ["true"], **container}
        self.executors[f"exec-{name}"] = {"container": body}
        self.components[name] = {"executorLabel": f"exec-{name}", **_definitions(inputs or {}, outputs or {})}
        return self

    def python(self, name: str, source: str, inputs: Any = None, outputs: Any = None) -> Spec:
        """A lightweight Python component; the function is called `run`."""
        command = ["sh", "-ec", BOOTSTRAP, IMPORTS + source]
        args = ["--executor_input", "{{$}}", "--function_to_execute", "run"]
        return self.step(name, inputs, outputs, command=command, args=args)

    def dag(self, name: str, tasks: dict[str, Any], inputs: Any = None, outputs: Any = None, **given: Any) -> Spec:
        """`given` names the outputs of the DAG: key=Out(...), or a list of them for a OneOf."""
        parameters, artifacts = {}, {}
        for key, source in given.items():
            sources = source if isinstance(source, list) else [source]
            if _is_artifact((outputs or {})[key]):
                artifacts[key] = {
                    "artifactSelectors": [{"outputArtifactKey": s.key, "producerSubtask": s.task} for s in sources]
                }
                continue
            found = [{"outputParameterKey": s.key, "producerSubtask": s.task} for s in sources]
            one = isinstance(source, Out)
            parameters[key] = (
                {"valueFromParameter": found[0]} if one else {"valueFromOneof": {"parameterSelectors": found}}
            )
        body = {"tasks": tasks, "outputs": {"parameters": parameters, "artifacts": artifacts}}
        self.components[name] = {"dag": body, **_definitions(inputs or {}, outputs or {})}
        return self

    def compiled(self, tasks: dict[str, Any], inputs: Any = None, outputs: Any = None, **given: Any) -> dict[str, Any]:
        self.dag("root", tasks, inputs, outputs, **given)
        root = self.components.pop("root")
        return {
            "pipelineInfo": {"name": self.name},
            "schemaVersion": "2.1.0",
            "sdkVersion": "kfp-2.17.0",
            "deploymentSpec": {"executors": self.executors},
            "components": self.components,
            "root": root,
        }


def task(
    component: str,
    parameters: dict[str, Any] | None = None,
    artifacts: dict[str, In | Out] | None = None,
    *,
    after: tuple[str, ...] = (),
    condition: str = "",
    tolerant: bool = False,
    each: Any = None,
    parallel: int = 0,
    retry: dict[str, Any] | None = None,
    cached: bool = False,
) -> dict[str, Any]:
    """`each` makes a loop over its items (a list, or an In), given to the component as `item`."""
    body: dict[str, Any] = {
        "componentRef": {"name": component},
        "cachingOptions": {"enableCache": cached},
        "dependentTasks": list(after),
        "inputs": {
            "parameters": {key: _source(value) for key, value in (parameters or {}).items()},
            "artifacts": {key: _artifact_source(value) for key, value in (artifacts or {}).items()},
        },
        "triggerPolicy": {
            **({"condition": condition} if condition else {}),
            **({"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"} if tolerant else {}),
        },
    }
    if each is not None:
        items = {"inputParameter": each.name} if isinstance(each, In) else {"raw": json.dumps(each)}
        body["parameterIterator"] = {"itemInput": "item", "items": items}
        body["iteratorPolicy"] = {"parallelismLimit": parallel}
    if retry:
        body["retryPolicy"] = retry
    return body


def final_status(of: str) -> dict[str, Any]:
    return {"taskFinalStatus": {"producerTask": of}}


def _source(value: Any) -> Any:
    if isinstance(value, In):
        return {"componentInputParameter": value.name}
    if isinstance(value, Out):
        return {"taskOutputParameter": {"producerTask": value.task, "outputParameterKey": value.key}}
    if isinstance(value, dict) and "taskFinalStatus" in value:
        return value
    return {"runtimeValue": {"constant": value}}


def _artifact_source(value: In | Out) -> Any:
    if isinstance(value, In):
        return {"componentInputArtifact": value.name}
    return {"taskOutputArtifact": {"producerTask": value.task, "outputArtifactKey": value.key}}


def _definitions(inputs: dict[str, Any], outputs: dict[str, Any]) -> dict[str, Any]:
    return {"inputDefinitions": _side(inputs), "outputDefinitions": _side(outputs)}


def _side(declared: dict[str, Any]) -> dict[str, Any]:
    parameters, artifacts = {}, {}
    for key, kind in declared.items():
        if _is_artifact(kind):
            type_ = {"schemaTitle": f"system.{kind.strip('[]')}", "schemaVersion": "0.0.1"}
            artifacts[key] = {"artifactType": type_, "isArtifactList": kind.startswith("[")}
        elif isinstance(kind, tuple):
            kind, default = kind
            parameters[key] = {"parameterType": KINDS[kind], "isOptional": True}
            if default is not None:
                parameters[key]["defaultValue"] = default
        else:
            parameters[key] = {"parameterType": KINDS.get(kind, kind)}
    return {"parameters": parameters, "artifacts": artifacts}


def _is_artifact(kind: Any) -> bool:
    return isinstance(kind, str) and not kind.isupper()
