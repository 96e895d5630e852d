"""The cluster's names: in every form, in pods that run already, in any program that asks its C library."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fairway.cluster.node import names, preload
from fairway.kernel.objects.kinds import ENDPOINT_SLICE, SERVICE, Object
from fairway.testing import containers

from .conftest import Bench, phase, state

here = pytest.mark.skipif(sys.platform != "linux" or not shutil.which("cc"), reason="no C compiler, or no Linux")

SERVICES = [
    SERVICE.new("web", "default", spec={"clusterIP": "127.33.0.2"}),
    SERVICE.new("web", "other", spec={"clusterIP": "127.33.0.3"}),
    SERVICE.new("ring", "default", spec={"clusterIP": "None"}),
    SERVICE.new("outside", "default", spec={"type": "ExternalName", "externalName": "localhost."}),
]


def endpoint(address: str, host: str = "", ready: bool | None = True) -> Object:
    found: Object = {"addresses": [address], "conditions": {} if ready is None else {"ready": ready}}
    return {**found, "hostname": host} if host else found


def piece(service: str, *endpoints: Object) -> Object:
    labels = {"kubernetes.io/service-name": service}
    return ENDPOINT_SLICE.new(f"{service}-x", "default", metadata={"labels": labels}, endpoints=list(endpoints))


SLICES = [
    piece("ring", endpoint("127.64.0.5", "ring-0"), endpoint("127.64.0.6", "ring-1", None)),
    piece("ring", endpoint("127.64.0.7", "ring-2", ready=False)),
    piece("web", endpoint("127.64.0.8")),
]

ASK = """
import socket, sys
for name in sys.argv[1:]:
    try:
        found = sorted({each[4][0] for each in socket.getaddrinfo(name, 80)})
        print(name, *found, socket.gethostbyname(name) in found)
    except OSError as problem:
        print(name, problem.errno)
