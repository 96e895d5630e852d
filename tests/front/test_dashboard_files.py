"""The built dashboard is served with the right caching; without a build, a page says what to do."""

from pathlib import Path

from tests.front.doorway import bearer, serving


async def test_a_checkout_without_a_build_says_how_to_build(tmp_path: Path) -> None:
    async with (
        serving(tmp_path, static_dir=tmp_path / "none") as house,
        house.http.get(house.url + "/", headers=bearer()) as answer,
    ):
        assert answer.status == 503
        assert "make web" in await answer.text()


async def test_index_is_asked_anew_and_assets_are_kept(tmp_path: Path) -> None:
    (tmp_path / "static" / "assets").mkdir(parents=True)
    (tmp_path / "static" / "index.html").write_text("<p>dashboard")
    (tmp_path / "static" / "assets" / "index-abc.js").write_text("1")
    async with serving(tmp_path, static_dir=tmp_path / "static") as house:
        async with house.http.get(house.url + "/", headers=bearer()) as answer:
            assert await answer.text() == "<p>dashboard"
            assert answer.headers["Cache-Control"] == "no-cache"
        async with house.http.get(house.url + "/assets/index-abc.js", headers=bearer()) as answer:
            assert "immutable" in answer.headers["Cache-Control"]
        for path in ("/assets/none.js", "/assets/..%2findex.html", "/assets/%2e%2e%2ffront.key"):
            async with house.http.get(house.url + path, headers=bearer()) as answer:
                assert answer.status == 404, path


async def test_the_session_tells_the_pages_of_the_features(tmp_path: Path) -> None:
    async with serving(tmp_path) as house, house.http.get(house.url + "/front/session", headers=bearer()) as answer:
        body = await answer.json()
    assert body["pages"] == [{"title": "Runs", "route": "#/runs"}]
    assert body["user"] == "ada"
