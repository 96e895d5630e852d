"""The unmodified kfp client against the API: every method that it has for what we support."""

import asyncio
from pathlib import Path
from typing import Any

import kfp
import pytest
import yaml
from kfp import dsl
from kfp_server_api import ApiException

from fairway.pipelines.kinds import RUN
from fairway.pipelines.tables import run_states, runs
from tests.pipelines.api.conftest import Server, hello

pytestmark = pytest.mark.filterwarnings("ignore:This client only works:FutureWarning")

UNKNOWN = "00000000-0000-0000-0000-000000000000"


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


async def test_every_call_about_what_is_not_there_raises_404(server: Server, tmp_path: Path) -> None:
    package = tmp_path / "hello.yaml"
    package.write_text(yaml.safe_dump(hello()))

    def use() -> None:
        client = server.kfp()
        for method in ("archive_experiment", "unarchive_experiment", "delete_experiment", "archive_run",
                       "unarchive_run", "delete_run", "terminate_run", "get_run", "get_pipeline",
                       "delete_pipeline"):  # fmt: skip
            with pytest.raises(ApiException) as refused:
                getattr(client, method)(UNKNOWN)
            assert refused.value.status == 404, method
        for method, *arguments in (
            ("get_experiment", UNKNOWN),
            ("list_pipeline_versions", UNKNOWN),
            ("get_pipeline_version", UNKNOWN, UNKNOWN),
            ("delete_pipeline_version", UNKNOWN, UNKNOWN),
            ("list_runs", "", 10, "", UNKNOWN),
            ("upload_pipeline_version", str(package), "v", UNKNOWN),
            ("run_pipeline", UNKNOWN, "r", str(package), {"text": "hi"}),
            ("run_pipeline", "", "r", None, {"text": "hi"}, UNKNOWN, UNKNOWN),
        ):
            with pytest.raises(ApiException) as refused:
                getattr(client, method)(*arguments)
            assert refused.value.status == 404, method

    await asyncio.to_thread(use)


async def test_pipelines_are_uploaded_from_functions(server: Server) -> None:
    def use() -> None:
        client = server.kfp()
        made = client.upload_pipeline_from_pipeline_func(sum_of_three, description="adds")
        assert (made.display_name, made.description) == ("sum-of-three", "adds")
        second = client.upload_pipeline_version_from_pipeline_func(
            sum_of_three, "v2", pipeline_id=made.pipeline_id, description="again"
        )
        assert (second.display_name, second.description) == ("v2", "again")
        assert client.list_pipelines(namespace="default").total_size == 1
        assert client.get_pipeline(made.pipeline_id).name == "sum-of-three"

    await asyncio.to_thread(use)


async def test_the_clients_own_settings_are_about_nothing_of_ours(server: Server) -> None:
    def use() -> None:
        client = server.kfp()
        assert client.get_kfp_healthz().multi_user is False
        client.set_user_namespace("kubeflow")
        assert client.get_user_namespace() == "kubeflow"
        run = client.create_run_from_pipeline_func(sum_of_three, arguments={"a": 1}, namespace="kubeflow")
        assert run.run_info.state == "PENDING"
        assert [found.run_id for found in client.list_runs(namespace="kubeflow").runs] == [run.run_id]

    await asyncio.to_thread(use)
