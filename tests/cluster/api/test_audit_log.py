"""Every write and every refusal leaves a record: who, what, how it ended, and nothing of what was sent."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncGenerator
from pathlib import Path

import orjson
import pytest

from fairway.cli import main
from fairway.cluster.api.auditing import events
from fairway.cluster.api.auditing import reading as auditing
from fairway.cluster.api.auditing.log import AuditLog
from fairway.cluster.api.auditing.reading import CLIENTS, STRANGERS
from fairway.cluster.api.auditing.visits import Visit
from fairway.cluster.api.identity import certificates, front_proxy
from fairway.cluster.api.identity.tokens import MASTERS, Issuer
from fairway.cluster.api.server import ApiServer
from fairway.cluster.store.memory import MemoryStore
from fairway.kernel.client.client import Client
from fairway.kernel.clock import SystemClock
from fairway.kernel.feature import Identity
from fairway.kernel.objects.errors import Unauthorized
from fairway.kernel.objects.kinds import API_SERVICE, CONFIG_MAP, Object
from tests.cluster.api import extension_server as wardle
from tests.cluster.api.extension_server import ExtensionServer
from tests.cluster.api.world import World

PODS = "/api/v1/namespaces/default/pods"
SECRETS = "/api/v1/namespaces/default/secrets"


@pytest.fixture
async def audited(keys: Path, tmp_path: Path) -> AsyncGenerator[World, None]:
    issuer, store = Issuer.load(keys), MemoryStore()
    files = certificates.ensure(keys)
    front = front_proxy.ensure(keys, files.ca_pem)
    server = ApiServer(store, clock=SystemClock(), issuer=issuer, audit=tmp_path / "audit", front_proxy=front)
    port = await server.serve("127.0.0.1", 0, certificates.server_context(files))
    trust = ssl.create_default_context(cadata=files.ca_pem)
    world = World(server, store, issuer, f"https://127.0.0.1:{port}", trust)
    yield world
    await world.close()
    await server.close()


def records(folder: Path) -> list[Object]:
    return list(auditing.newest_first(folder / "audit"))


async def test_a_write_that_another_server_answers_is_recorded_and_told_it_by_name(
    audited: World, tmp_path: Path
) -> None:
    client, behind = Client(audited.server.transport(Identity("system:setup", (MASTERS,)))), ExtensionServer(tmp_path)
    await behind.start(client)
    await wardle.furnish(client, behind.port)
    await client.create(API_SERVICE, wardle.api_service(caBundle=behind.bundle))
    available = {"conditions": [{"type": "Available", "status": "True"}]}
    await client.patch_status(API_SERVICE, wardle.NAME, None, available)
    path = f"{wardle.ROOT}/namespaces/default/flunders"
    code, _, _ = await audited.raw("POST", path, data=orjson.dumps({"metadata": {"name": "one"}}))
    refused, _, _ = await audited.raw("GET", path, token=audited.token("ann", ()))
    await behind.stop()
    assert (code, refused) == (201, 403)
    record, denial = (each for each in records(tmp_path) if each["objectRef"].get("resource") == "flunders")
    if record["verb"] == "list":
        record, denial = denial, record
    reference = {"resource": "flunders", "namespace": "default", "apiGroup": wardle.GROUP, "apiVersion": wardle.VERSION}
    assert (record["verb"], record["responseStatus"]["code"], record["objectRef"]) == ("create", 201, reference)
    assert (denial["verb"], denial["user"]["username"]) == ("list", "ann")
    (asked,) = behind.told("admin")
    assert ("Audit-Id", record["auditID"]) in asked.headers


async def test_a_write_is_recorded_without_what_was_written(audited: World, tmp_path: Path) -> None:
    hidden = base64.b64encode(b"hunter2").decode()
    body = {"metadata": {"name": "s"}, "data": {"password": hidden}}
    code, headers, _ = await audited.raw("POST", SECRETS, data=orjson.dumps(body))
    (record,) = records(tmp_path)
    assert code == 201
    assert record["auditID"] == headers["Audit-Id"]
    assert (record["verb"], record["responseStatus"]["code"]) == ("create", 201)
    assert record["user"] == {"username": "admin", "groups": ["system:masters", "system:authenticated"]}
    assert record["objectRef"] == {"resource": "secrets", "namespace": "default", "name": "s", "apiVersion": "v1"}
    assert record["annotations"] == {"authorization.k8s.io/decision": "allow"}
    assert record["sourceIPs"] == ["127.0.0.1"]
    wrong = {"metadata": {"name": "t"}, "data": {"password": "not base64: hunter2"}}
    assert (await audited.raw("POST", SECRETS, data=orjson.dumps(wrong)))[0] == 422
    text = (tmp_path / "audit" / CLIENTS).read_text()
    assert text.count("\n") == 2
    assert "hunter2" not in text and hidden not in text


async def test_reading_leaves_no_record_unless_it_was_refused(audited: World, tmp_path: Path) -> None:
    await audited.raw("GET", PODS)
    await audited.raw("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", data=b"{}")
    assert records(tmp_path) == []
    ann = audited.token("ann", ())
    for path in (PODS, f"{PODS}/p", "/metrics", f"{PODS}?watch=true"):
        assert (await audited.raw("GET", path, token=ann))[0] == 403
    found = records(tmp_path)
    assert [record["verb"] for record in reversed(found)] == ["list", "get", "get", "watch"]
    assert {record["annotations"]["authorization.k8s.io/decision"] for record in found} == {"forbid"}
    assert 'User "ann" cannot get path "/metrics"' in found[1]["responseStatus"]["message"]


async def test_strangers_fill_no_file_but_their_own(audited: World, tmp_path: Path) -> None:
    assert (await audited.raw("DELETE", f"{PODS}/p", token="nonsense"))[0] == 401
    (record,) = records(tmp_path)
    assert (record["verb"], record["user"], record["responseStatus"]["code"]) == ("delete", {}, 401)
    assert not (tmp_path / "audit" / CLIENTS).exists()


async def test_who_acts_as_somebody_is_named_beside_them(audited: World, tmp_path: Path) -> None:
    headers = {"Impersonate-User": "ann", "Audit-Id": "mine"}
    _, answered, _ = await audited.raw("DELETE", f"{PODS}/p", headers=headers)
    (record,) = records(tmp_path)
    assert answered["Audit-Id"] == record["auditID"] == "mine"
    assert (record["user"]["username"], record["impersonatedUser"]["username"]) == ("admin", "ann")
    assert record["responseStatus"]["reason"] == "Forbidden"


async def test_the_platforms_own_writes_have_a_file_of_their_own(audited: World, tmp_path: Path) -> None:
    platform = Client(audited.server.transport(Identity("fairway:admin", ("system:masters",))))
    await platform.create(CONFIG_MAP, CONFIG_MAP.new("c", "default"))
    assert records(tmp_path) == []
    record = next(auditing.newest_first(tmp_path / "audit", platform=True))
    assert (record["user"]["username"], record["objectRef"]["name"]) == ("fairway:admin", "c")


async def test_names_of_answers_are_unlike_each_other(audited: World) -> None:
    seen = {(await audited.raw("GET", "/version"))[1]["Audit-Id"] for _ in range(5)}
    assert len(seen) == 5


def test_the_log_is_bounded_and_its_newest_records_are_there(tmp_path: Path) -> None:
    log = AuditLog(tmp_path, SystemClock(), largest=2000, kept=2)
    for number in range(100):
        visit = Visit(str(number), "GET", "/version", {}, 0.0)
        log.visited(visit, 401, Unauthorized("Unauthorized"))
    log.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == [STRANGERS, f"{STRANGERS}.1", f"{STRANGERS}.2"]
    assert all(path.stat().st_size < 3000 and path.stat().st_mode & 0o77 == 0 for path in tmp_path.iterdir())
    kept = [record["auditID"] for record in auditing.newest_first(tmp_path)]
    assert kept == [str(number) for number in range(99, 99 - len(kept), -1)]


def test_a_half_line_hides_no_other(tmp_path: Path) -> None:
    visit = Visit("one", "GET", "/version", {}, 0.0)
    log = AuditLog(tmp_path, SystemClock())
    log.visited(visit, 401, Unauthorized("Unauthorized"))
    log.close()
    with (tmp_path / STRANGERS).open("ab") as file:
        file.write(orjson.dumps(events.event(visit, 401, None, 0.0))[:40])
    assert [record["auditID"] for record in auditing.newest_first(tmp_path)] == ["one"]


async def test_the_command_shows_it(audited: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    await audited.raw("GET", PODS, token=audited.token("ann", ()))
    await audited.raw("DELETE", f"{PODS}/p", headers={"Impersonate-User": "system:serviceaccount:default:bob"})
    assert main(["audit", "--data-dir", str(tmp_path)]) == 0
    _, first, second = capsys.readouterr().out.splitlines()
    assert "admin as system:serviceaccount:default:bob" in first and "404 NotFound" in first
    assert "ann" in second and "pods default" in second and "403 Forbidden" in second
    assert main(["audit", "--data-dir", str(tmp_path), "--refused", "--json"]) == 0
    assert orjson.loads(capsys.readouterr().out)["user"]["username"] == "ann"
    assert main(["audit", "--data-dir", str(tmp_path), "--namespace", "elsewhere"]) == 0
    assert "no records" in capsys.readouterr().out


async def test_headers_that_are_no_text_harm_nothing(audited: World, tmp_path: Path) -> None:
    lines = [
        f"DELETE {PODS}/p HTTP/1.1",
        "Host: 127.0.0.1",
        f"Authorization: Bearer {audited.token()}",
        "User-Agent: \udcff\udcfe",
        "Audit-Id: \udcff",
        "Connection: close",
    ]
    head = "\r\n".join(lines).encode("utf-8", "surrogateescape")
    port = int(audited.url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=audited.tls)
    writer.write(head + b"\r\n\r\n")
    answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 404")
    (record,) = records(tmp_path)
    assert (record["verb"], record["objectRef"]["name"]) == ("delete", "p")


async def test_nobody_acts_as_what_is_no_text(audited: World) -> None:
    code, _, _ = await audited.raw("GET", PODS, headers={"Impersonate-User": "\udcff"})
    assert code == 400


async def test_what_admission_notes_is_in_the_record(audited: World, tmp_path: Path) -> None:
    labels = {"pod-security.kubernetes.io/audit": "baseline"}
    body = {"metadata": {"name": "team", "labels": labels}}
    await audited.raw("POST", "/api/v1/namespaces", data=orjson.dumps(body))
    pod = {"metadata": {"name": "p"}, "spec": {"hostPID": True, "containers": [{"name": "c", "image": "busybox:1"}]}}
    code, _, _ = await audited.raw("POST", "/api/v1/namespaces/team/pods", data=orjson.dumps(pod))
    assert code == 201
    assert records(tmp_path)[0]["annotations"] == {
        "authorization.k8s.io/decision": "allow",
        "pod-security.kubernetes.io/enforce-policy": "privileged:latest",
        "pod-security.kubernetes.io/audit-violations": 'would violate PodSecurity "baseline:latest": '
        "host namespaces (hostPID=true)",
    }
