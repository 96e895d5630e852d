"""The controller against the real API and the real Deployment controllers; only node and gateway are played.

The played node loads the model as the server would, and reports its pods as a node agent does.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any

import pytest

from fairway.cluster.api.identity.tokens import Issuer
from fairway.cluster.api.server import ApiServer
from fairway.cluster.network.kinds import KINDS
from fairway.cluster.store.memory import MemoryStore
from fairway.cluster.workloads.build import KINDS as WORKLOAD_KINDS
from fairway.cluster.workloads.build import build as build_workloads
from fairway.kernel.client.client import Client
from fairway.kernel.client.transport import Transport, WatchEvent
from fairway.kernel.clock import Clock, SystemClock
from fairway.kernel.control import running
from fairway.kernel.control.mirror import Mirrors
from fairway.kernel.feature import Identity, Parts, Platform
from fairway.kernel.objects import conditions, errors, meta
from fairway.kernel.objects.kinds import CRD, DEPLOYMENT, EVENT, HTTP_ROUTE, NAMESPACE, NODE, POD, SERVICE, Object
from fairway.serving.feature import FEATURE
from fairway.serving.inpod import formats
from fairway.serving.inpod.model import CannotLoad
from fairway.serving.kinds import INFERENCE_SERVICE, SERVICE_LABEL

NOW = "2026-01-01T00:00:00Z"


class Late:
    """A transport whose watches tell of Deployments late, as a busy API server's do."""

    def __init__(self, transport: Transport) -> None:
        self.seconds = 0.0
        self._transport = transport
        self.request, self.stream, self.close = transport.request, transport.stream, transport.close

    async def watch(self, path: str, query: Mapping[str, str]) -> AsyncGenerator[WatchEvent, None]:
        async with aclosing(self._transport.watch(path, query)) as events:
            async for event in events:
                if event.object.get("kind") == "Deployment":
                    await asyncio.sleep(self.seconds)
                yield event


class Here:
    def __init__(self, client: Client, late: Late) -> None:
        self.client, self.late = client, late

    async def deploy(self, uri: str, name: str = "iris", **predictor: Any) -> None:
        spec = {"predictor": {**predictor, "model": {"modelFormat": {"name": "sklearn"}, "storageUri": uri}}}
        await self.client.create(INFERENCE_SERVICE, INFERENCE_SERVICE.new(name, "default", spec=spec))

    async def change(self, patch: Object, name: str = "iris") -> None:
        await self.client.patch(INFERENCE_SERVICE, name, "default", patch)

    async def until(self, holds: Callable[[Object], bool], name: str = "iris") -> Object:
        """The status, once it holds and is of the newest generation."""

        def settled(obj: Object | None) -> bool:
            status = (obj or {}).get("status") or {}
            newest = obj is not None and status.get("observedGeneration") == obj["metadata"]["generation"]
            return newest and holds(status)

        found = await self.client.wait(INFERENCE_SERVICE, name, "default", settled, timeout=60)
        assert found is not None
        return dict(found["status"])

    async def until_event(self, reason: str) -> None:
        async with asyncio.timeout(60), aclosing(self.client.watch(EVENT, "default")) as events:
            async for event in events:
                if event.object.get("reason") == reason:
                    return

    async def pods(self) -> list[Object]:
        return (await self.client.list(POD, "default", labels=f"{SERVICE_LABEL}=iris")).items


@pytest.fixture
async def here(tmp_path: Path) -> AsyncGenerator[Here, None]:
    clock = SystemClock()
    api = ApiServer(MemoryStore(), clock=clock, issuer=Issuer.load(tmp_path))
    client = Client(api.transport(Identity("admin", ("system:masters",))))
    late = Late(client.transport)
    platform = Platform(client, clock, "http://127.0.0.1:8080", "sqlite://", tmp_path.as_uri(), tmp_path)
    if not await client.find(NAMESPACE, "default"):
        await client.create(NAMESPACE, NAMESPACE.new("default"))
    for kind in (*KINDS, *WORKLOAD_KINDS, *FEATURE.kinds):
        await client.create(CRD, kind.definition())
    await _add_node(client)
    started = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        everything = tasks.create_task(_run(client, late, FEATURE.build(platform), clock, started))
        await started.wait()
        yield Here(client, late)
        everything.cancel()


async def _run(client: Client, late: Late, serving: Parts, clock: Clock, started: asyncio.Event) -> None:
    async with asyncio.TaskGroup() as tasks:
        for part, its_client in ((build_workloads(client, clock), client), (serving, Client(late))):
            await running.start_controllers(part.controllers, its_client, clock, tasks)
            for service in part.services:
                await running.start_service(service.name, service.run, tasks)
        tasks.create_task(_play(client, clock, tasks))
        started.set()


