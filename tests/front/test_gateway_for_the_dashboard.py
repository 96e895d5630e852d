"""A prediction tried from the dashboard reaches the service with the server's token, and comes back as it is."""

from pathlib import Path

from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.front.doorway import bearer, serving


async def test_a_prediction_is_forwarded_with_the_servers_token(tmp_path: Path) -> None:
    seen: list[tuple[str, str, str | None, bytes]] = []

    async def service(request: web.Request) -> web.Response:
        body = await request.read()
        seen.append((request.path_qs, request.headers["Authorization"], request.headers.get("Cookie"), body))
        return web.json_response({"predictions": [1]}, status=202)

    app = web.Application()
    app.router.add_post("/serving/default/iris/v1/models/iris:predict", service)
    async with TestServer(app) as gateway, serving(tmp_path, f"http://127.0.0.1:{gateway.port}") as house:
        path = "/gateway/serving/default/iris/v1/models/iris:predict?a=1"
        headers = {**bearer(), "Cookie": "secret=1"}
        async with house.http.post(house.url + path, headers=headers, json={"instances": [[1]]}) as answer:
            assert answer.status == 202
            assert await answer.json() == {"predictions": [1]}
            assert "sandbox" in answer.headers["Content-Security-Policy"]
        expected = ("/serving/default/iris/v1/models/iris:predict?a=1", "Bearer server-token", None)
        assert [entry[:3] for entry in seen] == [expected]
        assert seen[0][3] == b'{"instances": [[1]]}'
        for path in (
            "/gateway/apis/v2beta1/runs",
            "/gateway/login/one-time",
            "/gateway/x/%2e%2e/apis/y",
            "/gateway//login",
        ):
            async with house.http.post(f"{house.url}/gateway/{path}", headers=bearer()) as answer:
                assert answer.status == 403, path


async def test_a_gateway_that_is_away_is_said_as_such(tmp_path: Path) -> None:
    async with (
        serving(tmp_path, "http://127.0.0.1:1") as house,
        house.http.post(house.url + "/gateway/serving/a/b", headers=bearer()) as answer,
    ):
        assert answer.status == 502
        assert "cannot be reached" in (await answer.json())["message"]
