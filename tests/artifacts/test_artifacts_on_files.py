"""What is particular to artifacts that are files, and roots that cannot be."""

import os
from pathlib import Path

import pytest

from fairway.artifacts.addresses import NotHere
from fairway.artifacts.store import ArtifactsFailed, open_store


async def test_files_are_read_in_place(tmp_path: Path) -> None:
    artifacts = open_store(f"file://{tmp_path}")
    uri = artifacts.address("run", "model")
    path = artifacts.local_path(uri)
    assert path == tmp_path / "run" / "model"
    path.parent.mkdir()
    path.write_bytes(b"by a step")
    assert await artifacts.get(uri) == b"by a step"
    assert open_store("memory://").local_path("memory:///x") is None


async def test_a_symbolic_link_out_of_the_root_is_refused(tmp_path: Path) -> None:
    artifacts = open_store(f"file://{tmp_path}/artifacts")
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "artifacts" / "link").symlink_to(tmp_path)
    for uri in (artifacts.address("link/secret"), artifacts.address("link")):
        with pytest.raises(NotHere, match="leads out"):
            await artifacts.get(uri)
        with pytest.raises(NotHere, match="leads out"):
            artifacts.local_path(uri)


@pytest.mark.parametrize(
    "url",
    [
        "s3://",
        "hdfs://x/y",
        "minio://bucket/without-endpoint",
        "relative/path",
        "file://host/path",
        "https://x",
        "file:///proc/no/x",
    ],
)
def test_a_root_that_cannot_work_is_refused_with_a_sentence(url: str) -> None:
    with pytest.raises(ArtifactsFailed, match="artifacts"):
        open_store(url)


async def test_links_that_lead_out_or_round_in_a_circle_are_not_listed(tmp_path: Path) -> None:
    artifacts = open_store(f"file://{tmp_path}/artifacts")
    made, elsewhere = tmp_path / "artifacts" / "made", tmp_path / "elsewhere"
    made.mkdir()
    (elsewhere / "deep").mkdir(parents=True)
    (elsewhere / "secret").write_text("secret")
    (made / "weights").write_text("w")
    (made / "same").symlink_to("weights")
    (made / "circle").symlink_to("circle")
    (made / "nowhere").symlink_to("gone")
    (made / "folder").symlink_to(elsewhere)
    (made / "file").symlink_to(elsewhere / "secret")
    (made / "a\nb").write_text("no address has such a name")
    (made / os.fsdecode(b"\xff")).write_text("nor such a one")
    folder = artifacts.address("made")
    assert [entry.uri for entry in await artifacts.list(folder)] == [f"{folder}/same", f"{folder}/weights"]
    extent = await artifacts.extent(folder, most=2)
    assert extent is not None
    assert (extent.files, extent.size) == (2, 2)
    assert artifacts.local_path(f"{folder}/circle/x") == made / "circle" / "x"
    for name in ("folder", "file", "a\nb"):
        with pytest.raises(NotHere):
            await artifacts.find(f"{folder}/{name}")
