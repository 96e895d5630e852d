"""What KServe's router does with each kind of node, and what ours does beyond it. Services are real servers."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp import web

from fairway.serving.graphs.router import program
from tests.serving.sidecar.conftest import listening

Graph = dict[str, Any]
FLOWERS = {"instances": [[1, 2]]}
DOG = "predictions.#(label==dog)"


class Service:
    """Says the same each time, and remembers what it was asked."""

    def __init__(self, answer: Any = None, status: int = 200, seconds: float = 0.0) -> None:
        self.answer, self.status, self.seconds = answer, status, seconds
        self.bodies: list[Any] = []
        self.headers: list[dict[str, str]] = []

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.bodies.append(orjson.loads(body) if body.startswith(b"{") and body.endswith(b"}") else body)
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        await asyncio.sleep(self.seconds)
        return web.json_response(self.answer, status=self.status)


class Town:
    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack

    async def url(self, service: Any) -> str:
        return f"http://127.0.0.1:{await self._stack.enter_async_context(listening(service))}/"

    async def route(self, nodes: Graph, **more: Any) -> str:
        graph = json.dumps({"nodes": nodes, **more})
        options = program.flags().parse_args(["--port=0", "--linger=0", f"--graph-json={graph}"])
        end, address = asyncio.Event(), asyncio.get_running_loop().create_future()
        done = asyncio.create_task(program.serve(options, end, ready=lambda *where: address.set_result(where)))

        async def stop() -> None:
            end.set()
            await done

        self._stack.push_async_callback(stop)
        return "http://{}:{}/".format(*await address)


@pytest.fixture
async def town() -> AsyncGenerator[Town, None]:
    async with AsyncExitStack() as stack:
        yield Town(stack)


@asynccontextmanager
async def asked(url: str, body: Any = FLOWERS, **headers: str) -> AsyncGenerator[aiohttp.ClientResponse, None]:
    data = body if isinstance(body, bytes) else orjson.dumps(body)
    async with aiohttp.ClientSession() as session, session.post(url, data=data, headers=headers) as answer:
        yield answer


async def ask(url: str, body: Any = FLOWERS, **headers: str) -> tuple[int, Any]:
    async with asked(url, body, **headers) as answer:
        return answer.status, orjson.loads(await answer.read())


def root(kind: str, *steps: Graph, **more: Any) -> Graph:
    return {"root": {"routerType": kind, "steps": list(steps), **more}}


# Upstream's own expectations


async def test_a_chain_feeds_the_answer_on_and_renames_predictions(town: Town) -> None:
    first, second = Service({"predictions": "1"}), Service({"predictions": "2"})
    nodes = root(
        "Sequence",
        {"serviceUrl": await town.url(first), "mapPredictionsToInstances": True},
        {"serviceUrl": await town.url(second), "data": "$response"},
    )
    assert await ask(await town.route(nodes), {"predictions": ["test", "test2"]}) == (200, {"predictions": "2"})
    assert first.bodies == [{"instances": ["test", "test2"]}]
    assert second.bodies == [{"predictions": "1"}]


async def test_an_ensemble_is_keyed_by_name_or_index(town: Town) -> None:
    url = await town.url(Service({"predictions": "1"}))
    nodes = root("Ensemble", {"name": "model1", "serviceUrl": url}, {"serviceUrl": url})
    expected = {"model1": {"predictions": "1"}, "1": {"predictions": "1"}}
    assert await ask(await town.route(nodes)) == (200, expected)


async def test_conditions_choose_and_nodes_nest(town: Town) -> None:
    cat, dog = Service({"predictions": [{"label": "cat"}]}), Service({"predictions": [{"label": "dog"}]})
    breed = Service({"predictions": [{"label": "beagle"}]})
    nodes = {
        **root("Sequence", {"nodeName": "animal"}, {"nodeName": "breed", "condition": DOG}),
        "animal": {
            "routerType": "Switch",
            "steps": [
                {"serviceUrl": await town.url(cat), "condition": 'instances.#(modelId=="1")'},
                {"serviceUrl": await town.url(dog), "condition": 'instances.#(modelId=="2")'},
            ],
        },
        "breed": {"routerType": "Ensemble", "steps": [{"name": "model3", "serviceUrl": await town.url(breed)}]},
    }
    url = await town.route(nodes)
    expected = {"model3": {"predictions": [{"label": "beagle"}]}}
    assert await ask(url, {"instances": [{"modelId": "2"}]}) == (200, expected)
    # The condition of the second step is not met: the answer before it is the answer, with 200.
    assert await ask(url, {"instances": [{"modelId": "1"}]}) == (200, {"predictions": [{"label": "cat"}]})
    # No way on in an inner node ends the whole walk.
    assert (await ask(url, {"instances": [{"modelId": "3"}]}))[0] == 404


async def test_no_condition_holds_is_404(town: Town) -> None:
    nodes = root("Switch", {"serviceUrl": "http://127.0.0.1:1", "condition": "absent"})
    status, answer = await ask(await town.route(nodes))
    assert (status, answer["cause"]) == (404, "None of the routes matched with the switch condition")
    assert (await ask(await town.route(nodes), b"no json"))[0] == 404


@pytest.mark.parametrize(
    ("dependency", "status", "answer"),
    [("Hard", 404, {"detail": "no"}), ("Soft", 200, {"predictions": [1]})],
)
async def test_a_hard_step_that_fails_ends_the_sequence(town: Town, dependency: str, status: int, answer: Any) -> None:
    bad, good = Service({"detail": "no"}, 404), Service({"predictions": [1]})
    nodes = root(
        "Sequence",
        {"serviceUrl": await town.url(bad), "dependency": dependency},
        {"serviceUrl": await town.url(good)},
    )
    assert await ask(await town.route(nodes)) == (status, answer)


async def test_a_soft_step_that_fails_last_is_the_answer(town: Town) -> None:
    nodes = root("Sequence", {"serviceUrl": await town.url(Service({"detail": "no"}, 404))})
    assert await ask(await town.route(nodes)) == (404, {"detail": "no"})


@pytest.mark.parametrize(
    ("dependency", "expected"),
    [("Hard", (404, {"detail": "no"})), ("Soft", (200, {"a": {"predictions": [1]}, "b": {"detail": "no"}}))],
)
async def test_a_hard_step_that_fails_is_the_ensembles_answer(town: Town, dependency: str, expected: Any) -> None:
    nodes = root(
        "Ensemble",
        {"name": "a", "serviceUrl": await town.url(Service({"predictions": [1]}))},
        {"name": "b", "serviceUrl": await town.url(Service({"detail": "no"}, 404)), "dependency": dependency},
    )
    assert await ask(await town.route(nodes)) == expected


async def test_a_splitter_draws_by_weight(town: Town) -> None:
    one, two = Service(1), Service(2)
    nodes = root(
        "Splitter",
        {"serviceUrl": await town.url(one), "weight": 20},
        {"serviceUrl": await town.url(two), "weight": 80},
    )
    url = await town.route(nodes)
    seen: Counter[int] = Counter()
    async with aiohttp.ClientSession() as session:
        for _ in range(400):
            async with session.post(url, data=b"{}") as answer:
                seen[orjson.loads(await answer.read())] += 1
    assert 40 < seen[1] < 140


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        ("", set()),
        ("Test-Header-1", {"test-header-1"}),
        ("Test-Header-*,Auth*", {"test-header-1", "test-header-2", "authorization"}),
        ("Test-Header-[0-9,Auth*", {"authorization"}),  # the first cannot be read, and is left out
    ],
)
async def test_headers_go_on_where_a_pattern_asks(
    town: Town, monkeypatch: pytest.MonkeyPatch, patterns: str, expected: set[str]
) -> None:
    monkeypatch.setenv("PROPAGATE_HEADERS", patterns)
    service = Service({})
    url = await town.route(root("Sequence", {"serviceUrl": await town.url(service)}))
    await ask(url, **{"Authorization": "Bearer T", "Test-Header-1": "1", "Test-Header-2": "2"})
    ours = {"host", "content-length", "content-type"}
    assert service.headers[0].keys() - ours == expected


async def test_a_body_that_was_unpacked_is_not_said_to_be_packed(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROPAGATE_HEADERS", ".*")
    service = Service({})
    url = await town.route(root("Sequence", {"serviceUrl": await town.url(service)}))
    assert (await ask(url, gzip.compress(orjson.dumps(FLOWERS)), **{"Content-Encoding": "gzip"}))[0] == 200
    assert (service.bodies, "content-encoding" in service.headers[0]) == ([FLOWERS], False)


@pytest.mark.parametrize(("limit", "status"), [(None, 200), (0.05, 504), (5, 200)])
async def test_a_graph_that_takes_too_long_is_504(town: Town, limit: float | None, status: int) -> None:
    service = Service({"predictions": "1"}, seconds=0.1)
    timeouts = {"routerTimeouts": {"serverWrite": limit}} if limit else {}
    url = await town.route(root("Sequence", {"serviceUrl": await town.url(service)}), **timeouts)
    assert (await ask(url))[0] == status


# Beyond upstream


async def test_the_last_step_streams(town: Town) -> None:
    seen = asyncio.Event()

    async def stream(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        await answer.write(b"data: 1\n\n")
        await asyncio.wait_for(seen.wait(), 60)
        await answer.write(b"data: 2\n\n")
        return answer

    nodes = {
        **root("Sequence", {"serviceUrl": await town.url(Service({}))}, {"nodeName": "last"}),
        "last": {"routerType": "Switch", "steps": [{"serviceUrl": await town.url(stream), "default": True}]},
    }
    async with asked(await town.route(nodes)) as answer:
        assert answer.content_type == "text/event-stream"
        assert await answer.content.readany() == b"data: 1\n\n"
        seen.set()
        assert await answer.content.read() == b"data: 2\n\n"


async def test_v2_outputs_become_inputs_also_with_raw_tensors_behind(town: Town) -> None:
    tensor = {"name": "x", "shape": [1], "datatype": "FP32", "parameters": {"binary_data_size": 4}}
    head, raw = orjson.dumps({"model_name": "a", "outputs": [tensor]}), b"\x00\x00\x80?"

    async def binary(request: web.Request) -> web.Response:
        headers = {"Inference-Header-Content-Length": str(len(head)), "Content-Type": "application/octet-stream"}
        return web.Response(body=head + raw, headers=headers)

    second = Service({"outputs": []})
    nodes = root(
        "Sequence",
        {"serviceUrl": await town.url(binary)},
        {"serviceUrl": await town.url(second), "data": "$response", "mapPredictionsToInstances": True},
    )
    assert (await ask(await town.route(nodes)))[0] == 200
    length = int(second.headers[0]["inference-header-content-length"])
    assert orjson.loads(second.bodies[0][:length]) == {"inputs": [tensor]}
    assert second.bodies[0][length:] == raw
    assert second.headers[0]["content-type"] == "application/octet-stream"


async def test_binary_requests_and_answers_pass_unchanged(town: Town) -> None:
    async def echo(request: web.Request) -> web.Response:
        passed = {name: request.headers[name] for name in ("Inference-Header-Content-Length", "Content-Type")}
        return web.Response(body=await request.read(), headers=passed)

    url = await town.route(root("Sequence", {"serviceUrl": await town.url(echo)}))
    headers = {"Inference-Header-Content-Length": "2", "Content-Type": "application/octet-stream"}
    async with asked(url, b"{}\x00\xff", **headers) as answer:
        assert await answer.read() == b"{}\x00\xff"
        assert answer.headers["Inference-Header-Content-Length"] == "2"


@pytest.mark.parametrize(
    ("way", "answers", "expected"),
    [
        ("average", [[1, 2], [3, 4]], [2.0, 3.0]),
        ("average", [[[0.2, 0.8]], [[0.4, 0.6]]], [[pytest.approx(0.3), pytest.approx(0.7)]]),
        ("majority", [["a", "b"], ["c", "b"], ["c", "a"]], ["c", "b"]),
        ("concatenate", [[1], [2, 3]], [1, 2, 3]),
    ],
)
async def test_an_ensembles_answers_are_merged(town: Town, way: str, answers: list[Any], expected: Any) -> None:
    steps = [{"serviceUrl": await town.url(Service({"predictions": one}))} for one in answers]
    assert await ask(await town.route(root("Ensemble", *steps, merge=way))) == (200, {"predictions": expected})


async def test_v2_answers_are_merged_by_name(town: Town) -> None:
    def says(*data: float) -> Service:
        return Service({"outputs": [{"name": "y", "shape": [2], "datatype": "FP32", "data": list(data)}]})

    steps = [{"serviceUrl": await town.url(one)} for one in (says(1, 2), says(3, 4))]
    _, answer = await ask(await town.route(root("Ensemble", *steps, merge="average")))
    assert answer["outputs"] == [{"name": "y", "shape": [2], "datatype": "FP64", "data": [2.0, 3.0]}]


async def test_answers_that_cannot_be_merged_say_why(town: Town) -> None:
    steps = [{"serviceUrl": await town.url(Service({"predictions": one}))} for one in (["a"], ["b"])]
    status, answer = await ask(await town.route(root("Ensemble", *steps, merge="average")))
    assert (status, "choose majority" in answer["cause"]) == (500, True)


@pytest.mark.parametrize(
    "answer",
    [
        {"outputs": ["y"]},
        {"outputs": [{"name": "y", "data": [1]}]},
        {"predictions": [json.loads("[" * 400 + "]" * 400)]},
    ],
)
async def test_answers_that_nobody_foresaw_are_an_error_and_not_silence(town: Town, answer: Any) -> None:
    async def say(request: web.Request) -> web.Response:
        return web.Response(text=json.dumps(answer), content_type="application/json")

    steps = [{"serviceUrl": await town.url(say)}, {"serviceUrl": await town.url(say)}]
    status, told = await ask(await town.route(root("Ensemble", *steps, merge="majority")))
    assert (status, bool(told["cause"])) == (500, True)


async def test_a_host_that_no_resolver_can_be_asked_for_is_one_that_is_away(town: Town) -> None:
    url = f"http://{'a' * 64}.example/"
    assert (await ask(await town.route(root("Sequence", {"serviceUrl": url}))))[0] == 503


async def test_the_default_of_a_switch_is_taken_last_wherever_it_stands(town: Town) -> None:
    nodes = root(
        "Switch",
        {"serviceUrl": await town.url(Service("default")), "default": True},
        {"serviceUrl": await town.url(Service("chosen")), "condition": "instances"},
    )
    url = await town.route(nodes)
    assert (await ask(url))[1] == "chosen"
    assert (await ask(url, {"inputs": []}))[1] == "default"
    assert (await ask(url, b"no json"))[1] == "default"


async def test_a_step_is_asked_again_where_it_is_away(town: Town) -> None:
    answers = iter([503, 502, 200])

    async def wakes(request: web.Request) -> web.Response:
        return web.json_response({}, status=next(answers))

    url = await town.url(wakes)
    assert (await ask(await town.route(root("Sequence", {"serviceUrl": url, "retries": 2}))))[0] == 200


@pytest.mark.parametrize(
    ("make", "status"),
    [
        (lambda url: {"serviceUrl": "http://127.0.0.1:1/"}, 503),
        (lambda url: {"serviceUrl": url, "timeout": 0.05}, 504),
        (lambda url: {"serviceUrl": "http://single.default.{$domain}/switch"}, 503),
    ],
)
async def test_a_step_without_answer_fails_with_its_own_status(
    town: Town, make: Callable[[str], Graph], status: int
) -> None:
    step = make(await town.url(Service({}, seconds=30)))
    answered, answer = await ask(await town.route(root("Sequence", step)))
    assert (answered, answer["error"]) == (status, "Failed to process request")
    after = root("Sequence", step, {"serviceUrl": await town.url(Service("went on"))})
    assert await ask(await town.route(after)) == (200, "went on")


async def test_a_client_that_leaves_ends_its_steps(town: Town) -> None:
    at_work, cancelled = asyncio.Event(), asyncio.Event()

    async def long(request: web.Request) -> web.Response:
        at_work.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return web.Response()

    url = await town.route(root("Ensemble", {"serviceUrl": await town.url(long)}))
    asking = asyncio.create_task(ask(url))
    await asyncio.wait_for(at_work.wait(), 60)
    asking.cancel()
    await asyncio.wait_for(cancelled.wait(), 60)


async def test_steps_of_an_ensemble_run_at_once(town: Town) -> None:
    all_of_them = asyncio.Barrier(4)

    async def together(request: web.Request) -> web.Response:
        async with asyncio.timeout(60):
            await all_of_them.wait()
        return web.json_response({})

    steps = [{"serviceUrl": await town.url(together)} for _ in range(4)]
    assert (await ask(await town.route(root("Ensemble", *steps))))[0] == 200


async def test_the_platforms_services_get_the_pods_token_and_others_do_not(
    town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "kubeconfig").write_text(json.dumps({"users": [{"name": "x", "user": {"token": "secret"}}]}))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    ours, theirs = Service({}), Service({})
    nodes = root(
        "Sequence",
        {"serviceUrl": await town.url(ours), "authorize": True},
        {"serviceUrl": await town.url(theirs)},
    )
    await ask(await town.route(nodes))
    assert ours.headers[0]["authorization"] == "Bearer secret"
    assert "authorization" not in theirs.headers[0]


async def test_it_is_ready_until_it_drains(town: Town) -> None:
    url = await town.route(root("Switch", {"serviceUrl": "http://127.0.0.1:1", "default": True}))
    async with aiohttp.ClientSession() as session, session.get(f"{url}readyz") as answer:
        assert answer.status == 200


def test_a_graph_that_cannot_be_read_ends_the_router_with_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["--port=0", "--graph-json={}"]) == 1
    assert "cannot be read" in capsys.readouterr().err
