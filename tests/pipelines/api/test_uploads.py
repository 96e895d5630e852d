"""Packages from anywhere: every form that the SDK writes is understood, everything else is refused with its place."""

import asyncio
import gzip
import io
import os
import tarfile
import threading
import zipfile
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from fairway.kernel.objects import errors
from fairway.pipelines.api import packages, uploads
from tests.pipelines.api.conftest import Server, hello

CORPORA = Path(os.environ.get("FAIRWAY_CORPORA") or Path(__file__).parents[4] / "shared" / "corpora") / "kfp"
PLATFORM = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": {}}}}}

MANIFEST = {
    "apiVersion": "pipelines.kubeflow.org/v2beta1",
    "kind": "PipelineVersion",
    "spec": {"pipelineSpec": hello()},
}


def text(*documents: Any) -> bytes:
    return yaml.safe_dump_all(documents).encode()


def zipped(**members: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, member in members.items():
            archive.writestr(name, member)
    return content.getvalue()


def tarred(**members: bytes) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for name, member in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(member)
            archive.addfile(entry, io.BytesIO(member))
    return content.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        text(hello()),
        b"\xef\xbb\xbf" + text(hello()),
        text(hello(), PLATFORM),
        text(PLATFORM, hello()),
        zipped(**{"a/pipeline.yml": text(hello())}),
        zipped(**{"other.yaml": b"x: 1", "pipeline.yaml": text(hello())}),
        zipped(**{"../../etc/passwd.yaml": text(hello())}),
        tarred(**{"hello.yaml": text(hello()), "README.md": b"hi"}),
        text(MANIFEST),
        text({**MANIFEST, "kind": "Pipeline", "spec": {}}, MANIFEST),
        text({**MANIFEST, "spec": {**MANIFEST["spec"], "platformSpec": PLATFORM}}),
    ],
)
def test_every_form_of_a_package_gives_the_same_pipeline(content: bytes) -> None:
    documents = packages.unpack(content, "upload")
    assert documents.spec == hello()
    assert documents.load().name == "hello"
    assert documents.platform in (None, PLATFORM)


BOMB = b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(
    b"%c: &%c [%s]\n" % (letter, letter, b",".join([b"*%c" % (letter - 1)] * 9)) for letter in range(98, 112)
)


def with_holes(size: int) -> bytes:
    """A tar.gz with a file that is all hole (GNU's sparse form): a few bytes that stand for as many as one likes."""
    header = bytearray(tarfile.TarInfo("pipeline.yaml").tobuf(tarfile.GNU_FORMAT)[:512])
    as_binary = b"\x80" + size.to_bytes(11, "big")
    header[156:157], header[386:398], header[483:495] = b"S", as_binary, as_binary
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return gzip.compress(bytes(header) + bytes(1024), mtime=0)


def packed_twice() -> bytes:
    return gzip.compress(tarred(**{"pipeline.yaml": text(hello())}), mtime=0)


def of_one_name_twice() -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        entry = tarfile.TarInfo("pipeline.yaml")
        entry.size = len(text(hello()))
        archive.addfile(entry, io.BytesIO(text(hello())))
        link = tarfile.TarInfo("pipeline.yaml")
        link.type, link.linkname = tarfile.SYMTYPE, "pipeline.yaml"
        archive.addfile(link)
    return content.getvalue()


def zipped_as(method: int) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as archive:
        archive.writestr("pipeline.yaml", text(hello()))
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "upload is empty"),
        (b"a: [1\nb: 2", "upload, line 2, column 2: not valid YAML"),
        (b"\x89PNG\r\n\x1a\n", "neither YAML, zip nor tar.gz"),
        (b"just a text", "holds a text"),
        (text(hello(), hello()), "holds 2 pipelines"),
        (text(PLATFORM), "holds 0 pipelines"),
        (b"1: 2", "a key that is not a text: 1"),
        (b"!!python/object/apply:os.system ['true']", "not valid YAML"),
        (b"&a [*a]", "nested more than 100 levels"),
        (b"[" * 50_000, "not valid YAML"),
        (BOMB, "unfolds to more than"),
        (text({"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow"}), "Kubernetes manifest (Workflow)"),
        (text(MANIFEST, MANIFEST), "Kubernetes manifest (PipelineVersion, PipelineVersion)"),
        (text(MANIFEST, hello()), "Kubernetes manifest (PipelineVersion, something else)"),
        (text({**MANIFEST, "spec": {}}), "holds no pipelineSpec"),
        (text({**MANIFEST, "spec": {"pipelineSpec": [1]}}), "holds no pipelineSpec"),
        (zipped(**{"README.md": b"hi"}), "holds no YAML file"),
        (zipped(**{"a.yaml": b"", "b.yaml": b""}), "holds 2 YAML files"),
        (b"PK\x03\x04 broken", "not a valid zip file"),
        (b"\x1f\x8b broken", "not a valid tar.gz file"),
        (gzip.compress(b"not a tar", mtime=0), "not a valid tar.gz file"),
        (zipped(**{"p.yaml": bytes(40 << 20)}), "unpacks to more than 32 MiB"),
        (gzip.compress(bytes(40 << 20)), "unpacks to more than 32 MiB"),
        (with_holes(1 << 40), "unpacks to more than 32 MiB"),
        (packed_twice(), "not a valid tar.gz file"),
        (zipped_as(zipfile.ZIP_LZMA), "compressed in an unusual way"),
        (zipped_as(zipfile.ZIP_BZIP2), "compressed in an unusual way"),
        (b"a: 99999999999999999999", "a value that is none in JSON: a whole number that does not fit into 64 bits"),
        (b"a: 0x" + b"f" * 5000, "a value that is none in JSON"),
        (b"a: !!set {b}", "a value that is none in JSON: a set"),
        (b"a: !!binary aGVsbG8=", "a value that is none in JSON: a bytes"),
        (b"a: !!bool perhaps", "a value is not what its tag says"),
        (b"a: !!int ''", "a value is not what its tag says"),
    ],
    ids=lambda part: part if isinstance(part, str) else "",  # packed bytes carry the time, and ids must not
)
def test_what_is_no_pipeline_is_refused_with_its_place(content: bytes, sentence: str) -> None:
    with pytest.raises(errors.ApiError) as refused:
        packages.unpack(content, "upload")
    assert sentence in refused.value.message


