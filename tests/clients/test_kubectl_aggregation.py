"""kubectl with an aggregated API: its kinds are like any other, and one whose server is down keeps nobody away."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fairway.kernel.objects import conditions
from fairway.kernel.objects.kinds import API_SERVICE, SERVICE
from fairway.testing.cluster import Cluster, cluster
from tests.cluster.api import extension_server as wardle
from tests.cluster.api.extension_server import ExtensionServer

pytestmark = [
    pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed"),
    pytest.mark.slow,
    pytest.mark.timeout(300),
]


@dataclass
class Here:
    cluster: Cluster
    server: ExtensionServer
    cache: Path

    async def kubectl(self, *words: str) -> tuple[int, str, str]:
        """Its code, what it prints, and what it complains of; its cache of discovery is thrown away."""
        shutil.rmtree(self.cache, ignore_errors=True)
        process = await asyncio.create_subprocess_exec(
            "kubectl", "--kubeconfig", str(self.cluster.kubeconfig), "--cache-dir", str(self.cache), *words,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env={**os.environ, "HOME": str(self.cache)},
        )  # fmt: skip
        out, complaint = await process.communicate()
        return process.returncode or 0, out.decode(), complaint.decode()

    async def until(self, status: str) -> None:
        def says(service: object) -> bool:
            return isinstance(service, dict) and (conditions.find(service, "Available") or {}).get("status") == status

        await self.cluster.client.wait(API_SERVICE, wardle.NAME, None, says, timeout=60)


@pytest.fixture
async def here(tmp_path: Path) -> AsyncGenerator[Here, None]:
    async with cluster(tmp_path) as made:
        server = ExtensionServer(tmp_path / "wardle")
        await server.start(made.client)
        await wardle.furnish(made.client, server.port)
        await made.client.create(API_SERVICE, wardle.api_service(caBundle=server.bundle))
        here = Here(made, server, tmp_path / "cache")
        await here.until("True")
        yield here
        await server.stop()


async def test_its_kinds_are_kinds_like_any_other(here: Here) -> None:
    code, services, _ = await here.kubectl("get", "apiservices")
    lines = [line.split() for line in services.splitlines()]
    assert lines[0] == ["NAME", "SERVICE", "AVAILABLE", "AGE"]
    assert [wardle.NAME, "wardle/api", "True"] in [line[:3] for line in lines]
    assert ["v1.", "Local", "True"] in [line[:3] for line in lines]
    code, kinds, _ = await here.kubectl("api-resources", "--api-group", wardle.GROUP)
    assert code == 0 and ["flunders", "fl", f"{wardle.GROUP}/{wardle.VERSION}", "true", "Flunder"] in [
        line.split() for line in kinds.splitlines()
    ]
    here.server.kept["one"] = {
        "kind": "Flunder",
        "apiVersion": f"{wardle.GROUP}/{wardle.VERSION}",
        "metadata": {"name": "one", "namespace": "default"},
    }
    assert await here.kubectl("get", "fl", "one", "-o", "name") == (0, f"flunder.{wardle.GROUP}/one\n", "")
    code, raw, _ = await here.kubectl("get", "--raw", f"{wardle.ROOT}/namespaces/default/flunders/one")
    assert code == 0 and '"name": "one"' in raw


async def test_one_that_is_down_is_named_and_everything_else_is_there(here: Here) -> None:
    here.server.silent = True
    await here.cluster.client.patch(
        SERVICE, wardle.SERVICE_NAME, wardle.NAMESPACE_NAME, {"metadata": {"labels": {"looked": "again"}}}
    )
    await here.until("False")
    code, kinds, complaint = await here.kubectl("api-resources")
    assert "deployments" in kinds and "flunders" not in kinds
    # Some releases of kubectl say what is missing, others leave it out.
    place = f"{wardle.GROUP}/{wardle.VERSION}"
    missing = f"unable to retrieve the complete list of server APIs: {place}: stale GroupVersion discovery: {place}"
    assert code == 0 or missing in complaint
    assert (await here.kubectl("get", "deployments"))[0] == 0
    code, _, complaint = await here.kubectl("get", "--raw", f"{wardle.ROOT}/flunders")
    assert (code, complaint) == (
        1,
        "Error from server (ServiceUnavailable): the server is currently unable to handle the request\n",
    )
    code, _, _ = await here.kubectl("get", "pods")
    assert code == 0
    code, services, _ = await here.kubectl("get", "apiservices", wardle.NAME)
    assert "False (FailedDiscoveryCheck)" in services
