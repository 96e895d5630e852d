"""What only HTTP has: representations, bodies, codes, headers; every error is a Status."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import AsyncGenerator

import orjson
import pytest

from fairway.cluster.api.pods.podlogs import LogOptions
from fairway.cluster.api.server import ApiServer
from fairway.cluster.store.memory import MemoryStore
from fairway.kernel.client.client import Client
from fairway.kernel.client.http import HTTPTransport
from fairway.kernel.clock import SystemClock
from fairway.kernel.feature import Identity
from fairway.kernel.objects import errors
from fairway.kernel.objects.kinds import CONFIG_MAP, POD, SERVICE_ACCOUNT, Object
from tests.cluster.api.world import WIDGET, World, define, pod

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
PARTIAL = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"


@pytest.fixture
def admin(world: World) -> Client:
    return Client(world.server.transport(Identity("admin", ("system:masters",))))


@pytest.mark.parametrize(
    ("method", "path", "data", "headers", "code", "reason"),
    [
        ("GET", "/api/v1/pods", None, {"Authorization": "Bearer x.y.z"}, 401, "Unauthorized"),
        ("GET", "/nothing", None, {}, 404, "NotFound"),
        ("GET", "/apis/nope.dev/v1/things", None, {}, 404, "NotFound"),
        ("POST", "/api/v1/namespaces/default/configmaps", b"{", {}, 400, "BadRequest"),
        ("POST", "/api/v1/namespaces/default/configmaps", b"[]", {}, 400, "BadRequest"),
        (
            "POST",
            "/api/v1/namespaces/default/configmaps",
            b"x",
            {"Content-Type": "text/csv"},
            415,
            "UnsupportedMediaType",
        ),
        ("POST", "/api/v1/namespaces/default/configmaps", b" " * (3 * 2**20 + 1), {}, 413, "RequestEntityTooLarge"),
        ("GET", "/api/v1/pods", None, {"Accept": "application/xml"}, 406, "NotAcceptable"),
        ("POST", "/api/v1/namespaces/default/pods/p/log", b"", {}, 405, "MethodNotAllowed"),
        ("DELETE", "/api/v1/configmaps", None, {}, 405, "MethodNotAllowed"),
        ("PUT", "/api/v1/namespaces/default/configmaps", b"{}", {}, 405, "MethodNotAllowed"),
        ("POST", "/api/v1/namespaces/default/configmaps/c", b"{}", {}, 405, "MethodNotAllowed"),
        ("DELETE", "/version", None, {}, 405, "MethodNotAllowed"),
        ("GET", "/api/v1/namespaces/default/configmaps/c/status", None, {}, 404, "NotFound"),
        ("GET", "/apis/resource.k8s.io/v1/deviceclasses", None, {}, 404, "NotFound"),
        ("GET", "/api/v1/pods?limit=many", None, {}, 400, "BadRequest"),
        ("GET", "/api/v1/pods", None, {"impersonate-user": "ann"}, 403, "Forbidden"),
        ("GET", "/api/v1/pods", None, {"impersonate-uid": "7"}, 400, "BadRequest"),
    ],
)
async def test_every_error_is_a_status(
    world: World, method: str, path: str, data: bytes | None, headers: dict[str, str], code: int, reason: str
) -> None:
    sent = {"Content-Type": "application/json", **headers}
    got, _, body = await world.raw(method, path, data=data, headers=sent)
    status = orjson.loads(body)
    assert (got, status["kind"], status["code"], status["reason"]) == (code, "Status", code, reason)
    assert status["message"]


async def test_without_a_token_only_health_is_told(world: World) -> None:
    for path in ("/livez", "/readyz", "/healthz"):
        assert (await world.raw("GET", path, token=""))[::2] == (200, b"ok")
    for path in ("/", "/api", "/apis", "/version", "/openapi/v3", "/api/v1/pods", "/openid/v1/jwks", "/livez/x"):
        assert (await world.raw("GET", path, token=""))[0] == 401


async def test_tables_have_the_columns_of_the_kind(world: World, admin: Client) -> None:
    await define(admin)
    await admin.create(WIDGET.kind, WIDGET.kind.new("w", "default", spec={"size": 7}))
    await admin.create(POD, pod("p"))
    _, _, body = await world.raw("GET", "/apis/example.dev/v1/namespaces/default/widgets", headers={"Accept": TABLE})
    table = orjson.loads(body)
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Size"]
    assert table["rows"][0]["cells"] == ["w", 7]
    assert table["metadata"]["resourceVersion"]
    _, _, body = await world.raw("GET", "/api/v1/namespaces/default/pods/p", headers={"Accept": TABLE})
    row = orjson.loads(body)["rows"][0]
    assert row["cells"][:3] == ["p", "0/1", "Pending"]
    assert row["object"]["kind"] == "PartialObjectMetadata"


async def test_metadata_alone_can_be_asked_for(world: World, admin: Client) -> None:
    await admin.create(CONFIG_MAP, CONFIG_MAP.new("c", "default", data={"a": "b"}))
    _, _, body = await world.raw("GET", CONFIG_MAP.path("default"), headers={"Accept": PARTIAL})
    listed = orjson.loads(body)
    assert listed["kind"] == "PartialObjectMetadataList"
    assert set(listed["items"][0]) == {"kind", "apiVersion", "metadata"}


async def test_yaml_has_the_types_of_json(world: World, admin: Client) -> None:
    text = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: yes, b: 'true', c: 2026-01-01}\n"
    code, _, body = await world.raw(
        "POST", CONFIG_MAP.path("default"), data=text, headers={"Content-Type": "application/yaml"}
    )
    assert (code, orjson.loads(body)["data"]) == (201, {"a": "yes", "b": "true", "c": "2026-01-01"})


@pytest.mark.parametrize(
    ("media", "data", "code"),
    [
        ("application/yaml", b"a: &x [1]\nb: [*x, *x]", 400),
        ("application/yaml", b"{1: 2, metadata: {name: c}}", 201),
        ("application/yaml", b"[" * 100_000, 400),
        ("application/yaml", b"- " * 100_000, 400),
        ("application/json", b'{"metadata":{"name":"c"},"data":' + b'{"a":' * 600 + b"1" + b"}" * 601, 400),
        ("application/json", b'{"metadata":{"name":"c","labels":{"a":"\\ud800"}}}', 400),
        ("application/json", b'{"metadata":[]}', 400),
        ("application/json", b'{"metadata":{"name":7}}', 400),
        ("application/json", b'{"metadata":{"name":"c","labels":[1],"annotations":3,"finalizers":{}}}', 400),
        ("application/json", b'{"metadata":{"name":"c"},"data":[1]}', 400),
        ("application/vnd.kubernetes.protobuf", b"k8s\x00\xff\xff\xff", 400),
    ],
)
@pytest.mark.parametrize("validation", ["Strict", "Ignore"])
async def test_odd_bodies_never_break_the_server(
    world: World, media: str, data: bytes, code: int, validation: str
) -> None:
    path = f"{CONFIG_MAP.path('default')}?fieldValidation={validation}"
    got, _, body = await world.raw("POST", path, data=data, headers={"Content-Type": media})
    strict_yaml = code == 201 and validation == "Strict"
    assert got == (400 if strict_yaml else code), body


async def test_a_body_is_taken_as_it_is_whatever_its_encoding_is_called(world: World) -> None:
    body = gzip.compress(b'{"metadata":{"name":"c"}}')
    code, _, told = await world.raw("POST", CONFIG_MAP.path("default"), data=body, headers={"Content-Encoding": "gzip"})
    assert (code, orjson.loads(told)["reason"]) == (400, "BadRequest")


async def test_an_address_may_be_as_long_as_upstreams(world: World) -> None:
    """It holds the whole command of an exec, and every value of a selector."""
    values = ",".join(str(number) for number in range(10_000))
    code, _, told = await world.raw("GET", f"{CONFIG_MAP.path('default')}?labelSelector=a%20in%20({values})")
    assert (code, orjson.loads(told)["items"]) == (200, [])


async def test_what_is_not_served_is_named_whatever_the_body(world: World) -> None:
    path, media = "/apis/resource.k8s.io/v1/deviceclasses", "application/vnd.kubernetes.protobuf"
    code, _, body = await world.raw("POST", path, data=b"k8s\x00\xff", headers={"Content-Type": media})
    assert code == 404
    assert "dynamic resource allocation is not supported" in orjson.loads(body)["message"]


async def test_a_write_ends_though_its_client_has_gone(world: World, admin: Client) -> None:
    body = orjson.dumps(CONFIG_MAP.new("c", "default", data={"a": "b"}))
    head = f"POST {CONFIG_MAP.path('default')} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {world.token()}\r\n"
    port = int(world.url.rpartition(":")[2])
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=world.tls, server_hostname="127.0.0.1")
    writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    await writer.drain()
    writer.transport.abort()
    await admin.wait(CONFIG_MAP, "c", "default", lambda found: found is not None, timeout=60)


async def test_a_watch_ends_with_its_connection(world: World) -> None:
    remote = Client(HTTPTransport(world.url, token=world.token(), tls=world.tls))
    events = remote.watch(CONFIG_MAP, "default")
    waiting = asyncio.ensure_future(anext(events))
    async with asyncio.timeout(60):
        while not world.store._broadcast.count("configmaps"):
            await asyncio.sleep(0.01)
        waiting.cancel()
        await asyncio.wait((waiting,))
        while world.store._broadcast.count("configmaps"):
            await asyncio.sleep(0.01)
    await remote.close()


async def test_what_may_surprise_is_warned_of(world: World) -> None:
    service = {"metadata": {"name": "s"}, "spec": {"type": "NodePort", "ports": [{"port": 80}]}}
    code, headers, _ = await world.raw("POST", "/api/v1/namespaces/default/services", data=orjson.dumps(service))
    assert code == 201
    assert "publish the Service with an HTTPRoute" in headers["Warning"]


async def test_large_answers_are_compressed_for_who_can_read_them(world: World, admin: Client) -> None:
    await admin.create(CONFIG_MAP, CONFIG_MAP.new("c", "default", data={"a": "x" * 200_000}))
    path = CONFIG_MAP.path("default", "c")
    _, headers, small = await world.raw("GET", path, headers={"Accept-Encoding": "gzip"})
    _, plain_headers, plain = await world.raw("GET", path, headers={"Accept-Encoding": "identity"})
    assert headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain_headers
    assert zlib.decompress(small, 31) == plain


async def test_discovery_has_an_old_and_a_new_form(world: World) -> None:
    _, headers, body = await world.raw("GET", "/apis", headers={"Accept": AGGREGATED})
    assert headers["Content-Type"] == "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    seen = {"Accept": AGGREGATED, "If-None-Match": headers["ETag"]}
    assert (await world.raw("GET", "/apis", headers=seen))[0] == 304
    groups = {item["metadata"]["name"]: item for item in orjson.loads(body)["items"]}
    deployments = next(r for r in groups["apps"]["versions"][0]["resources"] if r["resource"] == "deployments")
    assert {sub["subresource"] for sub in deployments["subresources"]} == {"scale", "status"}
    _, _, body = await world.raw("GET", "/api", headers={"Accept": AGGREGATED})
    assert [item["versions"][0]["version"] for item in orjson.loads(body)["items"]] == ["v1"]
    _, _, body = await world.raw("GET", "/apis")
    assert "apps" in [group["name"] for group in orjson.loads(body)["groups"]]
    _, _, body = await world.raw("GET", "/version")
    assert orjson.loads(body)["minor"] == "36"


async def test_openapi_documents_keep_while_their_address_stands(world: World) -> None:
    _, _, body = await world.raw("GET", "/openapi/v3")
    address = orjson.loads(body)["paths"]["apis/apps/v1"]["serverRelativeURL"]
    code, headers, document = await world.raw("GET", address)
    assert (code, orjson.loads(document)["openapi"]) == (200, "3.0.0")
    code, _, _ = await world.raw("GET", address, headers={"If-None-Match": headers["ETag"]})
    assert code == 304


class Shelf:
    """Keeps the log of one pod, as a node agent would."""

    def __init__(self) -> None:
        self.asked: list[LogOptions] = []

    async def read(self, pod: Object, options: LogOptions) -> AsyncGenerator[bytes, None]:
        self.asked.append(options)
        if options.previous:
            raise errors.NotFound("the log is gone")
        yield b"one\n"
        yield b"two\n"


async def test_logs_come_from_whoever_keeps_them(world: World, admin: Client) -> None:
    shelf = Shelf()
    world.server.reach_pods(shelf)
    remote = Client(HTTPTransport(world.url, token=world.token(), tls=world.tls))
    two = pod("two")
    two["spec"]["containers"].append({"name": "side", "image": "busybox:1"})
    await admin.create(POD, two)
    with pytest.raises(
        errors.BadRequest, match=r"a container name must be specified for pod two, choose one of: \[main side\]"
    ):
        [chunk async for chunk in remote.logs("two", "default")]
    with pytest.raises(errors.BadRequest, match="container other is not valid for pod two"):
        [chunk async for chunk in remote.logs("two", "default", container="other")]
    await admin.transport.request("POST", POD.path("default", "two", "binding"), body={"target": {"name": "n"}})
    with pytest.raises(errors.BadRequest, match='container "main" in pod "two" is waiting to start: ContainerCreating'):
        [chunk async for chunk in remote.logs("two", "default", container="main")]
    statuses = [
        {"name": "main", "state": {"running": {}}, "ready": True, "restartCount": 0, "image": "", "imageID": ""}
    ]
    await admin.patch_status(POD, "two", "default", {"containerStatuses": statuses})
    for client in (admin, remote):
        text = b"".join([chunk async for chunk in client.logs("two", "default", container="main", tail=5)])
        assert text == b"one\ntwo\n"
    assert shelf.asked[0] == LogOptions("main", tail_lines=5)
    with pytest.raises(errors.BadRequest, match="previous terminated container"):
        [chunk async for chunk in remote.logs("two", "default", container="main", previous=True)]
    await remote.close()


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ({"tailLines": "-1"}, "tailLines: Invalid value: -1: must be greater than or equal to 0"),
        ({"limitBytes": "0"}, "limitBytes: Invalid value: 0: must be greater than 0"),
        ({"sinceSeconds": "0"}, "sinceSeconds: Invalid value: 0: must be greater than 0"),
        (
            {"sinceSeconds": "5", "sinceTime": "2026-11-26T19:00:00Z"},
            "Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified",
        ),
        ({"sinceTime": "yesterday"}, 'sinceTime: "yesterday" is no RFC 3339 time'),
    ],
)
async def test_what_cannot_be_asked_of_a_log_is_named(
    world: World, admin: Client, query: dict[str, str], text: str
) -> None:
    world.server.reach_pods(Shelf())
    statuses = [
        {"name": "main", "state": {"running": {}}, "ready": True, "restartCount": 0, "image": "", "imageID": ""}
    ]
    await admin.create(POD, pod("one"))
    await admin.transport.request("POST", POD.path("default", "one", "binding"), body={"target": {"name": "n"}})
    await admin.patch_status(POD, "one", "default", {"containerStatuses": statuses})
    with pytest.raises(errors.ApiError, match=text):
        [chunk async for chunk in admin.transport.stream(POD.path("default", "one", "log"), query)]


async def test_a_taken_port_is_told_and_another_serves(world: World) -> None:
    server = ApiServer(MemoryStore(), clock=SystemClock(), issuer=world.issuer)
    taken = int(world.url.rpartition(":")[2])
    with pytest.raises(OSError, match="in use"):
        await server.serve("127.0.0.1", taken, None)
    assert await server.serve("127.0.0.1", 0, None) != taken
    await server.close()


async def test_what_is_accepted_and_may_surprise_is_warned_of(world: World) -> None:
    surprising = pod("p")
    surprising["spec"]["dnsConfig"] = {"nameservers": ["192.0.2.1"]}
    code, headers, _ = await world.raw("POST", POD.path("default"), data=orjson.dumps(surprising))
    assert code == 201
    assert "dnsConfig is not used" in headers["Warning"]


async def test_who_reads_with_their_eyes_gets_lines(world: World) -> None:
    path = "/api/v1/namespaces/default"
    _, _, for_programs = await world.raw("GET", path)
    _, _, asked_for = await world.raw("GET", f"{path}?pretty=true")
    _, _, for_curl = await world.raw("GET", path, headers={"User-Agent": "curl/8.5"})
    _, _, refused = await world.raw("GET", f"{path}?pretty=0", headers={"User-Agent": "curl/8.5"})
    assert asked_for == for_curl and b'\n  "kind": "Namespace"' in for_curl
    assert for_programs == refused and b"\n" not in refused
    assert orjson.loads(for_curl) == orjson.loads(refused)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "serviceaccounts/a/token", {"spec": True}),
        ("POST", "serviceaccounts/a/token", {"spec": {"boundObjectRef": ["a"]}}),
        ("POST", "pods/p/binding", {"target": "n"}),
        ("POST", "pods/p/binding", {"metadata": {"annotations": ["a"]}, "target": {"name": "n"}}),
        ("POST", "pods/p/eviction", {"metadata": 1}),
        ("POST", "pods/p/eviction", {"deleteOptions": {"dryRun": {"a": 1}}}),
        ("DELETE", "pods/p", {"preconditions": [1]}),
        ("DELETE", "pods", {"propagationPolicy": {}}),
        ("PUT", "finalize", {"spec": 1}),
    ],
)
async def test_what_is_no_object_of_its_own_has_types_too(
    world: World, admin: Client, method: str, path: str, body: Object
) -> None:
    await admin.create(POD, pod("p"))
    await admin.create(SERVICE_ACCOUNT, SERVICE_ACCOUNT.new("a", "default"))
    code, _, answer = await world.raw(method, f"/api/v1/namespaces/default/{path}", data=orjson.dumps(body))
    assert (code, orjson.loads(answer)["reason"]) == (400, "BadRequest")


async def test_many_warnings_are_no_more_than_clients_read(world: World) -> None:
    unknown = {f"{'x' * 900}{number}": 1 for number in range(20)}
    body = orjson.dumps({**CONFIG_MAP.new("c", "default"), **unknown})
    _, headers, _ = await world.raw("POST", CONFIG_MAP.path("default"), data=body)
    told = [value for name, value in headers.items() if name == "Warning"]
    assert len(told) == 16 and all(len(value) < 300 for value in told)
