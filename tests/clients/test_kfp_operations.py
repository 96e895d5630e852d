"""Every operation in upstream's description of its API (Swagger): called once, and the answer held to its schema."""

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
import yaml

from tests.clients.kfp_checkout import checkout
from tests.pipelines.api.conftest import Server, cluster, hello, records_url, server

__all__ = ["cluster", "records_url", "server"]

SWAGGER = "backend/api/v2beta1/swagger/kfp_api_single_file.swagger.json"
REFUSED = {
    "AuthService_Authorize": "no AuthService",
    "DummyFilterService_GetFilter": "a dummy in upstream's own words",
    "ReportService_ReportScheduledWorkflow": "for upstream's controllers",
    "ReportService_ReportWorkflow": "for upstream's controllers",
    "VisualizationService_CreateVisualizationV1": "dsl.HTML and dsl.Markdown instead",
}
"""What is answered with 501 or 404 and a sentence. Upstream routes none of it in v2beta1 but the reports."""
ADDED = {
    "Run": {"trigger_id", "source_run_id", "late_at", "late"},
    "RecurringRun": {"next_slots", "late_after_seconds", "created_by"},
    "GetHealthzResponse": {"commit_sha", "tag_name"},  # upstream's server sends them too, and does not describe them
    "Status": {"error", "error_message", "error_details"},
}
"""Fields of ours beside upstream's, as docs/pipelines-api.md has them."""
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


