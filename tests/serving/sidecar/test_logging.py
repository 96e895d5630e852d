"""Events of requests and answers: what they say, where they go, and what happens when nobody takes them."""

from __future__ import annotations

import asyncio
import base64
import csv
import io
import json
from pathlib import Path

import pytest
from aiohttp import web

from fairway.serving.inpod.sidecar import program, sinks

from .conftest import before, listening, until

NAMES = ("--inference-service=iris", "--namespace=ns", "--component=predictor", "--endpoint=default")


async def predict(request: web.Request) -> web.Response:
    if b"bad" in await request.read():
        return web.json_response({"error": "bad"}, status=400)
    return web.json_response({"predictions": [1]})


class Sink:
    """A collector of events."""

    def __init__(self) -> None:
        self.events: list[tuple[dict[str, str], bytes]] = []
        self.status, self.open = 200, asyncio.Event()
        self.open.set()

    async def __call__(self, request: web.Request) -> web.Response:
        await self.open.wait()
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.events.append((headers, await request.read()))
        return web.Response(status=self.status)


async def test_events_have_upstreams_types_extensions_and_one_id() -> None:
    sink = Sink()
    async with listening(predict) as port, listening(sink) as to:
        flags = (f"--log-url=http://127.0.0.1:{to}/", "--metadata-headers=X-User,X-Absent", "--source-uri=pod", *NAMES)
        async with before(port, *flags) as sidecar:
            await sidecar.post("/v1/models/iris:predict", {"instances": [[1]]}, **{"X-User": "ann", "Ce-Id": "7"})
            await until(lambda: len(sink.events) == 2)
    by_type = {headers["ce-type"]: (headers, body) for headers, body in sink.events}
    request, sent = by_type["org.kubeflow.serving.inference.request"]
    response, answered = by_type["org.kubeflow.serving.inference.response"]
    assert json.loads(sent) == {"instances": [[1]]}
    assert json.loads(answered) == {"predictions": [1]}
    for headers in (request, response):
        assert headers["ce-id"] == "7"
        assert headers["ce-specversion"] == "1.0"
        assert headers["ce-source"] == "pod"
        assert headers["ce-inferenceservicename"] == "iris"
        assert (headers["ce-namespace"], headers["ce-component"]) == ("ns", "predictor")
        assert headers["ce-endpoint"] == "default"
        assert headers["ce-recordedtime"] >= headers["ce-time"]
    assert "ann" in request["ce-metadata"]
    assert response["content-type"] == "application/json; charset=utf-8"


@pytest.mark.parametrize(
    ("mode", "types"), [("all", {"request", "response"}), ("request", {"request"}), ("response", {"response"})]
)
async def test_modes(mode: str, types: set[str]) -> None:
    sink = Sink()
    async with (
        listening(predict) as port,
        listening(sink) as to,
        before(port, f"--log-url=http://127.0.0.1:{to}", f"--log-mode={mode}") as sidecar,
    ):
        await sidecar.post("/", {"instances": []})
    assert {headers["ce-type"].rpartition(".")[2] for headers, _ in sink.events} == types


