"""What lies at an address comes whole to where it is wanted, from real servers; what cannot be read says why."""

import asyncio
import doctest
import fcntl
import hashlib
import io
import os
import tarfile
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

from fairway.artifacts import addresses, archives, mirrors
from fairway.artifacts.downloading import PIECE
from fairway.artifacts.failures import CannotFetch
from fairway.artifacts.fetching import fetch
from fairway.artifacts.sources import buckets, words
from fairway.artifacts.store import ArtifactsFailed, open_store
from tests.s3_server import S3Server


@pytest.mark.parametrize("module", [archives, mirrors, words, addresses])
def test_the_examples_in_the_text_hold(module: ModuleType) -> None:
    assert doctest.testmod(module).failed == 0


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


async def test_a_prefix_of_a_bucket_becomes_a_folder(s3_server: S3Server, bucket: str, tmp_path: Path) -> None:
    for name in ("model/model.joblib", "model/deep/config.json", "model-beside/x"):
        s3_server.put(bucket, name, name.encode())
    s3_server.mark_folder(bucket, "model/empty")
    s3_server.mark_folder(bucket, "model")
    found = await fetch(f"s3://{bucket}/model", tmp_path / "here", credentials=s3_server.credentials)
    assert tree(tmp_path / "here") == {
        "model.joblib": b"model/model.joblib",
        "deep/config.json": b"model/deep/config.json",
    }
    assert (found.files, found.size) == (2, 40)
    assert os.listdir(tmp_path) == ["here"]


async def test_a_single_object_lies_in_the_folder_or_is_the_file(
    s3_server: S3Server, bucket: str, tmp_path: Path
) -> None:
    s3_server.put(bucket, "iris/model.joblib", b"model")
    uri, credentials = f"s3://{bucket}/iris/model.joblib", s3_server.credentials
    await fetch(uri, tmp_path / "folder", credentials=credentials)
    await fetch(uri, tmp_path / "file", credentials=credentials, as_file=True)
    assert tree(tmp_path / "folder") == {"model.joblib": b"model"}
    assert (tmp_path / "file").read_bytes() == b"model"


async def test_a_mounted_folder_stays_and_gets_the_files(s3_server: S3Server, bucket: str, tmp_path: Path) -> None:
    s3_server.put(bucket, "m/a", b"new")
    (tmp_path / "mnt").mkdir()
    (tmp_path / "mnt" / "a").write_bytes(b"old")
    before = (tmp_path / "mnt").stat().st_ino
    await fetch(f"s3://{bucket}/m", tmp_path / "mnt", credentials=s3_server.credentials)
    assert tree(tmp_path / "mnt") == {"a": b"new"}
    assert (tmp_path / "mnt").stat().st_ino == before


