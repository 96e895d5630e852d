"""Recurring runs with the unmodified kfp client: every method that it has for them."""

import asyncio
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from kfp_server_api import ApiException

from tests.pipelines.api.conftest import Server, cluster, records_url, server
from tests.pipelines.world import pipeline

__all__ = ["cluster", "records_url", "server"]

pytestmark = pytest.mark.filterwarnings("ignore:This client only works:FutureWarning")


@pytest.fixture
def package(tmp_path: Path) -> str:
    path = tmp_path / "greeting.yaml"
    path.write_text(yaml.safe_dump(pipeline("greeting")))
    return str(path)


async def test_recurring_runs_from_creation_to_deletion(server: Server, package: str) -> None:
    def use() -> None:
        client = server.kfp()
        experiment = client.create_experiment("mine").experiment_id
        uploaded = client.upload_pipeline(package, "greeting")
        version = client.list_pipeline_versions(uploaded.pipeline_id).pipeline_versions[0].pipeline_version_id
        begin = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
        made = client.create_recurring_run(
            experiment, "nightly", description="at night", cron_expression="0 0 2 * * *", max_concurrency=3,
            no_catchup=True, params={"text": "hi"}, pipeline_id=uploaded.pipeline_id, version_id=version,
            start_time=begin.isoformat(), service_account="robot", enabled=False,
        )  # fmt: skip
        found = client.get_recurring_run(made.recurring_run_id)
        assert found == made
        assert (found.display_name, found.description, found.service_account) == ("nightly", "at night", "robot")
        assert (found.max_concurrency, found.no_catchup, found.mode, found.status) == ("3", True, "DISABLE", "DISABLED")
        assert found.experiment_id == experiment
        assert found.trigger.cron_schedule.cron == "0 0 2 * * *"
        assert found.trigger.cron_schedule.start_time == begin
        assert found.trigger.periodic_schedule is None
        assert found.pipeline_version_reference.pipeline_version_id == version
        assert found.runtime_config.parameters == {"text": "hi"}
        assert found.created_at == found.updated_at

        assert client.enable_recurring_run(made.recurring_run_id) == {}
        assert client.get_recurring_run(made.recurring_run_id).status == "ENABLED"
        assert client.disable_recurring_run(made.recurring_run_id) == {}
        assert client.get_recurring_run(made.recurring_run_id).status == "DISABLED"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            client.enable_job(made.recurring_run_id)
            client.disable_job(made.recurring_run_id)
            client.delete_job(made.recurring_run_id)
        with pytest.raises(ApiException) as gone:
            client.get_recurring_run(made.recurring_run_id)
        assert gone.value.status == 404

    await asyncio.to_thread(use)


async def test_a_package_and_an_interval(server: Server, package: str) -> None:
    def use() -> None:
        client = server.kfp()
        experiment = client.create_experiment("mine").experiment_id
        made = client.create_recurring_run(
            experiment, "often", interval_second=30, pipeline_package_path=package, params={"text": "hi"},
            end_time="2033-01-01T00:00:00Z", enable_caching=False,
        )  # fmt: skip
        assert (made.trigger.periodic_schedule.interval_second, made.trigger.cron_schedule) == ("30", None)
        assert made.trigger.periodic_schedule.end_time.year == 2033
        assert (made.mode, made.status, made.max_concurrency, made.no_catchup) == ("ENABLE", "ENABLED", "1", None)
        assert made.pipeline_spec["pipelineInfo"]["name"] == "greeting"
        assert made.error is None

    await asyncio.to_thread(use)


async def test_lists_are_paged_sorted_and_filtered(server: Server, package: str) -> None:
    def use() -> None:
        client = server.kfp()
        mine, other = (client.create_experiment(name).experiment_id for name in ("mine", "other"))
        assert client.list_recurring_runs().recurring_runs is None
        for number in range(5):
            client.create_recurring_run(
                mine if number else other, f"nightly {number}", cron_expression="@daily",
                pipeline_package_path=package, params={"text": "hi"}, enabled=number == 3,
            )  # fmt: skip
        names, token = [], ""
        while True:
            page = client.list_recurring_runs(page_token=token, page_size=2, sort_by="name desc")
            assert page.total_size == 5
            names += [found.display_name for found in page.recurring_runs]
            token = page.next_page_token or ""
            if not token:
                break
        assert names == [f"nightly {number}" for number in (4, 3, 2, 1, 0)]
        of_other = client.list_recurring_runs(experiment_id=other).recurring_runs
        assert [found.display_name for found in of_other] == ["nightly 0"]
        assert len(client.list_recurring_runs(namespace="kubeflow").recurring_runs) == 5
        for predicate in (
            '{"operation":1,"key":"display_name","stringValue":"nightly 3"}',
            '{"operation":"EQUALS","key":"status","stringValue":"enabled"}',
        ):
            found = client.list_recurring_runs(filter=f'{{"predicates":[{predicate}]}}').recurring_runs
            assert [one.display_name for one in found] == ["nightly 3"]
        with pytest.raises(ApiException) as refused:
            client.list_recurring_runs(sort_by="colour")
        assert refused.value.status == 400

    await asyncio.to_thread(use)


async def test_what_is_wrong_is_said_at_once(server: Server, package: str) -> None:
    def use() -> None:
        client = server.kfp()
        experiment = client.create_experiment("mine").experiment_id
        common = {"experiment_id": experiment, "job_name": "x", "pipeline_package_path": package}
        for changed, sentence in (
            ({"cron_expression": "61 * * * *"}, "the minute is wrong"),
            ({"interval_second": -1}, "interval_second must be a whole number from 1"),
            (
                {"cron_expression": "@daily", "max_concurrency": 11},
                "max_concurrency must be a whole number from 1 to",
            ),
            (
                {"cron_expression": "@daily", "max_concurrency": 0},
                "max_concurrency must be a whole number from 1 to",
            ),
            ({"cron_expression": "@daily", "params": {}}, "needs a value for text"),
            ({"cron_expression": "@daily", "job_name": ""}, "display_name is missing"),
            ({"cron_expression": "@daily", "experiment_id": "x"}, "there is no experiment"),
        ):
            with pytest.raises(ApiException) as refused:
                client.create_recurring_run(**{**common, "params": {"text": "hi"}, **changed})
            assert sentence in refused.value.body, changed
        for method in ("get", "enable", "disable", "delete"):
            with pytest.raises(ApiException) as gone:
                getattr(client, f"{method}_recurring_run")("x")
            assert gone.value.status == 404
            assert "there is no recurring run" in gone.value.body
        assert client.list_recurring_runs().recurring_runs is None

    await asyncio.to_thread(use)
