"""What those get who were given nothing: another user of this machine, somebody on the network, a page in the user's
browser, a workload of another namespace. The platform runs a model and a service that is open to all meanwhile.
"""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.e2e.conftest import Installation, eventually
from tests.e2e.town import (
    A_TOKEN,
    REFUSED,
    Cluster,
    Town,
    ask,
    family,
    listening,
    network_address,
    open_an_inviting_service,
    raw,
    run,
    sockets,
    visits,
)

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(300)]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can play another user")


@pytest.fixture(scope="module")
def town(platform: Installation) -> Iterator[Town]:
    assert "every part held" in platform.fairway("demo", timeout=110).stdout
    cluster = Cluster(platform)
    cluster.call("POST", "/api/v1/namespaces", {"metadata": {"name": "mallory"}})
    eventually(lambda: bool(cluster.token_of("mallory")))
    here = Town(platform, cluster, cluster.token_of("mallory"))
    open_an_inviting_service(here)
    yield here
    cluster.call("DELETE", "/api/v1/namespaces/mallory")


@as_root
def test_another_user_is_refused_or_asked_for_a_token_at_every_address(town: Town) -> None:
    addresses = listening(sockets(family(town.folder)))
    assert all(address.startswith("127.") for address, _ in addresses), addresses
    behind = [address for address in addresses if not address[0].startswith("127.0.")]
    assert len(behind) >= 4, "the model, the echo, and their Services"
    answered = visits(town, addresses, as_nobody=True)
    assert set(answered) == set(addresses)
    for address, lines in answered.items():
        assert {line.split()[1] for line in lines if line} <= {"401"}, f"{address} answers {lines}"
    api = ("127.0.0.1", urlsplit(town.installation.server.api_url).port or 0)
    assert all("401" in "".join(answered[address]) for address in [("127.0.0.1", town.port), api])
    assert all(answered[address] == {""} for address in behind), "no token is asked there: nobody may come"
    eventually(lambda: not silent(town, behind))  # our own user is answered, so it was a fair visit


def silent(town: Town, addresses: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """Those that still listen, have somebody behind them, and answer nothing to our own user."""
    ours = visits(town, addresses, as_nobody=False)
    empty = town.cluster.addresses_of_services_without_pods()
    there = set(listening(sockets(family(town.folder))))
    return [one for one, lines in ours.items() if lines == {""} and one in there and one[0] not in empty]


@as_root
def test_another_user_reads_no_file_no_environment_and_no_socket(town: Town) -> None:
    assert stat.S_IMODE(town.folder.stat().st_mode) == 0o700
    mine = family(town.folder)
    lines = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()[1:]]
    paths = [fields[7] for fields in lines if fields[6] in sockets(mine) and len(fields) > 7]
    assert paths and not any(path.startswith("@") for path in paths), "abstract sockets are open to all"
    wanted = [town.folder / "kubeconfig", town.folder / "server.json", *town.folder.rglob("*.sock")]
    wanted += [process / name for process in mine.values() for name in ("environ", "mem", "maps", "cwd/x", "root/x")]
    script = "for path in sys.argv[1:]:\n try: open(path).read(1); print(path)\n except OSError: pass"
    assert run(script, *map(str, wanted)) == ""
    assert run(script, str(town.folder / "kubeconfig"), as_nobody=False) != ""


def test_no_argument_log_or_object_holds_a_secret(town: Town) -> None:
    link = urlsplit(town.installation.fairway("open").stdout.strip()).query.partition("=")[2].encode()
    ask(town.port, "GET", f"/login?token={link.decode()}")
    secrets = [town.cluster.owner.encode(), town.mallory.encode(), link, (town.folder / "front.key").read_bytes()]

    def clean(text: bytes) -> bool:
        return not A_TOKEN.search(text) and not any(secret in text for secret in secrets)

    def written(file: Path) -> bytes:
        try:
            return file.read_bytes()
        except (FileNotFoundError, ProcessLookupError):  # a process that has ended; the log of a pod that has gone
            return b""

    assert A_TOKEN.search(secrets[0])
    for process in family(town.folder).values():
        assert clean(written(process / "cmdline")), process
    logs = {
        path: written(path) for path in [*town.folder.rglob("*.log"), *(town.folder / "node" / "pods").rglob("log")]
    }
    assert sum(map(bool, logs.values())) > 5
    assert [path for path, text in logs.items() if not clean(text)] == []
    lists = 0
    groups = [group["preferredVersion"]["groupVersion"] for group in town.cluster.get("/apis")["groups"]]
    for group in ("/api/v1", *(f"/apis/{group}" for group in groups)):
        for resource in town.cluster.get(group)["resources"]:
            if "list" in resource["verbs"] and resource["name"] != "secrets":
                found = town.cluster.get(f"{group}/{resource['name']}")
                assert clean(json.dumps(found).encode()), resource["name"]
                lists += bool(found["items"])
    assert lists > 10


