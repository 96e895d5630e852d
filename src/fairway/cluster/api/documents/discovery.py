"""What is served, told to clients: versions, groups and resources, in upstream's old form and its new one.

Both are built from the registry each time; they are asked for rarely and must be true at once. What servers behind
this one serve is what they said last. OpenAPI
documents come from `openapi`, the token keys from the issuer.
"""

from __future__ import annotations

import base64
import hashlib
import platform
from collections.abc import Iterable, Mapping
from functools import lru_cache

import orjson

from fairway.cluster.api import refusals, requests
from fairway.cluster.api.aggregation import sources
from fairway.cluster.api.aggregation.sources import Sources
from fairway.cluster.api.backend import Backend
from fairway.cluster.api.calls import Reply
from fairway.cluster.api.documents import groups, openapi, swagger, swagger_wire
from fairway.cluster.api.documents.groups import Group, Version
from fairway.cluster.api.registry import Registry, Served
from fairway.kernel.objects import errors
from fairway.kernel.objects.kinds import Kind, Object

MAJOR, MINOR = "1", "36"
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"

_HEALTH = ("livez", "readyz", "healthz")


def document(backend: Backend, method: str, path: str, query: Mapping[str, str], accept: str) -> Reply:
    """The answer to a path that names no resource."""
    parts = [part for part in path.split("/") if part]
    if method not in ("GET", "HEAD"):
        raise errors.MethodNotAllowed("the server does not allow this method on the requested resource")
    registry, behind = list(backend.registry), backend.aggregator.sources
    match parts:
        case []:
            return Reply({"paths": _paths(groups.listed(registry, behind.all()))})
        case ["metrics"]:
            text = backend.requests.text(backend.store, registry)
            return Reply({}, value=text, content_type=requests.CONTENT_TYPE)
        case ["version"]:
            return Reply(version())
        case ["api" | "apis"] if "apidiscovery.k8s.io" in accept and "v=v2" in accept.replace(" ", ""):
            listed = groups.listed(registry, behind.all())
            return Reply(_aggregated(listed, core=parts == ["api"]), content_type=AGGREGATED)
        case ["api"]:
            return Reply({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []})
        case ["apis"]:
            named = [_group(each) for each in groups.listed(registry, behind.all()) if each.name]
            return Reply({"kind": "APIGroupList", "apiVersion": "v1", "groups": named})
        case ["api", "v1"]:
            return Reply(_resources("", "v1", registry))
        case ["apis", group]:
            found = next((each for each in groups.listed(registry, behind.all()) if each.name == group), None)
            if found is None:
                raise refusals.unknown_resource(group, "", "")
            return Reply({"kind": "APIGroup", "apiVersion": "v1", **_group(found)})
        case ["apis", group, name]:
            if not any((one.resource.kind.group, one.resource.kind.version) == (group, name) for one in registry):
                raise refusals.unknown_resource(group, name, "")
            return Reply(_resources(group, name, registry))
        case ["openapi", "v2"]:
            return _swagger(backend.registry, accept)
        case ["openapi", "v3"]:
            return Reply(_index(registry, behind))
        case ["openapi", "v3", *rest]:
            return _openapi(registry, "/".join(rest))
        case ["openid", "v1", "jwks"]:
            return Reply(backend.issuer.jwks())
        case [".well-known", "openid-configuration"]:
            return Reply(backend.issuer.discovery())
    raise refusals.no_such_path()


def version() -> Object:
    return {
        "major": MAJOR,
        "minor": MINOR,
        "gitVersion": f"v{MAJOR}.{MINOR}.0+fairway",
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "2026-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "python",
        "platform": f"linux/{platform.machine()}",
    }


def _rows(registry: Iterable[Served]) -> list[openapi.Row]:
    return [openapi.Row(served.resource, _custom_schema(served)) for served in registry]


def _custom_schema(served: Served) -> Object | None:
    if served.definition is None:
        return None
    wanted = served.resource.kind.version
    version_ = next(each for each in served.definition["spec"]["versions"] if each["name"] == wanted)
    schema: Object = version_["schema"]["openAPIV3Schema"]
    return schema


def _index(registry: Iterable[Served], behind: Sources) -> Object:
    index = openapi.index(_rows(registry))
    for elsewhere, source in behind.all():
        path = elsewhere.path.removeprefix("/")
        index["paths"].pop(path, None)
        if source.schemas and source.fresh:
            index["paths"][path] = {"serverRelativeURL": source.schemas}
    return index


