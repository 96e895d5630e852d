"""Whatever is uploaded, the answer is a pipeline or a sentence: no other failure, and none that takes long."""

import copy
import gzip
import io
import tarfile
import zipfile
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fairway.kernel.objects import errors
from fairway.pipelines import ir
from fairway.pipelines.api import packages
from tests.pipelines.api.conftest import hello
from tests.pipelines.api.test_uploads import tarred, text, zipped

PATIENT = settings(max_examples=150, deadline=2000, suppress_health_check=list(HealthCheck))

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
)
PACKED = st.sampled_from([text(hello()), zipped(**{"p.yaml": text(hello())}), tarred(**{"p.yaml": text(hello())})])


def answered(content: bytes) -> None:
    """Raises whatever is not a refusal with a sentence."""
    try:
        packages.unpack(content, "upload").load()
    except errors.ApiError as refused:
        assert refused.message and refused.code < 500


@PATIENT
@given(st.binary(max_size=300))
def test_any_bytes(content: bytes) -> None:
    answered(content)
    answered(b"PK\x03\x04" + content)
    answered(gzip.compress(content))


@PATIENT
@given(PACKED, st.integers(0, 4000), st.binary(min_size=1, max_size=6))
def test_a_package_that_was_damaged(content: bytes, at: int, damage: bytes) -> None:
    at %= len(content)
    answered(content[:at] + damage + content[at + len(damage) :])
    answered(content[:at])


@PATIENT
@given(st.data(), VALUES)
def test_a_pipeline_with_anything_in_any_place(data: st.DataObject, value: Any) -> None:
    document = copy.deepcopy(hello())
    path = data.draw(st.sampled_from(list(_places(document))))
    inside = document
    for key in path[:-1]:
        inside = inside[key]
    inside[path[-1]] = value
    try:
        ir.load(document)
    except ir.InvalidPipeline as refused:
        assert str(refused)


def test_links_in_an_archive_lead_nowhere() -> None:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        link = tarfile.TarInfo("pipeline.yaml")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
        archive.addfile(link)
    answered(content.getvalue())
    unpacked = io.BytesIO()
    with zipfile.ZipFile(unpacked, "w") as zip_:
        entry = zipfile.ZipInfo("pipeline.yaml")
        entry.external_attr = 0o120777 << 16
        zip_.writestr(entry, "/etc/hostname")
    answered(unpacked.getvalue())


def _places(value: Any, path: tuple[Any, ...] = ()) -> Any:
    """The path to every part of a document."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in parts:
        yield (*path, key)
        yield from _places(inner, (*path, key))
