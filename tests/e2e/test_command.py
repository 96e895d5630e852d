"""The command line that scripts rely on, and what it says on bad days: one sentence with the next action."""

from __future__ import annotations

import json
import os
import socket
import stat
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.e2e.conftest import Installation
from tests.ports import free_port

pytestmark = pytest.mark.e2e


def test_status_token_and_kubeconfig_speak_of_the_running_platform(platform: Installation) -> None:
    report = json.loads(platform.fairway("status", "--json").stdout)
    assert report["running"]
    assert report["ready"]
    assert report["url"] == f"http://127.0.0.1:{platform.port}"
    assert Path(platform.fairway("kubeconfig").stdout.strip()).stat().st_mode & 0o077 == 0
    token = platform.fairway("token").stdout.strip()
    request = urllib.request.Request(
        report["url"] + "/apis/v2beta1/healthz", headers={"Authorization": f"Bearer {token}"}
    )
    with urllib.request.urlopen(request) as answer:
        assert json.load(answer)["multi_user"] is False


def ask(url: str, **headers: str) -> tuple[int, str]:
    """The status of a GET and the address where it ended."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:
            return answer.status, answer.url
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, url


@pytest.mark.parametrize("path", ["/apis/v2beta1/runs", "/k8s/api/v1/pods", "/assets/index.js", "/nowhere"])
def test_a_stranger_gets_nothing(platform: Installation, path: str) -> None:
    status, _ = ask(f"http://127.0.0.1:{platform.port}{path}")
    assert status in (401, 403)


def test_a_stranger_with_a_browser_is_asked_to_log_in(platform: Installation) -> None:
    _, url = ask(f"http://127.0.0.1:{platform.port}/", Accept="text/html")
    assert url.endswith("/login")


def test_a_page_of_another_name_gets_nothing(platform: Installation) -> None:
    token = platform.fairway("token").stdout.strip()
    status, _ = ask(
        f"http://127.0.0.1:{platform.port}/apis/v2beta1/runs", Authorization=f"Bearer {token}", Host="evil.example"
    )
    assert status in (400, 403, 421)


def test_a_second_server_on_the_same_folder_is_refused(platform: Installation) -> None:
    result = platform.fairway("up", "--port", str(free_port()), check=False)
    assert result.returncode == 1
    assert "already runs" in result.stderr
    assert "fairway stop" in result.stderr


def test_a_taken_port_is_named_with_the_way_out(installation: Installation) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = installation.fairway("up", "--port", str(port), check=False)
    assert result.returncode == 1
    assert str(port) in result.stderr
    assert "--port" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_folder_that_cannot_be_used_is_named_with_the_way_out(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    result = Installation(file / "data", free_port()).fairway("up", check=False)
    assert result.returncode == 1
    assert "--data-dir" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(stat.S_IRUSR)
    result = Installation(tmp_path / "data", free_port()).fairway("up", check=False)
    tmp_path.chmod(stat.S_IRWXU)
    assert "not writable" in result.stderr or "cannot write" in result.stderr


def test_without_a_platform_each_verb_says_how_to_start_one(installation: Installation) -> None:
    for verb in ("token", "kubeconfig", "open", "login"):
        result = installation.fairway(verb, check=False)
        assert result.returncode == 1
        assert "fairway up" in result.stderr
    assert installation.fairway("status", check=False).returncode == 3


def test_login_writes_what_kfp_reads_and_takes_it_back(platform: Installation) -> None:
    platform.fairway("login")
    home = platform.folder.parent
    context = home / ".config" / "kfp" / "context.json"
    assert json.loads(context.read_text())["client_authentication_header_value"].startswith("Bearer ")
    assert context.stat().st_mode & 0o077 == 0
    platform.fairway("login", "--logout")
    assert "client_authentication_header_value" not in json.loads(context.read_text())


def test_the_doctor_finds_this_machine_fit(platform: Installation) -> None:
    result = platform.fairway("doctor")
    assert "problem" not in result.stdout