class Description:
    """Upstream's Swagger file: its operations, and whether a value is what a schema says."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._definitions = document["definitions"]
        self.operations = {
            operation["operationId"]: (method.upper(), path, operation["responses"]["200"]["schema"])
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
        }

    def wrong(self, value: Any, schema: Mapping[str, Any], place: str = "") -> list[str]:
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            return self.wrong(value, {**self._definitions[name], "name": name}, place)
        if "enum" in schema:
            return [] if value in schema["enum"] else [f"{place}: {value!r} is none of {schema['enum']}"]
        match schema.get("type"):
            case "object":
                return self._wrong_object(value, schema, place)
            case "array":
                if not isinstance(value, list):
                    return [f"{place}: {value!r} is no list"]
                return [each for item in value for each in self.wrong(item, schema["items"], f"{place}[]")]
            case "string":
                fits = isinstance(value, str)
                if fits and schema.get("format") == "date-time":
                    fits = bool(TIME.fullmatch(value))
                if fits and schema.get("format") == "int64":
                    fits = value.lstrip("-").isdecimal()
                return [] if fits else [f"{place}: {value!r} is not a {schema.get('format', 'string')}"]
            case "boolean":
                return [] if isinstance(value, bool) else [f"{place}: {value!r} is no boolean"]
            case "integer":
                return [] if isinstance(value, int) else [f"{place}: {value!r} is no integer"]
        return []

    def _wrong_object(self, value: Any, schema: Mapping[str, Any], place: str) -> list[str]:
        if not isinstance(value, dict):
            return [f"{place}: {value!r} is no object"]
        if "properties" not in schema:
            inner = schema.get("additionalProperties")
            return [each for key in value for each in self.wrong(value[key], inner, f"{place}.{key}")] if inner else []
        known, added = schema["properties"], ADDED.get(schema.get("name", "").removeprefix("v2beta1"), set())
        if schema.get("name") == "googleRpcStatus":
            added = ADDED["Status"]
        found = [f"{place}.{key} is not in the schema" for key in value.keys() - known.keys() - added]
        for key in value.keys() & known.keys():
            found += self.wrong(value[key], known[key], f"{place}.{key}")
        return found


@pytest.fixture
def description() -> Description:
    return Description(json.loads((checkout(SWAGGER) / SWAGGER).read_text()))


class Caller:
    """Calls operations by their ids, and keeps which were called."""

    def __init__(self, server: Server, description: Description) -> None:
        self._server, self._description = server, description
        self.called: set[str] = set()

    async def __call__(self, operation: str, body: Any = None, *, upload: bytes = b"", **given: str) -> Any:
        status, answer, schema = await self._sent(operation, body, upload, given)
        assert status == 200, (operation, answer)
        assert self._description.wrong(answer, schema) == [], operation
        return answer

    async def refused(self, operation: str, status: int, body: Any = None, **given: str) -> None:
        found, answer, _ = await self._sent(operation, body, b"", given)
        assert found == status, (operation, answer)
        assert self._description.wrong(answer, {"$ref": "#/definitions/googleRpcStatus"}) == [], operation

    async def _sent(self, operation: str, body: Any, upload: bytes, given: dict[str, str]) -> tuple[int, Any, Any]:
        self.called.add(operation)
        method, template, schema = self._description.operations[operation]
        names = re.findall(r"{(?:\w+\.)?(\w+)}", template)
        path = re.sub(r"{(?:\w+\.)?(\w+)}", lambda found: quote(given[found[1]]), template)
        query = {key: value for key, value in given.items() if key not in names}
        data = None
        if upload:
            data = aiohttp.FormData()
            data.add_field("uploadfile", upload, filename="hello.yaml")
        url = f"{self._server.url}{path}"
        async with self._server.session.request(method, url, json=body, params=query, data=data) as response:
            return response.status, await response.json(), schema


async def test_each_operation_answers_what_upstream_describes(server: Server, description: Description) -> None:
    call = Caller(server, description)
    assert (await call("HealthzService_GetHealthz"))["multi_user"] is False
    experiment = await call(
        "ExperimentService_CreateExperiment", {"display_name": "e", "description": "d", "namespace": "kubeflow"}
    )
    reference = await _pipelines(call)
    await _runs(call, experiment["experiment_id"], reference)
    of_experiment = {"experiment_id": experiment["experiment_id"]}
    await call("ExperimentService_ArchiveExperiment", **of_experiment)
    await call("ExperimentService_UnarchiveExperiment", **of_experiment)
    assert (await call("ExperimentService_GetExperiment", **of_experiment))["storage_state"] == "AVAILABLE"
    assert (await call("ExperimentService_ListExperiments", page_size="1"))["total_size"] == 2
    await _recurring_runs(call, experiment["experiment_id"], reference)
    await call("ExperimentService_DeleteExperiment", **of_experiment)
    await call.refused("ExperimentService_GetExperiment", 404, **of_experiment)
    for operation in REFUSED:
        status = 404 if operation == "DummyFilterService_GetFilter" else 501
        await call.refused(operation, status, namespace="default")
    assert call.called == description.operations.keys()


async def _pipelines(call: Caller) -> dict[str, str]:
    content = yaml.safe_dump(hello()).encode()
    uploaded = await call("UploadPipeline", upload=content, name="uploaded", tags='{"a":"b"}')
    of_uploaded = {"pipeline_id": uploaded["pipeline_id"]}
    await call("UploadPipelineVersion", upload=content, name="v2", pipelineid=uploaded["pipeline_id"])
    versions = await call("PipelineService_ListPipelineVersions", **of_uploaded, sort_by="created_at desc")
    assert [version["name"] for version in versions["pipeline_versions"]] == ["v2", "uploaded"]
    of_version = {**of_uploaded, "pipeline_version_id": versions["pipeline_versions"][0]["pipeline_version_id"]}
    await call("PipelineService_GetPipelineVersion", **of_version)
    await call("PipelineService_UpdatePipelineVersion", {"display_name": "second"}, **of_version)
    await call("PipelineService_DeletePipelineVersion", **of_version)
    await call("PipelineService_UpdatePipeline", {"display_name": "Shown", "tags": {}}, **of_uploaded)
    await call("PipelineService_GetPipeline", **of_uploaded)
    assert (await call("PipelineService_GetPipelineByName", name="uploaded"))["display_name"] == "Shown"
    assert (await call("PipelineService_ListPipelines", page_size="1"))["total_size"] == 1
    await call("PipelineService_DeletePipeline", **of_uploaded, cascade="true")
    both = {"pipeline": {"name": "both"}, "pipeline_version": {"display_name": "first", "pipeline_spec": hello()}}
    await call("PipelineService_CreatePipelineAndVersion", both)
    made = await call("PipelineService_CreatePipeline", {"name": "made", "description": "d"})
    version = await call(
        "PipelineService_CreatePipelineVersion",
        {"display_name": "v1", "pipeline_id": made["pipeline_id"], "pipeline_spec": hello()},
        pipeline_id=made["pipeline_id"],
    )
    return {key: version[key] for key in ("pipeline_id", "pipeline_version_id")}


async def _runs(call: Caller, experiment: str, reference: dict[str, str]) -> None:
    config = {"parameters": {"text": "hi"}}
    run = {"display_name": "r", "experiment_id": experiment, "runtime_config": config, "service_account": "sa"}
    made = await call("RunService_CreateRun", {**run, "pipeline_version_reference": reference})
    await call("RunService_CreateRun", {**run, "pipeline_spec": hello()})
    of_run = {"run_id": made["run_id"]}
    assert (await call("RunService_ListRuns", experiment_id=experiment, page_size="1"))["total_size"] == 2
    await call("RunService_GetRun", **of_run)
    await call("RunService_ArchiveRun", **of_run)
    await call("RunService_UnarchiveRun", **of_run)
    await call.refused("RunService_RetryRun", 400, **of_run)
    await call("RunService_TerminateRun", **of_run)
    await call("RunService_DeleteRun", **of_run)
    await call.refused("RunService_CreateRun", 400, {"display_name": "r", "surprise": 1})


async def _recurring_runs(call: Caller, experiment: str, reference: dict[str, str]) -> None:
    body = {
        "display_name": "rr",
        "experiment_id": experiment,
        "pipeline_version_reference": reference,
        "runtime_config": {"parameters": {"text": "hi"}},
        "max_concurrency": "1",
        "mode": "DISABLE",
        "trigger": {"periodic_schedule": {"interval_second": "3600"}},
    }
    made = await call("RecurringRunService_CreateRecurringRun", body)
    of_made = {"recurring_run_id": made["recurring_run_id"]}
    assert (await call("RecurringRunService_ListRecurringRuns"))["total_size"] == 1
    await call("RecurringRunService_EnableRecurringRun", **of_made)
    await call("RecurringRunService_DisableRecurringRun", **of_made)
    await call("RecurringRunService_GetRecurringRun", **of_made)
    await call("RecurringRunService_DeleteRecurringRun", **of_made)
