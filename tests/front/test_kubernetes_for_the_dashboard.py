"""The dashboard looks at the cluster through the front door: lists, watches, logs, and a few deletions."""

import asyncio
import time
from pathlib import Path

import pytest

from fairway.front.kubernetes import parse
from fairway.kernel.objects import errors
from tests.front.doorway import House, bearer, lines, serving

PODS = "/k8s/api/v1/namespaces/default/pods"


async def test_lists_carry_selectors_and_nothing_unknown(house: House) -> None:
    query = {"labelSelector": "a=b", "pretty": "true"}
    async with house.http.get(house.url + PODS, params=query, headers=bearer()) as answer:
        body = await answer.json()
    assert body["query"] == {"labelSelector": "a=b"}
    assert body["items"][0]["metadata"]["name"] == "p"


async def test_a_watch_streams_lines_and_ends_when_its_reader_leaves(house: House) -> None:
    async with house.http.get(house.url + PODS, params={"watch": "true"}, headers=bearer()) as answer:
        line = await answer.content.readline()
    assert lines(line.decode())[0]["type"] == "ADDED"
    async with asyncio.timeout(60):
        await house.api.watch_ended.wait()


async def test_logs_are_streamed_and_a_missing_pod_is_said_as_such(house: House) -> None:
    async with house.http.get(house.url + PODS + "/p/log", params={"follow": "true"}, headers=bearer()) as answer:
        assert await answer.text() == "first\nsecond\n"
        assert answer.content_type == "text/plain"
    async with house.http.get(house.url + PODS + "/q/log", headers=bearer()) as answer:
        assert answer.status == 404
        assert (await answer.json())["message"] == 'pods "q" not found'


async def test_a_reader_who_leaves_before_the_answer_is_no_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(tmp_path) as house:
        reader = asyncio.ensure_future(house.http.get(house.url + PODS + "/silent/log", headers=bearer()))
        async with asyncio.timeout(60):
            await house.api.log_asked.wait()
            reader.cancel()
            await house.api.log_ended.wait()
        await house.stop()
    assert not caplog.records


async def test_only_pods_and_services_are_deleted(house: House) -> None:
    async with house.http.delete(house.url + PODS + "/p", headers=bearer()) as answer:
        assert answer.status == 200
    assert house.api.deleted == ["/api/v1/namespaces/default/pods/p"]
    for path in ("/k8s/api/v1/namespaces/default", "/k8s/api/v1/namespaces/default/configmaps/c", PODS):
        async with house.http.delete(house.url + path, headers=bearer()) as answer:
            assert answer.status == 403, path


async def test_secrets_and_ways_into_pods_are_refused(house: House) -> None:
    for path in (
        "/k8s/api/v1/namespaces/default/secrets",
        "/k8s/api/v1/secrets/s",
        PODS + "/p/exec",
        PODS + "/p/proxy",
    ):
        async with house.http.get(house.url + path, headers=bearer()) as answer:
            assert answer.status == 403, path
            assert "kubectl" in (await answer.json())["message"]


@pytest.mark.parametrize(
    "path",
    ["metrics", "api/v1", "openid/v1/jwks", "api/v1/../../metrics", "api/v1/pods/p/log/x", "api/v1/watch/secrets", ""],
)
def test_only_paths_of_resources_pass(path: str) -> None:
    with pytest.raises(errors.BadRequest):
        parse(path)


@pytest.mark.parametrize(
    ("path", "resource", "name", "subresource"),
    [
        ("api/v1/namespaces", "namespaces", "", ""),
        ("api/v1/namespaces/default", "namespaces", "default", ""),
        ("api/v1/namespaces/default/pods/p/log", "pods", "p", "log"),
        ("apis/serving.kserve.io/v1beta1/inferenceservices", "inferenceservices.serving.kserve.io", "", ""),
        ("apis/apps/v1/namespaces/d/deployments/w/status", "deployments.apps", "w", "status"),
        ("api/v1/namespaces/secrets/secrets/s", "secrets", "s", ""),
    ],
)
def test_paths_are_understood(path: str, resource: str, name: str, subresource: str) -> None:
    target = parse(path)
    assert (target.resource, target.name, target.subresource) == (resource, name, subresource)


async def test_an_open_watch_does_not_hold_up_the_end(tmp_path: Path) -> None:
    async with serving(tmp_path) as house:
        answer = await house.http.get(house.url + PODS, params={"watch": "true"}, headers=bearer())
        await answer.content.readline()
        begun = time.monotonic()
        await house.stop()
        assert time.monotonic() - begun < 20  # by itself the watch ends never
        assert house.api.watch_ended.is_set()
