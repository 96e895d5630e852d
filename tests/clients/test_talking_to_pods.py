"""kubectl and the Python client talk with pods that really run: exec, attach, run, logs and proxy."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from fairway.kernel.client.client import Client
from fairway.kernel.objects.kinds import POD, SERVICE, SERVICE_ACCOUNT, Object
from fairway.testing.cluster import NODE, Cluster, cluster

KUBECTL = shutil.which("kubectl")
needs_kubectl = pytest.mark.skipif(KUBECTL is None, reason="kubectl is not on the PATH")
SPDY = {"KUBECTL_REMOTE_COMMAND_WEBSOCKETS": "false"}
"""With which today's kubectl speaks as one before 1.31 does."""

SERVER = """
import http.server, json
class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/there?x=1")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        told = {"method": self.command, "path": self.path, "body": body, "headers": dict(self.headers)}
        said = json.dumps(told).encode()
        self.send_response(418 if self.path == "/teapot" else 200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)
    do_POST = do_PUT = do_DELETE = do_PATCH = do_GET
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer(("", 8000), Answer).serve_forever()
"""

SOCKETS = """
import asyncio
from aiohttp import web, WSMsgType
async def answer(request):
    socket = web.WebSocketResponse(protocols=("shout",))
    await socket.prepare(request)
    async for message in socket:
        await socket.send_str(message.data.upper())
    return socket
app = web.Application()
app.router.add_get("/ws", answer)
web.run_app(app, port=8000, print=None)
"""


@dataclass
class Tool:
    """`kubectl` gives what it prints, both streams together; it fails the test unless the exit code is right."""

    here: Cluster
    home: Path

    @property
    def client(self) -> Client:
        return self.here.client

    async def kubectl(self, *arguments: str, stdin: str = "", fails: bool = False, **env: str) -> str:
        process = await self.start(*arguments, **env)
        output, _ = await asyncio.wait_for(process.communicate(stdin.encode()), 60)
        text = output.decode()
        assert (process.returncode != 0) is fails, text
        return text

    async def start(self, *arguments: str, **env: str) -> asyncio.subprocess.Process:
        assert KUBECTL is not None
        return await asyncio.create_subprocess_exec(
            KUBECTL,
            f"--kubeconfig={self.here.kubeconfig}",
            *arguments,
            env={"HOME": str(self.home), "PATH": os.environ["PATH"], **env},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )

    async def run(self, name: str, *command: str, image: str = "busybox", **container: Any) -> Object:
        spec = {"containers": [{"name": "main", "image": image, "command": list(command), **container}]}
        made = POD.new(name, "default", metadata={"labels": {"app": name}}, spec={"restartPolicy": "Never", **spec})
        await self.client.create(POD, made)
        found = await self.client.wait(POD, name, "default", running, timeout=60)
        assert found is not None
        return found


def running(pod: Object | None) -> bool:
    return pod is not None and (pod.get("status") or {}).get("phase") == "Running"


@pytest.fixture
async def tool(tmp_path: Path) -> AsyncIterator[Tool]:
    async with cluster(tmp_path / "cluster", node=True) as here:
        await here.client.wait(SERVICE_ACCOUNT, "default", "default", lambda found: found is not None)
        yield Tool(here, tmp_path)


@needs_kubectl
@pytest.mark.parametrize("env", [{}, SPDY], ids=["websocket", "spdy"])
async def test_a_command_is_heard_and_judged(tool: Tool, env: dict[str, str]) -> None:
    await tool.run("p", "sleep", "1000")
    said = await tool.kubectl("exec", "p", "--", "sh", "-c", "echo out; echo err >&2; exit 3", fails=True, **env)
    assert {"out", "err", "command terminated with exit code 3"} <= set(said.splitlines())
    text = "hello" * 100_000
    assert await tool.kubectl("exec", "-i", "p", "--", "tr", "a-z", "A-Z", stdin=text, **env) == text.upper()


@needs_kubectl
@pytest.mark.parametrize("env", [{}, SPDY], ids=["websocket", "spdy"])
async def test_a_container_is_heard_from_now_on_and_answers(tool: Tool, env: dict[str, str]) -> None:
    await tool.run("p", "sh", "-c", "echo before; while read line; do echo got $line; done; echo over", stdin=True)
    attached = await tool.start("attach", "-i", "p", **env)
    assert attached.stdin is not None and attached.stdout is not None
    attached.stdin.write(b"one\n")
    heard = b""
    while b"got one" not in heard:
        heard += await asyncio.wait_for(attached.stdout.read(1000), 60)
    assert b"before" not in heard
    attached.terminate()  # which ends nothing but the talk
    await attached.communicate()
    assert running(await tool.client.get(POD, "p", "default"))
    log = await tool.kubectl("logs", "p")
    assert log.splitlines() == ["before", "got one"]


