"""The unmodified kfp client against the API: every method that it has for what we support."""

import asyncio
from pathlib import Path
from typing import Any

import kfp
import pytest
import yaml
from kfp import dsl
from kfp.kubeflow_client.api.pipelines_client import PipelinesClient
from kfp.kubeflow_client.backends.kubernetes import KubernetesBackendConfig
from kfp_server_api import ApiException

from fairway.pipelines.kinds import RUN
from fairway.pipelines.tables import run_states, runs
from tests.pipelines.api.conftest import TOKEN, Server, hello

pytestmark = pytest.mark.filterwarnings("ignore:This client only works:FutureWarning")


@dsl.component(base_image="python:3.11")
def add(a: int, b: int) -> int:
    return a + b


@dsl.pipeline(name="sum-of-three")
def sum_of_three(a: int, b: int = 2) -> int:
    first = add(a=a, b=b)
    return add(a=first.output, b=3).output


async def test_a_run_of_a_pipeline_function_gets_a_record_and_an_object(server: Server) -> None:
    def submit() -> Any:
        client = server.kfp()
        result = client.create_run_from_pipeline_func(
            sum_of_three, arguments={"a": 1}, run_name="first", experiment_name="sums", enable_caching=False
        )
        return client.get_run(result.run_id), client.get_experiment(experiment_name="sums")

    run, experiment = await asyncio.to_thread(submit)
    assert (run.display_name, run.state, run.storage_state) == ("first", "PENDING", "AVAILABLE")
    assert run.experiment_id == experiment.experiment_id
    assert run.runtime_config.parameters == {"a": 1}
    assert run.pipeline_spec["pipelineInfo"]["name"] == "sum-of-three"
    assert run.finished_at.year == 1970
    assert [state.state for state in run.state_history] == ["PENDING"]
    obj = await server.client.wait(RUN, run.run_id, "default", lambda found: found is not None)
    assert obj is not None
    assert obj["spec"] == {"runId": run.run_id, "displayName": "first"}


async def test_waiting_ends_when_the_engine_ends_the_run(server: Server) -> None:
    def submit() -> Any:
        client = server.kfp()
        return client, client.create_run_from_pipeline_func(sum_of_three, arguments={"a": 1}).run_id

    client, run_id = await asyncio.to_thread(submit)

    def finish(connection: Any) -> None:
        connection.execute(runs.update().where(runs.c.id == run_id).values(state="SUCCEEDED", finished_at=1.7e9))
        connection.execute(run_states.insert().values(run_id=run_id, state="SUCCEEDED", at=1.7e9))

    await server.records.write(finish)
    run = await asyncio.to_thread(client.wait_for_run_completion, run_id, 10, 0.05)
    assert run.state == "SUCCEEDED"
    assert run.finished_at.year == 2023


async def test_experiments(server: Server) -> None:
    def use() -> None:
        client = server.kfp()
        made = client.create_experiment("mine", description="about it", namespace="kubeflow")
        again = client.create_experiment("mine")
        assert again.experiment_id == made.experiment_id
        assert client.get_experiment(made.experiment_id).description == "about it"
        assert {item.display_name for item in client.list_experiments().experiments} == {"Default", "mine"}
        client.archive_experiment(made.experiment_id)
        assert client.get_experiment(made.experiment_id).storage_state == "ARCHIVED"
        client.unarchive_experiment(made.experiment_id)
        client.delete_experiment(made.experiment_id)
        with pytest.raises(ValueError, match="No experiment is found"):
            client.get_experiment(experiment_name="mine")
        default = client.get_experiment(experiment_name="Default")
        with pytest.raises(ApiException) as refused:
            client.delete_experiment(default.experiment_id)
        assert refused.value.status == 409

    await asyncio.to_thread(use)


async def test_pipelines_and_versions(server: Server, tmp_path: Path) -> None:
    package = tmp_path / "hello.yaml"
    package.write_text(yaml.safe_dump(hello()))

    def use() -> None:
        client = server.kfp()
        made = client.upload_pipeline(str(package), pipeline_name="greeting", description="says it")
        assert client.get_pipeline_id("greeting") == made.pipeline_id
        assert client.get_pipeline_id("nothing") is None
        with pytest.raises(ApiException) as taken:
            client.upload_pipeline(str(package), pipeline_name="greeting")
        assert taken.value.status == 409
        second = client.upload_pipeline_version(str(package), "v2", pipeline_name="greeting")
        versions = client.list_pipeline_versions(made.pipeline_id, sort_by="created_at desc").pipeline_versions
        assert [version.display_name for version in versions] == ["v2", "greeting"]
        found = client.get_pipeline_version(made.pipeline_id, second.pipeline_version_id)
        assert found.pipeline_spec == hello()
        with pytest.raises(ApiException) as owned:
            client.delete_pipeline(made.pipeline_id)
        assert owned.value.status == 400
        experiment = client.create_experiment("Default")
        run = client.run_pipeline(
            experiment.experiment_id,
            "by version",
            params={"text": "hi"},
            pipeline_id=made.pipeline_id,
            version_id=second.pipeline_version_id,
        )
        reference = client.get_run(run.run_id).pipeline_version_reference
        assert (reference.pipeline_id, reference.pipeline_version_id) == (made.pipeline_id, second.pipeline_version_id)
        for version in versions:
            client.delete_pipeline_version(made.pipeline_id, version.pipeline_version_id)
        client.delete_pipeline(made.pipeline_id)
        assert client.list_pipelines().pipelines is None

    await asyncio.to_thread(use)