# A page in the user's browser


def test_a_name_that_leads_here_by_somebody_else_s_doing_is_not_answered(town: Town) -> None:
    cookie = town.session()
    for host in ("evil.example", f"evil.example:{town.port}", "127.0.0.1.evil.example", "localhost.", "127.1", "a b"):
        for path in ("/", "/login", "/front/session", "/apis/v2beta1/runs", "/assets/x.js"):
            answer = ask(town.port, "GET", path, Host=host, Cookie=cookie)
            assert answer.status in (400, 421), (host, path)
    assert ask(town.port, "GET", "/serving/default/breast-cancer/v1/models", Host="evil.example").status == 401
    for host in ("localhost", f"[::1]:{town.port}", "192.0.2.7"):
        assert ask(town.port, "GET", "/front/session", Host=host, Cookie=cookie).status == 200
    api = urlsplit(town.installation.server.api_url)
    assert raw(api.port or 0, b"GET /api HTTP/1.1\r\nHost: evil.example\r\n\r\n") == 0  # no page speaks its TLS


def test_a_page_of_another_origin_cannot_use_the_session(town: Town) -> None:
    cookie, here = town.session(), f"http://127.0.0.1:{town.port}"
    pod = "/k8s/api/v1/namespaces/mallory/pods/echo"
    model = "/gateway/serving/default/breast-cancer/v1/models/breast-cancer:predict"
    own = {"Origin": here, "Sec_Fetch_Site": "same-origin"}
    plain = {"Content_Type": "text/plain"}  # what a form may send without being asked
    for foreign in (
        {"Origin": "http://evil.example", "Sec_Fetch_Site": "cross-site"},
        {"Origin": "http://127.0.0.1:1", "Sec_Fetch_Site": "same-site"},
        {"Origin": "http://evil.example"},
        {"Origin": "null", "Sec_Fetch_Site": "cross-site"},
        {"Origin": f"{here}.evil.example"},
        {},
    ):
        for method, path in [
            ("POST", "/apis/v2beta1/runs"),
            ("POST", "/apis/v2beta1/pipelines/upload"),
            ("POST", "/login/one-time"),
            ("POST", "/logout"),
            ("POST", model),
            ("DELETE", pod),
        ]:
            answer = ask(town.port, method, path, "{}", Cookie=cookie, **plain, **foreign)
            assert answer.status in REFUSED, (method, path, foreign)
    for fetch in ("cors", "no-cors", "websocket", "navigate"):
        foreign = {"Sec_Fetch_Site": "same-site", "Sec_Fetch_Mode": fetch}
        for path in (pod, "/apis/v2beta1/runs", "/front/session", model):
            assert ask(town.port, "GET", path, Cookie=cookie, **foreign).status in REFUSED
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec_WebSocket_Version": "13",
               "Sec_WebSocket_Key": "AAAAAAAAAAAAAAAAAAAAAA==", "Origin": "http://127.0.0.1:1"}  # fmt: skip
    assert ask(town.port, "GET", "/front/session", Cookie=cookie, **upgrade).status in REFUSED
    assert ask(town.port, "GET", "/front/session", Cookie=cookie, **own).status == 200


def test_no_answer_may_be_framed_or_read_by_another_origin(town: Town) -> None:
    cookie = town.session()
    for path in ("/", "/login", "/front/session", "/apis/v2beta1/runs", "/front/nothing", "/assets/none.js"):
        for method in ("GET", "OPTIONS"):
            answer = ask(town.port, method, path, Cookie=cookie, Origin="http://evil.example",
                         Access_Control_Request_Method="DELETE")  # fmt: skip
            assert not [name for name in answer.headers if name.lower().startswith("access-control")]
            assert answer.headers["X-Frame-Options"] == "DENY"
            assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
            assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_link_works_once_and_a_session_ends_for_every_copy_of_it(town: Town) -> None:
    link = urlsplit(town.installation.fairway("open").stdout.strip())
    path = f"{link.path}?{link.query}"
    cookie = str(ask(town.port, "GET", path).headers["Set-Cookie"])
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
    assert "Set-Cookie" not in ask(town.port, "GET", path).headers
    session = cookie.partition(";")[0]
    assert ask(town.port, "GET", "/front/session", Cookie=session).status == 200
    assert ask(town.port, "GET", "/front/session", Cookie=session[:-9] + "A" * 9).status == 401
    own = {"Origin": f"http://127.0.0.1:{town.port}", "Cookie": session}
    assert ask(town.port, "POST", "/logout", **own).status == 303
    assert ask(town.port, "GET", "/front/session", Cookie=session).status == 401


