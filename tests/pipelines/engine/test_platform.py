"""The Kubernetes platform document of a step, as fields of its pod; what is wrong with it is said with its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from places import Here
from specs import Spec, task
from test_deciding import World

from fairway.kernel.objects.kinds import CONFIG_MAP, SECRET, Object
from fairway.pipelines import ir
from fairway.pipelines.render import pods
from fairway.pipelines.render.inputs import InputError


def _platform(**settings: Any) -> dict[str, Any]:
    return {"platforms": {"kubernetes": {"deploymentSpec": {"executors": {"exec-s": settings}}}}}


def _pod(given: dict[str, Any] | None = None, **settings: Any) -> Object:
    """Of a step `s` whose scope has the inputs `given`, and that follows a step `before` with the output "made"."""
    given = given or {}
    kinds = {key: (type(value) if value is not None else str, None) for key, value in given.items()}
    spec = Spec().step("before", outputs={"Output": str}).step("s")
    tasks = {"before": task("before"), "s": task("s", after=("before",))}
    world = World(spec.compiled(tasks, kinds), parameters=given, platform=_platform(**settings)).settle()
    return pods.render(world.graph.pipeline, world.graph.run, world.at("s"))


def _input(name: str) -> dict[str, Any]:
    return {"componentInputParameter": name}


MADE = {"taskOutputParameter": {"producerTask": "before", "outputParameterKey": "Output"}}


def test_names_come_from_constants_inputs_and_other_tasks_and_null_skips_the_setting() -> None:
    keys = [{"secretKey": "k", "envVar": "V"}]
    sources = [{"constant": "one"}, {"runtimeValue": {"constant": "two"}}, _input("name"), MADE, _input("nothing")]
    pod = _pod(
        {"name": "three", "nothing": None},
        secretAsEnv=[{"secretNameParameter": source, "keyToEnv": keys} for source in sources],
    )
    names = [each["valueFrom"]["secretKeyRef"]["name"] for each in pod["spec"]["containers"][0]["env"][:-2]]
    assert names == ["one", "two", "three", "before"]


def test_secrets_and_config_maps_as_variables_and_files() -> None:
    pod = _pod(
        secretAsEnv=[{"secretName": "s", "keyToEnv": [{"secretKey": "k", "envVar": "V"}], "optional": True}],
        configMapAsEnv=[{"configMapName": "c", "keyToEnv": [{"configMapKey": "k", "envVar": "W"}]}],
        secretAsVolume=[{"secretName": "s", "mountPath": "/secret", "optional": False}],
        configMapAsVolume=[{"configMapName": "s", "mountPath": "/config", "optional": True}],
    )
    main = pod["spec"]["containers"][0]
    assert main["env"][:2] == [
        {"name": "V", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k", "optional": True}}},
        {"name": "W", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}},
    ]
    assert pod["spec"]["volumes"] == [
        {"name": "s", "secret": {"secretName": "s", "optional": False}},
        {"name": "s-2", "configMap": {"name": "s", "optional": True}},
    ]
    assert main["volumeMounts"] == [{"name": "s", "mountPath": "/secret"}, {"name": "s-2", "mountPath": "/config"}]


def test_claims_scratch_volumes_and_shared_memory() -> None:
    pod = _pod(
        pvcMount=[
            {"constant": "data", "mountPath": "/data"},
            {"pvcNameParameter": {"constant": "data"}, "mountPath": "/part", "subPath": "a/b"},
            {**MADE, "mountPath": "/old-form"},
        ],
        genericEphemeralVolume=[
            {"volumeName": "own", "mountPath": "/own", "size": "1Gi", "defaultStorageClass": True},
            {"volumeName": "fast", "mountPath": "/fast", "size": "1Gi", "storageClassName": "ssd"},
        ],
        emptyDirMounts=[{"volumeName": "tmp", "mountPath": "/tmp/x", "medium": "Memory", "sizeLimit": "1Mi"}],
        enabledSharedMemory={"volumeName": "shm", "size": "64Mi"},
    )
    volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
    assert list(volumes) == ["data", "before", "own", "fast", "tmp", "shm"]
    assert volumes["shm"]["emptyDir"] == {"medium": "Memory", "sizeLimit": "64Mi"}
    assert volumes["tmp"]["emptyDir"] == {"medium": "Memory", "sizeLimit": "1Mi"}
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    assert volumes["own"]["ephemeral"]["volumeClaimTemplate"]["spec"] == claim
    assert volumes["fast"]["ephemeral"]["volumeClaimTemplate"]["spec"] == {**claim, "storageClassName": "ssd"}
    mounts = pod["spec"]["containers"][0]["volumeMounts"]
    assert mounts[1] == {"name": "data", "mountPath": "/part", "subPath": "a/b"}
    assert mounts[-1] == {"name": "shm", "mountPath": "/dev/shm"}


def test_a_claim_without_a_name_cannot_be_mounted() -> None:
    with pytest.raises(InputError, match="its name is empty"):
        _pod({"name": None}, pvcMount=[{"pvcNameParameter": _input("name"), "mountPath": "/data"}])


def test_node_selectors_and_tolerations_one_or_many_or_none() -> None:
    one = {"key": "gpu", "operator": "Exists"}
    many = [{"key": "a", "operator": "Exists"}, {"key": "b", "operator": "Exists"}]
    pod = _pod(
        {"one": one, "many": many, "none": None, "labels": {"disk": "ssd"}},
        nodeSelector={"labels": {"disk": "slow"}, "nodeSelectorJson": _input("labels")},
        tolerations=[
            {"key": "k", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": "3600"},
            *({"tolerationJson": _input(name)} for name in ("one", "many", "none")),
        ],
    )
    assert pod["spec"]["nodeSelector"] == {"disk": "ssd"}
    first = {"key": "k", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 3600}
    assert pod["spec"]["tolerations"] == [first, one, *many]
    assert "nodeSelector" not in _pod({"none": None}, nodeSelector={"nodeSelectorJson": _input("none")})["spec"]
    with pytest.raises(InputError, match="tolerationJson is gpu, and must be what Kubernetes has"):
        _pod({"word": "gpu"}, tolerations=[{"tolerationJson": _input("word")}])


def test_variables_that_ask_for_a_large_value_too_often_fail_the_step() -> None:
    env = [{"name": "X", "value": "{{$.inputs.parameters['x']}}" * 100}]
    spec = Spec().step("s", {"x": str}, env=env)
    world = World(spec.compiled({"s": task("s", {"x": "x" * (1 << 20)})}))
    world.graph.decide()
    with pytest.raises(InputError, match="a variable of the step: its placeholders stand for more than"):
        pods.render(world.graph.pipeline, world.graph.run, world.at("s"))


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("nodeAffinityJson", {"requiredDuringSchedulingIgnoredDuringExecution": [1]}),
        ("nodeAffinityJson", {"preferredDuringSchedulingIgnoredDuringExecution": 1}),
        ("tolerationJson", [1]),
        ("tolerationJson", {"key": "k", "tolerationSeconds": "soon"}),
    ],
)
def test_a_setting_that_is_known_only_when_the_step_starts_fails_the_step(setting: str, value: Any) -> None:
    kind = "nodeAffinity" if setting == "nodeAffinityJson" else "tolerations"
    with pytest.raises(InputError, match="is not what Kubernetes has under that name"):
        _pod({"given": value}, **{kind: [{setting: _input("given")}]})


def test_affinity_to_nodes_and_pods() -> None:
    terms = [{"key": "disk", "operator": "In", "values": ["ssd"]}]
    given = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchFields": terms}]}}
    pod = _pod(
        {"given": given, "none": None},
        nodeAffinity=[
            {"matchExpressions": terms},
            {"matchExpressions": terms, "weight": 5},
            {"nodeAffinityJson": _input("given")},
            {"nodeAffinityJson": _input("none")},
        ],
        podAffinity=[
            {"matchPodLabels": {"app": "db"}, "topologyKey": "host"},
            {"matchPodExpressions": terms, "topologyKey": "zone", "weight": 1.0, "anti": True, "namespaces": ["x"]},
        ],
    )
    required, preferred = (f"{word}DuringSchedulingIgnoredDuringExecution" for word in ("required", "preferred"))
    assert pod["spec"]["affinity"] == {
        "nodeAffinity": {
            required: {"nodeSelectorTerms": [{"matchExpressions": terms}, {"matchFields": terms}]},
            preferred: [{"weight": 5, "preference": {"matchExpressions": terms}}],
        },
        "podAffinity": {required: [{"topologyKey": "host", "labelSelector": {"matchLabels": {"app": "db"}}}]},
        "podAntiAffinity": {
            preferred: [
                {
                    "weight": 1,
                    "podAffinityTerm": {
                        "topologyKey": "zone",
                        "labelSelector": {"matchExpressions": terms},
                        "namespaces": ["x"],
                    },
                }
            ]
        },
    }


def test_metadata_the_pods_own_facts_pulls_deadline_and_user() -> None:
    pod = _pod(
        {"secret": "registry", "none": None},
        podMetadata={"labels": {"team": "a", "pipeline/runid": "mine"}, "annotations": {"note": "b"}},
        fieldPathAsEnv=[{"name": "NODE", "fieldPath": "spec.nodeName"}],
        imagePullSecret=[{"secretNameParameter": _input("secret")}, {"secretNameParameter": _input("none")}],
        imagePullPolicy="Always",
        activeDeadlineSeconds="60",
        securityContext={"runAsUser": "1000", "runAsGroup": 0, "runAsNonRoot": True},
    )
    main = pod["spec"]["containers"][0]
    assert pod["metadata"]["labels"]["team"] == "a"
    assert pod["metadata"]["labels"]["pipeline/runid"] != "mine"
    assert pod["metadata"]["annotations"]["note"] == "b"
    assert {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}} in main["env"]
    assert pod["spec"]["imagePullSecrets"] == [{"name": "registry"}]
    assert (main["imagePullPolicy"], pod["spec"]["activeDeadlineSeconds"]) == ("Always", 60)
    wanted = {"runAsUser": 1000, "runAsGroup": 0, "runAsNonRoot": True, "capabilities": {"drop": ["ALL"]}}
    assert main["securityContext"] == wanted


def test_init_containers_mount_what_the_pod_has() -> None:
    sidecar = {"name": "proxy", "image": "busybox", "restartPolicy": "Always"}
    setup = {
        "name": "setup",
        "image": "busybox",
        "command": ["sh", "-c"],
        "args": ["true"],
        "env": [{"name": "A", "value": "b"}],
        "volumeMounts": [{"volumeName": "shared", "mountPath": "/shared"}],
        "resources": {"requests": {"cpu": "100m"}},
    }
    scratch = [{"volumeName": "shared", "mountPath": "/shared"}]
    pod = _pod(initContainers=[setup, sidecar], emptyDirMounts=scratch)
    first, second = pod["spec"]["initContainers"]
    assert first["volumeMounts"] == [{"name": "shared", "mountPath": "/shared"}]
    assert (first["env"], first["args"]) == ([{"name": "A", "value": "b"}], ["true"])
    assert second == sidecar
    with pytest.raises(InputError, match="init container 'setup' mounts 'shared', which the pod lacks"):
        _pod(initContainers=[setup])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hostNetwork": True}, "exec-s: the Kubernetes setting hostNetwork is not supported"),
        ({"pvcMount": [{"mountPath": "/x"}]}, "exec-s.pvcMount[0]: this needs pvcNameParameter or constant"),
        ({"pvcMount": [{"constant": "x", "mountPath": ""}]}, "this needs a mountPath"),
        ({"pvcMount": [{"constant": "x", "mountPath": "/x", "mode": 1}]}, "the key mode is not supported"),
        ({"secretAsEnv": [{"secretName": "s", "keyToEnv": [{"secretKey": "k"}]}]}, "needs secretKey and envVar"),
        ({"secretAsVolume": {"secretName": "s"}}, "secretAsVolume: this must be a list"),
        ({"imagePullPolicy": "Sometimes"}, "imagePullPolicy 'Sometimes' is not known"),
        ({"activeDeadlineSeconds": "soon"}, "activeDeadlineSeconds 'soon' must be a whole number"),
        ({"securityContext": {"runAsUser": 0, "runAsNonRoot": True}}, "runAsUser is 0, which is root"),
        ({"securityContext": {"privileged": True}}, "the key privileged is not supported"),
        ({"initContainers": [{"name": "x"}]}, "initContainers[0]: this needs image"),
        ({"initContainers": [{"name": "main", "image": "x"}]}, "the name 'main' of an init container is taken"),
        ({"initContainers": [{"name": "x", "image": "x", "restartPolicy": "Never"}]}, "can only be Always"),
        ({"podAffinity": [{"matchPodLabels": {"a": "b"}}]}, "podAffinity[0]: this needs topologyKey"),
        ({"secretAsEnv": [{"secretName": "s", "keyToEnv": ["k"]}]}, "keyToEnv[0]: this must be a mapping"),
        ({"pvcMount": [{"pvcNameParameter": "x", "mountPath": "/x"}]}, "pvcNameParameter: this must be a mapping"),
        ({"tolerations": [{"tolerationJson": {"x": 1}}]}, "tolerationJson: the parameter has no value"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(settings: dict[str, Any], message: str) -> None:
    document = Spec().step("s").compiled({"s": task("s")})
    with pytest.raises(ir.InvalidPipeline) as refused:
        ir.load(document, _platform(**settings))
    assert message in str(refused.value)
    assert "platforms.kubernetes.deploymentSpec.executors.exec-s" in str(refused.value)


def test_resources_and_images_come_from_inputs_and_empty_amounts_are_left_out() -> None:
    resources = {
        "resourceCpuLimit": "{{$.inputs.parameters['cpu']}}",
        "resourceMemoryLimit": "{{$.inputs.parameters['memory']}}",
        "cpuRequest": 2.0,
        "memoryRequest": 0.5,
        "accelerator": {"resourceType": "{{$.inputs.parameters['kind']}}", "resourceCount": "1"},
    }
    inputs = {"cpu": (str, "1"), "memory": (str, None), "kind": str, "image": str}
    spec = Spec().step("s", inputs, image="{{$.inputs.parameters['image']}}", resources=resources)
    given = {"kind": "nvidia.com/gpu", "image": "python:3.12"}
    world = World(spec.compiled({"s": task("s", given)})).settle()
    main = pods.render(world.graph.pipeline, world.graph.run, world.at("s"))["spec"]["containers"][0]
    assert main["image"] == "python:3.12"
    assert main["resources"] == {
        "limits": {"cpu": "1", "nvidia.com/gpu": "1"},
        "requests": {"cpu": "2", "memory": "0.5G"},
    }


@pytest.mark.slow
async def test_on_a_cluster_the_step_sees_all_of_it(here: Here, tmp_path: Path) -> None:
    client = here.cluster.client
    await client.create(SECRET, SECRET.new("s", "default", stringData={"k": "secret"}))
    await client.create(CONFIG_MAP, CONFIG_MAP.new("c", "default", data={"k": "config"}))
    script = (
        "cat /scratch/made /s-test/k /c-test/k; printf ' %s %s %s ' $V $W $TEAM; "
        "echo x > /own-test/f; echo x > /dev/shm/f; ls /dev/shm; "
        "test -e /scratch/beside || sleep 1; cat /scratch/beside"
    )
    spec = Spec().step("s", command=["sh", "-c", f"({script}) > {tmp_path}/seen"])
    scratch = {"volumeName": "scratch", "mountPath": "/scratch"}
    settings = _platform(
        secretAsEnv=[{"secretName": "s", "keyToEnv": [{"secretKey": "k", "envVar": "V"}]}],
        configMapAsEnv=[{"configMapName": "c", "keyToEnv": [{"configMapKey": "k", "envVar": "W"}]}],
        secretAsVolume=[{"secretName": "s", "mountPath": "/s-test"}],
        configMapAsVolume=[{"configMapName": "c", "mountPath": "/c-test"}],
        genericEphemeralVolume=[{"volumeName": "own", "mountPath": "/own-test", "size": "1Gi"}],
        enabledSharedMemory={"size": "1Mi"},
        emptyDirMounts=[scratch],
        podMetadata={"labels": {"team": "blue"}},
        fieldPathAsEnv=[{"name": "TEAM", "fieldPath": "metadata.labels['team']"}],
        initContainers=[
            {
                "name": "setup",
                "image": "busybox",
                "command": ["sh", "-c", "printf made > /scratch/made"],
                "volumeMounts": [scratch],
            },
            {
                "name": "beside",
                "image": "busybox",
                "command": ["sh", "-c", "printf beside > /scratch/beside; sleep 600"],
                "volumeMounts": [scratch],
                "restartPolicy": "Always",
            },
        ],
    )
    async with here.engine():
        run = await here.ended(await here.submit(spec.compiled({"s": task("s")}), settings))
    assert run["status"]["phase"] == "SUCCEEDED", run["status"]
    assert (tmp_path / "seen").read_text() == "madesecretconfig secret config blue f\nbeside"


@pytest.mark.slow
async def test_what_no_node_can_give_is_told_while_the_step_waits(here: Here) -> None:
    document = Spec().step("s").compiled({"s": task("s")})
    near = {"podAffinity": [{"matchPodLabels": {"app": "db"}, "topologyKey": "kubernetes.io/hostname"}]}
    async with here.engine():
        run_id = await here.submit(document, _platform(**near))
        message = await here.message(run_id, "s")
    assert "affinity" in message
