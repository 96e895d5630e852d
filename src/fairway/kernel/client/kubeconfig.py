"""Kubeconfig files: read as much as an API server's address and a credential need, and write our own.

Exec plugins and auth providers are refused by name: give a token or a client certificate instead.
"""

from __future__ import annotations

import base64
import os
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml


class KubeconfigError(Exception):
    """The file cannot be used; the text says why and what to do."""


@dataclass(frozen=True)
class Access:
    """How to reach an API server. `ca_pem` empty means the system's authorities."""

    server: str
    token: str = ""
    ca_pem: str = ""
    client_cert_pem: str = ""
    client_key_pem: str = ""
    insecure: bool = False
    namespace: str = "default"

    def tls(self) -> ssl.SSLContext | None:
        """The TLS context of this access, None for plain HTTP."""
        if not self.server.startswith("https:"):
            return None
        context = ssl.create_default_context(cadata=self.ca_pem or None)
        if self.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.client_cert_pem:
            _load_client_certificate(context, self.client_cert_pem, self.client_key_pem)
        return context


def load(path: Path, context: str = "") -> Access:
    """Read the named (or current) context. Raises KubeconfigError."""
    try:
        document = yaml.safe_load(path.read_text())
    except OSError as problem:
        raise KubeconfigError(f"cannot read the kubeconfig {path} ({problem.strerror}): give another file") from problem
    except (yaml.YAMLError, UnicodeDecodeError) as problem:
        raise KubeconfigError(f"{path} is not a kubeconfig: it is not YAML; give another file") from problem
    if not isinstance(document, dict):
        raise KubeconfigError(f"{path} is not a kubeconfig: it holds no mapping")
    chosen = _named(document, "contexts", context or document.get("current-context") or "", path)["context"]
    cluster = _named(document, "clusters", chosen.get("cluster", ""), path)["cluster"]
    user = _named(document, "users", chosen.get("user", ""), path).get("user") or {}
    for refused in ("exec", "auth-provider", "username"):
        if refused in user:
            raise KubeconfigError(
                f"{path}: the user {chosen.get('user')!r} logs in by {refused!r}, which is not supported: "
                "put a token or a client certificate there"
            )
    try:
        return _access(cluster, user, chosen, path.parent)
    except (KeyError, ValueError, AttributeError) as problem:
        raise KubeconfigError(f"{path}: the context's cluster or user is not complete ({problem!r})") from problem


def _access(cluster: dict[str, Any], user: dict[str, Any], chosen: dict[str, Any], folder: Path) -> Access:
    return Access(
        server=str(cluster["server"]).rstrip("/"),
        token=_token(user, folder),
        ca_pem=_pem(cluster, "certificate-authority", folder),
        client_cert_pem=_pem(user, "client-certificate", folder),
        client_key_pem=_pem(user, "client-key", folder),
        insecure=bool(cluster.get("insecure-skip-tls-verify")),
        namespace=chosen.get("namespace") or "default",
    )


def write(
    path: Path, *, server: str, ca_pem: str, token: str, namespace: str = "default", name: str = "fairway"
) -> None:
    """Write a kubeconfig that only its owner can read; the file is replaced in one step."""
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [
            {
                "name": name,
                "cluster": {
                    "server": server,
                    "certificate-authority-data": base64.b64encode(ca_pem.encode()).decode(),
                },
            }
        ],
        "users": [{"name": name, "user": {"token": token}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name, "namespace": namespace}}],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".kubeconfig-")
    with os.fdopen(handle, "w") as file:
        yaml.safe_dump(document, file)
    Path(temporary).replace(path)


def _named(document: dict[str, Any], section: str, name: str, path: Path) -> dict[str, Any]:
    for entry in document.get(section) or ():
        if entry.get("name") == name:
            return dict(entry)
    raise KubeconfigError(
        f"{path} has no entry {name!r} in {section}: choose a context with `kubectl config use-context`"
    )


def _token(user: dict[str, Any], folder: Path) -> str:
    if "tokenFile" in user:
        return Path(folder, user["tokenFile"]).read_text().strip()
    return str(user.get("token") or "")


def _pem(section: dict[str, Any], field: str, folder: Path) -> str:
    if data := section.get(f"{field}-data"):
        return base64.b64decode(data).decode()
    return Path(folder, section[field]).read_text() if section.get(field) else ""


def _load_client_certificate(context: ssl.SSLContext, certificate: str, key: str) -> None:
    # The ssl module reads a chain from files only; the folder is private and goes at once.
    with tempfile.TemporaryDirectory() as folder:
        chain = Path(folder) / "client.pem"
        chain.touch(mode=0o600)
        chain.write_text(certificate + "\n" + key)
        context.load_cert_chain(chain)
