"""What those get who were given nothing: another user of this machine, somebody on the network, a page in the user's
browser, a workload of another namespace. The platform runs a model and a service that is open to all meanwhile.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from fairway.kernel.client import kubeconfig
from tests.e2e.conftest import Installation, eventually

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(120)]

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can play another user")
NOBODY = 65534
DROP = f"import os; os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})\n"
"""Turns a script into another user's; before it runs, for that user may not read this interpreter's home."""
A_TOKEN = re.compile(rb"eyJ[\w-]{20,}\.eyJ[\w-]{20,}\.[\w-]{20,}")
REFUSED = (401, 403)

# Says what it is asked, as a page that sets a cookie.
ECHO = """
import http.server, json
class Echo(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({name.lower(): value for name, value in self.headers.items()}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Set-Cookie", "fairway=stolen")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    do_POST = do_GET
http.server.ThreadingHTTPServer(("", 8080), Echo).serve_forever()
"""

# Asks every address for what a browser would, from each of the machine's own addresses; the API server over TLS.
IMPORTS = "import encodings.idna, json, socket, ssl, sys\n"
VISIT = """
trusting = ssl.create_default_context()
trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
for address, port in json.loads(sys.argv[1]):
    for source in json.loads(sys.argv[2]):
        answer = b""
        try:
            with socket.create_connection((address, port), 3, (source, 0) if source else None) as plain:
                one = trusting.wrap_socket(plain) if str(port) == sys.argv[3] else plain
                one.sendall(b"GET /apis/v1 HTTP/1.1\\r\\nHost: 127.0.0.1\\r\\nConnection: close\\r\\n\\r\\n")
                answer = one.recv(4096)
        except OSError:
            pass
        print(json.dumps([address, port, source, answer.split(b"\\r\\n")[0].decode(errors="replace")]))
"""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes


def ask(port: int, method: str, path: str, body: str = "", **headers: str) -> Answer:
    """One request to the public port, with the path and the Host exactly as given."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    sent = {"Host": f"127.0.0.1:{port}", **headers}
    for name, value in (sent | ({"Content-Length": str(len(body))} if body else {})).items():
        connection.putheader(name.replace("_", "-"), value)
    connection.endheaders(body.encode() or None)
    with connection.getresponse() as answer:
        result = Answer(answer.status, answer.headers, answer.read())
    connection.close()
    return result


def raw(port: int, request: bytes) -> int:
    """The status of the first answer to these very bytes; 0 where the connection was closed without one."""
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.sendall(request)
        line = connection.recv(4096).split(b"\r\n")[0]
    return int(line.split()[1]) if line else 0


class Cluster:
    """The platform's Kubernetes API, with the owner's token or another one."""

    def __init__(self, installation: Installation) -> None:
        self._access = kubeconfig.load(Path(installation.server.kubeconfig))
        self.owner = self._access.token

    def call(self, method: str, path: str, body: Any = None, *, token: str = "") -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {token or self.owner}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._access.server + path, data=data, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, context=self._access.tls(), timeout=10) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, json.load(refused)

    def get(self, path: str) -> Any:
        status, answer = self.call("GET", path)
        assert status == 200, answer
        return answer

    def token_of(self, namespace: str) -> str:
        """A token of the namespace's service account `default`, as its pods have one."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/default/token"
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        return str(self.call("POST", path, body)[1].get("status", {}).get("token", ""))


@dataclass(frozen=True)
class Town:
    """The platform at work, and a workload that has a namespace of its own, `mallory`, and its token."""

    installation: Installation
    cluster: Cluster
    mallory: str

    @property
    def port(self) -> int:
        return self.installation.port

    @property
    def folder(self) -> Path:
        return self.installation.folder

    def session(self) -> str:
        """The cookie of a browser that has just logged in."""
        link = urlsplit(self.installation.fairway("open").stdout.strip())
        cookie = ask(self.port, "GET", f"{link.path}?{link.query}").headers["Set-Cookie"]
        return str(cookie).partition(";")[0]


@pytest.fixture(scope="module")
def town(platform: Installation) -> Iterator[Town]:
    assert "every part held" in platform.fairway("demo", timeout=110).stdout
    cluster = Cluster(platform)
    cluster.call("POST", "/api/v1/namespaces", {"metadata": {"name": "mallory"}})
    eventually(lambda: bool(cluster.token_of("mallory")))
    here = Town(platform, cluster, cluster.token_of("mallory"))
    _open_an_inviting_service(here)
    yield here
    cluster.call("DELETE", "/api/v1/namespaces/mallory")


def _open_an_inviting_service(town: Town) -> None:
    """By mallory, who would have all paths, and the dashboard's name."""
    container = {"name": "main", "image": "python:3.11", "command": ["python3", "-c", ECHO]}
    pod = {"metadata": {"name": "echo", "labels": {"app": "echo"}}, "spec": {"containers": [container]}}
    service = {"metadata": {"name": "echo"}, "spec": {"selector": {"app": "echo"}, "ports": [{"port": 8080}]}}
    made = [("/api/v1", "pods", pod), ("/api/v1", "services", service)]
    for name, paths, hosts in [
        ("greedy", ["/", "/apis/v2beta1/runs", "/login", "/k8s", "/gateway", "/assets", "/inviting"], []),
        ("posing", ["/"], ["localhost", "127.0.0.1"]),
    ]:
        rule = {
            "matches": [{"path": {"type": kind, "value": path}} for path in paths for kind in ("PathPrefix", "Exact")],
            "backendRefs": [{"name": "echo", "port": 8080}],
        }
        spec = {"parentRefs": [{"name": "fairway", "namespace": "fairway-system"}], "hostnames": hosts, "rules": [rule]}
        metadata = {"name": name, "annotations": {"fairway.dev/auth": "none"}}
        made.append(("/apis/gateway.networking.k8s.io/v1", "httproutes", {"metadata": metadata, "spec": spec}))
    for group, plural, obj in made:
        kind = {"pods": "Pod", "services": "Service", "httproutes": "HTTPRoute"}[plural]
        body = {"apiVersion": group.removeprefix("/apis/").removeprefix("/api/"), "kind": kind, **obj}
        status, answer = town.cluster.call("POST", f"{group}/namespaces/mallory/{plural}", body, token=town.mallory)
        assert status == 201, answer
    eventually(lambda: ask(town.port, "GET", "/inviting").status == 200)


# Another user of this machine


def family(folder: Path) -> dict[int, Path]:
    """The processes of a platform, by pid: the data directory is in their arguments, environment or folder."""
    found = {}
    for process in Path("/proc").iterdir():
        if not process.name.isdigit() or int(process.name) == os.getpid():
            continue
        try:
            traces = (process / "environ").read_bytes() + (process / "cmdline").read_bytes()
            traces += os.readlink(process / "cwd").encode()
        except OSError:
            continue
        if os.fsencode(folder) in traces:
            found[int(process.name)] = process
    return found


def sockets(processes: dict[int, Path]) -> set[str]:
    """The inodes of their sockets."""
    found = set()
    for process in processes.values():
        for descriptor in (process / "fd").iterdir():
            try:
                target = os.readlink(descriptor)
            except OSError:
                continue
            if target.startswith("socket:["):
                found.add(target[8:-1])
    return found


def listening(inodes: set[str]) -> list[tuple[str, int]]:
    found = []
    for table, family_ in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        for line in Path("/proc/net", table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] != "0A" or fields[9] not in inodes:
                continue
            address, port = fields[1].split(":")
            words = bytes.fromhex(address)
            packed = b"".join(words[at : at + 4][::-1] for at in range(0, len(words), 4))
            found.append((socket.inet_ntop(family_, packed), int(port, 16)))
    return sorted(found)


def network_address() -> str:
    """This machine's address on a network, where it has one; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return ""
        return str(probe.getsockname()[0])


def run(script: str, *arguments: str, imports: str = "import sys\n", as_nobody: bool = True) -> str:
    source = imports + (DROP if as_nobody else "") + script
    words = [sys.executable, "-c", source, *arguments]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def visits(town: Town, addresses: list[tuple[str, int]], *, as_nobody: bool) -> dict[tuple[str, int], set[str]]:
    """What a user of this machine is answered at each address: first lines, of which "" is a closed connection."""
    sources = json.dumps(["", network_address()])
    api = str(urlsplit(town.installation.server.api_url).port)
    said = run(VISIT, json.dumps(addresses), sources, api, imports=IMPORTS, as_nobody=as_nobody)
    found: dict[tuple[str, int], set[str]] = {}
    for line in said.splitlines():
        address, port, _, answer = json.loads(line)
        found.setdefault((address, port), set()).add(answer)
    return found


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
    ours = visits(town, behind, as_nobody=False)
    assert all(lines != {""} for lines in ours.values()), "our own user is answered, so it was a fair visit"


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

    assert A_TOKEN.search(secrets[0])
    for process in family(town.folder).values():
        assert clean((process / "cmdline").read_bytes()), process
    logs = [*town.folder.rglob("*.log"), *(town.folder / "node" / "pods").rglob("log")]
    assert len(logs) > 5
    assert [path for path in logs if not clean(path.read_bytes())] == []
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
    again = {
        "display_name": "not mine",
        "experiment_id": runs["runs"][0]["experiment_id"],
        "pipeline_spec": runs["runs"][0]["pipeline_spec"],
    }
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
    assert time.monotonic() - started < 30