@needs_kubectl
async def test_what_has_no_input_is_listened_to(tool: Tool) -> None:
    flag = tool.home / "go"
    await tool.run("p", "sh", "-c", f"until test -e {flag}; do echo waits; sleep 0.1; done; echo late")
    attached = await tool.start("attach", "p")
    assert attached.stdout is not None
    while b"waits" not in await asyncio.wait_for(attached.stdout.readline(), 60):
        pass
    flag.touch()
    output, _ = await asyncio.wait_for(attached.communicate(), 60)
    assert output.splitlines()[-1] == b"late"
    assert attached.returncode == 0


@needs_kubectl
@pytest.mark.parametrize("env", [{}, SPDY], ids=["websocket", "spdy"])
async def test_run_with_input_gives_what_it_made_of_it(tool: Tool, env: dict[str, str]) -> None:
    said = await tool.kubectl(
        *("run", "p", "-i", "--rm", "--quiet", "--restart=Never", "--image=busybox"),
        *("--", "sh", "-c", "tr a-z A-Z; exit 0"),
        stdin="carry me\n",
        **env,
    )
    assert "CARRY ME" in said


@needs_kubectl
async def test_run_with_a_terminal_has_one(tool: Tool) -> None:
    await tool.run("p", "sh", "-c", "tty >/dev/null && echo is; read line; stty size; echo $line", stdin=True, tty=True)
    async with talking(tool, "pods/p/attach?stdin=true&stdout=true&tty=true") as socket:
        await socket.send_bytes(b"\4" + json.dumps({"Width": 120, "Height": 40}).encode())
        await socket.send_bytes(b"\0go\n")
        said, end = await heard(socket)
    assert b"40 120" in said and b"go\r\n" in said
    assert end["status"] == "Success"
    assert "is\n" in (await tool.kubectl("logs", "p")).replace("\r", "")


async def test_the_oldest_protocol_of_channels_ends_without_a_status(tool: Tool) -> None:
    """As two of upstream's conformance tests speak."""
    await tool.run("p", "sleep", "1000")
    path = "pods/p/exec?command=echo&command=hi&stdout=true&stderr=true"
    async with talking(tool, path, "channel.k8s.io") as socket:
        said = b""
        async for message in socket:
            said += message.data[1:]
        assert said == b"hi\n"
    async with talking(tool, "pods/p/exec?command=false&stdout=true", "channel.k8s.io") as socket:
        last = b""
        async for message in socket:
            last = message.data
        assert last.startswith(b"\3command terminated with non-zero exit code")


async def test_input_for_what_has_none_is_refused(tool: Tool) -> None:
    await tool.run("p", "sleep", "1000")
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        async with talking(tool, "pods/p/attach?stdin=true"):
            pass
    assert refused.value.status == 400


async def test_the_python_client_attaches_and_gives_a_command_its_input(tool: Tool) -> None:
    k8s = pytest.importorskip("kubernetes", reason="the kubernetes package is not installed")
    await tool.run("p", "sh", "-c", "while read line; do echo got $line; done", stdin=True)

    def script() -> str:
        api = k8s.config.new_client_from_config(str(tool.here.kubeconfig), persist_config=False)
        core = k8s.client.CoreV1Api(api)
        talk = k8s.stream.stream(
            core.connect_get_namespaced_pod_attach, "p", "default", stdin=True, stdout=True, _preload_content=False
        )
        talk.write_stdin("a line\n")
        said = str(talk.readline_stdout(timeout=60))
        talk.close()
        asked = {"command": ["head", "-n1"], "stdin": True, "stdout": True, "_preload_content": False}
        talk = k8s.stream.stream(core.connect_get_namespaced_pod_exec, "p", "default", **asked)
        talk.write_stdin("as text\n")
        talk.run_forever(timeout=60)
        result = f"{said}, {talk.read_stdout()}, {talk.returncode}"
        talk.sock.shutdown()  # which the client leaves to chance after the server's good-bye
        api.close()
        api.rest_client.pool_manager.clear()
        return result

    assert await asyncio.to_thread(script) == "got a line, as text\n, 0"


# What is passed on


