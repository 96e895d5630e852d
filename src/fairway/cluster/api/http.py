"""The API over HTTP: one catch-all route before the pipeline.

Reads the token, the body and what the client accepts; writes answers, errors as Status, watches as lines and
logs as they come. It knows nothing of kinds.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
import ssl
import time
import zlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import orjson
from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_parser import RawRequestMessage
from aiohttp.http_writer import StreamWriter
from aiohttp.streams import StreamReader
from aiohttp.web_protocol import RequestHandler
from multidict import CIMultiDict

from fairway.cluster.api import bodies, representation
from fairway.cluster.api.auditing.visits import AUDIT_ID, Visit
from fairway.cluster.api.calls import TRUE, Call, Event, Reply
from fairway.cluster.api.connections import Connections
from fairway.cluster.api.documents import discovery
from fairway.cluster.api.identity import senders
from fairway.cluster.api.patches import APPLY_PATCH
from fairway.cluster.api.pipeline import Pipeline
from fairway.cluster.api.representation import Form
from fairway.kernel.objects import errors

log = logging.getLogger(__name__)

LARGEST_BODY = 3 * 1024 * 1024
COMPRESSED_ABOVE = 128 * 1024

_LARGEST_HEAD = 1024 * 1024
"""Of a request's address, and of each of its headers: upstream's limit of all together."""
_PUBLIC = ("/livez", "/readyz", "/healthz")
_JSON = "application/json"
_READ_BY_PEOPLE = ("curl/", "Wget/", "Mozilla/5.0")
_NAME = re.compile(r"[-A-Za-z0-9_.]{1,64}")
"""Of a request, where its client gives it one."""
_FIRST_BYTES_WITHIN = 1.0
_GRACE_AT_CLOSE = 5.0
_SLOWEST_READER = 30.0
_EVENTS_AT_ONCE = 32
"""Of a watch that has many to write, before others have their turn."""
_MOST_WARNED, _CUT_SHORT = 4096, 256
"""Characters of all warnings of an answer, and of each where they are more."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class HTTPFace:
    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._connections = Connections(pipeline.backend)
        self._server: _Server | None = None
        self._runner: web.ServerRunner | None = None

    async def serve(self, host: str, port: int, tls: ssl.SSLContext | None) -> int:
        """Listen; gives the port, which the system chose where `port` is 0."""
        server = self._server = _Server(
            self._handle,
            request_factory=_request,
            access_log=None,
            max_line_size=_LARGEST_HEAD,  # an address holds the whole command of an exec, and long selectors
            max_field_size=_LARGEST_HEAD,
            auto_decompress=False,  # upstream reads no compressed bodies, and a proxied one goes on as it is
        )
        runner = web.ServerRunner(server, handle_signals=False, shutdown_timeout=_GRACE_AT_CLOSE)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port, ssl_context=tls, backlog=1024).start()
        except OSError:
            await runner.cleanup()
            raise
        self._runner = runner
        return int(runner.addresses[0][1])

    async def close(self) -> None:
        """Streams end now; other requests get the time to be answered."""
        if self._runner is None or self._server is None:
            return
        transports = [connection.transport for connection in self._server.connections]
        self._server.end_streams()
        await self._runner.cleanup()
        await self._connections.close()
        # TLS would wait for each client's good-bye, and some have gone without one.
        for transport in transports:
            if transport is not None:
                transport.abort()
        await asyncio.sleep(0)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        begun, visit = time.perf_counter(), self._visit(request)
        response = await self._attend(request, visit)
        seconds = time.perf_counter() - begun
        self._pipeline.backend.requests.ended(visit.call, request.method, response.status, seconds)
        if not response.prepared:
            response.headers[AUDIT_ID] = visit.id
        return response

    async def _attend(self, request: web.BaseRequest, visit: Visit) -> web.StreamResponse:
        audit = self._pipeline.backend.audit
        try:
            response = await self._answer(request, visit)
        except errors.ApiError as error:
            audit.visited(visit, error.code, error)
            return _failure(error)
        except web.HTTPRequestEntityTooLarge:
            text = f"Request entity too large: limit is {LARGEST_BODY}"
            return _failure(errors.TooLarge(text))
        except ConnectionResetError:
            return web.Response()  # the client has gone: nobody will see it
        except asyncio.CancelledError:
            raise
        except Exception:
            log.exception("%s %s failed", request.method, request.path)
            failure = errors.InternalError("Internal error occurred: the server's log says more")
            audit.visited(visit, failure.code, failure)
            return _failure(failure)
        if not visit.told:
            audit.visited(visit, response.status)
        return response

    def _visit(self, request: web.BaseRequest) -> Visit:
        backend = self._pipeline.backend
        given = request.headers.get(AUDIT_ID, "")
        return Visit(
            given if _NAME.fullmatch(given) else backend.audit.numbers.next(),
            request.method,
            request.path,
            dict(request.query),
            backend.clock.now(),
            address=request.remote or "",
            agent=request.headers.get("User-Agent", ""),
        )

    async def _answer(self, request: web.BaseRequest, visit: Visit) -> web.StreamResponse:
        method, path = request.method, request.path
        if path in _PUBLIC:
            return web.Response(text="ok")
        identity = senders.identify(self._pipeline.backend, request, visit)
        query = visit.query
        if (elsewhere := self._pipeline.elsewhere(path)) is not None:
            visit.elsewhere = self._pipeline.admit(identity, method, path, query)
            with self._stream(request):
                return await self._pipeline.backend.aggregator.pass_on(request, identity, elsewhere, visit.id)
        call = visit.call = self._pipeline.call(identity, method, path, query)
        accept = request.headers.get("Accept", "")
        if call is None:
            reply = self._pipeline.document(identity, method, path, query, accept)
            form = representation.PLAIN if reply.content_type else representation.accepted(accept)
            return await self._written(request, reply, form, query, [])
        form = representation.accepted(accept)
        if method == "GET" and (call.verb == "watch" or call.subresource == "log"):
            with self._stream(request), self._pipeline.backend.requests.open(call):
                reading = (
                    self._watch(request, visit, call, form) if call.verb == "watch" else self._log(request, visit, call)
                )
                return await reading
        if open_ := self._connections.opener(call):
            await self._pipeline.connect(call)
            with self._stream(request), self._pipeline.backend.requests.open(call):
                return await open_(request, call, lambda: self._opened(visit))
        await _read_body(request, call)
        reply = await self._pipeline.answer(call)
        return await self._written(request, reply, form, query, call.warnings)

    def _stream(self, request: web.BaseRequest) -> AbstractContextManager[None]:
        assert self._server is not None, "requests come after `serve`"
        return self._server.stream_of(request)

    def _opened(self, visit: Visit) -> None:
        self._pipeline.backend.audit.visited(visit, 101)
        visit.told = True

    async def _written(
        self, request: web.BaseRequest, reply: Reply, form: Form, query: Mapping[str, str], warnings: list[str]
    ) -> web.StreamResponse:
        headers = _warned(warnings)
        data = representation.encode(reply, form, query, self._pipeline.backend.clock.now())
        if etag := reply.etag or _etag(reply, data):
            headers["ETag"] = etag
            if request.headers.get("If-None-Match") == etag:
                return web.Response(status=304, headers=headers)
        headers["Content-Type"] = reply.content_type or _JSON
        if _for_eyes(request) and headers["Content-Type"].startswith(_JSON):
            data = await asyncio.to_thread(_indented, data)
        if len(data) > COMPRESSED_ABOVE and "gzip" in request.headers.get("Accept-Encoding", ""):
            data = await asyncio.to_thread(_gzip, data)
            headers["Content-Encoding"] = "gzip"
        return web.Response(body=data, status=reply.code, headers=headers)

    async def _watch(self, request: web.BaseRequest, visit: Visit, call: Call, form: Form) -> web.StreamResponse:
        events = await self._pipeline.watch(call)
        headers = _warned(call.warnings)
        headers["Content-Type"], headers[AUDIT_ID] = _JSON, visit.id
        response = web.StreamResponse(headers=headers)
        response.enable_chunked_encoding()
        try:
            await self._write_events(request, response, events, call, form)
        except ConnectionResetError:
            pass  # the client has gone; there is nobody to tell
        finally:
            await events.aclose()
        return response

    async def _write_events(
        self,
        request: web.BaseRequest,
        response: web.StreamResponse,
        events: AsyncGenerator[Event, None],
        call: Call,
        form: Form,
    ) -> None:
        clock, written = self._pipeline.backend.clock, 0
        writer = await response.prepare(request)
        assert isinstance(writer, StreamWriter), "a stream has one until its end"
        try:
            async for event in events:
                line = representation.frame(event, form, call.served, call.query, clock.now(), first=not written)
                await writer.write(line, drain=False)
                written += 1
                if request.protocol.writing_paused:
                    async with asyncio.timeout(_SLOWEST_READER):
                        await writer.drain()
                elif not written % _EVENTS_AT_ONCE:
                    await asyncio.sleep(0)
        except TimeoutError:
            # Who does not read is cut off; the store does not wait for anybody.
            log.info("a watch of %s is cut: its client reads nothing", call.served.label)
            if request.transport is not None:
                request.transport.abort()
            return
        except errors.ApiError as error:
            # A stream that has begun cannot change its code: the last event says it.
            await response.write(representation.error_frame(error.status()))
        await response.write_eof()

    async def _log(self, request: web.BaseRequest, visit: Visit, call: Call) -> web.StreamResponse:
        chunks = self._pipeline.log(call)
        response = web.StreamResponse(headers={"Content-Type": "text/plain", AUDIT_ID: visit.id})
        response.enable_chunked_encoding()
        # Errors come as Status as long as nothing was sent; a silent container must not hold back the headers.
        first = asyncio.ensure_future(anext(chunks, b""))
        try:
            await asyncio.wait((first,), timeout=_FIRST_BYTES_WITHIN)
            if first.done():
                first.result()
            await response.prepare(request)
            if chunk := await first:
                await response.write(chunk)
            async for chunk in chunks:
                await response.write(chunk)
            await response.write_eof()
        except ConnectionResetError:
            pass
        finally:
            if not first.done():
                first.cancel()
                await asyncio.wait((first,))
            await chunks.aclose()
        return response