async def _add_node(client: Client) -> None:
    offers = {"cpu": "8", "memory": "16Gi", "pods": "100"}
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady"}
    await client.create(NODE, NODE.new("here"))
    await client.patch_status(NODE, "here", None, {"allocatable": offers, "capacity": offers, "conditions": [ready]})


async def _play(client: Client, clock: Clock, tasks: asyncio.TaskGroup) -> None:
    """The node and the gateway."""
    changes: asyncio.Queue[Object] = asyncio.Queue()
    mirrors = Mirrors(client, clock, tasks)
    for kind in (POD, HTTP_ROUTE):
        mirrors.of(kind).subscribe(lambda old, new: changes.put_nowait(new) if new else None)
    while True:
        obj = await changes.get()
        with suppress(errors.ApiError):  # it has moved on; its next event comes
            await (_run_pod(client, obj) if obj["kind"] == "Pod" else _take_route(client, obj))


async def _run_pod(client: Client, pod: Object) -> None:
    name, namespace = meta.key(pod)[1], meta.namespace(pod)
    if meta.being_deleted(pod):
        await client.delete(POD, name, namespace, grace_seconds=0, uid=meta.uid(pod))
    elif pod["spec"].get("nodeName") and pod["status"].get("phase", "Pending") == "Pending":
        await client.patch_status(POD, name, namespace, _outcome(pod))


def _outcome(pod: Object) -> Object:
    (container,) = pod["spec"]["containers"]
    (folder,) = (arg.removeprefix("--model_dir=") for arg in container["args"] if arg.startswith("--model_dir="))
    state: Object = {"running": {"startedAt": NOW}}
    try:
        formats.load("sklearn", "iris", Path(folder), {})
        ready = True
    except CannotLoad as reason:
        ready, state = False, {"terminated": {"exitCode": 1, "message": str(reason), "finishedAt": NOW}}
    one = {"name": container["name"], "ready": ready, "restartCount": 0, "state": state, "image": "", "imageID": ""}
    condition = {"type": "Ready", "status": str(ready), "lastTransitionTime": NOW}
    return {"phase": "Running", "podIP": "127.64.0.1", "conditions": [condition], "containerStatuses": [one]}


async def _take_route(client: Client, route: Object) -> None:
    if not (route.get("status") or {}).get("parents"):
        taken = {"type": "Accepted", "status": "True", "observedGeneration": route["metadata"]["generation"]}
        parent = {"parentRef": {"name": "fairway"}, "controllerName": "test", "conditions": [taken]}
        await client.patch_status(HTTP_ROUTE, meta.name(route), meta.namespace(route), {"parents": [parent]})


def ready(status: Object) -> bool:
    return conditions.is_true({"status": status}, "Ready")


def rolled_out(status: Object) -> bool:
    return (status.get("modelStatus") or {}).get("transitionStatus") == "UpToDate"


async def test_a_model_becomes_a_ready_service(here: Here, models: Path) -> None:
    await here.deploy((models / "iris").as_uri())
    status = await here.until(lambda status: ready(status) and rolled_out(status))
    assert status["url"] == "http://iris-default.example.com"
    assert status["address"]["url"] == "http://127.0.0.1:8080/serving/default/iris"
    assert status["components"]["predictor"]["latestReadyRevision"] == "iris-predictor-00001"
    assert status["modelStatus"]["states"] == {"activeModelState": "Loaded", "targetModelState": "Loaded"}
    service = await here.client.get(SERVICE, "iris-predictor", "default")
    assert [(port["port"], port["targetPort"]) for port in service["spec"]["ports"]] == [(80, 8080), (8081, 8081)]
    await here.until_event("InferenceServiceReady")


async def test_a_model_that_does_not_load_says_why(here: Here, tmp_path: Path) -> None:
    await here.deploy(str(tmp_path / "nowhere"))
    status = await here.until(lambda status: "lastFailureInfo" in (status.get("modelStatus") or {}))
    failure = status["modelStatus"]["lastFailureInfo"]
    assert failure["reason"] == "ModelLoadFailed"
    assert failure["message"].startswith(f"{tmp_path / 'nowhere'} does not exist")
    condition = conditions.find({"status": status}, "Ready")
    assert condition is not None
    assert (condition["status"], condition["message"]) == ("False", failure["message"])