@needs_kubectl
async def test_requests_reach_pods_and_services_through_the_api(tool: Tool) -> None:
    await tool.run("web", "python3", "-c", SERVER, image="python:3", ports=[{"name": "http", "containerPort": 8000}])
    spec = {"selector": {"app": "web"}, "ports": [{"name": "front", "port": 80, "targetPort": "http"}]}
    await tool.client.create(SERVICE, SERVICE.new("web", "default", spec=spec))
    place = "/api/v1/namespaces/default"
    for name in ("pods/web", "pods/web:8000", "pods/web:http", "services/web", "services/web:80", "services/web:front"):
        said = json.loads(await until(tool, f"{place}/{name}/proxy/a%20b/c?x=1&watch=true"))
        assert (said["method"], said["path"]) == ("GET", "/a%20b/c?x=1&watch=true")
        assert "Authorization" not in said["headers"]
    async with session(tool) as client:
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            async with client.request(method, f"{place}/services/web/proxy/x", data="body") as answer:
                said = await answer.json(content_type=None)
                assert (answer.status, said["method"], said["body"]) == (200, method, "body")
        async with client.get(f"{place}/pods/web/proxy/teapot") as answer:
            assert answer.status == 418
        async with client.get(f"{place}/pods/web/proxy/moved", allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (302, f"{place}/pods/web/proxy/there?x=1")
        async with client.get(f"{place}/pods/web/proxy?a=1", allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (301, f"{place}/pods/web/proxy/?a=1")


@needs_kubectl
async def test_what_cannot_be_reached_says_why(tool: Tool) -> None:
    await tool.run("p", "sleep", "1000")
    await tool.client.create(SERVICE, SERVICE.new("none", "default", spec={"ports": [{"port": 80}]}))
    place = "/api/v1/namespaces/default"
    reasons = {
        "pods/p:8001/proxy/": "error trying to reach service",
        "pods/gone/proxy/": 'pods "gone" not found',
        "pods/a:b:c:d/proxy/": "invalid pod request",
        "services/none/proxy/": 'no endpoints available for service "none"',
        "services/none:81/proxy/": 'no service port "81" found',
    }
    for path, reason in reasons.items():
        assert reason in await tool.kubectl("get", "--raw", f"{place}/{path}", fails=True)


async def test_a_websocket_is_passed_on(tool: Tool) -> None:
    await tool.run("web", "python3", "-c", SOCKETS, image="python:3", ports=[{"containerPort": 8000}])
    async with session(tool) as client:
        address = "/api/v1/namespaces/default/pods/web/proxy/ws"
        async with asyncio.timeout(60):
            while True:
                try:
                    socket = await client.ws_connect(address, protocols=("shout",))
                    break
                except aiohttp.WSServerHandshakeError as early:
                    assert early.status == 503
                    await asyncio.sleep(0.1)
        await socket.send_str("hello")
        assert (socket.protocol, (await socket.receive()).data) == ("shout", "HELLO")
        async with asyncio.timeout(60):
            await socket.close()


@needs_kubectl
async def test_a_node_says_that_it_is_well_and_what_runs_on_it(tool: Tool) -> None:
    await tool.run("p", "sleep", "1000")
    assert await tool.kubectl("get", "--raw", f"/api/v1/nodes/{NODE}/proxy/healthz") == "ok"
    said = json.loads(await tool.kubectl("get", "--raw", f"/api/v1/nodes/{NODE}/proxy/pods"))
    assert [pod["metadata"]["name"] for pod in said["items"]] == ["p"]
    assert "not /stats/summary" in await tool.kubectl(
        "get", "--raw", f"/api/v1/nodes/{NODE}/proxy/stats/summary", fails=True
    )


async def until(tool: Tool, path: str) -> str:
    """Once there is an answer: a program takes a moment to listen."""
    async with session(tool) as client, asyncio.timeout(60):
        while True:
            async with client.get(aiohttp.client.URL(path, encoded=True)) as answer:
                if answer.status == 200:
                    return await answer.text()
                assert answer.status == 503, await answer.text()
            await asyncio.sleep(0.1)


def session(tool: Tool) -> aiohttp.ClientSession:
    token = tool.here.issuer.mint("admin", ["system:masters"], seconds=600)
    return aiohttp.ClientSession(
        tool.here.api_url,
        headers={"Authorization": f"Bearer {token}"},
        connector=aiohttp.TCPConnector(ssl=False),
    )


class talking:
    """A WebSocket to a subresource of the default namespace."""

    def __init__(self, tool: Tool, path: str, *protocols: str) -> None:
        self._session, self._path = session(tool), f"/api/v1/namespaces/default/{path}"
        self._protocols = protocols or ("v5.channel.k8s.io",)

    async def __aenter__(self) -> aiohttp.ClientWebSocketResponse:
        try:
            self._socket = await self._session.ws_connect(self._path, protocols=self._protocols)
        except BaseException:
            await self._session.close()
            raise
        return self._socket

    async def __aexit__(self, *_: object) -> None:
        with suppress(ConnectionError):
            await self._socket.close()
        await self._session.close()


async def heard(socket: aiohttp.ClientWebSocketResponse) -> tuple[bytes, Object]:
    said = b""
    async with asyncio.timeout(60):
        async for message in socket:
            if message.data[0] == 3:
                return said, json.loads(message.data[1:])
            said += message.data[1:]
    raise AssertionError("it ended without an end")
