"""Facts that upstream's own API tests (`backend/test/v2/api`) hold its server to, each held here in a few lines."""

import io
import json
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
import yaml

from tests.pipelines.api.conftest import Server, hello

UNKNOWN = "00000000-0000-0000-0000-000000000000"
LONG = "this-text-is-way-too-long-for-tags-and-exceeds-the-sixty-three-char-limit"


async def upload(server: Server, path: str = "upload", content: bytes = b"", **query: str) -> tuple[int, Any]:
    form = aiohttp.FormData()
    document = content or yaml.safe_dump(hello()).encode()
    form.add_field("uploadfile", io.BytesIO(document), filename="hello_world.yaml")
    url = f"{server.url}/apis/v2beta1/pipelines/{path}"
    async with server.session.post(url, data=form, params=query) as response:
        return response.status, await response.json()


async def uploaded(server: Server, path: str = "upload", **query: str) -> Any:
    status, body = await upload(server, path, **query)
    assert status == 200, body
    return body


def where(key: str, operation: str, value: str, kind: str = "string_value") -> str:
    return json.dumps({"predicates": [{"key": key, "operation": operation, kind: value}]})


async def test_an_uploaded_pipeline_has_what_the_query_says_and_its_version_the_same(server: Server) -> None:
    said = {"description": "Some pipeline description", "code_source_url": "https://example.com/source"}
    made = await uploaded(server, name="one", display_name="Pipeline Display Name - one ", **said)
    assert made["display_name"] == "Pipeline Display Name - one "  # to the last blank
    assert made["description"] == "Some pipeline description"
    assert await server.get(f"pipelines/{made['pipeline_id']}") == made
    versions = await server.get(f"pipelines/{made['pipeline_id']}/versions")
    assert versions["total_size"] == 1
    [version] = versions["pipeline_versions"]
    assert version["pipeline_spec"] == hello()
    assert {key: version[key] for key in ("name", "display_name", *said)} == {
        "name": "one",
        "display_name": "Pipeline Display Name - one ",
        **said,
    }


async def test_the_display_name_names_a_pipeline_that_has_no_name_and_the_file_one_that_has_neither(
    server: Server,
) -> None:
    by_display = await uploaded(server, display_name="shown")
    assert (by_display["name"], by_display["display_name"]) == ("shown", "shown")
    by_file = await uploaded(server)
    assert (by_file["name"], by_file["display_name"]) == ("hello_world.yaml", "hello_world.yaml")


async def test_a_version_of_a_new_name_is_added_and_one_of_a_taken_name_is_not(server: Server) -> None:
    made = await uploaded(server, name="one")
    second = await uploaded(server, "upload_version", pipelineid=made["pipeline_id"], name="one-1", description="new")
    assert (second["display_name"], second["description"]) == ("one-1", "new")
    status, refusal = await upload(server, "upload_version", pipelineid=made["pipeline_id"], name="one-1")
    assert (status, refusal["code"]) == (409, 6)
    assert refusal["error_message"] == refusal["error_details"] == refusal["message"]
    status, refusal = await upload(server, "upload_version", pipelineid="12345", name="x")
    assert status == 404
    assert (await upload(server, name="one"))[0] == 409


async def test_a_version_is_found_by_its_id_whatever_pipeline_stands_before_it(server: Server) -> None:
    first, second = await uploaded(server, name="one"), await uploaded(server, name="two")
    [version] = (await server.get(f"pipelines/{first['pipeline_id']}/versions"))["pipeline_versions"]
    elsewhere = f"pipelines/{second['pipeline_id']}/versions/{version['pipeline_version_id']}"
    assert (await server.get(elsewhere))["pipeline_id"] == first["pipeline_id"]
    status, changed = await server.call("PATCH", elsewhere, {"display_name": "renamed"})
    assert (status, changed["display_name"], changed["name"]) == (200, "renamed", "one")
    assert await server.call("DELETE", elsewhere) == (200, {})
    assert (await server.call("GET", elsewhere))[0] == 404


