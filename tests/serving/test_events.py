"""CloudEvents on V1, in both modes; what a client says with its headers about the answer."""

import base64
from pathlib import Path

import orjson
import pytest

from .conftest import TWO_FLOWERS, Server, serving

PREDICT = "/v1/models/m:predict"
ROWS = {"instances": TWO_FLOWERS}
EVENT = {"specversion": "1.0", "id": "7", "source": "/here", "type": "a.question", "tenant": "blue"}
BINARY = {f"ce-{name}": value for name, value in EVENT.items()}


async def ask(server: Server, body: bytes, **headers: str) -> tuple[int, dict[str, str], bytes]:
    async with server.session.post(server.url + PREDICT, data=body, headers=headers) as answer:
        return answer.status, {name.lower(): value for name, value in answer.headers.items()}, await answer.read()


async def test_an_event_in_headers_is_answered_with_one(models: Path) -> None:
    async with serving(models / "iris") as server:
        status, headers, body = await ask(server, orjson.dumps(ROWS), **BINARY)
    assert (status, body) == (200, b'{"predictions":[1,1]}')
    assert headers["ce-type"] == "io.kserve.inference.response"
    assert headers["ce-source"] == "io.kserve.inference.m"
    assert headers["ce-specversion"] == "1.0"
    assert headers["ce-id"] != "7"
    assert "ce-tenant" not in headers


async def test_an_event_in_the_body_is_answered_with_one(models: Path) -> None:
    async with serving(models / "iris") as server:
        structured = {"Content-Type": "application/cloudevents+json"}
        status, headers, body = await ask(server, orjson.dumps(EVENT | {"data": ROWS}), **structured)
        assert (status, headers["content-type"]) == (200, "application/cloudevents+json")
        event = orjson.loads(body)
        assert (event["data"], event["type"]) == ({"predictions": [1, 1]}, "io.kserve.inference.response")
        encoded = {"data_base64": base64.b64encode(orjson.dumps(ROWS)).decode()}
        assert (await ask(server, orjson.dumps(EVENT | encoded), **structured))[0] == 200


async def test_the_environment_says_what_answers_are_called(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("CE_TYPE", "my.type"), ("CE_SOURCE", "my.source"), ("CE_MERGE", "true")):
        monkeypatch.setenv(name, value)
    async with serving(models / "iris") as server:
        _, headers, _ = await ask(server, orjson.dumps(ROWS), **BINARY)
    assert (headers["ce-type"], headers["ce-source"], headers["ce-tenant"]) == ("my.type", "my.source", "blue")


async def test_events_that_are_none_are_400(models: Path) -> None:
    structured = {"Content-Type": "application/cloudevents+json"}
    cases = (
        (orjson.dumps(ROWS), {"ce-specversion": "1.0"}, "no id, source, type"),
        (orjson.dumps({"data": ROWS}), structured, "no specversion"),
        (orjson.dumps(EVENT | {"data": [1]}), structured, "not a JSON object"),
        (orjson.dumps(EVENT | {"data_base64": "?"}), structured, "not base64"),
    )
    async with serving(models / "iris") as server:
        for body, headers, says in cases:
            status, _, answer = await ask(server, body, **headers)
            assert (status, says in orjson.loads(answer)["error"]) == (400, True), answer


async def test_authorization_does_not_come_back_in_answers(models: Path) -> None:
    """KServe's own server copies the request's headers into those of an explanation."""
    async with serving(models / "iris") as server:
        _, headers, _ = await ask(server, orjson.dumps(ROWS), Authorization="Bearer secret")
        async with server.session.post(
            server.url + "/v1/models/m:explain", json=ROWS, headers={"Authorization": "Bearer secret"}
        ) as answer:
            assert answer.status == 501
            assert "secret" not in str(answer.headers)
    assert "secret" not in str(headers)


async def test_a_large_answer_is_compressed_for_those_who_accept_it(models: Path) -> None:
    body = orjson.dumps({"instances": TWO_FLOWERS * 4000})
    async with serving(models / "iris") as server:
        plain = await ask(server, body, **{"Accept-Encoding": "identity"})
        packed = await ask(server, body, **{"Accept-Encoding": "gzip, deflate"})
        short = await ask(server, orjson.dumps(ROWS), **{"Accept-Encoding": "gzip"})
    assert ("content-encoding" in plain[1], "content-encoding" in short[1]) == (False, False)
    assert packed[1]["content-encoding"] == "gzip"
    assert int(packed[1]["content-length"]) < len(plain[2]) / 10
    assert packed[2] == plain[2], "the client unpacked it"