# A service, and whoever made it


def test_a_service_beside_the_dashboard_gets_no_session_no_token_and_no_page(town: Town) -> None:
    cookie = town.session()
    answer = ask(town.port, "GET", "/inviting", Cookie=cookie, Authorization=f"Bearer {town.cluster.owner}")
    assert not {"cookie", "authorization"} & json.loads(answer.body).keys()
    assert answer.headers["Content-Security-Policy"] == "sandbox"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Set-Cookie" not in answer.headers
    tried = ask(town.port, "GET", "/gateway/inviting", Cookie=cookie)  # the front door adds a token of its own
    assert tried.status == 200
    assert not {"cookie", "authorization"} & json.loads(tried.body).keys()
    forged = {"X_Envoy_Upstream_Rq_Timeout_Ms": "1", "X_Envoy_Original_Path": "/x", "X_Envoy_Retry_On": "5xx"}
    seen = json.loads(ask(town.port, "GET", "/inviting", **forged).body)
    assert {name for name in seen if name.startswith("x-envoy")} <= {"x-envoy-external-address"}


def test_no_route_takes_what_is_the_front_doors(town: Town) -> None:
    token = {"Authorization": f"Bearer {town.cluster.owner}"}
    for host in ("127.0.0.1", "localhost", "[::1]", "192.0.2.7"):
        for path in (
            "/",
            "/login",
            "/apis/v2beta1/runs",
            "/k8s/api/v1/pods",
            "/assets/x",
            "/front/session",
        ):
            answer = ask(town.port, "GET", path, Host=host, **token)
            assert "x-forwarded-proto" not in answer.body.decode(errors="replace"), (host, path)
            assert answer.headers["Server"] == "Fairway", (host, path)
    route = town.cluster.get("/apis/gateway.networking.k8s.io/v1/namespaces/mallory/httproutes/posing")
    (accepted,) = [c for p in route["status"]["parents"] for c in p["conditions"] if c["type"] == "Accepted"]
    assert accepted["status"] == "False"


def test_a_workload_is_at_home_in_its_own_namespace_only(town: Town) -> None:
    token = {"Authorization": f"Bearer {town.mallory}"}
    for method, path in [
        ("GET", "/"),
        ("GET", "/front/session"),
        ("GET", "/k8s/api/v1/namespaces/mallory/pods"),
        ("DELETE", "/k8s/api/v1/namespaces/default/pods/x"),
        ("POST", "/login/one-time"),
        ("POST", "/gateway/inviting"),
    ]:
        assert ask(town.port, method, path, **token).status == 403, path
    form = {"Content_Type": "application/x-www-form-urlencoded"}
    assert ask(town.port, "POST", "/login", f"token={town.mallory}", **form).status == 403
    runs = json.loads(ask(town.port, "GET", "/apis/v2beta1/runs", Authorization=f"Bearer {town.cluster.owner}").body)
    theirs = next(run for run in runs["runs"] if "pipeline_spec" in run)
    wanted = ("experiment_id", "pipeline_spec", "runtime_config")
    again = {"display_name": "not mine", **{key: theirs[key] for key in wanted if key in theirs}}
    refused = ask(town.port, "POST", "/apis/v2beta1/runs", json.dumps(again), Content_Type="application/json", **token)
    assert refused.status == 403, refused.body
    for path in (
        "/api/v1/namespaces/default/pods",
        "/api/v1/namespaces/default/secrets",
        "/api/v1/secrets",
        "/api/v1/nodes",
        "/api/v1/namespaces",
    ):
        assert town.cluster.call("GET", path, token=town.mallory)[0] == 403, path


# Anybody, with strange requests