async def test_a_run_of_a_version_of_another_pipeline_is_refused(server: Server) -> None:
    first, second = await uploaded(server, name="one"), await uploaded(server, name="two")
    [version] = (await server.get(f"pipelines/{first['pipeline_id']}/versions"))["pipeline_versions"]
    reference = {"pipeline_id": second["pipeline_id"], "pipeline_version_id": version["pipeline_version_id"]}
    status, refusal = await server.call("POST", "runs", {"display_name": "r", "pipeline_version_reference": reference})
    assert (status, refusal["code"]) == (400, 3)
    assert "is one of the pipeline" in refusal["message"]


async def test_names_of_pipelines(server: Server) -> None:
    async def create(**fields: str) -> tuple[int, Any]:
        return await server.call("POST", "pipelines", fields)

    for name in ("a" * 100, "test-pipeline-with-ascii-!@#$%", "你好世界-pipeline", " blank at both ends "):
        status, made = await create(name=name)
        assert (status, made["name"], made["display_name"]) == (200, name, name)
        assert (await server.get("pipelines", filter=where("name", "EQUALS", name)))["total_size"] == 1
        assert (await server.get(f"pipelines/names/{quote(name)}"))["pipeline_id"] == made["pipeline_id"]
    assert (await create(name="x" * 500))[0] == 400
    assert (await create(name=" \t"))[0] == 400
    assert (await create(description="no name"))[0] == 400
    status, refusal = await create(name="a\0b")
    assert (status, refusal["message"]) == (400, "name must not contain the character NUL")


async def test_a_pipeline_with_versions_is_deleted_with_them_or_not_at_all(server: Server) -> None:
    made = await uploaded(server, name="one", tags='{"team":"ml-ops"}')
    path = f"pipelines/{made['pipeline_id']}"
    status, refusal = await server.call("DELETE", path)
    assert (status, refusal["code"]) == (400, 3)
    assert await server.call("DELETE", path, cascade="true") == (200, {})
    assert (await server.call("GET", path))[0] == 404
    assert await server.get("pipelines", filter=where("tags.team", "EQUALS", "ml-ops")) == {}
    empty = (await server.call("POST", "pipelines", {"name": "without versions"}))[1]
    assert await server.get(f"pipelines/{empty['pipeline_id']}/versions") == {}
    assert (await server.call("DELETE", f"pipelines/{empty['pipeline_id']}"))[0] == 200


@pytest.mark.parametrize("id_", [UNKNOWN, "invalid-id-!@#$%25"])
async def test_what_is_not_there_is_not_found_to_get_and_to_delete(server: Server, id_: str) -> None:
    for path in (f"pipelines/{id_}", f"pipelines/{UNKNOWN}/versions/{id_}", f"runs/{id_}", f"experiments/{id_}"):
        for method in ("GET", "DELETE"):
            assert (await server.call(method, path))[0] == 404, (method, path)
    assert (await server.call("PATCH", f"pipelines/{id_}", {"tags": {"a": "b"}}))[0] == 404
    assert (await server.call("GET", "runs", experiment_id=UNKNOWN))[0] == 404


async def test_tags_are_replaced_cleared_and_left(server: Server) -> None:
    made = await uploaded(server, name="one", tags='{"team":"a"}')
    [version] = (await server.get(f"pipelines/{made['pipeline_id']}/versions"))["pipeline_versions"]
    assert "tags" not in version
    for path in (f"pipelines/{made['pipeline_id']}", f"pipelines/x/versions/{version['pipeline_version_id']}"):
        full = {"k" * 63: "v" * 63}
        assert (await server.call("PATCH", path, {"tags": full}))[1]["tags"] == full
        both = {"display_name": "Shown", "tags": {"env": "prod", "stage": "beta"}}
        changed = (await server.call("PATCH", path, both))[1]
        assert {key: changed[key] for key in both} == both
        listed = await server.get(path.rpartition("/")[0].replace("/x/", f"/{made['pipeline_id']}/"))
        assert next(iter(listed.values()))[0]["tags"] == both["tags"]
        assert (await server.call("PATCH", path, {"display_name": "Other"}))[1]["tags"] == both["tags"]
        assert "tags" not in (await server.call("PATCH", path, {"tags": {}}))[1]


