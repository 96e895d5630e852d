"""The pipeline: from an identity, a path and a body to an answer, whatever face they came through.

    parse -> authorise -> find the resource -> verb -> admission -> store

A face first asks for the `call`, then decodes the body into it, gets the answer and encodes it; everything between
is here and in the modules of the verbs.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping

import orjson

from fairway.cluster.api import beginnings, patches, paths, reading, refusals, removal, subresources, watching, writing
from fairway.cluster.api.admission.request import Request
from fairway.cluster.api.aggregation import beginnings as aggregation
from fairway.cluster.api.aggregation.shelf import Elsewhere
from fairway.cluster.api.authorizing import bootstrap
from fairway.cluster.api.authorizing.attempts import Attempt
from fairway.cluster.api.backend import Backend
from fairway.cluster.api.calls import TRUE, Call, Event, Reply
from fairway.cluster.api.documents import discovery
from fairway.cluster.api.identity import reviews
from fairway.cluster.api.paths import Target
from fairway.cluster.api.pods import logs, measuring
from fairway.cluster.api.registry import Served
from fairway.cluster.api.resources import Subresource
from fairway.cluster.store.protocol import StoreFailed
from fairway.kernel.feature import Identity
from fairway.kernel.objects import errors, selectors


class Pipeline:
    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self._prepared = asyncio.Event()
        self._preparing = asyncio.Lock()

    async def prepare(self) -> None:
        """Make the objects that are always there. Everyone waits for it; only the first does it."""
        if self._prepared.is_set():
            return
        async with self._preparing:
            if self._prepared.is_set():
                return
            await beginnings.make(self.backend)
            built_in = [served.resource for served in self.backend.registry if served.definition is None]
            now, front = self.backend.now(), self.backend.aggregator.front
            await asyncio.gather(
                bootstrap.reconcile(self.backend.store, built_in, now),
                aggregation.make(self.backend.store, self.backend.registry, front, now),
            )
            self._prepared.set()

    def call(self, identity: Identity, method: str, path: str, query: Mapping[str, str]) -> Call | None:
        """What a request wants, before anybody reads its body; None where it wants a document, not a resource.

        Raises ApiError where the sender may not do it, or it is not served.
        """
        target = paths.parse(path)
        if target is None:
            return None
        verb = _verb(method, target, query)
        # Who may not do it is not told whether it exists.
        attempt = _attempt(verb, target, query)
        self.backend.grants.check(identity, attempt)
        served = self._served(target)
        _method_fits(target, verb, namespaced=served.resource.kind.namespaced)
        namespace = target.namespace
        if served.resource.kind.namespaced:
            if not namespace and (target.name or verb == "create"):
                raise errors.BadRequest("the namespace of the object is missing in the path of the request")
        elif namespace:
            raise refusals.no_such_path()
        subresource = target.subresource
        if subresource:
            if _subresource(served, subresource, verb).connects and verb == "get" and subresource != paths.PROXY:
                # Who may only read a pod does not get into it by the GET that begins a WebSocket.
                self.backend.grants.check(identity, attempt._replace(verb="create"))
        elif verb not in served.resource.verbs:
            raise _not_allowed()
        call = Call(verb, served, namespace, target.name, subresource, query, identity)
        if served.deprecation:
            call.warnings.append(served.deprecation)
        return call

    def elsewhere(self, path: str) -> Elsewhere | None:
        """The server behind this one that answers the path; None for all that is answered here."""
        return self.backend.aggregator.shelf.of(path)

    def admit(self, identity: Identity, method: str, path: str, query: Mapping[str, str]) -> str:
        """What a request for another server is called; admission there is its own. Raises Forbidden."""
        target = paths.parse(path)
        if target is None:
            self.backend.grants.check(identity, Attempt(method.lower(), path=path))
            return method.lower()
        verb = _verb(method, target, query)
        self.backend.grants.check(identity, _attempt(verb, target, query))
        return verb

    def document(self, identity: Identity, method: str, path: str, query: Mapping[str, str], accept: str = "") -> Reply:
        """Discovery and the other documents. Raises ApiError where the sender may not read it."""
        self.backend.grants.check(identity, Attempt(method.lower(), path=path))
        return discovery.document(self.backend, method, path, query, accept)

    async def answer(self, call: Call) -> Reply:
        """Answer a call that is no stream. Raises ApiError."""
        if not self._prepared.is_set():
            await self.prepare()
        try:
            return await self._dispatch(call)
        except (orjson.JSONEncodeError, RecursionError) as problem:
            raise errors.BadRequest(f"the object cannot be stored as JSON: {problem}") from None
        except StoreFailed as failure:
            raise errors.InternalError(
                f"the store cannot write: {failure}. Nothing of this request was kept."
            ) from None

    async def watch(self, call: Call, *, timed: bool = True) -> AsyncGenerator[Event, None]:
        """Open a watch; it is in force when this returns. `timed` watches end, and give bookmarks."""
        if not self._prepared.is_set():
            await self.prepare()
        if call.subresource:
            raise errors.MethodNotAllowed("a subresource cannot be watched: watch the object itself")
        source = watching.events(self.backend, call, timed=timed)
        if call.served.definition is not None:
            kind, registry = call.served.resource.kind, self.backend.registry
            source = watching.while_shown_alike(
                source, call.served, lambda: registry.find(kind.group, kind.version, kind.plural)
            )
        return source

    async def connect(self, call: Call) -> None:
        """Ask admission whether a connection may be opened. Raises ApiError where it may not."""
        if not self._prepared.is_set():
            await self.prepare()
        request = Request("CONNECT", call, dict(call.query), {})
        await self.backend.admission.mutate(request)
        await self.backend.admission.validate(request)

    def log(self, call: Call) -> AsyncGenerator[bytes, None]:
        """Open the log of a pod, as it comes."""
        return logs.open_log(self.backend, call)

    def _served(self, target: Target) -> Served:
        served = self.backend.registry.find(target.group, target.version, target.plural)
        if served is None:
            raise refusals.unknown_resource(target.group, target.version, target.plural)
        return served

    async def _dispatch(self, call: Call) -> Reply:
        backend = self.backend
        if not call.served.resource.stored:
            return reviews.answer(backend, call)
        if call.served.resource.measured:
            return measuring.answer(backend, call)
        if call.subresource and call.subresource != "status":
            return await subresources.answer(backend, call)
        match call.verb:
            case "get":
                return await reading.get(backend, call)
            case "list":
                return await reading.list_(backend, call)
            case "create":
                patches.is_whole(call)
                return await writing.create(backend, call)
            case "update":
                patches.is_whole(call)
                return await writing.update(backend, call)
            case "patch":
                return await writing.patch(backend, call)
            case "delete":
                return await removal.delete(backend, call)
            case "deletecollection":
                return await removal.delete_collection(backend, call)
        raise _not_allowed()


def _verb(method: str, target: Target, query: Mapping[str, str]) -> str:
    match method:
        case "GET" | "HEAD":
            if target.watch or (query.get("watch", "") in TRUE and target.subresource != paths.PROXY):
                return "watch"
            return "get" if target.name else "list"
        case "POST":
            return "create"
        case "PUT":
            return "update"
        case "PATCH":
            return "patch"
        case "DELETE":
            return "delete" if target.name else "deletecollection"
    raise _not_allowed()


def _attempt(verb: str, target: Target, query: Mapping[str, str]) -> Attempt:
    """What the request is, for those who say who may do it."""
    namespace, name = target.namespace, target.name
    if not namespace and target.plural == "namespaces" and not target.group:
        namespace = name
    if not name and "fieldSelector" in query and verb in ("list", "watch", "deletecollection"):
        name = _selected_name(query["fieldSelector"])
    return Attempt(verb, target.group, target.plural, namespace, name, target.subresource.partition("/")[0])


def _selected_name(text: str) -> str:
    """The one object that a field selector leaves: who may list that one may ask for it so, as kubectl does."""
    names = {term.value for term in selectors.fields(text) if term.path == "metadata.name" and not term.negate}
    return names.pop() if len(names) == 1 else ""


def _method_fits(target: Target, verb: str, *, namespaced: bool) -> None:
    """Collections are created in and listed, objects are changed; nothing is deleted in all namespaces at once."""
    whole = not target.name
    wrong = (verb in ("update", "patch") and whole) or (verb == "create" and not whole and not target.subresource)
    if wrong or (verb == "deletecollection" and namespaced and not target.namespace):
        raise _not_allowed()


def _not_allowed() -> errors.MethodNotAllowed:
    return errors.MethodNotAllowed("the server does not allow this method on the requested resource")


def _subresource(served: Served, name: str, verb: str) -> Subresource:
    subresource = served.resource.subresource(name)
    if subresource is None:
        raise refusals.unknown_subresource(served.label, name)
    if verb not in subresource.verbs:
        raise _not_allowed()
    return subresource