async def test_an_update_that_fails_leaves_the_old_version_and_one_that_works_replaces_it(
    here: Here, models: Path, tmp_path: Path
) -> None:
    await here.deploy(str(models / "iris"))
    await here.until(lambda status: ready(status) and rolled_out(status))
    (first,) = await here.pods()

    await here.change({"spec": {"predictor": {"model": {"storageUri": str(tmp_path / "nowhere")}}}})
    status = await here.until(lambda status: status["modelStatus"]["transitionStatus"] == "BlockedByFailedLoad")
    assert ready(status)
    assert status["modelStatus"]["states"] == {"activeModelState": "Loaded", "targetModelState": "FailedToLoad"}
    assert meta.name(first) in map(meta.name, await here.pods())

    await here.change({"spec": {"predictor": {"model": {"storageUri": str(models / "frame")}}}})
    status = await here.until(rolled_out)
    assert ready(status)
    assert "lastFailureInfo" not in status["modelStatus"]
    assert status["components"]["predictor"]["previousRolledoutRevision"] == "iris-predictor-00001"
    assert meta.name(first) not in map(meta.name, await here.pods())


async def test_what_the_user_takes_away_goes(here: Here, models: Path) -> None:
    await here.deploy(str(models / "iris"), nodeSelector={"kubernetes.io/os": "any"})
    await here.client.wait(DEPLOYMENT, "iris-predictor", "default", lambda obj: obj is not None, timeout=60)
    await here.change({"spec": {"predictor": {"nodeSelector": None}}})
    await here.until(lambda status: ready(status) and rolled_out(status))
    deployment = await here.client.get(DEPLOYMENT, "iris-predictor", "default")
    assert "nodeSelector" not in deployment["spec"]["template"]["spec"]


async def test_a_refused_change_keeps_what_runs(here: Here, models: Path) -> None:
    await here.deploy(str(models / "iris"))
    await here.until(lambda status: ready(status) and rolled_out(status))
    await here.change({"spec": {"predictor": {"minReplicas": -1}}})
    status = await here.until(lambda status: not ready(status))
    condition = conditions.find({"status": status}, "PredictorReady")
    assert condition is not None
    assert "must not be negative" in condition["message"]
    assert "Until then the last version goes on serving." in condition["message"]
    assert len(await here.pods()) == 1
    await here.change({"spec": {"predictor": {"minReplicas": None}}})
    await here.until(ready)


async def test_stop_and_start(here: Here, models: Path) -> None:
    await here.deploy(str(models / "iris"))
    await here.until(ready)
    await here.change({"metadata": {"annotations": {"serving.kserve.io/stop": "true"}}})
    gone = here.client.wait(DEPLOYMENT, "iris-predictor", "default", lambda obj: obj is None, timeout=60)
    await gone
    await here.until(lambda status: conditions.is_true({"status": status}, "Stopped"))
    assert not (await here.client.list(HTTP_ROUTE, "default")).items
    await here.change({"metadata": {"annotations": {"serving.kserve.io/stop": None}}})
    await here.until(ready)


async def test_deleting_it_is_enough(here: Here, models: Path) -> None:
    await here.deploy(str(models / "iris"))
    await here.until(ready)
    await here.client.delete(INFERENCE_SERVICE, "iris", "default")
    for kind, name in ((DEPLOYMENT, "iris-predictor"), (SERVICE, "iris-predictor"), (HTTP_ROUTE, "iris.path")):
        await here.client.wait(kind, name, "default", lambda obj: obj is None, timeout=60)


async def test_a_late_view_does_not_pass_for_the_newest(here: Here, models: Path) -> None:
    """There and back, while the controller still sees the Deployment of the first: nothing is up to date."""
    first, second = str(models / "iris"), str(models / "frame")

    async def deployed(uri: str) -> None:
        def has(obj: Object | None) -> bool:
            return obj is not None and f"--model_dir={uri}" in obj["spec"]["template"]["spec"]["containers"][0]["args"]

        await here.client.wait(DEPLOYMENT, "iris-predictor", "default", has, timeout=60)

    await here.deploy(first)
    await here.until(lambda status: ready(status) and rolled_out(status))
    here.late.seconds = 0.1
    await here.change({"spec": {"predictor": {"model": {"storageUri": second}}}})
    await deployed(second)
    await here.change({"spec": {"predictor": {"model": {"storageUri": first}}}})
    await here.until(rolled_out)
    deployment = await here.client.get(DEPLOYMENT, "iris-predictor", "default")
    assert f"--model_dir={first}" in deployment["spec"]["template"]["spec"]["containers"][0]["args"]