@pytest.mark.parametrize(
    "tags",
    [
        {LONG: "value"},
        {"key": LONG},
        {"": "value"},
        {"a.b": "value"},
        {f"k{number}": "v" for number in range(21)},
        {"number": 1},
        ["a", "b"],
    ],
    ids=["long key", "long value", "no key", "dot", "too many", "no text", "no map"],
)
async def test_wrong_tags_are_refused_wherever_they_come(server: Server, tags: Any) -> None:
    made = await uploaded(server, name="one")
    [version] = (await server.get(f"pipelines/{made['pipeline_id']}/versions"))["pipeline_versions"]
    path = f"pipelines/{made['pipeline_id']}"
    for method, where_, body in (
        ("POST", "pipelines", {"name": "two", "tags": tags}),
        ("PATCH", path, {"tags": tags}),
        ("PATCH", f"{path}/versions/{version['pipeline_version_id']}", {"tags": tags}),
    ):
        status, refusal = await server.call(method, where_, body)
        assert (status, refusal["code"]) == (400, 3), (method, where_)
    text = json.dumps(tags)
    assert (await upload(server, name="two", tags=text))[0] == 400
    assert (await upload(server, "upload_version", pipelineid=made["pipeline_id"], name="v2", tags=text))[0] == 400
    assert (await upload(server, name="two", tags="not-valid-json"))[0] == 400
    assert (await server.get("pipelines"))["total_size"] == 1


async def test_filters_by_tags_are_equalities_of_texts(server: Server) -> None:
    await uploaded(server, name="one", tags='{"team":"a","env":"prod"}')
    both = {
        "predicates": [
            {"key": "tags.team", "operation": "EQUALS", "string_value": "a"},
            {"key": "tags.env", "operation": "EQUALS", "string_value": "prod"},
            {"key": "name", "operation": "IS_SUBSTRING", "string_value": "ON"},
        ]
    }
    assert (await server.get("pipelines", filter=json.dumps(both)))["total_size"] == 1
    for key, value in (("tags.team", "b"), ("tags.nonexistent", "a")):
        assert await server.get("pipelines", filter=where(key, "EQUALS", value)) == {}
    for filter_ in (where("tags.team", "NOT_EQUALS", "a"), where("tags.team", "EQUALS", "1", "int_value")):
        assert (await server.call("GET", "pipelines", filter=filter_))[0] == 400


async def test_patching_gives_back_what_was_read_and_changes_nothing_else(server: Server) -> None:
    made = await uploaded(server, name="one", description="d")
    [version] = (await server.get(f"pipelines/{made['pipeline_id']}/versions"))["pipeline_versions"]
    for path, message in (
        (f"pipelines/{made['pipeline_id']}", made),
        (f"pipelines/{made['pipeline_id']}/versions/{version['pipeline_version_id']}", version),
    ):
        status, changed = await server.call("PATCH", path, {**message, "display_name": "Shown"})
        assert (status, changed) == (200, {**message, "display_name": "Shown"})
        status, refusal = await server.call("PATCH", path, {**message, "description": "other"})
        assert (status, refusal["message"]) == (
            400,
            "description cannot be changed; only display_name and tags can",
        )


