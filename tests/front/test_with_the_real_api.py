"""The front door before the real API server: its tokens, its objects."""

import asyncio
from pathlib import Path

import aiohttp

from fairway.front.build import Front, FrontConfig
from fairway.kernel.objects.kinds import SERVICE_ACCOUNT
from fairway.testing.cluster import cluster
from tests.front.doorway import bearer


async def test_tokens_of_the_api_server_open_the_door(tmp_path: Path) -> None:
    async with cluster(tmp_path, workloads=False) as here:
        config = FrontConfig(public_url="http://127.0.0.1:8080", state_dir=tmp_path, token=str)
        front, ready = Front(here.platform, [], config), asyncio.Event()
        here.tasks.create_task(front.run(ready.set))
        await ready.wait()
        owner = here.issuer.mint("ada", ["system:masters"], seconds=60)
        over = here.issuer.mint("ada", ["system:masters"], seconds=-60)
        await here.client.create(SERVICE_ACCOUNT, SERVICE_ACCOUNT.new("step", "default"))
        path = SERVICE_ACCOUNT.path("default", "step", "token")
        answer = await here.client.transport.request("POST", path, body={"spec": {}})
        workload = answer["status"]["token"]
        async with aiohttp.ClientSession(f"http://127.0.0.1:{front.port}") as http:
            async with http.get("/front/session", headers=bearer(owner)) as session:
                assert (await session.json())["user"] == "ada"
            async with http.get("/k8s/api/v1/namespaces/default", headers=bearer(owner)) as namespace:
                assert (await namespace.json())["kind"] == "Namespace"
            async with http.get("/k8s/api/v1/pods", params={"watch": "true"}, headers=bearer(owner)) as watch:
                assert watch.status == 200
            for token, status in [(over, 401), (owner[:-4], 401), (workload, 403)]:
                async with http.get("/front/session", headers=bearer(token)) as refused:
                    assert refused.status == status