@pytest.mark.parametrize(("name", "variable"), [("sink", "SINK"), ("my-dumper", "MY_DUMPER_PREDICTOR")])
async def test_a_sink_may_be_named_as_a_service_of_the_namespace(
    name: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = Sink()
    monkeypatch.setenv(f"{variable}_SERVICE_HOST", "127.0.0.1")
    async with listening(predict) as port, listening(sink) as to:
        flags = (f"--log-url=http://{name}.ns.svc.cluster.local:{to}/", "--namespace=ns", "--log-mode=request")
        async with before(port, *flags) as sidecar:
            await sidecar.post("/", {})
            await until(lambda: bool(sink.events))
    assert sink.events[0][0]["host"] == f"{name}.ns.svc.cluster.local:{to}"


async def test_answers_of_every_status_are_told_also_our_own() -> None:
    sink = Sink()
    async with listening(predict) as port, listening(sink) as to:
        flags = (f"--log-url=http://127.0.0.1:{to}", "--log-mode=response")
        async with before(port, *flags) as sidecar:
            assert (await sidecar.post("/", b"bad"))[0] == 400
        async with before(1, *flags) as sidecar:
            assert (await sidecar.post("/", b"x"))[0] == 503
    assert [headers["ce-statuscode"] for headers, _ in sink.events] == ["400", "503"]
    assert json.loads(sink.events[0][1]) == {"error": "bad"}


async def test_a_stream_is_seen_at_once_and_told_of_whole() -> None:
    sink, seen = Sink(), asyncio.Event()

    async def stream(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        await answer.write(b"data: 1\n\n")
        await asyncio.wait_for(seen.wait(), 60)
        await answer.write(b"data: 2\n\n")
        return answer

    async with listening(stream) as port, listening(sink) as to:
        flags = (f"--log-url=http://127.0.0.1:{to}", "--log-mode=response")
        async with before(port, *flags) as sidecar, sidecar.session.get(sidecar.url) as answer:
            assert await answer.content.readany() == b"data: 1\n\n"
            seen.set()
            await answer.read()
    assert sink.events[0][1] == b"data: 1\n\ndata: 2\n\n"


async def test_a_sink_that_stands_still_costs_events_and_no_request() -> None:
    sink = Sink()
    sink.open.clear()
    async with listening(predict) as port, listening(sink) as to:
        flags = (f"--log-url=http://127.0.0.1:{to}", "--log-queue=3", "--workers=1", "--log-mode=request")
        async with before(port, *flags) as sidecar:
            for _ in range(10):
                assert (await sidecar.post("/", b"{}"))[0] == 200
            seen = await sidecar.metrics()
            assert seen['fairway_logged_events_total{outcome="dropped"}'] == 6
            sink.open.set()
            await until(lambda: len(sink.events) == 4)


async def test_what_is_too_large_is_cut_and_says_so() -> None:
    sink = Sink()
    async with listening(predict) as port, listening(sink) as to:
        flags = (f"--log-url=http://127.0.0.1:{to}", "--log-mode=request", "--log-max-body-bytes=10")
        async with before(port, *flags) as sidecar:
            await sidecar.post("/", b"0123456789abc")
    ((headers, body),) = sink.events
    assert (body, headers["ce-truncated"]) == (b"0123456789", "true")


async def test_a_sink_that_refuses_is_counted_and_not_asked_again() -> None:
    sink = Sink()
    sink.status = 404
    async with (
        listening(predict) as port,
        listening(sink) as to,
        before(port, f"--log-url=http://127.0.0.1:{to}", "--log-mode=request") as sidecar,
    ):
        await sidecar.post("/", b"{}")
        await until(lambda: bool(sink.events))
        await asyncio.sleep(0.05)
        assert (await sidecar.metrics())['fairway_logged_events_total{outcome="failed"}'] == 1
    assert len(sink.events) == 1


async def test_batches_become_files_with_upstreams_names_and_columns(tmp_path: Path) -> None:
    where = (f"--log-url=file://{tmp_path}", "--log-store-path=logs", "--log-mode=request", *NAMES)
    async with (
        listening(predict) as port,
        before(port, *where, "--log-batch-size=2", "--log-store-format=csv") as sidecar,
    ):
        for number in range(3):  # the third is no full batch, and is written at the end
            await sidecar.post("/", {"n": number}, **{"Ce-Id": f"../{number}"})
    first, last = sorted((tmp_path / "ns" / "iris" / "predictor" / "logs").iterdir())
    assert (first.name, last.name) == ("_0-request.csv", "_2-request.csv")
    table = list(csv.DictReader(io.StringIO(first.read_text())))
    assert [json.loads(base64.b64decode(row["bytes"])) for row in table] == [{"n": 0}, {"n": 1}]
    columns = ["url", "bytes", "contentType", "reqType", "id", "sourceUri", "inferenceService", "namespace"]
    columns += ["component", "endpoint", "metadata", "annotations", "certName", "tlsSkipVerify"]
    assert list(table[0])[:14] == columns


async def test_a_batch_that_is_not_full_goes_after_its_interval(tmp_path: Path) -> None:
    where = (f"--log-url=file://{tmp_path}", "--log-mode=request", "--log-batch-size=3", "--log-batch-interval=50ms")

    def ids() -> list[str]:
        batches = [json.loads(path.read_text()) for path in tmp_path.rglob("*.json")]
        return sorted(row["id"] for batch in batches for row in (batch if isinstance(batch, list) else [batch]))

    async with listening(predict) as port, before(port, *where) as sidecar:
        await asyncio.gather(*(sidecar.post("/", {}, **{"Ce-Id": name}) for name in "ab"))
        await until(lambda: ids() == ["a", "b"])


async def test_a_marshaller_of_the_users_own_writes_the_files(tmp_path: Path) -> None:
    async def marshal(request: web.Request) -> web.Response:
        rows = await request.json()
        return web.Response(text=f"{len(rows)} rows", headers={"X-Log-Marshal-Extension": "txt"})

    async with listening(predict) as port, listening(marshal) as to:
        flags = (f"--log-url=file://{tmp_path}", "--log-mode=request", f"--log-marshaller-url=http://127.0.0.1:{to}/m")
        async with before(port, *flags) as sidecar:
            await sidecar.post("/", {})
    (path,) = tmp_path.rglob("*.txt")
    assert path.read_text() == "1 rows"


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--log-url=ftp://x"], "cannot go to"),
        (["--log-url=file:///tmp", "--log-store-format=xml"], "json, csv or parquet"),
        (["--log-mode=some"], "all, request or response"),
        (["--enable-puller"], "pulls no models"),
        (["--logger-tls-skip-verify=true"], "certificates are always checked"),
        (["--unknown"], "does not understand"),
    ],
)
def test_what_is_not_served_is_refused_by_name(
    flags: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert program.main(["--port=0", *flags]) == 1
    assert words in capsys.readouterr().err


def test_an_object_store_is_reached_by_its_own_client() -> None:
    assert isinstance(sinks.ObjectStore("s3://bucket/prefix"), sinks.ObjectStore)


async def test_a_sink_that_fails_in_an_unforeseen_way_costs_its_events_and_ends_no_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    certificates = tmp_path / "bundle.crt"
    certificates.write_text("this is none")
    async with listening(predict) as port:
        flags = ("--log-url=https://127.0.0.1:1/", f"--logger-ca-cert-file={certificates}", "--workers=1")
        async with before(port, *flags) as sidecar:
            for count in (2, 4):
                assert (await sidecar.post("/v1/models/iris:predict", {"instances": [[1]]}))[0] == 200
                async with asyncio.timeout(60):
                    while (await sidecar.metrics())['fairway_logged_events_total{outcome="failed"}'] < count:
                        await asyncio.sleep(0.005)
    assert "Events are lost: SSLError" in capsys.readouterr().out
