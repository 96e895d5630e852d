"""A kubeconfig that we write is private and reads back; one that we cannot use is refused by name."""

from pathlib import Path

import pytest

from fairway.kernel.client import kubeconfig


def test_what_is_written_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    kubeconfig.write(path, server="https://127.0.0.1:1", ca_pem="PEM", token="secret", namespace="team")
    access = kubeconfig.load(path)
    assert (access.server, access.ca_pem, access.token, access.namespace) == (
        "https://127.0.0.1:1",
        "PEM",
        "secret",
        "team",
    )
    assert path.stat().st_mode & 0o077 == 0


def test_a_login_by_program_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    kubeconfig.write(path, server="https://127.0.0.1:1", ca_pem="", token="t")
    path.write_text(path.read_text().replace("token: t", "exec: {command: x}"))
    with pytest.raises(kubeconfig.KubeconfigError, match="'exec', which is not supported"):
        kubeconfig.load(path)
