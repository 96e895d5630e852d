"""The contract of `Artifacts`, as tests: on files, in memory and in buckets it means the same.

Whoever runs it subclasses this with a fixture `artifacts`. What is particular to files (reading in place, links) is
tested beside it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from fairway.artifacts.addresses import NotHere
from fairway.artifacts.store import CHUNK, Artifacts, ArtifactsFailed


class ArtifactsContract:
    @pytest.mark.parametrize("name", ["model", "a/deep/one", "with space", "a%20b", "ünïcode", "x#y?z=1", 'q"*[<>]'])
    async def test_what_is_put_is_got_under_any_name(self, artifacts: Artifacts, name: str) -> None:
        uri = artifacts.address("run", name)
        await artifacts.put(uri, b"one")
        await artifacts.put(uri, b"two")
        assert await artifacts.get(uri) == b"two"
        assert [entry.uri for entry in await artifacts.list(artifacts.address("run"))] == [uri]

    @pytest.mark.parametrize(
        "path", ["../secret", "run/../../secret", "./x", "a//b", "run/..", "x\0y", "..", "", "%2e%2e/../x"]
    )
    async def test_no_address_leads_out_of_the_root(self, artifacts: Artifacts, path: str) -> None:
        uri = f"{artifacts.root}/{path}"
        for attempt in (artifacts.get(uri), artifacts.put(uri, b""), artifacts.find(uri), artifacts.delete(uri)):
            with pytest.raises(NotHere):
                await attempt

    @pytest.mark.parametrize("uri", ["file:///etc/passwd", "s3://bucket/key", "/etc/passwd", "memory://other/x"])
    async def test_addresses_of_other_stores_are_refused(self, artifacts: Artifacts, uri: str) -> None:
        with pytest.raises(NotHere):
            await artifacts.get(uri)
        with pytest.raises(NotHere):
            await artifacts.get(f"{artifacts.root}-beside/x")

    async def test_the_extent_of_a_file_and_of_a_folder(self, artifacts: Artifacts) -> None:
        folder = artifacts.address("run")
        assert await artifacts.extent(folder, most=2) is None
        await artifacts.put(f"{folder}/a", b"one")
        await artifacts.put(f"{folder}/deep/b", b"three")
        whole, single = await artifacts.extent(folder, most=2), await artifacts.extent(f"{folder}/a", most=2)
        assert whole is not None
        assert single is not None
        assert (whole.files, whole.size, single.files, single.size) == (2, 8, 1, 3)
        newest = max(entry.modified for entry in await artifacts.list(folder))
        assert whole.modified == newest
        assert (await artifacts.extent(artifacts.root, most=2)) == whole
        await artifacts.put(f"{folder}/c", b"")
        with pytest.raises(ArtifactsFailed, match="more than 2 files"):
            await artifacts.extent(folder, most=2)

    async def test_streams_give_exactly_the_asked_range(self, artifacts: Artifacts) -> None:
        uri = artifacts.address("big")
        content = bytes(number % 251 for number in range(CHUNK * 2 + 1000))
        await artifacts.put(uri, content)

        async def read(start: int, length: int | None) -> bytes:
            return b"".join([chunk async for chunk in artifacts.stream(uri, start=start, length=length)])

        assert await read(0, None) == content
        assert await read(CHUNK - 5, 10) == content[CHUNK - 5 : CHUNK + 5]
        assert await read(len(content) - 3, 100) == content[-3:]
        assert await read(len(content) + 5, 100) == b""

    async def test_what_is_missing_is_said_to_be_missing(self, artifacts: Artifacts) -> None:
        uri = artifacts.address("nothing", "here")
        with pytest.raises(FileNotFoundError):
            await artifacts.get(uri)
        with pytest.raises(FileNotFoundError):
            _ = [chunk async for chunk in artifacts.stream(uri)]
        assert await artifacts.find(uri) is None
        assert await artifacts.list(uri) == []
        await artifacts.delete(uri)

    async def test_delete_takes_a_folder_with_all_beneath_and_no_neighbour(self, artifacts: Artifacts) -> None:
        for name in ("run/a", "run/b/c", "run-2/d"):
            await artifacts.put(artifacts.address(name), b"x")
        await artifacts.delete(artifacts.address("run"))
        assert [entry.uri for entry in await artifacts.list(artifacts.root)] == [artifacts.address("run-2/d")]

    async def test_a_file_and_a_folder_are_taken_from_the_disk(self, artifacts: Artifacts, tmp_path: Path) -> None:
        (tmp_path / "made" / "deep").mkdir(parents=True)
        (tmp_path / "made" / "a").write_bytes(b"one")
        (tmp_path / "made" / "deep" / "b").write_bytes(b"x" * (6 << 20))  # more than one part of an upload
        (tmp_path / "made" / "empty").mkdir()
        folder, file = artifacts.address("run/folder"), artifacts.address("run/file")
        assert await artifacts.take(folder, tmp_path / "made") == 2
        assert await artifacts.take(file, tmp_path / "made" / "a") == 1
        assert {entry.uri: entry.size for entry in await artifacts.list(artifacts.address("run"))} == {
            f"{folder}/a": 3,
            f"{folder}/deep/b": 6 << 20,
            file: 3,
        }
        assert await artifacts.get(file) == b"one"
        with pytest.raises(FileNotFoundError):
            await artifacts.take(file, tmp_path / "missing")
