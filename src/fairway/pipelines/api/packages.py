"""Uploaded pipelines, pure: YAML, or a zip or tar.gz with YAML in it, to the two documents of a pipeline.

The bytes come from anywhere. Nothing is written to disk, so no name in an archive matters; sizes are bounded before
and after unpacking, and YAML aliases cannot multiply what they stand for. Every refusal says where the fault is.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson
import yaml

from fairway.kernel.objects import errors
from fairway.pipelines import ir
from fairway.pipelines.api.messages import DEPTH_LIMIT, VALUES_LIMIT, bounded

LIMIT = 32 * 1024 * 1024
_MEMBERS = 1000
_PREFERRED = "pipeline.yaml"


@dataclass(frozen=True)
class Documents:
    """A pipeline as it travels: the PipelineSpec and, where there is one, the PlatformSpec."""

    spec: dict[str, Any]
    platform: dict[str, Any] | None = None

    def body(self) -> bytes:
        """One spelling for one content, for `digest` and the records."""
        documents = {"pipeline_spec": self.spec, "platform_spec": self.platform}
        return orjson.dumps(documents, option=orjson.OPT_SORT_KEYS)

    def digest(self) -> str:
        return hashlib.sha256(self.body()).hexdigest()

    def wire(self) -> dict[str, Any]:
        """As the API gives it: a bare PipelineSpec, or both documents under their names."""
        if self.platform is None:
            return self.spec
        return {"pipeline_spec": self.spec, "platform_spec": self.platform}

    def load(self) -> ir.Pipeline:
        """The checked pipeline. Raises BadRequest with the place in the document."""
        try:
            return ir.load(self.spec, self.platform)
        except ir.InvalidPipeline as wrong:
            raise errors.BadRequest(f"the pipeline cannot be run: {wrong}") from wrong


def from_body(body: str) -> Documents:
    """What `Documents.body` wrote."""
    documents = orjson.loads(body)
    return Documents(documents["pipeline_spec"], documents["platform_spec"])


def from_wire(value: Any) -> Documents:
    """The pipeline_spec field of a run or version, in either of its two shapes."""
    if not isinstance(value, dict):
        raise errors.BadRequest("pipeline_spec must be a JSON object")
    for spec, platform in (("pipeline_spec", "platform_spec"), ("pipelineSpec", "platformSpec")):
        if spec in value:
            return _documents([value[spec], *([value[platform]] if value.get(platform) else [])], "pipeline_spec")
    return _documents([value], "pipeline_spec")


def checked(content: bytes, name: str) -> Documents:
    """The documents of an uploaded or fetched package, after a look at all that they say."""
    documents = unpack(content, name)
    documents.load()
    return documents


def unpack(content: bytes, name: str) -> Documents:
    """The pipeline in an uploaded file. Raises BadRequest."""
    if len(content) > LIMIT:
        raise errors.TooLarge(f"{name} is larger than {LIMIT >> 20} MiB")
    if not content.strip():
        raise errors.BadRequest(f"{name} is empty")
    if content.startswith(b"PK"):
        return from_yaml(*_from_zip(content, name))
    if content.startswith(b"\x1f\x8b"):
        return from_yaml(*_from_tar(content, name))
    return from_yaml(content, name)


def from_yaml(content: bytes, name: str) -> Documents:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        raise errors.BadRequest(f"{name} is neither YAML, zip nor tar.gz: {wrong}") from wrong
    try:
        found = [document for document in yaml.load_all(text, Loader=_LOADER) if document is not None]
    except yaml.MarkedYAMLError as wrong:
        mark = wrong.problem_mark
        place = f"{name}, line {mark.line + 1}, column {mark.column + 1}" if mark else name
        raise errors.BadRequest(f"{place}: not valid YAML: {wrong.problem or wrong.context}") from wrong
    except (yaml.YAMLError, RecursionError, ValueError) as wrong:
        raise errors.BadRequest(f"{name} is not valid YAML: {wrong}") from wrong
    except (ArithmeticError, AttributeError, LookupError, TypeError) as wrong:  # of PyYAML, for `!!bool x` and its like
        raise errors.BadRequest(f"{name} is not valid YAML: a value is not what its tag says") from wrong
    bounded(found, name)
    return _documents(found, name)


def _documents(found: list[Any], name: str) -> Documents:
    for document in found:
        if not isinstance(document, dict):
            raise errors.BadRequest(f"{name} holds {_kind(document)} where a pipeline should be, a YAML mapping")
    if any("apiVersion" in document and "kind" in document for document in found):
        found = _of_manifests(found, name)
    specs = [document for document in found if "platforms" not in document]
    platforms = [document for document in found if "platforms" in document]
    if len(specs) != 1 or len(platforms) > 1:
        raise errors.BadRequest(
            f"{name} holds {len(specs)} pipelines and {len(platforms)} platform documents; "
            "it must be one pipeline, and at most one platform document"
        )
    return Documents(specs[0], platforms[0] if platforms else None)


def _of_manifests(found: list[Any], name: str) -> list[Any]:
    """The documents in the Kubernetes objects that kfp compiles: a PipelineVersion, perhaps with its Pipeline."""
    kinds = [str(document.get("kind", "")) for document in found]
    if not set(kinds) <= {"Pipeline", "PipelineVersion"} or kinds.count("PipelineVersion") != 1:
        told = ", ".join(kind or "something else" for kind in kinds)
        raise errors.BadRequest(
            f"{name} is a Kubernetes manifest ({told}), and no PipelineVersion as kfp 2.x compiles it; compile the "
            "pipeline again, with or without kubernetes_manifest_format"
        )
    body = found[kinds.index("PipelineVersion")].get("spec")
    documents = [body.get("pipelineSpec"), body.get("platformSpec")] if isinstance(body, dict) else []
    if not documents or not all(isinstance(each, dict) or each is None for each in documents) or not documents[0]:
        raise errors.BadRequest(f"{name} is a PipelineVersion whose spec holds no pipelineSpec")
    return [each for each in documents if each]


def _kind(value: Any) -> str:
    if isinstance(value, str):
        return "a text"
    return "a list" if isinstance(value, list) else f"a {type(value).__name__}"


def _from_zip(content: bytes, name: str) -> tuple[bytes, str]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            if len(members) > _MEMBERS:
                raise errors.BadRequest(f"{name} holds {len(members)} files; a package holds one pipeline")
            chosen = _chosen([member.filename for member in members if not member.is_dir()], name)
            member = archive.getinfo(chosen)
            if member.flag_bits & 0x1:
                raise errors.BadRequest(f"{name} is encrypted")
            if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                # The others say themselves how much memory they want.
                raise errors.BadRequest(f"{chosen} in {name} is compressed in an unusual way; use deflate")
            with archive.open(member) as file:
                return _read(file.read, f"{chosen} in {name}"), f"{chosen} in {name}"
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError) as wrong:
        raise errors.BadRequest(f"{name} is not a valid zip file: {wrong}") from wrong


def _from_tar(content: bytes, name: str) -> tuple[bytes, str]:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            unpacked = _read(file.read, name)
        # Not compressed once more, in which case a little would again be a lot.
        with tarfile.open(fileobj=io.BytesIO(unpacked), mode="r:") as archive:
            files = {member.name: member for member in archive if member.isfile()}
            chosen = _chosen(list(files), name)
            file_ = archive.extractfile(files[chosen])
            assert file_ is not None  # a regular file, as `isfile` said
            # A file with holes is as large as it says, however little there is of it.
            return _read(file_.read, f"{chosen} in {name}"), f"{chosen} in {name}"
    except (tarfile.TarError, OSError, zlib.error, EOFError, KeyError) as wrong:
        raise errors.BadRequest(f"{name} is not a valid tar.gz file: {wrong}") from wrong


def _read(read: Callable[[int], bytes], name: str) -> bytes:
    content = read(LIMIT + 1)
    if len(content) > LIMIT:
        raise errors.TooLarge(f"{name} unpacks to more than {LIMIT >> 20} MiB")
    return content


def _chosen(names: list[str], package: str) -> str:
    """The pipeline's file: pipeline.yaml, or the only YAML file (as kfp.Client chooses)."""
    candidates = [name for name in names if name.endswith((".yaml", ".yml"))]
    if _PREFERRED in candidates:
        return _PREFERRED
    if len(candidates) == 1:
        return candidates[0]
    if not candidates:
        raise errors.BadRequest(f"{package} holds no YAML file")
    raise errors.BadRequest(f"{package} holds {len(candidates)} YAML files; name the pipeline's {_PREFERRED}")


def _loader() -> type[Any]:
    """YAML to what JSON can say: a text that looks like a date stays a text.

    libyaml composes nested nodes on the C stack, which fifty thousand brackets overflow, and a node of two bytes takes
    hundreds of memory: both are bounded here, where the resolver is told of each node.
    """
    base = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
    resolvers = {
        first: [(tag, pattern) for tag, pattern in known if tag != "tag:yaml.org,2002:timestamp"]
        for first, known in base.yaml_implicit_resolvers.items()
    }
    changed = {"yaml_implicit_resolvers": resolvers, "descend_resolver": _descend, "ascend_resolver": _ascend}
    return type("PipelineLoader", (base,), {"depth": 0, "nodes": 0, **changed})


def _descend(loader: Any, _parent: Any, _index: Any) -> None:
    loader.depth += 1
    loader.nodes += 1
    if loader.depth > DEPTH_LIMIT:
        raise yaml.YAMLError(f"it is nested more than {DEPTH_LIMIT} levels deep")
    if loader.nodes > VALUES_LIMIT:
        raise yaml.YAMLError(f"it has more than {VALUES_LIMIT:,} values")


def _ascend(loader: Any) -> None:
    loader.depth -= 1


_LOADER = _loader()
