"""What a pod shows to the API: a kubeconfig with a token of its service account.

One token for each service account, not for each pod: starting a pod then costs no request. Files are replaced
before the token in them ends, while somebody uses them. A container may run as any user and must read them; what they
lie in is ours alone.
"""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import dataclass
from pathlib import Path

from fairway.kernel.client.client import Client
from fairway.kernel.clock import Clock, parse
from fairway.kernel.objects.kinds import SERVICE_ACCOUNT

_LIFETIME = 24 * 3600
_RENEW_AFTER = 0.5
"""Of the lifetime. A pod that reads its file again at least every half lifetime never sees an ended token."""


@dataclass(frozen=True)
class Files:
    """`folder` has what the service account volume of Kubernetes has: token, ca.crt, namespace."""

    folder: Path
    kubeconfig: Path


class Credentials:
    def __init__(self, client: Client, clock: Clock, folder: Path, api_url: str, ca_pem: str) -> None:
        self._client, self._clock, self._folder = client, clock, folder
        self._api_url, self._ca_pem = api_url, ca_pem
        self._renewals: dict[tuple[str, str], float] = {}
        self._known: dict[tuple[str, str], Files] = {}
        self._locks: dict[tuple[str, str], asyncio.Lock] = {}

    async def files(self, namespace: str, account: str) -> Files:
        """Raises NotFound while there is no such service account."""
        key = (namespace, account)
        if self._renewals.get(key, 0.0) <= self._clock.now():
            async with self._locks.setdefault(key, asyncio.Lock()):
                if self._renewals.get(key, 0.0) <= self._clock.now():
                    await self._renew(namespace, account)
        return self._known[key]

    async def keep_fresh(self) -> None:
        """For ever: renew what is due. Accounts that are gone are forgotten."""
        while True:
            await self._clock.sleep(600)
            for namespace, account in [key for key, due in self._renewals.items() if due <= self._clock.now()]:
                if await self._client.find(SERVICE_ACCOUNT, account, namespace):
                    await self.files(namespace, account)
                else:
                    self._renewals.pop((namespace, account), None)

    async def token(self, namespace: str, account: str, seconds: int, audiences: list[str]) -> tuple[str, float]:
        """(token, when it ends)."""
        answer = await self._client.transport.request(
            "POST",
            SERVICE_ACCOUNT.path(namespace, account, "token"),
            body={
                "apiVersion": "authentication.k8s.io/v1",
                "kind": "TokenRequest",
                "spec": {"expirationSeconds": seconds, **({"audiences": audiences} if audiences else {})},
            },
        )
        status = answer["status"]
        return status["token"], parse(status["expirationTimestamp"])

    def _place(self, namespace: str, account: str) -> Files:
        folder = self._folder / namespace / account
        return Files(folder, folder / "kubeconfig")

    async def _renew(self, namespace: str, account: str) -> None:
        token, end = await self.token(namespace, account, _LIFETIME, [])
        files = self._place(namespace, account)
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        files.folder.mkdir(parents=True, exist_ok=True)
        kubeconfig = self._kubeconfig(namespace, account, token)
        contents = {"token": token, "ca.crt": self._ca_pem, "namespace": namespace, "kubeconfig": kubeconfig}
        for name, text in contents.items():
            _replace(files.folder / name, text)
        now = self._clock.now()
        self._known[(namespace, account)] = files
        self._renewals[(namespace, account)] = now + (end - now) * _RENEW_AFTER

    def _kubeconfig(self, namespace: str, account: str, token: str) -> str:
        """As JSON, which every reader of YAML reads."""
        cluster = {"server": self._api_url}
        if self._ca_pem:
            cluster["certificate-authority"] = str(self._folder / namespace / account / "ca.crt")
        return json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "fairway", "cluster": cluster}],
                "users": [{"name": account, "user": {"token": token}}],
                "contexts": [
                    {"name": "pod", "context": {"cluster": "fairway", "user": account, "namespace": namespace}}
                ],
                "current-context": "pod",
            }
        )


def _replace(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    temporary.rename(path)
