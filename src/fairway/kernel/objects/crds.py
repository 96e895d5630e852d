"""Our own kinds: a `CustomKind` is a kind with its schema, and gives the CustomResourceDefinition to apply."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fairway.kernel.objects.kinds import Kind, Object

OPEN: Object = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
"""The schema of a part that is passed on as it is."""


@dataclass(frozen=True)
class Column:
    """A column of `kubectl get`; `path` is JSONPath such as .status.url."""

    name: str
    path: str
    type: str = "string"


@dataclass(frozen=True)
class CustomKind:
    """`schema` is the structural OpenAPI v3 schema of spec and status: {"spec": {...}, "status": {...}}."""

    kind: Kind
    schema: dict[str, Any]
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    status: bool = True
    older: tuple[str, ...] = ()
    """Further versions that are served: the same fields under another name."""

    def definition(self) -> Object:
        """The CustomResourceDefinition object."""
        kind = self.kind
        version: dict[str, Any] = {
            "name": kind.version,
            "served": True,
            "storage": True,
            "schema": {
                "openAPIV3Schema": {
                    "type": "object",
                    "properties": {
                        "apiVersion": {"type": "string"},
                        "kind": {"type": "string"},
                        "metadata": {"type": "object"},
                        **self.schema,
                    },
                }
            },
        }
        if self.status:
            version["subresources"] = {"status": {}}
        if self.columns:
            version["additionalPrinterColumns"] = [
                {"name": column.name, "type": column.type, "jsonPath": column.path} for column in self.columns
            ]
        names: dict[str, Any] = {
            "plural": kind.plural,
            "singular": kind.kind.lower(),
            "kind": kind.kind,
            "listKind": f"{kind.kind}List",
        }
        if self.short_names:
            names["shortNames"] = list(self.short_names)
        if self.categories:
            names["categories"] = list(self.categories)
        return {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": kind.resource},
            "spec": {
                "group": kind.group,
                "names": names,
                "scope": "Namespaced" if kind.namespaced else "Cluster",
                "versions": [version, *({**version, "name": one, "storage": False} for one in self.older)],
            },
        }