async def test_runs_are_archived_terminated_retried_and_deleted(server: Server) -> None:
    def submit() -> tuple[kfp.Client, str]:
        client = server.kfp()
        return client, client.create_run_from_pipeline_func(sum_of_three, arguments={"a": 1}).run_id

    client, run_id = await asyncio.to_thread(submit)
    await server.client.wait(RUN, run_id, "default", lambda found: found is not None)

    def end() -> None:
        client.archive_run(run_id)
        assert client.get_run(run_id).storage_state == "ARCHIVED"
        client.unarchive_run(run_id)
        client.terminate_run(run_id)
        assert client.get_run(run_id).state == "CANCELING"

    await asyncio.to_thread(end)
    await server.client.wait(RUN, run_id, "default", lambda found: bool(found and found["spec"].get("terminate")))
    await server.records.write(lambda c: c.execute(runs.update().values(state="CANCELED", finished_at=1.7e9)))
    await asyncio.to_thread(client.terminate_run, run_id)  # what is over stays as it is
    assert (await asyncio.to_thread(client.get_run, run_id)).state == "CANCELED"
    await asyncio.to_thread(client.runs.run_service_retry_run, run_id)
    again = await server.client.wait(RUN, run_id, "default", lambda found: bool(found and found["spec"].get("retries")))
    assert again is not None
    assert "terminate" not in again["spec"]
    assert (await asyncio.to_thread(client.get_run, run_id)).state == "RUNNING"
    await asyncio.to_thread(client.delete_run, run_id)
    assert await server.client.find(RUN, run_id, "default") is None
    assert (await asyncio.to_thread(client.list_runs)).runs is None


async def test_the_name_based_client_of_the_same_package(server: Server, tmp_path: Path) -> None:
    package = tmp_path / "hello.yaml"
    package.write_text(yaml.safe_dump(hello()))

    def use() -> None:
        client = PipelinesClient(KubernetesBackendConfig(base_url=server.url, user_token=TOKEN))
        first = client.upload_pipeline(str(package), name="greeting", version="one")
        second = client.upload_pipeline(str(package), name="greeting", version="two")
        assert first.pipeline_id == second.pipeline_id
        names = [version.display_name for version in client.list_pipeline_versions("greeting").pipeline_versions]
        assert sorted(names) == ["one", "two"]
        run = client.run("greeting", params={"text": "hi"}, name="by name")
        assert client.get_run(run.run_id).state == "PENDING"
        assert [found.display_name for found in client.list_runs(status="pending").runs] == ["by name"]
        client.delete_pipeline("greeting", force=True)
        assert not client.list_pipelines().pipelines

    await asyncio.to_thread(use)


async def test_paging_sorting_and_filtering_runs(server: Server) -> None:
    def use() -> None:
        client = server.kfp()
        for number in range(5):
            client.create_run_from_pipeline_func(sum_of_three, arguments={"a": number}, run_name=f"run {number}")
        names: list[str] = []
        token = ""
        while True:
            page = client.list_runs(page_token=token, page_size=2, sort_by="display_name desc")
            names += [run.display_name for run in page.runs]
            assert page.total_size == 5
            token = page.next_page_token or ""
            if not token:
                break
        assert names == [f"run {number}" for number in (4, 3, 2, 1, 0)]
        filter_ = '{"predicates":[{"operation":9,"key":"name","stringValue":"UN 3"}]}'
        assert [run.display_name for run in client.list_runs(filter=filter_).runs] == ["run 3"]

    await asyncio.to_thread(use)


async def test_recurring_runs_are_refused_by_name(server: Server) -> None:
    def use() -> None:
        client = server.kfp()
        with pytest.raises(ApiException) as refused:
            client.list_recurring_runs()
        assert refused.value.status == 501
        assert "recurring runs are not supported" in refused.value.body

    await asyncio.to_thread(use)
