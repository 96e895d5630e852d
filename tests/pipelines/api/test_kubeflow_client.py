"""The second client of the kfp package, `PipelinesClient`, which works by names: all of its methods."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
import yaml
from kfp import dsl
from kfp.kubeflow_client import constants
from kfp.kubeflow_client.api.pipelines_client import PipelinesClient
from kfp.kubeflow_client.backends.kubernetes import KubernetesBackendConfig
from kfp_server_api import ApiException

from fairway.pipelines.tables import runs
from tests.pipelines.api.conftest import TOKEN, Server, hello

pytestmark = pytest.mark.filterwarnings("ignore:This client only works:FutureWarning")


@dsl.component(base_image="python:3.11")
def say(text: str) -> str:
    return text


@dsl.pipeline(name="say-hello", description="says it")
def say_hello(text: str = "hi") -> str:
    return say(text=text).output


@pytest.fixture
def package(tmp_path: Path) -> str:
    path = tmp_path / "package.yaml"
    path.write_text(yaml.safe_dump(hello()))
    return str(path)


def client_of(server: Server) -> PipelinesClient:
    return PipelinesClient(KubernetesBackendConfig(base_url=server.url, user_token=TOKEN))


async def test_pipelines_and_versions_by_name(server: Server, package: str) -> None:
    def use() -> None:
        client = client_of(server)
        by_function = client.upload_pipeline(say_hello)
        assert client.get_pipeline("say-hello").pipeline_id == by_function.pipeline_id
        by_file = client.upload_pipeline(package, description="from a file")
        assert client.get_pipeline("hello").description == "from a file"
        assert by_file.display_name == "hello"
        first = client.upload_pipeline(package, name="named", version="one")
        second = client.upload_pipeline(package, name="named", version="two", description="the second")
        third = client.upload_pipeline(package, name="named")
        assert first.pipeline_id == second.pipeline_id == third.pipeline_id
        assert client.get_pipeline_version("named", "one").pipeline_version_id == first.pipeline_version_id
        assert client.get_pipeline_version("named", "two").description == "the second"
        with pytest.raises(ValueError, match="version not found"):
            client.get_pipeline_version("named", "three")
        with pytest.raises(ValueError, match="Pipeline not found"):
            client.get_pipeline("nobody")
        page = client.list_pipelines(page_size=2)
        rest = client.list_pipelines(page_token=page.next_page_token)
        assert [found.name for found in [*page.pipelines, *rest.pipelines]] == ["say-hello", "hello", "named"]
        names = [version.display_name for version in client.list_pipeline_versions("named").pipeline_versions]
        assert names == ["one", "two", third.display_name]
        with pytest.raises(ValueError, match="multiple versions"):
            client.delete_pipeline("named")
        client.delete_pipeline("named", version="two")
        assert client.list_pipeline_versions("named").total_size == 2
        client.delete_pipeline("named", force=True)
        client.delete_pipeline("hello")
        client.delete_pipeline("say-hello")
        assert client.list_pipelines().pipelines is None

    await asyncio.to_thread(use)


async def test_runs_of_everything_that_can_be_run(server: Server, package: str) -> None:
    def use() -> None:
        client = client_of(server)
        first = client.upload_pipeline(package, name="named", version="one")
        second = client.upload_pipeline(package, name="named", version="two")
        client.create_experiment("mine")
        by_name = client.run("named", params={"text": "hi"}, name="by name")
        by_version = client.run("named", params={"text": "hi"}, name="by version's name", version="one")
        by_object = client.run(client.get_pipeline("named"), params={"text": "hi"}, name="by pipeline")
        by_version_object = client.run(first, params={"text": "hi"}, name="by version", experiment="mine")
        by_file = client.run(package, params={"text": "hi"}, name="by file")
        by_function = client.run(say_hello, name="by function", experiment="mine")
        unnamed = client.run(say_hello)
        versions = [
            run.pipeline_version_reference.pipeline_version_id
            for run in (by_name, by_version, by_object, by_version_object)
        ]
        one, two = first.pipeline_version_id, second.pipeline_version_id
        assert versions == [two, one, two, one]
        assert by_file.pipeline_spec == hello()
        assert by_function.pipeline_spec["pipelineInfo"]["name"] == "say-hello"
        assert unnamed.display_name
        assert client.get_run(by_name.run_id).display_name == "by name"
        assert client.list_runs().total_size == 7
        assert [run.display_name for run in client.list_runs(experiment="mine").runs] == ["by version", "by function"]
        assert len(client.list_runs(pipeline="named").runs) == 4
        assert len(client.list_runs(status=constants.RUN_PENDING, page_size=3).runs) == 3
        assert client.list_runs(status=constants.RUN_SUCCEEDED).runs is None
        with pytest.raises(ApiException) as refused:
            client.run("named", name="without its parameter")
        assert refused.value.status == 400
        assert "needs a value for text" in refused.value.body

    await asyncio.to_thread(use)


@pytest.mark.parametrize("state", sorted(constants.TERMINAL_STATES))
async def test_waiting_for_a_run_ends_with_each_way_that_it_can_end(server: Server, state: str) -> None:
    seen: list[Any] = []

    def submit() -> Any:
        client = client_of(server)
        return client, client.run(say_hello)

    client, run = await asyncio.to_thread(submit)
    with pytest.raises(TimeoutError, match="pending"):
        await asyncio.to_thread(client.wait_for_run_status, run, timeout=0, polling_interval=0)
    await server.records.write(lambda connection: connection.execute(runs.update().values(state=state.upper())))
    found = await asyncio.to_thread(client.wait_for_run_status, run.run_id, timeout=5, callbacks=[seen.append])
    assert found.state == state.upper()
    assert seen == [found]


async def test_experiments_by_name(server: Server) -> None:
    def use() -> None:
        client = client_of(server)
        made = client.create_experiment("mine", description="about it")
        assert client.create_experiment("mine").experiment_id == made.experiment_id
        assert client.get_experiment("mine").description == "about it"
        with pytest.raises(ValueError, match="Experiment not found"):
            client.get_experiment("nobody's")
        page = client.list_experiments(page_size=1)
        rest = client.list_experiments(page_token=page.next_page_token)
        names = [found.display_name for found in [*page.experiments, *rest.experiments]]
        assert names == ["Default", "mine"]
        client.delete_experiment("mine")
        assert client.list_experiments().total_size == 1

    await asyncio.to_thread(use)


async def test_the_first_client_is_behind_the_second(server: Server) -> None:
    def use() -> None:
        client = client_of(server)
        assert client.kfp_client.get_kfp_healthz().multi_user is False
        assert client.kfp_client.list_runs().runs is None

    await asyncio.to_thread(use)