async def test_what_a_killed_fetch_left_goes_with_the_next_and_what_another_works_in_stays(tmp_path: Path) -> None:
    (tmp_path / "model.joblib").write_bytes(b"model")
    target = tmp_path / "mnt"
    for name in (".fetching-killed", ".fetching-at-work"):
        (target / name).mkdir(parents=True)
        (target / name / "half").write_bytes(b"x")
    held = os.open(target / ".fetching-at-work", os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    try:
        await fetch(str(tmp_path / "model.joblib"), target, credentials={})
    finally:
        os.close(held)
    assert sorted(os.listdir(target)) == [".fetching-at-work", "model.joblib"]


async def test_patterns_choose_among_the_files_of_a_folder(s3_server: S3Server, bucket: str, tmp_path: Path) -> None:
    for name in ("a.safetensors", "deep/b.safetensors", "c.bin", "old/d.safetensors"):
        s3_server.put(bucket, f"m/{name}", b"x")
    uri, credentials = f"s3://{bucket}/m", s3_server.credentials
    await fetch(uri, tmp_path / "m", credentials=credentials, allow=["*.safetensors"], ignore=["old/*"])
    assert set(tree(tmp_path / "m")) == {"a.safetensors", "deep/b.safetensors"}
    with pytest.raises(CannotFetch, match=r"none of the 4 files there is wanted: allowed are \*\.onnx"):
        await fetch(uri, tmp_path / "n", credentials=credentials, allow=["*.onnx"])
    assert not (tmp_path / "n").exists()


async def test_minio_is_s3_at_an_endpoint_that_kserve_spells_in_two_words(
    s3_server: S3Server, bucket: str, tmp_path: Path
) -> None:
    s3_server.put(bucket, "x", b"x")
    credentials = {**s3_server.credentials, "S3_ENDPOINT": s3_server.url.removeprefix("http://"), "S3_USE_HTTPS": "0"}
    del credentials["AWS_ENDPOINT_URL"]
    await fetch(f"minio://{bucket}/x", tmp_path / "x", credentials=credentials, as_file=True)
    assert (tmp_path / "x").read_bytes() == b"x"


async def test_nothing_of_the_servers_own_environment_counts(
    s3_server: S3Server, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of-the-server")
    s3_server.put(bucket, "x", b"x")
    await fetch(f"s3://{bucket}/x", tmp_path / "x", credentials=s3_server.credentials)
    assert tree(tmp_path / "x") == {"x": b"x"}


async def test_a_large_object_comes_in_pieces(s3_server: S3Server, bucket: str, tmp_path: Path) -> None:
    content = os.urandom(PIECE + 1000)
    s3_server.put(bucket, "large", content)
    found = await fetch(f"s3://{bucket}/large", tmp_path / "x", credentials=s3_server.credentials, as_file=True)
    assert (tmp_path / "x").read_bytes() == content
    assert found.digest == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("s3://{bucket}/nothing/here", "there is nothing at s3://"),
        ("s3://no-such-bucket-here/x", "there is nothing at s3://no-such-bucket-here/x"),
        ("s3://", "is not read here"),
        ("s3://{bucket}/../x", "names no bucket and object"),
        ("hdfs://namenode/x", "is not read here (hdfs): copy the files"),
        ("oci://registry/model", "is not read here (oci)"),
        ("https://example.com/team/models.git", "is not read here (git): clone"),
        ("ftp://example.com/x", "is not read here (ftp): give a path"),
        ("relative/path", "is no address"),
        ("hf://onlymodel", "write hf://OWNER/MODEL"),
        ("az://container/x", "which container of which account"),
        ("https://team.file.core.windows.net/share/x", "is a file share of Azure"),
        ("/no/such/file", "there is nothing at /no/such/file"),
    ],
)
async def test_what_cannot_be_fetched_says_why_and_leaves_nothing(
    s3_server: S3Server, bucket: str, tmp_path: Path, uri: str, said: str
) -> None:
    with pytest.raises(CannotFetch) as refused:
        await fetch(uri.format(bucket=bucket), tmp_path / "x", credentials=s3_server.credentials)
    assert said in str(refused.value)
    assert os.listdir(tmp_path) == []


async def test_a_store_that_does_not_answer_is_told_without_its_keys(tmp_path: Path) -> None:
    credentials = {
        "AWS_ACCESS_KEY_ID": "AKIASECRET",
        "AWS_SECRET_ACCESS_KEY": "very-secret",
        "AWS_ENDPOINT_URL": "https://127.0.0.1:1",
    }
    with pytest.raises(CannotFetch, match="cannot be read now") as refused:
        await fetch("s3://bucket/x", tmp_path / "x", credentials=credentials)
    assert "AKIASECRET" not in str(refused.value)
    assert "very-secret" not in str(refused.value)


async def test_what_was_fetched_is_not_fetched_again_until_it_changes(
    s3_server: S3Server, bucket: str, tmp_path: Path
) -> None:
    cache, credentials = tmp_path / "cache", s3_server.credentials
    s3_server.put(bucket, "m/a", b"one")
    s3_server.put(bucket, "m/b", b"same")
    uri = f"s3://{bucket}/m"
    first = await fetch(uri, tmp_path / "1", credentials=credentials, cache=cache)
    second = await fetch(uri, tmp_path / "2", credentials=credentials, cache=cache)
    assert first == second
    assert len(contents(cache)) == 2
    s3_server.put(bucket, "m/a", b"two")
    third = await fetch(uri, tmp_path / "3", credentials=credentials, cache=cache)
    assert third.digest != first.digest
    assert tree(tmp_path / "3") == {"a": b"two", "b": b"same"}
    assert tree(tmp_path / "1") == {"a": b"one", "b": b"same"}
    assert len(contents(cache)) == 3
    assert not any((cache / "parts").iterdir())


async def test_a_cached_file_that_somebody_wrote_to_is_fetched_again(
    s3_server: S3Server, bucket: str, tmp_path: Path
) -> None:
    cache, credentials = tmp_path / "cache", s3_server.credentials
    s3_server.put(bucket, "a", b"right")
    await fetch(f"s3://{bucket}/a", tmp_path / "1", credentials=credentials, cache=cache)
    (spoiled,) = contents(cache)
    spoiled.chmod(0o600)
    spoiled.write_bytes(b"wrong")
    await fetch(f"s3://{bucket}/a", tmp_path / "2", credentials=credentials, cache=cache)
    assert tree(tmp_path / "2") == {"a": b"right"}


