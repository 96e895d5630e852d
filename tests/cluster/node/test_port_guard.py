"""The preloaded library: each pod on its own address, and closed to other users of the machine."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from fairway.cluster.node import preload

here = sys.platform == "linux" and shutil.which("cc")
pytestmark = pytest.mark.skipif(not here, reason="no C compiler, or no Linux")

BIND = """
import socket, sys
listener = socket.socket({family})
listener.bind(({address!r}, 0))
print(listener.getsockname()[0])
"""

# A server that says who came; a client of user {user} that waits to be answered.
MEET = """
import os, socket
listener = socket.socket({family})
listener.bind(({address!r}, 0))
listener.listen()
address = listener.getsockname()
listener.settimeout(0.05)
child = os.fork()
if child == 0:
    if {user}:
        os.setuid({user})
    client = socket.socket({family})
    client.settimeout(20)
    if {source!r}:
        client.bind(({source!r}, 0))
    client.connect(address)
    client.sendall(b"x")
    try:
        print("answered" if client.recv(1) else "refused", flush=True)
    except ConnectionResetError:
        print("refused", flush=True)
    except TimeoutError:
        print("unanswered", flush=True)
    os._exit(0)
while not os.waitpid(child, os.WNOHANG)[0]:
    try:
        connection, _ = listener.accept()
    except TimeoutError:
        continue
    connection.recv(1)
    connection.sendall(b"y")
"""


def meet(user: int, family: str = "socket.AF_INET", address: str = "0.0.0.0", source: str = "") -> str:
    return MEET.format(user=user, family=family, address=address, source=source)


def network_address() -> str:
    """This machine's address on a network, where it has one; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return ""
        return str(probe.getsockname()[0])


@pytest.fixture(scope="module")
def guard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    built = preload.library(tmp_path_factory.mktemp("guard"))
    assert built is not None
    return built


def test_a_library_that_a_power_failure_emptied_is_built_again(tmp_path: Path) -> None:
    """The loader passes over what it cannot read: pods would run open to all, and nothing would say so."""
    built = preload.library(tmp_path)
    assert built is not None
    built.write_bytes(b"")
    assert preload.library(tmp_path) == built
    assert built.stat().st_size


def guarded(guard: Path, source: str, **env: str) -> str:
    variables = {"PATH": os.environ["PATH"], "LD_PRELOAD": str(guard), "FAIRWAY_POD_IP": "127.77.0.5", **env}
    done = subprocess.run([sys.executable, "-c", source], env=variables, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("family", "address", "bound"),
    [
        ("socket.AF_INET", "0.0.0.0", "127.77.0.5"),
        ("socket.AF_INET6", "::", "::ffff:127.77.0.5"),
        ("socket.AF_INET", "127.0.0.1", "127.0.0.1"),
    ],
)
def test_all_interfaces_means_the_pods_own(guard: Path, family: str, address: str, bound: str) -> None:
    assert guarded(guard, BIND.format(family=family, address=address)) == bound


def test_a_program_that_listens_on_both_families_is_content(guard: Path) -> None:
    source = (
        "import asyncio\n"
        "async def main():\n"
        "    server = await asyncio.start_server(lambda r, w: None, None, 18080)\n"
        "    print(sorted(each.getsockname()[0] for each in server.sockets))\n"
        "asyncio.run(main())\n"
    )
    assert guarded(guard, source) == "['127.77.0.5', '::1']"


def test_our_own_user_is_answered(guard: Path) -> None:
    assert guarded(guard, meet(user=0)) == "answered"
    assert guarded(guard, meet(user=0, family="socket.AF_INET6", address="::")) == "answered"
    assert guarded(guard, meet(user=0, family="socket.AF_INET6", address="::1")) == "answered"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can play another user")
@pytest.mark.parametrize("address", ["::", "::1"])
def test_another_user_is_refused_on_both_families(guard: Path, address: str) -> None:
    assert guarded(guard, meet(user=65534)) == "refused"
    assert guarded(guard, meet(user=65534, family="socket.AF_INET6", address=address)) == "refused"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can play another user")
def test_another_user_is_refused_who_comes_from_the_machines_network_address(guard: Path) -> None:
    source = network_address()
    if not source:
        pytest.skip("this machine has no network address")
    assert guarded(guard, meet(user=65534, source=source)) == "refused"
    assert guarded(guard, meet(user=0, source=source)) == "answered"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can play another user")
def test_another_user_is_answered_without_the_guard(guard: Path) -> None:
    assert guarded(guard, meet(user=65534), LD_PRELOAD="") == "answered"


@pytest.mark.skipif(shutil.which("musl-gcc") is None, reason="no musl-gcc, which makes programs for Alpine's C library")
def test_it_loads_beside_another_c_library(guard: Path, tmp_path: Path) -> None:
    source = (
        "#include <arpa/inet.h>\n#include <stdio.h>\n"
        "int main(void) { struct sockaddr_in at = {.sin_family = AF_INET}; socklen_t size = sizeof at;\n"
        "int one = socket(AF_INET, SOCK_STREAM, 0); bind(one, (void *)&at, size);\n"
        "getsockname(one, (void *)&at, &size); puts(inet_ntoa(at.sin_addr)); return 0; }\n"
    )
    (tmp_path / "bind.c").write_text(source)
    subprocess.run(["musl-gcc", "-o", str(tmp_path / "bind"), str(tmp_path / "bind.c")], check=True)
    env = {"LD_PRELOAD": str(guard), "FAIRWAY_POD_IP": "127.77.0.5"}
    done = subprocess.run([str(tmp_path / "bind")], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "127.77.0.5"
