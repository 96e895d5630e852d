"""What a stranger on the network, a page in the user's browser, and a workload can do: nothing, or little."""

from pathlib import Path

import aiohttp
import pytest

from tests.front.doorway import House, bearer, serving

PUBLIC = {"/login", "/login.css", "/favicon.svg", "/healthz", "/apis/v2beta1/healthz"}


def _concrete(path: str) -> str:
    return path.replace("{path}", "api/v1/namespaces/default/pods").replace("{name}", "x")


async def test_every_route_refuses_a_caller_without_identity(house: House) -> None:
    seen = set()
    for route in house.front.app.router.routes():
        assert route.resource is not None
        path = _concrete(route.resource.canonical)
        seen.add((route.method, path))
        if path in PUBLIC:
            continue
        async with house.http.request(route.method, house.url + path) as answer:
            assert answer.status == 401, f"{route.method} {path} is open"
    assert len(seen) > 12
    assert ("GET", "/k8s/api/v1/namespaces/default/pods") in seen
    assert ("POST", "/apis/v2beta1/whoami") in seen


async def test_paths_that_do_not_exist_look_like_all_others_to_a_stranger(house: House) -> None:
    async with house.http.get(house.url + "/nothing/here") as answer:
        assert answer.status == 401
    async with house.http.get(house.url + "/nothing/here", headers=bearer()) as answer:
        assert answer.status == 404


@pytest.mark.parametrize("token", ["", "wrong", "owner-toke", "x" * 8000])
async def test_unknown_tokens_are_refused(house: House, token: str) -> None:
    async with house.http.get(house.url + "/front/session", headers=bearer(token)) as answer:
        assert answer.status == 401
        body = await answer.json()
    assert body["code"] == 16
    assert "fairway token" in body["message"]
    assert body["error"] == body["message"]


async def test_a_person_outside_the_owners_is_forbidden_everything(house: House) -> None:
    for path in ("/apis/v2beta1/whoami", "/front/session", "/k8s/api/v1/namespaces/default/pods", "/"):
        async with house.http.get(house.url + path, headers=bearer("stranger-token")) as answer:
            assert answer.status == 403, path


async def test_a_workload_may_use_the_features_and_nothing_else(house: House) -> None:
    async with house.http.get(house.url + "/apis/v2beta1/whoami", headers=bearer("step-token")) as answer:
        assert (await answer.json())["user"] == "system:serviceaccount:default:default"
    for method, path in [
        ("GET", "/k8s/api/v1/namespaces/default/pods"),
        ("POST", "/gateway/serving/default/x"),
        ("POST", "/login/one-time"),
        ("GET", "/"),
    ]:
        async with house.http.request(method, house.url + path, headers=bearer("step-token")) as answer:
            assert answer.status == 403, path


async def test_a_name_that_was_rebound_to_loopback_is_not_answered(tmp_path: Path) -> None:
    async with serving(tmp_path, allowed_hosts=("fairway.example",)) as house:
        for host, status in [
            ("evil.example", 421),
            ("127.0.0.1.evil.example:8080", 421),
            ("fairway.example", 200),
            ("localhost:9999", 200),
            ("192.0.2.7:8080", 200),  # an address cannot be rebound
            ("127.1", 421),
            ("[::1]:8080", 200),
        ]:
            headers = {**bearer(), "Host": host}
            async with house.http.get(house.url + "/front/session", headers=headers) as answer:
                assert answer.status == status, host
            async with house.http.get(house.url + "/login", headers=headers) as answer:
                assert answer.status == status, host


async def test_a_foreign_page_cannot_use_the_session(house: House) -> None:
    async with house.http.get(house.front.one_time_url().replace("http://127.0.0.1:8080", house.url)):
        pass
    own = house.url
    for headers, status in [
        ({"Origin": own}, 200),
        ({"Origin": "http://evil.example"}, 401),
        ({"Origin": "http://127.0.0.1:9999"}, 401),  # another server of this machine: same site, other origin
        ({"Origin": "null"}, 401),
        ({"Origin": "http://["}, 401),
        ({}, 401),
        ({"Sec-Fetch-Site": "same-site"}, 401),
    ]:
        async with house.http.post(own + "/apis/v2beta1/whoami", headers=headers) as answer:
            assert answer.status == status, headers
    for headers, status in [
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"}, 401),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}, 401),
        ({"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate"}, 401),
    ]:
        async with house.http.get(own + "/apis/v2beta1/whoami", headers=headers) as answer:
            assert answer.status == status, headers


async def test_every_answer_forbids_frames_sniffing_and_foreign_scripts(house: House) -> None:
    for path in ("/login", "/front/session", "/nothing"):
        async with house.http.get(house.url + path) as answer:
            assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
            assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert "Access-Control-Allow-Origin" not in answer.headers


async def test_an_answer_of_the_api_server_is_believed_for_a_minute(house: House) -> None:
    async def status() -> int:
        async with house.http.get(house.url + "/apis/v2beta1/whoami", headers=bearer()) as answer:
            return answer.status

    assert [await status(), await status()] == [200, 200]
    assert house.api.reviews == 1
    await house.clock.advance(61)
    assert await status() == 200
    assert house.api.reviews == 2
    await house.clock.advance(61)
    house.api.away = True
    assert await status() == 503


async def test_the_login_form_is_not_posted_from_elsewhere(house: House) -> None:
    form = aiohttp.FormData({"token": "owner-token"})
    async with house.http.post(house.url + "/login", data=form, headers={"Origin": "http://evil.example"}) as answer:
        assert answer.status == 403
        assert "Set-Cookie" not in answer.headers