async def test_many_who_want_the_same_at_once_fetch_it_once(s3_server: S3Server, bucket: str, tmp_path: Path) -> None:
    s3_server.put(bucket, "a", b"x" * 100_000)
    wanted = [
        fetch(f"s3://{bucket}/a", tmp_path / str(number), credentials=s3_server.credentials, cache=tmp_path / "cache")
        for number in range(8)
    ]
    assert len(set(await asyncio.gather(*wanted))) == 1
    assert all(tree(tmp_path / str(number)) == {"a": b"x" * 100_000} for number in range(8))


def contents(cache: Path) -> list[Path]:
    return [path for path in (cache / "contents").rglob("*") if path.is_file()]


async def test_files_and_folders_of_this_machine(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "deep").mkdir(parents=True)
    (source / "deep" / "a").write_bytes(b"a")
    (source / "b").symlink_to(source / "deep" / "a")
    await fetch(str(source), tmp_path / "1", credentials={})
    await fetch(f"file://{source}/deep/a", tmp_path / "2", credentials={}, as_file=True)
    assert tree(tmp_path / "1") == {"deep/a": b"a", "b": b"a"}
    assert (tmp_path / "2").read_bytes() == b"a"
    (source / "out").symlink_to("/etc/passwd")
    with pytest.raises(CannotFetch, match="leads out"):
        await fetch(str(source), tmp_path / "3", credentials={})


