"""How the SDK and the command find the platform: by folder, by the environment, in a pod, or not at all."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path

import pytest

from fairway.kernel import whereabouts
from fairway.pipelines import sdk

HERE = "http://127.0.0.1:1"


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment that says nothing, with a home of its own."""
    for name in (whereabouts.DATA_DIR, whereabouts.ENDPOINT, whereabouts.TOKEN_FILE, "KUBECONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def described(folder: Path, token: str = "here") -> Path:
    """A data directory on which this very process claims to be the platform."""
    folder.mkdir(parents=True)
    config = folder / "kubeconfig"
    config.write_text(f"users:\n- name: me\n  user:\n    token: {token}\n")
    pid = os.getpid()
    found = whereabouts.Description(pid, whereabouts.start_time(pid), HERE, "", str(config), str(folder), "0")
    (folder / whereabouts.FILE).write_text(json.dumps(asdict(found)))
    return folder


def test_without_a_platform_it_says_how_to_start_one() -> None:
    with pytest.raises(sdk.Failure, match=r"no platform runs on .*: start one with `fairway up`"):
        sdk.connect()


def test_a_platform_is_found_by_its_folder(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    described(bare / ".local" / "share" / "fairway", "default")
    described(bare / "named", "named")
    described(bare / "given", "given")
    assert sdk.connect() == sdk.Server(HERE, "default")
    monkeypatch.setenv("FAIRWAY_DATA_DIR", str(bare / "named"))
    assert sdk.connect().token == "named"
    assert sdk.connect(data_dir=bare / "given").token == "given"


def test_a_killed_platform_is_none(bare: Path) -> None:
    file = described(bare / "old") / whereabouts.FILE
    file.write_text(file.read_text().replace(f'"pid": {os.getpid()}', '"pid": 1'))
    with pytest.raises(sdk.Failure, match="no platform runs"):
        sdk.connect(data_dir=bare / "old")


def test_an_address_in_the_environment_takes_the_token_that_login_wrote(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KF_PIPELINES_ENDPOINT", "http://far.example:8080/")
    with pytest.raises(sdk.Failure, match="there is no token for it: run `fairway login`"):
        sdk.connect()
    context = bare / ".config" / "kfp" / "context.json"
    context.parent.mkdir(parents=True)
    context.write_text(json.dumps({"client_authentication_header_value": "Bearer far"}))
    assert sdk.connect() == sdk.Server("http://far.example:8080", "far")


def test_a_pod_uses_the_token_of_its_own_account(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    described(bare / ".local" / "share" / "fairway", "the owner's")
    (bare / "pod").mkdir()
    (bare / "pod" / "token").write_text("the-pods")
    monkeypatch.setenv("KF_PIPELINES_ENDPOINT", HERE)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBECONFIG", str(bare / "pod" / "kubeconfig"))
    assert sdk.connect().token == "the-pods"
    (bare / "token").write_text("of-a-file\n")
    monkeypatch.setenv("KF_PIPELINES_SA_TOKEN_PATH", str(bare / "token"))
    assert sdk.connect().token == "of-a-file"


def test_an_address_needs_its_token() -> None:
    assert sdk.connect(HERE + "/", "mine") == sdk.Server(HERE, "mine")
    with pytest.raises(sdk.Failure, match="a url and a token together"):
        sdk.connect(HERE)
    assert "mine" not in repr(sdk.connect(HERE, "mine"))
