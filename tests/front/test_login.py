"""From a token to a browser's session, and out again."""

import stat
from pathlib import Path

import pytest

from fairway.front.sessions import OneTimeLinks, Sessions
from fairway.kernel.clock import FakeClock
from fairway.kernel.feature import Identity
from tests.front.doorway import House, bearer

ADA = Identity("ada", ("system:masters",))


def _here(house: House, url: str) -> str:
    """The public address is the gateway's; these tests stand at the front door itself."""
    return url.replace("http://127.0.0.1:8080", house.url)


async def test_a_one_time_link_opens_the_door_once(house: House) -> None:
    url = _here(house, house.front.one_time_url("#/runs"))
    assert url.endswith("#/runs")
    async with house.http.get(url, allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, "/")
        cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "Path=/" in cookie
    async with house.http.get(house.url + "/front/session") as answer:
        assert (await answer.json())["groups"] == ["system:masters"]
    house.http.cookie_jar.clear()
    async with house.http.get(url) as answer:
        assert "older than five minutes" in await answer.text()
        assert "Set-Cookie" not in answer.headers


async def test_the_command_line_asks_for_a_link_with_its_token(house: House) -> None:
    async with house.http.post(house.url + "/login/one-time", headers=bearer()) as answer:
        url = (await answer.json())["url"]
    async with house.http.get(_here(house, url), allow_redirects=False) as answer:
        assert answer.status == 303
    async with house.http.get(house.url + "/front/session") as answer:
        assert (await answer.json())["user"] == "ada"


async def test_a_pasted_token_logs_in_and_logout_logs_out(house: House) -> None:
    async with house.http.post(house.url + "/login", data={"token": "owner-token"}, allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, "/")
    async with house.http.get(house.url + "/front/session") as answer:
        assert answer.status == 200
    async with house.http.post(house.url + "/logout", headers={"Origin": house.url}, allow_redirects=False) as answer:
        assert answer.headers["Location"] == "/login"
    async with house.http.get(house.url + "/front/session") as answer:
        assert answer.status == 401


async def test_a_copy_of_the_cookie_ends_with_the_session(house: House) -> None:
    async with house.http.post(house.url + "/login", data={"token": "owner-token"}, allow_redirects=False) as answer:
        copy = answer.headers["Set-Cookie"].partition(";")[0]
    async with house.http.post(house.url + "/logout", headers={"Origin": house.url}, allow_redirects=False):
        pass
    async with house.http.get(house.url + "/front/session", headers={"Cookie": copy}) as answer:
        assert answer.status == 401


async def test_a_form_that_is_larger_than_any_token_is_not_read(house: House) -> None:
    async with house.http.post(house.url + "/login", data={"token": "x" * 100_000}) as answer:
        assert answer.status == 413


async def test_wrong_tokens_and_those_of_workloads_get_the_form_again(house: House) -> None:
    for token, status in [("wrong", 401), ("step-token", 403)]:
        async with house.http.post(house.url + "/login", data={"token": token}) as answer:
            assert answer.status == status
            assert "<form" in await answer.text()
            assert "Set-Cookie" not in answer.headers


async def test_a_browser_without_session_is_sent_to_the_login_page(house: House) -> None:
    headers = {"Accept": "text/html,*/*"}
    async with house.http.get(house.url + "/", headers=headers, allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, "/login")


@pytest.mark.parametrize("goal", ["//evil.example", "/\\evil.example", "https://evil.example", "/a\r\nSet-Cookie: x=1"])
async def test_login_leads_nowhere_else(house: House, goal: str) -> None:
    async with house.http.post(
        house.url + "/login", params={"next": goal}, data={"token": "owner-token"}, allow_redirects=False
    ) as answer:
        assert answer.headers["Location"] == "/"


async def test_a_session_survives_a_restart_and_ends_after_twelve_hours(tmp_path: Path) -> None:
    clock = FakeClock()
    cookie = Sessions(tmp_path / "front.key", clock).issue(ADA)
    assert stat.S_IMODE((tmp_path / "front.key").stat().st_mode) == 0o600
    restarted = Sessions(tmp_path / "front.key", clock)
    assert restarted.check(cookie) == ADA
    await clock.advance(12 * 3600 - 1)
    assert restarted.check(cookie) == ADA
    await clock.advance(1)
    assert restarted.check(cookie) is None


async def test_a_session_that_was_left_stays_so_after_a_restart(tmp_path: Path) -> None:
    clock = FakeClock()
    sessions = Sessions(tmp_path / "front.key", clock)
    left, other = sessions.issue(ADA), sessions.issue(ADA)
    sessions.end(left)
    sessions.end("forged")
    restarted = Sessions(tmp_path / "front.key", clock)
    assert restarted.check(left) is None
    assert restarted.check(other) == ADA


@pytest.mark.parametrize("half", ["", '{"a', "[1]", "null"])
def test_where_nobody_knows_who_has_left_all_sessions_begin_anew(tmp_path: Path, half: str) -> None:
    clock = FakeClock()
    sessions = Sessions(tmp_path / "front.key", clock)
    left, stayed = sessions.issue(ADA), sessions.issue(ADA)
    sessions.end(left)
    (tmp_path / "front.left").write_text(half)
    again = Sessions(tmp_path / "front.key", clock)
    assert again.check(left) is again.check(stayed) is None
    assert again.check(again.issue(ADA)) == ADA


def test_a_cookie_signed_by_another_server_is_worth_nothing(tmp_path: Path) -> None:
    clock = FakeClock()
    other = Sessions(tmp_path / "other.key", clock).issue(ADA)
    sessions = Sessions(tmp_path / "front.key", clock)
    assert sessions.check(other) is None
    assert sessions.check("") is None
    assert sessions.check(sessions.issue(ADA)[:-2]) is None


async def test_a_link_ends_after_five_minutes() -> None:
    clock = FakeClock()
    links = OneTimeLinks(clock)
    token = links.issue(ADA)
    await clock.advance(300)
    assert links.redeem(token) is None
