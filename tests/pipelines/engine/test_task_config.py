"""dsl.TaskConfig: a step is told of the settings of its pod, to hand them on to pods of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from places import Here
from player import Player
from specs import Out, Spec, task
from test_deciding import World

from fairway.kernel.objects.kinds import PERSISTENT_VOLUME_CLAIM, Object
from fairway.pipelines import ir
from fairway.pipelines.render import pods, task_files

ALL = (
    "RESOURCES",
    "ENV",
    "KUBERNETES_AFFINITY",
    "KUBERNETES_TOLERATIONS",
    "KUBERNETES_NODE_SELECTOR",
    "KUBERNETES_VOLUMES",
)
TERMS = [{"key": "disk", "operator": "In", "values": ["ssd"]}]
SETTINGS = {
    "nodeAffinity": [{"matchExpressions": TERMS}],
    "nodeSelector": {"labels": {"disk": "ssd"}},
    "tolerations": [{"key": "k", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": "3600"}],
    "pvcMount": [{"constant": "data", "mountPath": "/data"}],
    "secretAsEnv": [{"secretName": "s", "keyToEnv": [{"secretKey": "k", "envVar": "V"}]}],
    "emptyDirMounts": [{"volumeName": "own", "mountPath": "/own"}],
}


def _document(*fields: str, applied: tuple[str, ...] = (), source: str = "", **container: Any) -> dict[str, Any]:
    spec = Spec()
    container = {"env": [{"name": "A", "value": "b"}], "resources": {"resourceCpuLimit": "100m"}, **container}
    inputs = {"path": (str, None), "config": "TASK_CONFIG"}
    if source:
        command = Spec().python("x", source).executors["exec-x"]["container"]["command"]
        args = ["--executor_input", "{{$}}", "--function_to_execute", "run"]
        container |= {"command": command, "args": args}
    spec.step("s", inputs, {"Output": dict} if source else None, **container)
    passed = [{"field": field, **({"applyToTask": True} if field in applied else {})} for field in fields]
    spec.components["s"]["taskConfigPassthroughs"] = passed
    spec.components["s"]["inputDefinitions"]["parameters"]["config"]["isOptional"] = True
    outputs: dict[str, Any] = {"Output": Out("s")} if source else {}
    given = {"path": "{{$.workspace_path}}"}
    return spec.compiled({"s": task("s", given)}, None, {"Output": dict} if source else None, **outputs)


def _platform(workspace: bool = False, **settings: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"deploymentSpec": {"executors": {"exec-s": settings}}}
    if workspace:
        patch = {"storageClassName": "fast", "accessModes": ["ReadWriteMany"]}
        found["pipelineConfig"] = {"workspace": {"size": "5Mi", "kubernetes": {"pvcSpecPatch": patch}}}
    return {"platforms": {"kubernetes": found}}


def _rendered(document: dict[str, Any], platform: dict[str, Any]) -> tuple[Object, dict[str, Any]]:
    """The pod's spec, and what the step is told."""
    world = World(document, platform=platform).settle()
    graph, step = world.graph, world.at("s")
    content = task_files.content(graph.pipeline, graph.run, step)
    spec = pods.render(graph.pipeline, graph.run, step)["spec"]
    return spec, content["executorInput"]["inputs"]["parameterValues"]["config"]


def _own(env: list[Object]) -> list[str]:
    return [each["name"] for each in env if not each["name"].startswith("KFP_")]


def test_a_step_that_passes_nothing_on_has_all_settings_and_is_told_of_none() -> None:
    spec, config = _rendered(_document(), _platform(**SETTINGS))
    unset = dict.fromkeys(("affinity", "tolerations", "nodeSelector", "env", "volumes", "volumeMounts"))
    assert config == {**unset, "resources": {}}
    assert {"affinity", "tolerations", "nodeSelector", "volumes"} <= spec.keys()
    assert _own(spec["containers"][0]["env"]) == ["A", "V"]