class _Server(web.Server):
    """Ends a stream with its connection. Every other request that has begun ends, even when its client has gone."""

    def __init__(self, handler: Handler, **options: Any) -> None:
        super().__init__(handler, **options)
        self._streams: dict[RequestHandler, asyncio.Task[Any]] = {}

    @contextmanager
    def stream_of(self, request: web.BaseRequest) -> Iterator[None]:
        """Inside the block the request is a stream. Raises ConnectionResetError where its client has gone already."""
        task, connection = asyncio.current_task(), request.protocol
        if task is None or request.transport is None:
            raise ConnectionResetError
        self._streams[connection] = task
        try:
            yield
        finally:
            self._streams.pop(connection, None)

    def connection_lost(self, handler: RequestHandler, exc: BaseException | None = None) -> None:
        if task := self._streams.pop(handler, None):
            task.cancel()
        super().connection_lost(handler, exc)

    def end_streams(self) -> None:
        for task in self._streams.values():
            task.cancel()


def _for_eyes(request: web.BaseRequest) -> bool:
    """Whether a person reads the answer: as upstream guesses, where the client does not say."""
    if asked := request.query.get("pretty"):
        return asked in TRUE
    return request.headers.get("User-Agent", "").startswith(_READ_BY_PEOPLE)


def _indented(data: bytes) -> bytes:
    return orjson.dumps(orjson.loads(data), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE) if data else data