"""


def test_nobody_writes_lines_of_their_own_into_the_names_of_all() -> None:
    more = "127.64.0.9\n127.64.0.9 web.other"
    away = SERVICE.new("away", "default", spec={"type": "ExternalName", "externalName": more})
    found = names.table([*SERVICES, away], [piece("ring", endpoint(more), endpoint("127.64.0.5", "a\nb"))])
    assert found["ring.default"] == ("127.64.0.5",)
    assert names.text(found).count("web.other") == 1 and "127.64.0.9" not in names.hosts(found, "default")


def test_services_and_their_ready_pods_have_names() -> None:
    assert names.table(SERVICES, SLICES) == {
        "web.default": ("127.33.0.2",),
        "web.other": ("127.33.0.3",),
        "ring.default": ("127.64.0.5", "127.64.0.6"),
        "ring-0.ring.default": ("127.64.0.5",),
        "ring-1.ring.default": ("127.64.0.6",),
        "outside.default": ("localhost",),
    }


def test_a_hosts_file_has_every_form() -> None:
    known = names.table(SERVICES, SLICES)
    lines = names.hosts(known, "default").splitlines()
    assert "127.33.0.2\tweb.default.svc.cluster.local web.default.svc web.default web" in lines
    assert "127.33.0.3\tweb.other.svc.cluster.local web.other.svc web.other" in lines
    assert (
        "127.64.0.6\tring-1.ring.default.svc.cluster.local ring-1.ring.default.svc ring-1.ring.default ring-1.ring"
        in (lines)
    )
    assert not any("outside" in line for line in lines)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    built = preload.library(tmp_path_factory.mktemp("names"))
    assert built is not None
    return built


def env_of(library: Path, folder: Path) -> dict[str, str]:
    (folder / "table").write_text(names.text(names.table(SERVICES, SLICES)))
    return {
        "PATH": os.environ["PATH"],
        "LD_PRELOAD": str(library),
        "HOSTNAME": "ring-0",
        "FAIRWAY_POD_IP": "127.64.0.5",
        "FAIRWAY_NAMES": str(folder / "table"),
        "FAIRWAY_NAMESPACE": "default",
        "FAIRWAY_HOSTS": "ring-0.ring.default.svc.cluster.local=127.64.0.5 ring-0=127.64.0.5 alias.example=10.1.2.3",
    }


def said(library: Path, folder: Path, *command: str) -> list[str]:
    done = subprocess.run(command, env=env_of(library, folder), capture_output=True, text=True, check=False, timeout=60)
    return done.stdout.splitlines()


@here
def test_a_name_resolves_in_every_form(library: Path, tmp_path: Path) -> None:
    forms = ["web", "web.default", "web.default.svc", "Web.Default.SVC.cluster.local", "web.default.svc.cluster.local."]
    found = said(library, tmp_path, sys.executable, "-c", ASK, *forms, "web.other", "outside", "alias.example")
    assert found == [
        *(f"{form} 127.33.0.2 True" for form in forms),
        "web.other 127.33.0.3 True",
        "outside 127.0.0.1 True",
        "alias.example 10.1.2.3 True",
    ]


@here
def test_a_headless_service_is_its_pods_and_each_has_a_name(library: Path, tmp_path: Path) -> None:
    found = said(library, tmp_path, sys.executable, "-c", ASK, "ring", "ring-1.ring", "ring-0", "localhost")
    assert found[0].startswith("ring 127.64.0.5 127.64.0.6")
    assert found[1:3] == ["ring-1.ring 127.64.0.6 True", "ring-0 127.64.0.5 True"]
    assert "127.0.0.1" in found[3]


@here
def test_a_name_of_the_cluster_that_nobody_has_is_refused_at_once(library: Path, tmp_path: Path) -> None:
    asked = ["ring-2.ring.default.svc", "nobody.default.svc.cluster.local"]
    assert said(library, tmp_path, sys.executable, "-c", ASK, *asked) == [f"{name} -2" for name in asked]


@here
def test_a_pod_is_called_by_its_own_name(library: Path, tmp_path: Path) -> None:
    source = "import os, socket; print(socket.gethostname(), os.uname().nodename)"
    assert said(library, tmp_path, sys.executable, "-c", source) == ["ring-0 ring-0"]
    if shutil.which("hostname"):
        assert said(library, tmp_path, "hostname") == ["ring-0"]


@here
@pytest.mark.parametrize(
    ("program", "command"),
    [
        ("getent", ["getent", "ahostsv4", "web"]),
        ("curl", ["curl", "-sv", "--stderr", "-", "-m", "5", "http://web:1/"]),
        ("node", ["node", "-e", "require('dns').lookup('web', (e, a) => console.log(a))"]),
        ("Rscript", ["Rscript", "-e", "cat(nsl('web'))"]),
    ],
)
def test_it_resolves_in_other_programs(library: Path, tmp_path: Path, program: str, command: list[str]) -> None:
    if not shutil.which(program):
        pytest.skip(f"no {program}")
    assert any("127.33.0.2" in line for line in said(library, tmp_path, *command))


@here
@pytest.mark.skipif(not shutil.which("java"), reason="no Java")
@pytest.mark.slow
def test_it_resolves_in_java(library: Path, tmp_path: Path) -> None:
    source = "public class Ask { public static void main(String[] a) throws Exception {\n"
    source += "System.out.println(java.net.InetAddress.getByName(a[0]).getHostAddress()); } }\n"
    (tmp_path / "Ask.java").write_text(source)
    if not shutil.which("javac"):
        pytest.skip("no javac")
    assert said(library, tmp_path, "java", str(tmp_path / "Ask.java"), "web") == ["127.33.0.2"]


@here
@pytest.mark.skipif(shutil.which("musl-gcc") is None, reason="no musl-gcc, which makes programs for Alpine's C library")
def test_it_resolves_beside_another_c_library(library: Path, tmp_path: Path) -> None:
    (tmp_path / "ask.c").write_text(
        "#include <arpa/inet.h>\n#include <netdb.h>\n#include <stdio.h>\n"
        "int main(int count, char **words) { struct addrinfo *found;\n"
        'if (getaddrinfo(words[1], "80", 0, &found)) return 1;\n'
        "puts(inet_ntoa(((struct sockaddr_in *)found->ai_addr)->sin_addr)); freeaddrinfo(found); return 0; }\n"
    )
    subprocess.run(["musl-gcc", "-o", str(tmp_path / "ask"), str(tmp_path / "ask.c")], check=True)
    assert said(library, tmp_path, str(tmp_path / "ask"), "ring") == ["127.64.0.5"]


@here
async def test_a_name_appears_in_a_pod_that_runs_already(pods: Bench) -> None:
    wait = "until getent hosts late.default.svc >/dev/null; do sleep 0.05; done; getent hosts late"
    await pods.create("asks", "sh", "-c", wait)
    await pods.until("asks", lambda pod: phase(pod) == "Running")
    made = await pods.client.create(SERVICE, SERVICE.new("late", "default", spec={"ports": [{"port": 80}]}))
    assert state(await pods.over("asks"), "terminated")["exitCode"] == 0
    assert made["spec"]["clusterIP"] in await pods.log("asks")


@here
async def test_a_view_has_the_names_in_its_hosts_file(pods: Bench) -> None:
    """For programs without a C library: Go's, above all."""
    await pods.client.create(SERVICE, SERVICE.new("early", "default", spec={"ports": [{"port": 80}]}))
    wait = "until grep -q late.default.svc.cluster.local /etc/hosts; do sleep 0.05; done; cat /etc/hosts"
    spec: Object = {"volumes": [{"name": "data", "emptyDir": {}}], "hostname": "me", "subdomain": "ring"}
    spec["hostAliases"] = [{"ip": "10.9.8.7", "hostnames": ["Db.example"]}]
    mounted = {"volumeMounts": [{"name": "data", "mountPath": "/data"}]}
    await pods.create("asks", "sh", "-c", wait, container=mounted, **spec)
    await pods.until("asks", lambda pod: phase(pod) == "Running")
    await pods.client.create(SERVICE, SERVICE.new("late", "default", spec={"ports": [{"port": 80}]}))
    pod = await pods.over("asks")
    if state(pod, "terminated").get("exitCode") != 0:
        pytest.skip("no private mounts here")
    log = await pods.log("asks")
    assert log.startswith(Path("/etc/hosts").read_text())
    assert "early.default.svc" in log
    assert f"{pod['status']['podIP']}\tme.ring.default.svc.cluster.local" in log
    assert "10.9.8.7\tdb.example" in log


@pytest.mark.slow
async def test_a_container_knows_the_names(engine_pods: Bench, local: containers.Local) -> None:
    made = await engine_pods.client.create(SERVICE, SERVICE.new("early", "default", spec={"ports": [{"port": 80}]}))
    annotations = {"fairway.dev/runtime": "container"}
    look = {"image": local.busybox, "imagePullPolicy": "Never"}
    await engine_pods.create(
        "asks", "sh", "-c", "grep early.default.svc /etc/hosts", container=look, annotations=annotations
    )
    pod = await engine_pods.over("asks")
    assert phase(pod) == "Succeeded"
    assert made["spec"]["clusterIP"] in await engine_pods.log("asks")