def test_strange_paths_open_no_other_door(town: Town) -> None:
    for path in (
        "//apis/v2beta1/runs",
        "/%61pis/v2beta1/runs",
        "/APIS/v2beta1/runs",
        "/apis/v2beta1/healthz/../runs",
        "/apis/v2beta1/healthz%2f..%2fruns",
        "/apis/v2beta1/runs;/healthz",
        "/login/../k8s/api/v1/pods",
        "/login%2f..%2fk8s/api/v1/pods",
        "/healthz/../front/session",
        "/healthz?/../front/session",
        "/inviting/../front/session",
        "/inviting%2f..%2f..%2ffront/session",
        "/serving/default/breast-cancer/../../../k8s/api/v1/pods",
        "/serving/default/breast-cancer/v1/models",
    ):
        answer = ask(town.port, "GET", path)
        harmless = answer.status == 200 and answer.body == b"ok" and path.startswith("/healthz?")
        assert harmless or answer.status in (400, 401, 404) or b"x-forwarded-proto" in answer.body, path
    owner = {"Authorization": f"Bearer {town.cluster.owner}"}
    for path in (
        "/k8s/api/v1/secrets",
        "/k8s/api/v1/namespaces/default/secrets",
        "/k8s/api/v1/namespaces/default%2Fsecrets",
        "/k8s/api/v1/pods%2f..%2fsecrets",
        "/k8s/api/v1/pods/../secrets",
        "/k8s/api/v1/secrets%3Fwatch=1",
        "/k8s/api/v1/secrets?watch=true",
        "/k8s//api/v1/secrets",
        "/k8s/api/v1/namespaces/default/pods/x/exec?command=id",
        "/gateway/k8s/api/v1/pods",
        "/gateway//k8s/api/v1/pods",
        "/gateway/%2fk8s/api/v1/pods",
        "/gateway/x%2f..%2fk8s/api/v1/pods",
        "/gateway/login/one-time",
    ):
        assert ask(town.port, "GET", path, **owner).status in (400, 403), path


def test_artifacts_are_downloads_and_lead_nowhere_else(town: Town) -> None:
    owner = {"Authorization": f"Bearer {town.cluster.owner}"}
    found = json.loads(ask(town.port, "GET", "/apis/v2beta1/artifacts", **owner).body)["artifacts"]
    folder = f"/apis/v2beta1/artifacts/{found[0]['artifact_id']}:content"
    for path in ("..%2f..%2f..%2fkubeconfig", "%2fetc%2fpasswd", "a%2f%2e%2e%2f..%2fb", "..", "a%00b"):
        answer = ask(town.port, "GET", f"{folder}?path={path}", **owner)
        assert answer.status in (400, 403, 404), path
        assert b"token" not in answer.body
    model = next(one for one in found if one["type"] == "Model")
    answer = ask(town.port, "GET", f"/apis/v2beta1/artifacts/{model['artifact_id']}:content", **owner)
    if answer.status == 200:  # a model may be a folder
        assert answer.headers["Content-Disposition"].startswith("attachment")
        assert answer.headers["Content-Type"] == "application/octet-stream"


def test_requests_that_two_servers_would_read_differently_are_not_read(town: Town) -> None:
    start = b"POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    for rest in (
        b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcd",
        b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        b"Content-Length: -1\r\n\r\n",
        b"X: " + b"a" * 100_000 + b"\r\n\r\n",
    ):
        assert raw(town.port, start + rest) in (0, 400, 431, 501), rest[:60]
    assert raw(town.port, b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\n\r\n") in (400, 421)
    assert raw(town.port, b"CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: 127.0.0.1:22\r\n\r\n") in (403, 404)
    absolute = f"GET http://evil.example/front/session HTTP/1.1\r\nHost: 127.0.0.1:{town.port}\r\n\r\n"
    assert raw(town.port, absolute.encode()) == 421


# The network


def test_beyond_loopback_everybody_is_asked_for_a_token_and_the_user_is_warned(installation: Installation) -> None:
    started = time.monotonic()
    said = installation.fairway("up", "--detach", "--host", "0.0.0.0", "--port", str(installation.port))
    assert "not encrypted" in said.stderr
    addresses = listening(sockets(family(installation.folder)))
    assert [port for address, port in addresses if not address.startswith("127.")] == [installation.port]
    lan = network_address() or "127.0.0.1"
    for path in ("/", "/apis/v2beta1/runs", "/k8s/api/v1/pods", "/front/session"):
        assert ask(installation.port, "GET", path, Host=f"{lan}:{installation.port}").status == 401
    token = {"Authorization": f"Bearer {installation.server.token}"}
    assert ask(installation.port, "GET", "/front/session", Host=f"{lan}:{installation.port}", **token).status == 200
    assert ask(installation.port, "GET", "/front/session", Host="evil.example", **token).status == 421
    assert time.monotonic() - started < 90
