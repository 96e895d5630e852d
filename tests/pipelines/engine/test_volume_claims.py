"""kfp-kubernetes' CreatePVC and DeletePVC: steps that the engine does itself, and volumes that steps share."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest
from places import Here
from specs import In, Out, Spec, task
from test_deciding import World

from fairway.kernel.objects.kinds import PERSISTENT_VOLUME_CLAIM, POD, Object
from fairway.pipelines.render import claims
from fairway.pipelines.render.inputs import InputError

INPUTS: dict[str, Any] = {
    "access_modes": list,
    "annotations": (dict, None),
    "data_source": (dict, None),
    "pvc_name": (str, None),
    "pvc_name_suffix": (str, None),
    "size": str,
    "storage_class_name": (str, ""),
    "volume_name": (str, None),
}
MINE = {"access_modes": ["ReadWriteOnce"], "size": "5Mi"}


def _spec() -> Spec:
    spec = Spec().step("create", INPUTS, {"name": str}, image="argostub/createpvc")
    return spec.step("delete", {"pvc_name": str}, image="argostub/deletepvc")


def _alone(cached: bool = False, **given: Any) -> dict[str, Any]:
    return _spec().compiled({"create": task("create", {**MINE, **given}, cached=cached)})


def _rendered(**given: Any) -> Object:
    world = World(_alone(**given))
    world.graph.decide()
    return claims.render(world.graph.run, world.at("create"))


def _mounted(*executors: str, **source: Any) -> dict[str, Any]:
    mount = {"mountPath": "/data", "pvcNameParameter": source or {"constant": "shared"}}
    found = {f"exec-{executor}": {"pvcMount": [mount]} for executor in executors}
    return {"platforms": {"kubernetes": {"deploymentSpec": {"executors": found}}}}


def test_a_claim_is_what_was_asked_for_and_its_name_is_made_from_the_task() -> None:
    suffixed = _rendered(pvc_name_suffix="-data", annotations={"a": "b"}, storage_class_name="fast", volume_name="v")
    again = _rendered(pvc_name_suffix="-data")
    assert suffixed["metadata"]["name"] == again["metadata"]["name"]
    assert suffixed["metadata"]["name"].endswith("-data")
    assert suffixed["metadata"]["annotations"] == {"a": "b"}
    assert "ownerReferences" not in suffixed["metadata"]
    assert suffixed["spec"] == {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "5Mi"}},
        "storageClassName": "fast",
        "volumeName": "v",
    }
    assert _rendered(pvc_name="mine")["metadata"]["name"] == "mine"
    snapshot = {"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": "s"}
    assert _rendered(data_source=snapshot)["spec"]["dataSource"] == snapshot
    assert "storageClassName" not in again["spec"]  # the cluster's default


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"pvc_name": "a", "pvc_name_suffix": "-b"}, "both pvc_name and pvc_name_suffix"),
        ({"pvc_name": "Not OK"}, "'Not OK' cannot be the name"),
        ({"access_modes": []}, "access_modes is empty"),
        ({"access_modes": ["ReadMostly"]}, 'access_modes has ["ReadMostly"]'),
        ({"data_source": {"name": "x"}}, "needs a kind"),
        ({"annotations": {"fairway.dev/host-path": "/etc"}}, "is the platform's own"),
    ],
)
def test_a_claim_that_cannot_be_says_why(given: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as refused:
        _rendered(**given)
    assert message in str(refused.value)


def test_only_a_claim_with_a_name_of_its_own_is_the_same_in_another_run() -> None:
    def fingerprint(**given: Any) -> str:
        return World(_alone(cached=True, **given)).settle().at("create").fingerprint

    assert fingerprint(pvc_name="mine") == fingerprint(pvc_name="mine")
    assert fingerprint(pvc_name="mine") != fingerprint(pvc_name="other")
    assert fingerprint(pvc_name="mine") != fingerprint(pvc_name="mine", size="6Mi")
    document = _spec().compiled({"delete": task("delete", {"pvc_name": "mine"}, cached=True)})
    assert World(document).settle().at("delete").fingerprint == ""  # what was deleted once is not deleted


def test_a_claim_that_is_decided_when_the_end_comes_is_not_made_and_has_no_pod_to_end() -> None:
    world = World(_alone())
    world.graph.cancel(0.0)
    decided = world.graph.decide()
    assert [each.state.ended for each in decided.claims] == [True]
    assert decided.stops == []
    assert str(world.graph.state) == "CANCELED"


@pytest.mark.slow
async def test_steps_share_a_volume_that_the_pipeline_makes_and_deletes(here: Here, tmp_path: Path) -> None:
    read = ["sh", "-c", f"cat /data/a/file > {tmp_path}/seen"]
    spec = _spec().step("write", command=["sh", "-c", "mkdir /data/a && echo hello > /data/a/file"])
    spec.step("read", command=read)
    made = Out("create", "name")
    document = spec.compiled(
        {
            "create": task("create", {**MINE, "pvc_name_suffix": "-data", "annotations": {"made": "here"}}),
            "write": task("write", after=("create",)),
            "read": task("read", after=("create", "write")),
            "delete": task("delete", {"pvc_name": made}, after=("read",)),
        }
    )
    source = {"taskOutputParameter": {"producerTask": "create", "outputParameterKey": "name"}}
    async with here.engine():
        run_id = await here.submit(document, _mounted("write", "read", **source))
        run = await here.ended(run_id)
    assert run["status"]["phase"] == "SUCCEEDED", run["status"]
    assert (tmp_path / "seen").read_text() == "hello\n"
    assert set((await here.states(run_id)).values()) == {"SUCCEEDED"}
    assert (await here.cluster.client.list(PERSISTENT_VOLUME_CLAIM, "default")).items == []


@pytest.mark.slow
async def test_each_iteration_of_a_loop_mounts_the_claim_that_it_is_given(here: Here, tmp_path: Path) -> None:
    spec = _spec().step("write", {"item": str}, command=["sh", "-c", "echo $0 >> /data/file"])
    spec.executors["exec-write"]["container"]["args"] = ["{{$.inputs.parameters['item']}}"]
    spec.step("read", command=["sh", "-c", f"sort /data/file > {tmp_path}/seen"])
    spec.dag("body", {"write": task("write", {"item": In("item")})}, {"item": str, "claim": str})
    document = spec.compiled(
        {
            "create": task("create", {**MINE, "pvc_name": "shared"}),
            "loop": task("body", {"claim": Out("create", "name")}, each=["a", "b", "c"]),
            "read": task("read", after=("loop",)),
        }
    )
    platform = _mounted("write", componentInputParameter="claim")
    platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"] |= _mounted("read")["platforms"]["kubernetes"][
        "deploymentSpec"
    ]["executors"]
    async with here.engine():
        run = await here.ended(await here.submit(document, platform))
    assert run["status"]["phase"] == "SUCCEEDED", run["status"]
    assert (tmp_path / "seen").read_text().split() == ["a", "b", "c"]
    (claim,) = (await here.cluster.client.list(PERSISTENT_VOLUME_CLAIM, "default")).items  # it stays, as upstream's do
    assert claim["status"]["phase"] == "Bound"


@pytest.mark.slow
async def test_a_claim_made_before_the_engine_died_is_found_again_and_one_of_others_is_refused(here: Here) -> None:
    client = here.cluster.client
    run_id = await here.submit(_alone(pvc_name="shared"))
    task_id = str(uuid.uuid5(uuid.UUID(run_id), "create"))
    claim = {**_rendered(pvc_name="shared")}
    claim["metadata"]["labels"]["pipelines.fairway.dev/task"] = task_id
    claim["metadata"]["namespace"] = "default"
    await client.create(PERSISTENT_VOLUME_CLAIM, claim)
    async with here.engine():
        assert (await here.ended(run_id))["status"]["phase"] == "SUCCEEDED"
        other = await here.ended(await here.submit(_alone(pvc_name="shared")))
        assert "there is a volume claim 'shared' already" in other["status"]["message"]
        gone = _spec().compiled({"delete": task("delete", {"pvc_name": "gone"})})
        refused = await here.ended(await here.submit(gone))
        assert "there is no volume claim 'gone' to delete" in refused["status"]["message"]


@pytest.mark.slow
async def test_a_cached_claim_counts_while_it_is_there(here: Here) -> None:
    document = _alone(cached=True, pvc_name="shared")
    async with here.engine():
        states = []
        for number in range(3):
            if number == 2:
                await here.cluster.client.delete(PERSISTENT_VOLUME_CLAIM, "shared", "default")
            run_id = await here.submit(document)
            await here.ended(run_id)
            states.append((await here.states(run_id))["create"])
    assert states == ["SUCCEEDED", "CACHED", "SUCCEEDED"]


@pytest.mark.slow
async def test_a_termination_that_comes_with_a_claim_ends_no_pod_of_anybody_else(here: Here) -> None:
    main = {"name": "main", "image": "busybox", "command": ["sleep", "600"]}
    await here.cluster.client.create(POD, POD.new("bystander", "default", spec={"containers": [main]}))
    run_id = await here.submit(_alone())
    await here.terminate(run_id)
    async with here.engine():
        assert (await here.ended(run_id))["status"]["phase"] == "CANCELED"
    pod = await here.cluster.client.get(POD, "bystander", "default")
    assert "deletionTimestamp" not in pod["metadata"]