def _openapi(registry: Iterable[Served], path: str) -> Reply:
    found = openapi.document(_rows(registry), path)
    if found is None:
        raise refusals.no_such_path()
    return Reply({}, value=found.body, etag=found.etag)


def _swagger(registry: Registry, accept: str) -> Reply:
    wire = any(name in accept for name in swagger_wire.ASKED_FOR)
    found = _old_openapi(registry, registry.version, wire)
    return Reply({}, value=found.body, etag=found.etag, content_type=swagger_wire.MEDIA_TYPE if wire else "")


@lru_cache(maxsize=2)  # it takes a moment to write, and a client that has none asks for it with every command
def _old_openapi(registry: Registry, version: int, wire: bool) -> openapi.Document:
    whole = swagger.document(_rows(registry))
    body = swagger_wire.document(whole) if wire else orjson.dumps(whole)
    return openapi.Document(body, f'"{hashlib.sha256(body).hexdigest()[:32].upper()}"')


def _paths(listed: Iterable[Group]) -> list[str]:
    versions = sorted(f"/apis/{group.name}/{each.name}" for group in listed if group.name for each in group.versions)
    health = [f"/{word}" for word in _HEALTH]
    documents = ["/metrics", "/openapi/v2", "/openapi/v3", "/openid/v1/jwks", "/version"]
    return ["/api", "/api/v1", "/apis", *versions, *health, *documents]


def _group(group: Group) -> Object:
    versions = [{"groupVersion": f"{group.name}/{each.name}", "version": each.name} for each in group.versions]
    return {"name": group.name, "versions": versions, "preferredVersion": versions[0]}


def _resources(group: str, version_: str, registry: Iterable[Served]) -> Object:
    listed: list[Object] = []
    for served in registry:
        kind = served.resource.kind
        if (kind.group, kind.version) == (group, version_):
            listed += _old_entries(served)
    name = f"{group}/{version_}" if group else version_
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": name, "resources": listed}


def _old_entries(served: Served) -> list[Object]:
    row = served.resource
    entry: Object = {
        "name": row.kind.plural,
        "singularName": row.singular,
        "namespaced": row.kind.namespaced,
        "kind": row.kind.kind,
        "verbs": list(row.verbs),
    }
    if row.short_names:
        entry["shortNames"] = list(row.short_names)
    if row.categories:
        entry["categories"] = list(row.categories)
    if row.stored and not row.measured:
        entry["storageVersionHash"] = _storage_hash(row.storage)
    entries = [entry]
    for sub in row.subresources:
        part: Object = {
            "name": f"{row.kind.plural}/{sub.name}",
            "singularName": "",
            "namespaced": row.kind.namespaced,
            "kind": sub.kind,
            "verbs": list(sub.verbs),
        }
        if (sub.group, sub.version) != (row.kind.group, row.kind.version):
            part |= {"group": sub.group, "version": sub.version}
        entries.append(part)
    return entries


def _storage_hash(kind: Kind) -> str:
    """Upstream's word for the version in which objects are kept: who watches it learns when they are moved."""
    digest = hashlib.sha256(f"{kind.group}/{kind.version}/{kind.kind}".encode()).digest()
    return base64.b64encode(digest[:8]).decode()


def _aggregated(listed: Iterable[Group], *, core: bool) -> Object:
    items = [
        {
            "metadata": {"name": group.name, "creationTimestamp": None} if group.name else {"creationTimestamp": None},
            "versions": [_aggregated_version(each) for each in group.versions],
        }
        for group in listed
        if (group.name == "") is core
    ]
    return {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items}


def _aggregated_version(version: Version) -> Object:
    entries, fresh = [_new_entry(one) for one in version.served], True
    if version.behind is not None:
        elsewhere, source = version.behind
        entries, fresh = sources.entries(source.resources, elsewhere), source.fresh
    return {"version": version.name, "resources": entries, "freshness": "Current" if fresh else "Stale"}


def _new_entry(served: Served) -> Object:
    row = served.resource
    kind = row.kind
    entry: Object = {
        "resource": kind.plural,
        "responseKind": {"group": kind.group, "version": kind.version, "kind": kind.kind},
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": row.singular,
        "verbs": list(row.verbs),
    }
    if row.short_names:
        entry["shortNames"] = list(row.short_names)
    if row.categories:
        entry["categories"] = list(row.categories)
    if row.subresources:
        entry["subresources"] = [
            {
                "subresource": sub.name,
                "responseKind": {"group": sub.group, "version": sub.version, "kind": sub.kind},
                "verbs": list(sub.verbs),
            }
            for sub in row.subresources
        ]
    return entry
