"""The place that strangers look at: the platform at work, who visits it, and with what eyes. No tests here."""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fairway.kernel.client import kubeconfig
from tests.e2e.conftest import Installation, eventually

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
        for words in (
            b"GET /apis/v1 HTTP/1.1\\r\\nHost: 127.0.0.1\\r\\nConnection: close\\r\\n\\r\\n",
            b"PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]),  # as gRPC begins
        ):
            try:
                with socket.create_connection((address, port), 3, (source, 0) if source else None) as plain:
                    one = trusting.wrap_socket(plain) if str(port) == sys.argv[3] else plain
                    one.sendall(words)
                    answer = answer or one.recv(4096)
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
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
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
            with urllib.request.urlopen(request, context=self._access.tls(), timeout=60) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, json.load(refused)

    def addresses_of_services_without_pods(self) -> set[str]:
        slices = self.get("/apis/discovery.k8s.io/v1/endpointslices")["items"]
        ready = {
            (one["metadata"]["namespace"], one["metadata"]["labels"]["kubernetes.io/service-name"])
            for one in slices
            if any((endpoint.get("conditions") or {}).get("ready") for endpoint in one.get("endpoints") or ())
        }
        services = self.get("/api/v1/services")["items"]
        names = {(one["metadata"]["namespace"], one["metadata"]["name"]): one for one in services}
        return {one["spec"].get("clusterIP", "") for name, one in names.items() if name not in ready}

    def get(self, path: str) -> Any:
        status, answer = self.call("GET", path)
        assert status == 200, answer
        return answer

    def token_of(self, namespace: str) -> str:
        """A token of the namespace's service account `default`, as its pods have one; empty while it has none."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/default/token"
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        status, answer = self.call("POST", path, body)
        return str(answer["status"]["token"]) if status == 201 else ""


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


def open_an_inviting_service(town: Town) -> None:
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
            # An IPv6 socket on an IPv4 address, as gRPC's are, is reached as that.
            found.append((socket.inet_ntop(family_, packed).removeprefix("::ffff:"), int(port, 16)))
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
