"""A real server of an aggregated API, as such servers are: TLS on a loopback port, and careful whom it believes.

It reads the ConfigMap that such servers read, wants a certificate of the authority that is named there, and takes the
sender from the headers that are named there. Its one resource is `flunders.wardle.example.com`, in memory.
"""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from fairway.cluster.api.identity import certificates
from fairway.kernel.client.client import Client
from fairway.kernel.objects.kinds import API_SERVICE, CONFIG_MAP, ENDPOINT_SLICE, NAMESPACE, SERVICE, Object

GROUP, VERSION, NAMESPACE_NAME, SERVICE_NAME = "wardle.example.com", "v1alpha1", "wardle", "api"
NAME = f"{VERSION}.{GROUP}"
SERVER_NAME = f"{SERVICE_NAME}.{NAMESPACE_NAME}.svc"
ROOT = f"/apis/{GROUP}/{VERSION}"
_VERBS = ["create", "delete", "get", "list", "watch"]
RESOURCES = {
    "kind": "APIResourceList",
    "apiVersion": "v1",
    "groupVersion": f"{GROUP}/{VERSION}",
    "resources": [
        {
            "name": "flunders",
            "singularName": "flunder",
            "namespaced": True,
            "kind": "Flunder",
            "shortNames": ["fl"],
            "verbs": _VERBS,
        },
        {"name": "flunders/status", "singularName": "", "namespaced": True, "kind": "Flunder", "verbs": ["get"]},
    ],
}


@dataclass
class Asked:
    method: str
    path: str
    user: str
    groups: list[str]
    headers: list[tuple[str, str]]


