"""What the servers of aggregated APIs said of themselves when they were last asked: resources, and places of schemas.

Discovery is told from here, so that it costs no server a request, and one that does not answer nobody's time: what it
served is still shown, and marked as stale.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from fairway.cluster.api.aggregation.shelf import Elsewhere, GroupVersion, Shelf
from fairway.kernel.objects.kinds import Object


@dataclass(frozen=True, slots=True)
class Source:
    resources: tuple[Object, ...] = ()
    """As an APIResourceList has them."""
    schemas: str = ""
    """Where the schemas are, if it has some; with a hash, as the server itself says it."""
    fresh: bool = False


class Sources:
    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._known: dict[GroupVersion, Source] = {}

    def keep(self, of: Elsewhere, said: Object, index: Object) -> None:
        """Raises ValueError where `said` is no list of resources."""
        resources = said.get("resources")
        if not isinstance(resources, list) or not all(map(_is_resource, resources)):
            raise ValueError("the answer is no APIResourceList")
        self._known[of.group, of.version] = Source(tuple(resources), _schemas(index, of), fresh=True)

    def failed(self, of: Elsewhere) -> None:
        known = self._known.get((of.group, of.version), Source())
        self._known[of.group, of.version] = Source(known.resources, known.schemas)

    def all(self) -> Iterator[tuple[Elsewhere, Source]]:
        """Of each group version that is elsewhere now."""
        for place, each in self._shelf.all().items():
            yield each, self._known.get(place, Source())


def _is_resource(each: object) -> bool:
    if not isinstance(each, dict):
        return False
    texts, verbs = (each.get("name"), each.get("kind")), each.get("verbs")
    return all(isinstance(text, str) and text for text in texts) and isinstance(verbs, list)


def _schemas(index: Object, of: Elsewhere) -> str:
    """The place under the group version's own, as no other is passed on."""
    paths = index.get("paths")
    place = paths.get(of.path.removeprefix("/")) if isinstance(paths, dict) else None
    found = str(place.get("serverRelativeURL") or "") if isinstance(place, dict) else ""
    return found if found.partition("?")[0] == f"/openapi/v3{of.path}" else ""


def entries(resources: Iterable[Object], of: Elsewhere) -> list[Object]:
    """The same in the form of aggregated discovery, where subresources stand with their resource."""
    found: dict[str, Object] = {}
    for each in resources:
        plural, _, sub = str(each.get("name") or "").partition("/")
        kind = {"group": each.get("group") or of.group, "version": each.get("version") or of.version}
        kind["kind"] = each.get("kind") or ""
        verbs = list(each.get("verbs") or ())
        if sub:
            parent = found.setdefault(plural, _bare(plural, each))
            parent.setdefault("subresources", []).append({"subresource": sub, "responseKind": kind, "verbs": verbs})
            continue
        entry = {**found.get(plural, {}), **_bare(plural, each), "responseKind": kind, "verbs": verbs}
        for name in ("shortNames", "categories"):
            if each.get(name):
                entry[name] = list(each[name])
        found[plural] = entry
    return list(found.values())


def _bare(plural: str, each: Object) -> Object:
    scope = "Namespaced" if each.get("namespaced") else "Cluster"
    singular = each.get("singularName") or str(each.get("kind") or "").lower()
    return {"resource": plural, "scope": scope, "singularResource": singular, "verbs": []}
