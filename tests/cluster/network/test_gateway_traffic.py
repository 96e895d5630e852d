"""Requests through the real Envoy: who may pass, where they go, and that none is lost."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections import Counter
from contextlib import suppress
from pathlib import Path

import aiohttp
import pytest
from running_gateway import Backend, Gateway, gateway, to
from tests.ports import free_port
from yarl import URL

from fairway.cluster.api.identity.tokens import Issuer
from fairway.cluster.network import gateway as network_gateway
from fairway.cluster.network.envoy import require_free_port
from fairway.cluster.network.errors import NetworkError
from fairway.kernel.objects.kinds import ENDPOINT_SLICE, EVENT, GATEWAY, HTTP_ROUTE, SERVICE, Object

pytestmark = pytest.mark.slow


async def test_routes_lead_to_services_and_everything_else_to_the_front_door(here: Gateway) -> None:
    await here.service("model", await here.backend("a"))
    await here.route("by-path", to("model", "/serving/default/model", rewrite="/"))
    await here.route("by-host", to("model", "/"), hostnames=("model.example.com",))
    status, answer = await here.get("/serving/default/model/v1/models?full=1")
    assert (status, answer["who"], answer["path"]) == (200, "a", "/v1/models?full=1")
    assert (await here.get("/serving/default/model"))[1]["path"] == "/"
    assert (await here.get("/v2/health", Host="model.example.com:8080"))[1]["who"] == "a"
    for path in ("/", "/apis/v2beta1/runs", "/serving/default/model-two", "/serving"):
        assert (await here.get(path, token=False))[1]["who"] == "front"


async def test_a_route_needs_a_token_and_the_model_never_sees_it(here: Gateway) -> None:
    await here.service("model", await here.backend("a"))
    await here.route("closed", to("model", "/closed"))
    await here.route("open", to("model", "/open"), **{"fairway.dev/auth": "none"})
    stranger = Issuer.load(here.folder / "elsewhere").mint("mallory", ("system:masters",), seconds=60)
    for header in ({}, {"Authorization": "Bearer nonsense"}, {"Authorization": f"Bearer {stranger}"}):
        status, answer = await here.get("/closed", token=False, **header)
        assert status == 401
        assert "fairway token" in answer["error"]
    assert (await here.get("/closed?access_token=" + here.token["Authorization"][7:], token=False))[0] == 401
    async with here.http.get(URL(here.url("/open/../closed"), encoded=True)) as answer:  # not tidied by the client
        assert answer.status == 401
    status, answer = await here.get("/closed")
    assert status == 200 and "authorization" not in answer["headers"]
    assert (await here.get("/open", token=False))[0] == 200
    status, answer = await here.get("/open")
    assert status == 200 and "authorization" not in answer["headers"]
    status, answer = await here.get("/open", token=False, Authorization="Basic b3duOmxvZ2lu")  # the service's own
    assert answer["headers"]["authorization"] == "Basic b3duOmxvZ2lu"
    status, answer = await here.get("/front")  # the front door checks for itself
    assert answer["headers"]["authorization"].startswith("Bearer ")


async def test_a_service_beside_the_dashboard_gets_no_cookie_and_runs_no_page_there(here: Gateway) -> None:
    await here.service("page", await here.backend("a"))
    await here.route("by-path", to("page", "/page"), **{"fairway.dev/auth": "none"})
    await here.route("by-host", to("page", "/"), hostnames=("page.example.com",), **{"fairway.dev/auth": "none"})
    sent = {"Cookie": "session=x", "X-Envoy-Upstream-Rq-Timeout-Ms": "1", "X-Envoy-Retry-On": "5xx"}
    async with here.http.get(here.url("/page"), headers=sent) as answer:
        assert answer.headers["Content-Security-Policy"] == "sandbox"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "Set-Cookie" not in answer.headers
        seen = (await answer.json())["headers"]
    assert not {"cookie", "x-envoy-upstream-rq-timeout-ms", "x-envoy-retry-on"} & seen.keys()
    async with here.http.get(here.url("/"), headers={**sent, "Host": "page.example.com"}) as answer:
        assert "Set-Cookie" in answer.headers  # a host of its own is an origin of its own
        assert "cookie" in (await answer.json())["headers"]


async def test_weights_share_the_traffic(here: Gateway) -> None:
    await here.service("old", await here.backend("old"))
    await here.service("new", await here.backend("new"))
    rule = to("old", "/", weight=80)
    rule["backendRefs"] += to("new", "/", weight=20)["backendRefs"]
    await here.route("canary", rule, hostnames=("canary.example.com",))
    who = Counter([(await here.get("/", Host="canary.example.com"))[1]["who"] for _ in range(300)])
    assert 25 <= who["new"] <= 110 and who["old"] + who["new"] == 300


async def test_sockets_and_streams_pass_through_without_being_held_back(here: Gateway) -> None:
    model = await here.backend("a")
    await here.service("model", model)
    await here.route("model", to("model", "/m", rewrite="/"))
    for path, who in (("/m/socket", "a"), ("/socket", "front")):
        async with here.http.ws_connect(here.url(path), headers=here.token) as web_socket:
            await web_socket.send_str("hello")
            assert await web_socket.receive_str(timeout=60) == f"{who}: hello"
    async with here.http.get(here.url("/m/stream"), headers=here.token) as answer:
        assert await answer.content.readany() == b"first "
        model.more.set()
        assert await answer.content.read() == b"second"


async def test_http2_without_tls_is_spoken_on_the_same_port(here: Gateway) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", here.port)
    settings = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
    writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + settings)
    frame = await asyncio.wait_for(reader.readexactly(9), 60)
    assert frame[3] == 4  # a SETTINGS frame: it speaks HTTP/2
    writer.close()
    await writer.wait_closed()


async def test_a_service_has_an_address_of_its_own(here: Gateway) -> None:
    service = await here.service("model", await here.backend("a"))
    address = service["spec"]["clusterIP"]
    assert await _who_answers(here, f"http://{address}/direct") == "a"
    await here.client.delete(SERVICE, "model", "default")
    await _no_longer_listens(address, 80)


async def test_an_address_that_somebody_else_has_is_said_at_the_service(here: Gateway) -> None:
    first = await here.service("first")
    network, _, last = first["spec"]["clusterIP"].rpartition(".")
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind((f"{network}.{int(last) + 1}", 80))
        other.listen()
        spec = {"clusterIP": f"{network}.{int(last) + 1}", "ports": [{"port": 80}]}
        await here.client.create(SERVICE, SERVICE.new("second", "default", spec=spec))
        async with asyncio.timeout(60):
            told = here.client.watch(EVENT, "default", fields="involvedObject.name=second")
            event = (await anext(told)).object
            await told.aclose()
    assert event["reason"] == "AddressTaken"
    assert "is taken by another program" in event["message"]


async def test_an_endpoint_leaves_under_load_without_a_failed_request(here: Gateway) -> None:
    going, staying = await here.backend("going"), await here.backend("staying")
    await here.service("model", going, staying)
    await here.route("model", to("model", "/m"))
    outcomes: Counter[object] = Counter()
    stop = asyncio.Event()

    async def load() -> None:
        headers = here.token
        while not stop.is_set():
            try:
                async with here.http.get(here.url("/m"), headers=headers) as answer:
                    outcomes[answer.status] += 1
                    await answer.read()
            except aiohttp.ClientError as failure:
                outcomes[type(failure)] += 1

    async with asyncio.TaskGroup() as tasks:
        for _ in range(8):
            tasks.create_task(load())
        await _served(going, 100)
        endpoints = [{"addresses": [going.address], "conditions": {"ready": False, "terminating": True}}]
        await here.client.patch(ENDPOINT_SLICE, "model-going", "default", {"endpoints": endpoints})
        await _quiet(going, staying)
        await going.stop()
        await _served(staying, 2 * staying.served)
        stop.set()
    assert set(outcomes) == {200}
    assert going.served and staying.served


async def test_a_backend_that_does_not_listen_yet_costs_no_request_while_another_does(here: Gateway) -> None:
    dead, alive = await here.backend("dead"), await here.backend("alive")
    await dead.stop()
    await here.service("model", dead, alive)
    await here.route("model", to("model", "/m"))
    answers = [await here.get("/m") for _ in range(40)]
    assert {(status, answer["who"]) for status, answer in answers} == {(200, "alive")}


async def test_a_route_says_that_somebody_answers_once_envoy_knows_it(here: Gateway) -> None:
    await here.service("late")
    await here.route("late", to("late", "/late"))
    assert await _answered(here, "late", "NoReadyEndpoints")
    await here.endpoint("late", await here.backend("a"))
    assert await _answered(here, "late", "BackendsReady")
    assert (await here.get("/late"))[0] == 200


async def _answered(here: Gateway, name: str, reason: str) -> bool:
    found = await here.client.wait(
        HTTP_ROUTE, name, "default", lambda r: r is not None and _told(r)["fairway.dev/BackendsReady"] == reason
    )
    return found is not None


async def test_a_route_that_moves_before_its_new_pods_are_known_fails_no_request(
    here: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network_gateway, "_MOVE_LIMIT", 30.0)  # this machine may be slow
    old, new = await here.backend("old"), await here.backend("new")
    await here.service("before", old)
    await here.service("after")
    await here.route("moving", to("before", "/moving"))
    assert await _answered(here, "moving", "BackendsReady")
    heard = [await here.get("/moving")]
    end = asyncio.Event()

    async def ask() -> None:
        while not end.is_set():
            heard.append(await here.get("/moving"))

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(ask())
        await here.client.patch(HTTP_ROUTE, "moving", "default", {"spec": {"rules": [to("after", "/moving")]}})
        await asyncio.sleep(0.1)  # the gateway hears of the route, and of the endpoint only then
        await here.endpoint("after", new)
        while not new.served:
            await asyncio.sleep(0.01)
        end.set()
    assert {status for status, _ in heard} == {200}
    assert (heard[0][1]["who"], heard[-1][1]["who"]) == ("old", "new")


async def test_no_endpoints_is_said_in_a_sentence(here: Gateway) -> None:
    await here.service("empty")
    await here.route("empty", to("empty", "/empty"))
    status, answer = await here.get("/empty")
    assert status == 503 and "no ready pod answered" in answer["error"]


async def test_routes_say_what_is_wrong_with_them(here: Gateway) -> None:
    missing = await here.route("missing", to("nobody", "/nobody"))
    assert _told(missing) == {
        "Accepted": "Accepted",
        "ResolvedRefs": "BackendNotFound",
        "fairway.dev/BackendsReady": "NoReadyEndpoints",
    }
    assert (await here.get("/nobody"))[0] == 503
    extended = to("nobody", "/mirror") | {"filters": [{"type": "ExtensionRef"}]}
    refused = await here.route("mirror", extended)
    assert _told(refused)["Accepted"] == "UnsupportedValue"
    message = refused["status"]["parents"][0]["conditions"][0]["message"]
    assert "spec.rules[0].filters[0] of type ExtensionRef is not supported" in message
    assert (await here.get("/mirror", token=False))[1]["who"] == "front"
    await here.service("nobody", await here.backend("a"))
    await here.client.wait(
        HTTP_ROUTE, "missing", "default", lambda r: r is not None and _told(r)["ResolvedRefs"] == "ResolvedRefs"
    )
    assert (await here.get("/nobody"))[1]["who"] == "a"
    gateway = await here.client.wait(
        GATEWAY, "fairway", "fairway-system", lambda g: g is not None and _attached(g) == 1
    )
    assert gateway and {c["type"] for c in gateway["status"]["conditions"]} == {"Accepted", "Programmed"}


async def test_an_envoy_that_dies_is_started_again_with_all_it_knew(here: Gateway) -> None:
    await here.service("model", await here.backend("a"))
    await here.route("model", to("model", "/m"))
    (envoy,) = _children_named("envoy")
    os.kill(envoy, signal.SIGKILL)
    async with asyncio.timeout(60):
        while True:
            try:
                if (await here.get("/m"))[1].get("who") == "a":
                    break
            except aiohttp.ClientError:
                await asyncio.sleep(0.02)
    assert _children_named("envoy") != [envoy]


async def test_a_taken_port_is_said_in_a_sentence(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(NetworkError, match=rf"port {port} on 127.0.0.1 is taken .* `--port`"):
            require_free_port("127.0.0.1", port)
    with pytest.raises(NetworkError, match="no address of this machine"):
        require_free_port("192.0.2.1", free_port())


async def test_the_admin_interface_is_a_private_socket(here: Gateway) -> None:
    assert here.folder.stat().st_mode & 0o777 == 0o700
    assert (here.folder / "admin.sock").stat().st_mode & 0o777 == 0o600


async def test_envoy_runs_with_the_guard(tmp_path: Path) -> None:
    preload = pytest.importorskip("fairway.cluster.node.preload")
    library = preload.library(tmp_path / "node")
    if library is None:
        pytest.skip("no C compiler here, so there is no guard to run with")
    async with gateway(tmp_path, preload=library) as guarded:
        service = await guarded.service("model", await guarded.backend("a"))
        await guarded.route("model", to("model", "/m"))
        assert (await guarded.get("/m"))[1]["who"] == "a"
        assert await _who_answers(guarded, f"http://{service['spec']['clusterIP']}/") == "a"


def _attached(found: Object) -> int:
    return int(((found.get("status") or {}).get("listeners") or [{"attachedRoutes": -1}])[0]["attachedRoutes"])


def _told(route: Object) -> dict[str, str]:
    return {c["type"]: c["reason"] for c in route["status"]["parents"][0]["conditions"]}


async def _served(backend: Backend, count: int) -> None:
    async with asyncio.timeout(60):
        while backend.served < count:
            await asyncio.sleep(0.005)


async def _quiet(backend: Backend, other: Backend) -> None:
    """Wait until a backend has had no request while the other had many; how long that takes is the machine's affair."""
    seen = -1
    while seen != backend.served:
        seen = backend.served
        await _served(other, other.served + 50)


async def _who_answers(here: Gateway, url: str) -> str:
    """Ask until somebody answers: a Service's address is there a moment after the Service."""
    async with asyncio.timeout(60):
        while True:
            try:
                async with here.http.get(url) as answer:
                    return str((await answer.json())["who"])
            except aiohttp.ClientError:
                await asyncio.sleep(0.01)


async def _no_longer_listens(address: str, port: int) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                _, writer = await asyncio.open_connection(address, port)
            except OSError:
                return
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
            await asyncio.sleep(0.01)


def _children_named(name: str) -> list[int]:
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return [int(pid) for pid in children if Path(f"/proc/{pid}/comm").read_text().strip() == name]