def test_what_is_passed_on_is_told_as_kubernetes_has_it_and_taken_from_the_pod() -> None:
    spec, config = _rendered(_document(*ALL), _platform(**SETTINGS))
    required = {"nodeSelectorTerms": [{"matchExpressions": TERMS}]}
    assert config == {
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}},
        "tolerations": [{"key": "k", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 3600}],
        "nodeSelector": {"disk": "ssd"},
        "env": [
            {"name": "A", "value": "b"},
            {"name": "V", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
        ],
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
        "resources": {"limits": {"cpu": "100m"}},
    }
    assert not {"affinity", "tolerations", "nodeSelector"} & spec.keys()
    assert [volume["name"] for volume in spec["volumes"]] == ["own"]  # a scratch folder is of use in this pod only
    assert _own(spec["containers"][0]["env"]) == []
    assert "resources" not in spec["containers"][0]


def test_what_applies_to_the_task_as_well_stays_in_its_pod() -> None:
    spec, config = _rendered(_document("ENV", "KUBERNETES_VOLUMES", applied=ALL), _platform(**SETTINGS))
    assert _own(spec["containers"][0]["env"]) == _own(config["env"]) == ["A", "V"]
    assert [volume["name"] for volume in spec["volumes"]] == ["data", "own"]
    assert config["volumes"] == [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
    assert "tolerations" in spec


def test_the_workspace_is_passed_on_as_a_claim() -> None:
    spec, config = _rendered(_document("KUBERNETES_VOLUMES"), _platform(workspace=True, **SETTINGS))
    assert [volume["name"] for volume in config["volumes"]] == ["kfp-workspace", "data"]
    assert config["volumeMounts"][0] == {"name": "kfp-workspace", "mountPath": "/kfp-workspace"}
    assert config["volumes"][0]["persistentVolumeClaim"]["claimName"].endswith("-kfp-workspace")
    assert [volume["name"] for volume in spec["volumes"]] == ["own"]


def test_a_setting_that_cannot_be_passed_on_is_refused_by_name() -> None:
    with pytest.raises(ir.InvalidPipeline, match=r"components\.s: a task config cannot pass on 'PRIORITY'"):
        ir.load(_document("PRIORITY"))


def test_the_function_gets_the_sdks_own_object(tmp_path: Path) -> None:
    source = "def run(config: dsl.TaskConfig, path: str = '') -> dict:\n    import dataclasses\n"
    source += "    return dataclasses.asdict(config)\n"
    graph = Player(tmp_path).play(
        _document("ENV", "KUBERNETES_NODE_SELECTOR", source=source), None, _platform(**SETTINGS)
    )
    told = graph.root.outputs.parameters["Output"]
    assert told["node_selector"] == {"disk": "ssd"}
    assert [each["name"] for each in told["env"]] == ["A", "V"]
    assert told["tolerations"] is None


@pytest.mark.slow
async def test_another_pod_mounts_the_workspace_that_a_step_hands_on(here: Here, tmp_path: Path) -> None:
    """What a step that submits a job does: the volumes it was told of, in a pod of its own."""
    source = (
        "def run(path: str, config: dsl.TaskConfig) -> dict:\n"
        "    import json\n"
        "    open(f'{path}/in', 'w').write('from the step')\n"
        f"    json.dump([config.volumes, config.volume_mounts], open('{tmp_path}/told', 'w'))\n"
        "    return {}\n"
    )
    client = here.cluster.client
    async with here.engine():
        run_id = await here.submit(_document("KUBERNETES_VOLUMES", source=source), _platform(workspace=True))
        assert (await here.ended(run_id))["status"]["phase"] == "SUCCEEDED"
        volumes, mounts = json.loads((tmp_path / "told").read_text())
        await here.pod("job", f"cat /kfp-workspace/in > {tmp_path}/seen", volumes, mounts)
        assert (tmp_path / "seen").read_text() == "from the step"
        claim = await client.get(PERSISTENT_VOLUME_CLAIM, f"{run_id}-kfp-workspace", "default")
        assert claim["spec"]["resources"]["requests"] == {"storage": "5Mi"}
        assert (claim["spec"]["storageClassName"], claim["spec"]["accessModes"]) == ("fast", ["ReadWriteMany"])
        assert claim["metadata"]["ownerReferences"][0]["name"] == run_id  # it goes with the run