async def _read_body(request: web.BaseRequest, call: Call) -> None:
    call.manager = (
        call.query.get("fieldManager") or request.headers.get("User-Agent", "").partition("/")[0] or "unknown"
    )
    call.content_type = media = bodies.media_type(request.headers.get("Content-Type", ""))
    if request.can_read_body:
        strict, kind = call.query.get("fieldValidation") == "Strict", call.served.resource.kind.kind
        data = await request.read()
        call.size = len(data)
        if media in bodies.YAML or media == APPLY_PATCH:  # slow to read, and others wait for this loop
            decoded = await asyncio.to_thread(bodies.decode, data, media, strict=strict, kind=kind)
        else:
            decoded = bodies.decode(data, media, strict=strict, kind=kind)
        call.body, call.duplicates = decoded


def _request(
    message: RawRequestMessage,
    payload: StreamReader,
    protocol: RequestHandler,
    writer: AbstractStreamWriter,
    task: asyncio.Task[None],
) -> web.BaseRequest:
    loop = asyncio.get_running_loop()
    return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=LARGEST_BODY)


def _failure(error: errors.ApiError) -> web.Response:
    headers = {"Content-Type": _JSON}
    if error.code == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="fairway"'
    if error.code in (429, 504) and (seconds := error.details.get("retryAfterSeconds", 0 if error.details else 1)):
        headers["Retry-After"] = str(seconds)
    return web.Response(
        body=orjson.dumps(error.status(), option=orjson.OPT_APPEND_NEWLINE), status=error.code, headers=headers
    )


def _etag(reply: Reply, data: bytes) -> str:
    """Of what clients keep on their disk, and ask about with every command."""
    return f'"{hashlib.sha256(data).hexdigest()[:32].upper()}"' if reply.content_type == discovery.AGGREGATED else ""


def _warned(warnings: list[str]) -> CIMultiDict[str]:
    """As upstream each once, and no more of them than clients read of headers: those that are many are cut short."""
    told = list(dict.fromkeys(warnings))
    if sum(map(len, told)) > _MOST_WARNED:
        told = [warning[:_CUT_SHORT] for warning in told][: _MOST_WARNED // _CUT_SHORT]
    return CIMultiDict([("Warning", f'299 - "{_quoted(warning)}"') for warning in told])


def _quoted(text: str) -> str:
    """For a header: what a client named may hold any character."""
    return _CONTROL.sub(" ", text).replace("\\", "\\\\").replace('"', '\\"')


def _gzip(data: bytes) -> bytes:
    compressor = zlib.compressobj(1, zlib.DEFLATED, 31)
    return compressor.compress(data) + compressor.flush()