async def test_keys_of_filters(server: Server) -> None:
    made = await uploaded(server, name="one", description="unique text")
    [version] = (await server.get(f"pipelines/{made['pipeline_id']}/versions"))["pipeline_versions"]
    versions = f"pipelines/{made['pipeline_id']}/versions"
    id_ = version["pipeline_version_id"]
    for path, filter_, count in (
        ("pipelines", where("pipeline_id", "EQUALS", made["pipeline_id"]), 1),
        ("pipelines", where("pipeline_id", "EQUALS", "invalid-!@#$^&*"), 0),
        ("pipelines", where("name", "EQUALS", ""), 0),
        ("pipelines", where("name", "NOT_EQUALS", "one"), 0),
        ("pipelines", where("description", "EQUALS", "unique text"), 1),
        ("pipelines", where("created_at", "GREATER_THAN", "2000-01-01T00:00:00Z"), 1),
        ("pipelines", where("created_at", "EQUALS", made["created_at"], "timestamp_value"), 1),
        ("pipelines", where("created_at", "GREATER_THAN", made["created_at"], "timestampValue"), 0),
        (versions, where("pipeline_version_id", "EQUALS", id_), 1),
        (versions, json.dumps({"predicates": [{"key": "pipeline_version_id", "operation": "IN",
                                               "stringValues": {"values": [id_]}}]}), 1),
        (versions, where("created_at", "GREATER_THAN", "2000-01-01T00:00:00Z"), 1),
        (versions, where("description", "IS_SUBSTRING", "UNIQUE"), 1),
        (versions, where("status", "EQUALS", "ready"), 1),
        (versions, where("status", "EQUALS", "CREATING"), 0),
    ):  # fmt: skip
        found = await server.get(path, filter=filter_)
        assert found.get("total_size", 0) == count, (path, filter_)
    for path, filter_ in (
        (versions, where("pipeline_version_id", "IN", id_)),
        ("pipelines", where("created_at", "IS_SUBSTRING", "2000")),
        ("pipelines", where("name", "IS_SUBSTRING", "1", "int_value")),
        ("pipelines", where("name", "EQUALS", "a\0b")),
        ("pipelines", where("name", "EQUALS", str(2**70), "long_value")),
    ):
        assert (await server.call("GET", path, filter=filter_))[0] == 400, filter_


async def test_lists_are_sorted_by_each_key_in_both_directions_and_paged(server: Server) -> None:
    for name in ("b-zzz", "a-aaa", "c-mmm"):
        await uploaded(server, name=name, display_name=f"shown {name}", description=name[::-1])
    for key in ("name", "display_name", "created_at", "description", "pipeline_id", "id", "namespace"):
        field = {"id": "pipeline_id"}.get(key, key)
        for direction in ("", " asc", " DESC"):
            seen, token = [], ""
            while True:
                page = await server.get(
                    "pipelines", page_size="2", **({"page_token": token} if token else {"sort_by": key + direction})
                )
                seen += [item[field] for item in page["pipelines"]]
                assert page["total_size"] == 3
                token = page.get("next_page_token", "")
                if not token:
                    break
            assert seen == sorted(seen, reverse=direction == " DESC"), key
            assert len(seen) == 3
    [made] = (await server.get("pipelines", sort_by="NAME", page_size="1"))["pipelines"]
    versions = f"pipelines/{made['pipeline_id']}/versions"
    for key in ("name", "display_name", "created_at desc", "description", "pipeline_version_id", "id", "status desc"):
        assert (await server.get(versions, sort_by=key))["total_size"] == 1, key


async def test_runs_end_once_however_often_they_are_terminated(server: Server) -> None:
    body = {"display_name": "r", "pipeline_spec": hello(), "runtime_config": {"parameters": {"text": "hi"}}}
    run = (await server.call("POST", "runs", body))[1]["run_id"]
    for _ in range(2):
        assert await server.call("POST", f"runs/{run}:terminate") == (200, {})
    found = await server.get(f"runs/{run}")
    assert [state["state"] for state in found["state_history"]] == ["PENDING", "CANCELING"]
    status, refusal = await server.call("POST", "runs", {**body, "plugins_output": {"mlflow": {}}})
    assert (status, refusal["code"]) == (409, 10)