@dataclass
class ExtensionServer:
    """`asked` is every request but those of the server that looks whether it is there."""

    folder: Path
    """Where its keys lie."""
    port: int = 0
    bundle: str = ""
    asked: list[Asked] = field(default_factory=list)
    kept: dict[str, Object] = field(default_factory=dict)
    silent: bool = False
    broken: bytes = b""
    """What a watch says besides events."""
    changes: list[Object] = field(default_factory=list)
    """Each watch is told all of them, from the first."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    _runner: web.ServerRunner | None = None

    async def start(self, client: Client) -> None:
        published = (await client.get(CONFIG_MAP, "extension-apiserver-authentication", "kube-system"))["data"]
        files = certificates.ensure(self.folder, (SERVER_NAME,))
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(files.cert, files.key)
        tls.load_verify_locations(cadata=published["requestheader-client-ca-file"])
        tls.verify_mode = ssl.CERT_REQUIRED
        self.bundle = base64.b64encode(files.ca_pem.encode()).decode()
        self._names = json.loads(published["requestheader-allowed-names"])
        self._user = json.loads(published["requestheader-username-headers"])[0]
        self._group = json.loads(published["requestheader-group-headers"])[0]
        self._runner = web.ServerRunner(web.Server(self._answer), shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=tls).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def add(self, name: str) -> None:
        """Something that watches are told."""
        metadata = {"name": name, "namespace": "default", "uid": name, "resourceVersion": str(len(self.changes) + 1)}
        flunder = {"kind": "Flunder", "apiVersion": f"{GROUP}/{VERSION}", "metadata": metadata}
        self.changes.append({"type": "ADDED", "object": flunder})
        self.changed.set()

    def told(self, user: str) -> list[Asked]:
        """What one user asked: the platform's own controllers ask, too."""
        return [each for each in self.asked if each.user == user]

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        subject = dict(pair for part in request.get_extra_info("peercert")["subject"] for pair in part)
        if subject["commonName"] not in self._names:
            return _status(401, "Unauthorized")
        user = request.headers[self._user]
        if user != "system:kube-aggregator":
            groups = request.headers.getall(self._group, [])
            self.asked.append(Asked(request.method, request.path, user, groups, list(request.headers.items())))
        if self.silent:
            return _status(500, "InternalError")
        return await self.reply(request)

    async def reply(self, request: web.BaseRequest) -> web.StreamResponse:
        """To whoever has shown a certificate."""
        if request.path == ROOT:
            return web.json_response(RESOURCES)
        if request.path == "/openapi/v3":
            place = ROOT.removeprefix("/")
            return web.json_response({"paths": {place: {"serverRelativeURL": f"/openapi/v3/{place}?hash=1"}}})
        if request.path == f"/openapi/v3{ROOT}":
            return web.json_response({"openapi": "3.0.0", "info": {"title": "Wardle", "version": "1"}, "paths": {}})
        return await self._resource(request)

    async def _resource(self, request: web.BaseRequest) -> web.StreamResponse:
        name = request.path.partition("/flunders")[2].strip("/")
        if request.headers.get("Upgrade") == "echo":
            return await (_refused(request) if name == "refused" else _echo(request))
        if request.method == "POST":
            made = await request.json()
            self.kept[made["metadata"]["name"]] = made
            return web.json_response(made, status=201)
        if request.method == "DELETE":
            return web.json_response(self.kept.pop(name))
        if request.query.get("watch"):
            return await self._watch(request)
        if name:
            return web.json_response(self.kept[name]) if name in self.kept else _status(404, "NotFound")
        listed = {"kind": "FlunderList", "apiVersion": f"{GROUP}/{VERSION}", "metadata": {}}
        return web.json_response({**listed, "items": list(self.kept.values())})

    async def _watch(self, request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        told = 0
        while True:
            with suppress(ConnectionError):
                for event in self.changes[told:]:
                    await response.write(json.dumps(event).encode() + b"\n")
                await response.write(self.broken)
            told = len(self.changes)
            self.changed.clear()
            await self.changed.wait()


async def _echo(request: web.BaseRequest) -> web.StreamResponse:
    response = web.StreamResponse(status=101, headers={"Upgrade": "echo", "Connection": "Upgrade"})
    await response.prepare(request)
    assert request.transport is not None
    request.transport.write(request.headers["X-Remote-User"].encode())  # type: ignore[attr-defined]
    return response


async def _refused(request: web.BaseRequest) -> web.StreamResponse:
    """In chunks, as servers answer that do not know beforehand how much they will say."""
    response = web.StreamResponse(status=418)
    response.enable_chunked_encoding()
    await response.prepare(request)
    for piece in (b"not in ", b"this hour"):
        await response.write(piece)
    await response.write_eof()
    return response


def _status(code: int, reason: str) -> web.Response:
    status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": code}
    return web.json_response({**status, "message": f"wardle says {reason}"}, status=code)


async def furnish(client: Client, port: int) -> None:
    """The namespace, the Service and whoever is behind it: this process."""
    await client.create(NAMESPACE, NAMESPACE.new(NAMESPACE_NAME))
    ports = [{"port": 443, "protocol": "TCP"}]
    await client.create(SERVICE, SERVICE.new(SERVICE_NAME, NAMESPACE_NAME, spec={"ports": ports}))
    await client.create(ENDPOINT_SLICE, endpoints(port))


def endpoints(port: int) -> Object:
    return ENDPOINT_SLICE.new(
        SERVICE_NAME,
        NAMESPACE_NAME,
        metadata={"labels": {"kubernetes.io/service-name": SERVICE_NAME}},
        addressType="IPv4",
        endpoints=[{"addresses": ["127.0.0.1"], "conditions": {"ready": True}}],
        ports=[{"name": "", "port": port, "protocol": "TCP"}],
    )


def api_service(**spec: object) -> Object:
    return API_SERVICE.new(
        NAME,
        spec={
            "group": GROUP,
            "version": VERSION,
            "groupPriorityMinimum": 2000,
            "versionPriority": 200,
            "service": {"name": SERVICE_NAME, "namespace": NAMESPACE_NAME},
            **spec,
        },
    )
