"""Where a model is, and how its server finds it: a path on this machine. Pure.

Our own server reads a path where it is; any other container finds it mounted where KServe puts models.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from fairway.kernel.objects.kinds import Object
from fairway.serving.runtimes import built_in
from fairway.serving.runtimes.built_in import MODEL_DIR

_VOLUME = "kserve-provision-location"
_HOW = "save the model on this machine and set it to that path, plain or as file:///path"


@dataclass(frozen=True, slots=True)
class Placed:
    """A container that finds its model, and the volumes that its pod needs for that."""

    container: Object
    volumes: tuple[Object, ...] = ()


def placed(container: Object, uri: str) -> Placed:
    """`uri` is one without mistakes."""
    path = _local_path(uri)
    if built_in.ours(container):
        return Placed(_pointed(container, path))
    volume = {"name": _VOLUME, "hostPath": {"path": path}}
    mount = {"name": _VOLUME, "mountPath": MODEL_DIR, "readOnly": True}
    mounts = [*(container.get("volumeMounts") or ()), mount]
    return Placed({**container, "volumeMounts": mounts}, (volume,))


def mistakes(uri: str | None, where: str) -> Iterator[str]:
    """What is wrong with a storageUri; `where` names the field."""
    if not uri:
        yield f"{where} is missing; {_HOW}."
        return
    parts = urlsplit(uri)
    if not parts.scheme and not uri.startswith("/"):
        yield f"{where} {uri!r} is a relative path; make it absolute."
    elif parts.scheme not in ("", "file"):
        yield f"{where}: {parts.scheme}:// is not available; {_HOW}."
    elif parts.netloc not in ("", "localhost") or not parts.path:
        yield f"{where} {uri!r} names another machine; write file:///absolute/path."


def _local_path(uri: str) -> str:
    parts = urlsplit(uri)
    return unquote(parts.path) if parts.scheme else uri


def _pointed(container: Object, path: str) -> Object:
    """With the model's own path in the arguments, instead of the folder where it would be mounted."""
    arguments = [text.replace(f"={MODEL_DIR}", f"={path}", 1) for text in container.get("args") or ()]
    return {**container, "args": arguments}
