"""Steps whose image is in no catalogue: on a real node with the container engine of this machine, through the client's
own compiler. Skipped where no engine works."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from kfp import dsl

from fairway.kernel.feature import IDENTITY, Identity
from fairway.kernel.objects.kinds import POD
from fairway.pipelines.feature import FEATURE
from fairway.pipelines.sdk import Run, Snapshot
from fairway.pipelines.sdk import Server as Sdk
from fairway.testing import containers
from fairway.testing.cluster import Cluster, cluster

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:This client only works:FutureWarning")]


@pytest.fixture(scope="session")
def local() -> containers.Local:
    return containers.local()


@web.middleware
async def identify(request: web.Request, handler: Any) -> web.StreamResponse:
    request[IDENTITY] = Identity("tester", ("system:masters",))
    response: web.StreamResponse = await handler(request)
    return response


@pytest.fixture
async def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, local: containers.Local) -> AsyncIterator[Cluster]:
    monkeypatch.setenv("FAIRWAY_TEST", "containers")
    async with cluster(tmp_path, node=True, engine=local.setting, features=(FEATURE,)) as here:
        yield here


@pytest.fixture
async def sdk(here: Cluster) -> AsyncIterator[Sdk]:
    app = web.Application(middlewares=[identify])
    for route in here.parts[0].routes:
        app.router.add_route(route.method, route.path, route.handler)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield Sdk(f"http://127.0.0.1:{runner.addresses[0][1]}", "any")
    finally:
        await runner.cleanup()


async def ended(sdk: Sdk, pipeline: Callable[..., Any], **parameters: Any) -> Snapshot:
    run = await asyncio.to_thread(sdk.submit, pipeline, parameters)
    async with asyncio.timeout(90):
        return (await asyncio.to_thread(lambda: list(sdk.follow(run, every=0.1))))[-1]


def step(found: Snapshot, name: str) -> Any:
    return next(each for each in found.steps if each.name == name)


async def outputs(sdk: Sdk, found: Snapshot) -> dict[str, Any]:
    return await asyncio.to_thread(lambda: Run(sdk, found.run_id).outputs())


@dsl.component(base_image="python:3.11")
def measure(data: dsl.Input[dsl.Dataset], words: int) -> str:
    with open(data.path) as file:
        return f"{file.read().strip()} {words}"


def counting(image: str) -> Callable[..., Any]:
    """A step of busybox alone makes an artifact and a parameter; a Python step on this machine reads both."""

    @dsl.container_component
    def count(text: str, data: dsl.Output[dsl.Dataset], words: dsl.OutputPath(int)):  # type: ignore[valid-type, no-untyped-def]
        script = (
            'test -e /bin/busybox || exit 9; n=0; for w in $0; do n=$((n+1)); done; mkdir -p "$(echo ${1%/*})";'
            ' echo "$0" | tr a-z A-Z > "$1"; mkdir -p ${2%/*}; echo $n > "$2"; echo "counted $n"'
        )
        return dsl.ContainerSpec(image=image, command=["sh", "-c", script], args=[text, data.path, words])

    @dsl.pipeline(name="counting")
    def pipeline(text: str = "one two $(HOME)") -> str:
        counted = count(text=text)
        return measure(data=counted.outputs["data"], words=counted.outputs["words"]).output

    return pipeline  # type: ignore[no-any-return]


async def test_an_image_without_python_takes_part_in_a_pipeline(
    here: Cluster, sdk: Sdk, local: containers.Local
) -> None:
    found = await ended(sdk, counting(local.busybox))
    assert found.state == "SUCCEEDED", found.message
    assert await outputs(sdk, found) == {"Output": "ONE TWO $(HOME) 3"}
    assert "counted 3" in await asyncio.to_thread(sdk.log, found.run_id, step(found, "count").id)
    again = await ended(sdk, counting(local.busybox))
    assert step(again, "count").state == "CACHED"


async def test_an_image_may_have_a_user_of_its_own(sdk: Sdk, local: containers.Local) -> None:
    call, name, image = local.engine.call, f"fairway-test-{os.getpid()}", f"{local.busybox}-user"
    await call("create", "--name", name, local.busybox, "true")
    await call("commit", "--change", "USER 1234", name, image)
    await call("rm", name)

    @dsl.container_component
    def who(user: dsl.OutputPath(int)):  # type: ignore[valid-type, no-untyped-def]
        return dsl.ContainerSpec(image=image, command=["sh", "-c", 'id -u > "$0"'], args=[user])

    @dsl.pipeline(name="asking")
    def asking() -> int:
        return who().outputs["user"]  # type: ignore[no-any-return]

    found = await ended(sdk, asking)
    assert (found.state, await outputs(sdk, found)) == ("SUCCEEDED", {"Output": 1234}), found.message


async def test_an_image_with_python_reads_what_a_step_before_it_made(sdk: Sdk, local: containers.Local) -> None:
    @dsl.component(base_image="python:3.11")
    def make(data: dsl.Output[dsl.Dataset]) -> None:
        with open(data.path, "w") as file:
            file.write("1 2 3")

    @dsl.container_component
    def total(data: dsl.Input[dsl.Dataset], sum: dsl.OutputPath(int)):  # type: ignore[valid-type, no-untyped-def]
        script = (
            "import os, sys; numbers = open(sys.argv[1]).read().split(); os.makedirs(os.path.dirname(sys.argv[2]), "
            "exist_ok=True); open(sys.argv[2], 'w').write(str(sum(map(int, numbers))))"
        )
        return dsl.ContainerSpec(image=local.python, command=["python3", "-c", script], args=[data.path, sum])

    @dsl.pipeline(name="adding")
    def adding() -> int:
        return total(data=make().outputs["data"]).outputs["sum"]  # type: ignore[no-any-return]

    found = await ended(sdk, adding)
    assert found.state == "SUCCEEDED", found.message
    assert await outputs(sdk, found) == {"Output": 6}


@pytest.mark.parametrize(
    ("script", "words"),
    [("echo bad; exit 5", "exit status 5"), ("true", "did not write its output parameter 'made'")],
)
async def test_a_step_that_fails_in_its_image_says_how(
    sdk: Sdk, local: containers.Local, script: str, words: str
) -> None:
    @dsl.container_component
    def fails(made: dsl.OutputPath(str)):  # type: ignore[valid-type, no-untyped-def]
        return dsl.ContainerSpec(image=local.busybox, command=["sh", "-c", script], args=[made])

    @dsl.pipeline(name="failing")
    def failing() -> None:
        fails()

    found = await ended(sdk, failing)
    assert (found.state, step(found, "fails").state) == ("FAILED", "FAILED")
    assert words in step(found, "fails").message


async def test_a_run_that_is_terminated_ends_its_container(here: Cluster, sdk: Sdk, local: containers.Local) -> None:
    @dsl.container_component
    def stays():  # type: ignore[no-untyped-def]
        script = "trap 'exit 1' TERM; echo begun; sleep 1000 & wait"
        return dsl.ContainerSpec(image=local.busybox, command=["sh", "-c", script])

    @dsl.pipeline(name="staying")
    def staying() -> None:
        stays()

    run = await asyncio.to_thread(sdk.submit, staying)

    def running() -> Snapshot:
        return next(now for now in sdk.follow(run, every=0.05) if any(each.state == "RUNNING" for each in now.steps))

    async with asyncio.timeout(60):
        await asyncio.to_thread(running)
        await asyncio.to_thread(lambda: sdk.kfp().terminate_run(run))
        found = (await asyncio.to_thread(lambda: list(sdk.follow(run, every=0.1))))[-1]
    assert found.state == "CANCELED"
    for pod in (await here.client.list(POD, "default")).items:
        await here.client.wait(POD, pod["metadata"]["name"], "default", lambda found: found is None)
