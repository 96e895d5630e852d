"""What a pod shows to the API: a kubeconfig with a token of its service account.

One token for each service account, not for each pod: starting a pod then costs no request. Files are replaced
before the token in them ends, while somebody uses them. A container may run as any user and must read them; what they
lie in is ours alone.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from fairway.kernel.client.client import Client
from fairway.kernel.clock import Clock, parse
from fairway.kernel.objects import errors, meta
from fairway.kernel.objects.kinds import SERVICE_ACCOUNT, Object

log = logging.getLogger(__name__)

_LIFETIME = 24 * 3600
_LOOK = 100.0
"""Seconds between two looks at what is due; no token lives for less than ten minutes."""
_RENEW_AFTER = 0.5
"""Of the lifetime. A pod that reads its file again at least every half lifetime never sees an ended token."""


@dataclass(frozen=True)
class Files:
    """`folder` has what the service account volume of Kubernetes has: token, ca.crt, namespace."""

    folder: Path
    kubeconfig: Path


class Wanted(NamedTuple):
    """A token that a pod asks for by its volume."""

    namespace: str
    account: str
    seconds: int
    audiences: tuple[str, ...] = ()


class Credentials:
    def __init__(self, client: Client, clock: Clock, folder: Path, api_url: str, ca_pem: str) -> None:
        self._client, self._clock, self._folder = client, clock, folder
        self._api_url, self._ca_pem = api_url, ca_pem
        self._renewals: dict[tuple[str, str], float] = {}
        self._known: dict[tuple[str, str], Files] = {}
        self._locks: dict[tuple[str, str], asyncio.Lock] = {}
        self._uids: dict[tuple[str, str], str] = {}
        """Of the accounts as they were seen last: a token is one account's, and not that of the next of its name."""
        self._followed: dict[str, dict[Path, tuple[Wanted, float]]] = {}
        """By pod: the files of its volumes that are tokens, and when each is due."""

    async def files(self, namespace: str, account: str) -> Files:
        """Raises NotFound while there is no such service account."""
        key = (namespace, account)
        if self._renewals.get(key, 0.0) <= self._clock.now():
            async with self._locks.setdefault(key, asyncio.Lock()):
                if self._renewals.get(key, 0.0) <= self._clock.now():
                    await self._renew(namespace, account)
        return self._known[key]

    def keep(self, namespace: str, account: str) -> None:
        """A pod that was here before reads these files: they are renewed as if we had written them."""
        self._renewals.setdefault((namespace, account), self._clock.now())

    def account_changed(self, old: Object | None, new: Object | None) -> None:
        """From a mirror of the service accounts."""
        if new is None:
            return
        key, uid = meta.key(new), meta.uid(new)
        if self._uids.get(key, uid) != uid and key in self._renewals:
            self._renewals[key] = self._clock.now()
        self._uids[key] = uid

    async def keep_fresh(self) -> None:
        """For ever: renew what is due. Accounts that are gone are forgotten."""
        while True:
            await self._clock.sleep(_LOOK)
            await self._renew_followed()
            for namespace, account in [key for key, due in self._renewals.items() if due <= self._clock.now()]:
                try:
                    await self._renew_due(namespace, account)
                except (errors.ApiError, OSError) as failure:
                    log.warning("the token of %s/%s is not renewed yet: %s", namespace, account, failure)

    async def _renew_due(self, namespace: str, account: str) -> None:
        if await self._client.find(SERVICE_ACCOUNT, account, namespace):
            await self.files(namespace, account)
        else:
            self._renewals.pop((namespace, account), None)

    def now(self) -> float:
        return self._clock.now()

    def follow(self, pod: str, file: Path, wanted: Wanted, written: float) -> None:
        """Renew the file in time, until the pod is forgotten."""
        self._followed.setdefault(pod, {})[file] = (wanted, written + wanted.seconds * _RENEW_AFTER)

    def forget(self, pod: str) -> None:
        self._followed.pop(pod, None)

    async def token(self, wanted: Wanted) -> tuple[str, float]:
        """(token, when it ends)."""
        namespace, account, seconds, audiences = wanted
        answer = await self._client.transport.request(
            "POST",
            SERVICE_ACCOUNT.path(namespace, account, "token"),
            body={
                "apiVersion": "authentication.k8s.io/v1",
                "kind": "TokenRequest",
                "spec": {"expirationSeconds": seconds, **({"audiences": list(audiences)} if audiences else {})},
            },
        )
        status = answer["status"]
        return status["token"], parse(status["expirationTimestamp"])

    async def _renew_followed(self) -> None:
        now = self._clock.now()
        due = [
            (pod, file, wanted)
            for pod, files in self._followed.items()
            for file, (wanted, at) in files.items()
            if at <= now
        ]
        for pod, file, wanted in due:
            try:
                token = (await self.token(wanted))[0]
                if pod in self._followed and file.exists():
                    _replace(file, token, mode=file.stat().st_mode & 0o777)
                    self.follow(pod, file, wanted, now)
            except (errors.ApiError, OSError) as failure:
                log.warning("the token %s is not renewed yet: %s", file.name, failure)

    def _place(self, namespace: str, account: str) -> Files:
        folder = self._folder / namespace / account
        return Files(folder, folder / "kubeconfig")

    async def _renew(self, namespace: str, account: str) -> None:
        token, end = await self.token(Wanted(namespace, account, _LIFETIME))
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


def _replace(path: Path, text: str, mode: int = 0o644) -> None:
    temporary = path.with_name(f".{path.name}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    temporary.rename(path)