async def test_only_so_many_packages_are_read_at_a_time(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    lock, inside, most, crowded = threading.Lock(), 0, 0, threading.Event()

    def slowly(content: bytes, name: str) -> packages.Documents:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        if most > 2:
            crowded.set()
        crowded.wait(0.1)
        with lock:
            inside -= 1
        return packages.checked(content, name)

    monkeypatch.setattr(uploads, "checked", slowly)

    async def upload(name: str) -> int:
        form = aiohttp.FormData()
        form.add_field("uploadfile", io.BytesIO(text(hello())), filename="hello.yaml")
        url = f"{server.url}/apis/v2beta1/pipelines/upload"
        async with server.session.post(url, data=form, params={"name": name}) as response:
            return response.status

    assert await asyncio.gather(*map(upload, "abcde")) == [200] * 5
    assert 0 < most <= 2


async def test_a_form_that_cannot_be_read_is_refused(server: Server) -> None:
    url, x = f"{server.url}/apis/v2beta1/pipelines/upload", "multipart/form-data; boundary=x"
    named = b'--x\r\nContent-Disposition: form-data; name=uploadfile; filename="\xff"\r\n\r\nabc\r\n--x--\r\n'
    for kind, body in (
        ("multipart/form-data", b""),
        (x, b"something else"),
        (f"multipart/form-data; boundary={'x' * 71}", b""),
        (x, b"--x\r\nno header\r\n\r\nabc\r\n--x--\r\n"),
        (x, b"--x\r\n" + b"A: b\r\n" * 20_000 + b"\r\nabc\r\n--x--\r\n"),
        ("multipart/mixed; boundary=x", b"--x\r\nContent-Type: multipart/mixed\r\n\r\nabc\r\n--x--\r\n"),
        (x, named),
    ):
        async with server.session.post(url, data=body, headers={"Content-Type": kind}) as answer:
            refusal = await answer.json()
        assert (answer.status, refusal["code"]) == (400, 3), body[:40]
        assert refusal["message"]


def test_what_is_written_is_not_read_beyond_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """For of a value that takes two bytes in the file the reader makes something that takes hundreds."""
    monkeypatch.setattr(packages, "VALUES_LIMIT", 1000)
    with pytest.raises(errors.BadRequest, match="it has more than 1,000 values"):
        packages.unpack(b"a: [" + b"0," * 1000 + b"]", "upload")
    assert packages.unpack(text(hello()), "upload").spec == hello()


def test_of_two_files_of_one_name_the_one_that_is_no_link_is_the_pipeline() -> None:
    assert packages.unpack(of_one_name_twice(), "upload").spec == hello()


def test_a_date_in_yaml_stays_a_text() -> None:
    spec = hello(sdkVersion="2024-01-01")
    content = text(hello()).replace(b"kfp-2.17.0", b"2024-01-01")
    assert packages.unpack(content, "upload").spec == spec


async def test_an_upload_over_http(server: Server) -> None:
    async def upload(content: bytes, path: str = "upload", part: str = "uploadfile", **query: str) -> tuple[int, Any]:
        form = aiohttp.FormData()
        form.add_field("note", "something else in the form")
        form.add_field(part, io.BytesIO(content), filename="hello.yaml")
        url = f"{server.url}/apis/v2beta1/pipelines/{path}"
        async with server.session.post(url, data=form, params=query) as response:
            return response.status, await response.json()

    status, made = await upload(text(hello(), PLATFORM), tags='{"team":"a"}')
    assert (status, made["name"], made["tags"]) == (200, "hello.yaml", {"team": "a"})
    found = await server.get(f"pipelines/{made['pipeline_id']}/versions")
    assert found["pipeline_versions"][0]["pipeline_spec"] == {"pipeline_spec": hello(), "platform_spec": PLATFORM}
    assert (await upload(text(hello())))[0] == 409
    assert (await upload(text(hello()), part="file"))[0] == 400
    assert (await upload(text(hello(pipelineInfo={})), name="x"))[0] == 400
    assert (await upload(bytes(33 << 20), name="x"))[0] == 413
    assert (await upload(text(hello()), "upload_version", name="v2"))[0] == 400
    status, version = await upload(text(hello()), "upload_version", name="v2", pipelineid=made["pipeline_id"])
    assert (status, version["display_name"]) == (200, "v2")
    by_tag = '{"predicates":[{"operation":"EQUALS","key":"tags.team","string_value":"a"}]}'
    assert (await server.get("pipelines", filter=by_tag))["total_size"] == 1
    assert await server.get("pipelines", filter=by_tag.replace('"a"', '"b"')) == {}


@pytest.mark.parametrize(
    "name",
    ["empty_file.yaml", "empty_zip.zip", "invalid-zip.zip", "invalid_yaml.yaml", "no_name.yaml", "wrong_format.png"],
)
def test_the_corpus_of_broken_packages_is_refused(name: str) -> None:
    path = CORPORA / "compiled" / "invalid" / name
    if not path.exists():
        pytest.skip(f"no corpus at {path}")
    with pytest.raises(errors.ApiError):
        packages.unpack(path.read_bytes(), name).load()