def packed(kind: str, names: dict[str, bytes]) -> bytes:
    result = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(result, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in names.items():
                archive.writestr(name, content)
    else:
        with tarfile.open(fileobj=result, mode="w:gz") as archive:
            for name, content in names.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return result.getvalue()


@pytest.mark.parametrize("name", ["model.zip", "model.tar.gz", "model.tgz"])
async def test_an_archive_is_unpacked_unless_the_file_itself_is_wanted(tmp_path: Path, name: str) -> None:
    archive = tmp_path / name
    archive.write_bytes(packed(name.rpartition(".")[2], {"a/model.onnx": b"model", "b": b""}))
    await fetch(str(archive), tmp_path / "folder", credentials={})
    await fetch(str(archive), tmp_path / "file", credentials={}, as_file=True)
    assert tree(tmp_path / "folder") == {"a/model.onnx": b"model", "b": b""}
    assert (tmp_path / "file").read_bytes() == archive.read_bytes()


@pytest.mark.parametrize("kind", ["zip", "tgz"])
@pytest.mark.parametrize("name", ["../out", "/etc/out", "a/../../out"])
async def test_an_archive_never_leads_out_of_its_folder(tmp_path: Path, kind: str, name: str) -> None:
    archive = tmp_path / f"model.{kind}"
    archive.write_bytes(packed(kind, {"fine": b"x", name: b"x"}))
    with pytest.raises(CannotFetch, match=f"{archive.name} holds a name that leads out of it"):
        await fetch(str(archive), tmp_path / "x", credentials={})
    assert sorted(os.listdir(tmp_path)) == [archive.name]


async def test_links_and_bombs_in_archives_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fairway.artifacts.archives.LEAST_ROOM", 1 << 20)
    (tmp_path / "bomb.zip").write_bytes(packed("zip", {"a": b"\0" * (64 << 20)}))
    with pytest.raises(CannotFetch, match="more than 100 times its size"):
        await fetch(str(tmp_path / "bomb.zip"), tmp_path / "x", credentials={})
    with tarfile.open(tmp_path / "link.tgz", "w:gz") as archive:
        member = tarfile.TarInfo("link")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(member)
    with pytest.raises(CannotFetch, match="neither file nor folder"):
        await fetch(str(tmp_path / "link.tgz"), tmp_path / "x", credentials={})
    (tmp_path / "broken.zip").write_bytes(b"PK nonsense")
    with pytest.raises(CannotFetch, match="cannot be unpacked"):
        await fetch(str(tmp_path / "broken.zip"), tmp_path / "x", credentials={})
    assert not (tmp_path / "x").exists()


async def test_a_mirror_takes_the_place_of_a_bucket(s3_server: S3Server, bucket: str, tmp_path: Path) -> None:
    (tmp_path / "models" / "iris").mkdir(parents=True)
    (tmp_path / "models" / "iris" / "a").write_bytes(b"local")
    s3_server.put(bucket, "other/a", b"remote")
    kept = [f"gs://public={tmp_path}/models", f"gs://public/other=s3://{bucket}/other"]
    await fetch("gs://public/iris", tmp_path / "1", credentials={}, mirrors=kept)
    await fetch("gs://public/other", tmp_path / "2", credentials=s3_server.credentials, mirrors=kept)
    assert (tree(tmp_path / "1"), tree(tmp_path / "2")) == ({"a": b"local"}, {"a": b"remote"})
    with pytest.raises(CannotFetch, match="there is nothing at"):
        await fetch("gs://public/missing", tmp_path / "3", credentials={}, mirrors=kept)


@pytest.mark.parametrize(
    ("uri", "endpoint"),
    [
        ("s3://bucket/x", "::::"),
        ("s3://bucket/x", "http://[bad"),
        ("s3://bucket/x", "http://a b"),
        ("s3://bucket/x", "http://127.0.0.1:99999"),
        ("s3://bucket/x", "http://user@127.0.0.1:1"),
        ("s3://bucket/x", "ftp://127.0.0.1:1"),
        ("s3://bucket/x", "http://169.254.169.254"),
        ("s3://bucket/x", "http://2852039166"),
        ("s3://bucket/x", "http://0xa9.254.43518"),
        ("s3://bucket/x", "http://[::ffff:169.254.169.254]:80"),
        ("s3://bu cket/x", "http://127.0.0.1:1"),
        ("s3://bucket\n/x", "http://127.0.0.1:1"),
        ("s3://bucket/x\0y", "http://127.0.0.1:1"),
        ("s3://bucket/x//y", "http://127.0.0.1:1"),
        ("https://[bad/x", ""),
        ("http://127.0.0.1:99999/x", ""),
        ("http://[::ffff:169.254.169.254]/x", ""),
    ],
)
async def test_what_cannot_be_called_is_refused_before_it_is(uri: str, endpoint: str, tmp_path: Path) -> None:
    credentials = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_ENDPOINT_URL": endpoint}
    with pytest.raises(CannotFetch):
        await fetch(uri, tmp_path / "x", credentials=credentials)


async def test_credentials_that_are_none_are_told_without_them(tmp_path: Path) -> None:
    with pytest.raises(CannotFetch) as refused:
        await fetch("gs://bucket/x", tmp_path / "x", credentials={"GOOGLE_APPLICATION_CREDENTIALS": '{"secret": 1}'})
    assert "not such as this store takes" in str(refused.value)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
async def test_an_archive_that_was_damaged_is_said_to_be(tmp_path: Path, method: int) -> None:
    with zipfile.ZipFile(tmp_path / "model.zip", "w", method) as archive:
        archive.writestr("a", bytes(range(256)) * 8)
    content = bytearray((tmp_path / "model.zip").read_bytes())
    content[40:140] = b"\xff" * 100
    (tmp_path / "model.zip").write_bytes(content)
    with pytest.raises(CannotFetch, match="cannot be unpacked"):
        await fetch(str(tmp_path / "model.zip"), tmp_path / "x", credentials={})


@pytest.mark.parametrize(
    ("uri", "variable"),
    [
        ("s3://bucket/x", "AWS_ENDPOINT_URL"),
        ("gs://bucket/x", "STORAGE_EMULATOR_HOST"),
        ("az://bucket/x", "AZURE_STORAGE_ENDPOINT"),
    ],
)
def test_what_one_endpoint_gives_is_not_found_in_the_cache_for_another(uri: str, variable: str) -> None:
    """Else whoever may choose an endpoint puts into the cache what others fetch from the real one."""
    account = {"AZURE_STORAGE_ACCOUNT_NAME": "account"}
    names = {buckets.find(uri, {**account, variable: f"http://127.0.0.1:{port}"}).name for port in (1, 2)}
    assert len({*names, buckets.find(uri, account).name}) == 3


async def test_a_listing_without_end_is_left(
    s3_server: S3Server, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fairway.artifacts.sources.objects.MOST_OBJECTS", 2)
    monkeypatch.setattr("fairway.artifacts.store.MOST_LISTED", 2)
    for name in "abc":
        s3_server.put(bucket, f"many/{name}", b"x")
    with pytest.raises(CannotFetch, match="more than 2 objects"):
        await fetch(f"s3://{bucket}/many", tmp_path / "x", credentials=s3_server.credentials)
    with pytest.raises(ArtifactsFailed, match="more than 2 files"):
        await open_store(f"s3://{bucket}", s3_server.credentials).list(f"s3://{bucket}/many")
