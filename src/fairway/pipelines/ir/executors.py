"""What leaves run: a container with its part of the Kubernetes platform document, an importer, a volume claim."""

from __future__ import annotations

from fairway.pipelines import stopping
from fairway.pipelines.ir import options, platforms
from fairway.pipelines.ir.model import ArtifactType, Container, Importer, Resources, VolumeClaim
from fairway.pipelines.ir.reading import Node
from fairway.pipelines.ir.values import plain, text

Leaf = Container | Importer | VolumeClaim

_VOLUME_CLAIMS = {"argostub/createpvc": VolumeClaim(deletes=False), "argostub/deletepvc": VolumeClaim(deletes=True)}
"""Images that kfp-kubernetes names in place of the step that the backend is to do itself."""


def load(executors: Node, extensions: Node) -> dict[str, Leaf]:
    """By label. `extensions` are the executors of the platform document."""
    return {label: _leaf(node, extensions.node(label)) for label, node in executors.nodes()}


def _leaf(node: Node, extension: Node) -> Leaf:
    if node.has("container"):
        claim = _VOLUME_CLAIMS.get(node.node("container").text("image"))
        return claim or _container(node.node("container"), extension)
    if node.has("importer"):
        return _importer(node.node("importer"))
    kind = next(iter(node.value), "nothing")
    raise node.wrong(f"the executor is {kind}, which cannot be run; only containers and importers can")


def _container(node: Node, extension: Node) -> Container:
    image = node.text("image")
    env = tuple((str(entry.get("name")), str(entry.get("value") or "")) for entry in node.entries("env"))
    return Container(
        image=image,
        command=tuple(_texts(node, "command")),
        args=tuple(_texts(node, "args")),
        env=env,
        resources=_resources(node.node("resources")),
        platform=platforms.check(extension),
        options=options.read(dict(env), f"{node.place}.env"),
        stops=tuple(where for name, where in stopping.VARIABLES.items() if dict(env).get(name, "").lower() == "true"),
    )


def _texts(node: Node, key: str) -> list[str]:
    """Elements of a command. One that is a mapping is a placeholder that a hand-written file left unquoted."""
    return [text(element) for element in node.list(key)]


def _importer(node: Node) -> Importer:
    uri, type_ = node.node("artifactUri"), node.node("typeSchema")
    by_parameter = uri.text("runtimeParameter")
    return Importer(
        uri=by_parameter or text(uri.get("constant") or ""),
        uri_is_parameter=bool(by_parameter),
        type=ArtifactType(type_.text("schemaTitle"), type_.text("schemaVersion"), type_.text("instanceSchema")),
        metadata=plain(dict(node.node("metadata").value)),
        reimport=bool(node.get("reimport", False)),
        download=bool(node.get("downloadToWorkspace", False)),
    )


def _resources(node: Node) -> Resources:
    """Both spellings: quantities as texts, and the older numbers of cores and gigabytes."""
    requests: dict[str, str] = {}
    limits: dict[str, str] = {}
    for resource, word in (("cpu", "Cpu"), ("memory", "Memory")):
        for amounts, side in ((requests, "Request"), (limits, "Limit")):
            amount = node.get(f"resource{word}{side}") or _old_amount(node, f"{resource}{side}", resource)
            if amount:
                amounts[resource] = str(amount)
    return Resources(requests, limits, _accelerator(node.node("accelerator")))


def _old_amount(node: Node, key: str, resource: str) -> str:
    amount = plain(node.get(key) or 0)
    if not amount:
        return ""
    return f"{amount}G" if resource == "memory" else str(amount)


def _accelerator(node: Node) -> tuple[str, str] | None:
    kind = node.text("resourceType") or node.text("type")
    count = node.get("resourceCount") or node.get("count")
    return (kind, str(count)) if kind and count and str(count) != "0" else None
