"""The gateway service: follows routes, Services and endpoints, and keeps Envoy's files true to them.

Changes that come together are one update, a few milliseconds later. Endpoints are written first, because a
pod on its way out must lose its traffic at once; routes are written last, and only after Envoy knows their
clusters and has read their first endpoints, so that no request meets a route to nowhere. Only then a route says
that somebody answers there: that a pod is ready is known to the cluster some milliseconds before Envoy knows it. For
the same reason a route that led to somebody, and now leads where no pod is known of, is followed a moment later.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

from fairway.cluster.network import guards, route_status, service_limits
from fairway.cluster.network.admin import Admin
from fairway.cluster.network.config import GATEWAY_NAMESPACE, NetworkConfig
from fairway.cluster.network.envoy import Envoy
from fairway.cluster.network.files import Files
from fairway.cluster.network.guards import Resource
from fairway.cluster.network.kinds import GATEWAY_CLASS
from fairway.cluster.network.render import Resources, render
from fairway.kernel import clock as time
from fairway.kernel.client.client import Client
from fairway.kernel.clock import Clock
from fairway.kernel.control import events
from fairway.kernel.control.mirror import Mirror
from fairway.kernel.feature import Ready
from fairway.kernel.objects import errors, meta
from fairway.kernel.objects.kinds import ENDPOINT_SLICE, GATEWAY, HTTP_ROUTE, NAMESPACE, SECRET, SERVICE, Kind, Object
from fairway.kernel.objects.meta import Key

log = logging.getLogger(__name__)

_TOGETHER = 0.005  # seconds in which changes are gathered into one update
_LOOK_AGAIN = 0.005
_BIND_LIMIT = 0.5  # seconds in which a listener that can have its address has it
_ENVOY_LIMIT = 2.0  # seconds to wait for Envoy to know new clusters before routes are written all the same
_AGAIN = 1.0  # seconds until what could not be written is tried again
_MOVE_LIMIT = 0.5  # seconds in which the pods of where a route leads now are to be known


class Gateway:
    def __init__(self, client: Client, clock: Clock, config: NetworkConfig) -> None:
        self._client, self._clock, self._config = client, clock, config
        self._files = Files(config.run_dir)
        self._envoy, self._admin = Envoy(config), Admin(config.run_dir)
        self._routes = Mirror(client, HTTP_ROUTE, clock)
        self._services = Mirror(client, SERVICE, clock)
        self._slices = Mirror(client, ENDPOINT_SLICE, clock)
        self._secrets = Mirror(client, SECRET, clock, labels=guards.TOKEN_LABEL)
        self._changed, self._rest = asyncio.Event(), asyncio.Event()
        self._latest = self._render()
        self._table: Resource = {}
        self._gateway: Object | None = None
        self._unchecked = False
        self._unread: set[str] = set()
        """Clusters whose first endpoints were written, and perhaps not read yet."""
        self._warned: set[str] = set()
        self._leading: dict[Key, int] = {}
        """The generations of the routes in Envoy's table that lead to somebody."""

    async def run(self, ready: Ready) -> None:
        self._envoy.check()
        async with asyncio.TaskGroup() as tasks:
            for mirror in (self._routes, self._services, self._slices, self._secrets):
                tasks.create_task(mirror.run(), name=f"gateway-{mirror.kind.resource}")
                mirror.subscribe(lambda old, new: self._changed.set())
            await self._services.synced()
            await self._slices.synced()
            await self._secrets.synced()
            # Routes are not waited for: their kind may be defined only after this service is up.
            self._latest = self._rendered()
            self._write(self._latest)
            up = asyncio.Event()
            tasks.create_task(self._envoy.run(up.set), name="envoy")
            await up.wait()
            ready()
            tasks.create_task(self._present(), name="gateway-present")
            tasks.create_task(self._follow_rest(), name="gateway-rest")
            await self._follow_endpoints()

    async def _follow_endpoints(self) -> None:
        """The fast loop: it waits for nothing but changes, so that a pod loses its traffic at once."""
        while True:
            await self._changed.wait()
            await asyncio.sleep(_TOGETHER)
            self._changed.clear()
            before, self._latest = self._latest.filled, self._rendered()
            self._unread |= self._latest.filled - before
            try:
                self._files.endpoints(self._latest.endpoints)
            except OSError as failure:
                _try_later("its files are not written", failure, self._changed)
            self._rest.set()

    async def _follow_rest(self) -> None:
        """The slow loop: clusters, listeners and routes, each after Envoy has taken in what it needs."""
        while True:
            await self._rest.wait()
            self._rest.clear()
            resources = await self._settled()
            try:
                await self._update(resources)
            except OSError as failure:
                _try_later("its files are not written", failure, self._rest)
                continue
            self._leading = {
                meta.key(route): _generation(route)
                for route in resources.seen
                if (one := resources.rendered.get(meta.key(route))) and not (one.silent or one.refused)
            }
            try:
                await self._report(resources)
                await self._check_listeners(resources)
                await self._warn_of_limits()
            except Exception:  # of one object: the routes themselves are written
                log.exception("what is to be said of routes and Services is not written")

    async def _settled(self) -> Resources:
        """The newest, unless a route that was changed waits for the pods of where it now leads."""
        moved = self._moved()

        async def known() -> bool:
            return not moved & self._moved()

        if moved:
            await self._soon(known, _MOVE_LIMIT)
        return self._latest

    def _moved(self) -> set[Key]:
        """The routes that led to somebody, and since they were changed do not."""
        resources = self._latest
        changed = {
            meta.key(route)
            for route in resources.seen
            if self._leading.get(meta.key(route), _generation(route)) != _generation(route)
        }
        return {key for key in changed if (one := resources.rendered.get(key)) and one.silent}

    def _rendered(self) -> Resources:
        """As all is now, or as it was where one object cannot be read: it must not take the gateway from all others."""
        try:
            return self._render()
        except Exception:
            log.exception("what routes, Services and endpoints say cannot be read; the gateway goes on as it was")
            return self._latest

    def _render(self) -> Resources:
        services, slices = self._services.all(), self._slices.all()
        return render(self._routes.all(), services, slices, self._secrets.all(), self._config)

    def _write(self, resources: Resources) -> None:
        """Everything at once, while no Envoy runs."""
        self._files.endpoints(resources.endpoints)
        self._files.clusters(resources.clusters)
        self._files.listeners(resources.listeners)
        self._files.limits(resources.limits)
        self._files.routes(resources.routes)
        self._table = resources.routes

    async def _update(self, resources: Resources) -> None:
        added = resources.endpoints.keys() - self._files.cluster_names
        if added:
            # New clusters beside the old ones: routes of the old table still need those.
            self._files.clusters(self._files.with_old_clusters(resources.clusters))

            async def known() -> bool:
                return added <= await self._admin.clusters()

            await self._until("the new clusters", known)
        if self._files.listeners(resources.listeners):
            self._unchecked = True
        self._files.limits(resources.limits)
        await self._endpoints_read(resources)
        await self._write_routes(resources.routes)
        if self._files.clusters(resources.clusters):
            self._files.forget_endpoints(self._latest.endpoints)

    async def _endpoints_read(self, resources: Resources) -> None:
        wanted = self._unread & resources.filled
        if not wanted:
            return

        async def read() -> bool:
            return wanted & self._latest.filled <= await self._admin.filled()  # some may have gone meanwhile

        await self._until("the new endpoints", read)
        self._unread -= wanted

    async def _write_routes(self, table: Resource) -> None:
        if table == self._table:
            return
        try:
            taken, refused = await self._admin.route_updates()
        except OSError:  # it is starting, and will read the newest table
            self._files.routes(table)
            self._table = table
            return
        self._files.routes(table)
        self._table = table

        async def read() -> bool:
            now_taken, now_refused = await self._admin.route_updates()
            if now_refused > refused:
                log.error("Envoy refused the new routes and keeps the old ones; its log says why")
            return (now_taken, now_refused) != (taken, refused)

        await self._until("the new routes", read)

    async def _until(self, what: str, holds: Callable[[], Awaitable[bool]]) -> None:
        """Wait until Envoy has taken in what was written."""
        if not await self._soon(holds, _ENVOY_LIMIT):
            log.warning("Envoy has not taken in %s for %s seconds; see its log", what, _ENVOY_LIMIT)

    async def _soon(self, holds: Callable[[], Awaitable[bool]], limit: float) -> bool:
        loop = asyncio.get_running_loop()
        end = loop.time() + limit
        while loop.time() < end:
            with contextlib.suppress(OSError):
                if await holds():
                    return True
            await asyncio.sleep(_LOOK_AGAIN)
        return False

    async def _check_listeners(self, resources: Resources) -> None:
        """An address that Envoy could not have is somebody else's, who gets the traffic: say so at the Service."""
        if not self._unchecked:
            return
        self._unchecked = False
        missing = {str(listener["name"]) for listener in resources.listeners}

        async def listening() -> bool:
            missing.difference_update(await self._admin.listeners())
            return not missing

        await self._soon(listening, _BIND_LIMIT)
        for name in sorted(missing):
            namespace, service_name, port = name.split(".")
            service = self._services.get(namespace, service_name)
            if service is None:
                continue
            address = f"{service['spec'].get('clusterIP')}:{port}"
            message = f"{address} is taken by another program, perhaps another Fairway on this machine: stop that one"
            log.warning("Service %s/%s: %s", namespace, service_name, message)
            await self._warn(service, "AddressTaken", message)

    async def _warn_of_limits(self) -> None:
        """Say once at each Service what of it is not done."""
        services = {meta.uid(service): service for service in self._services.all()}
        for uid in services.keys() - self._warned:
            for sentence in service_limits.refusals(services[uid]):
                await self._warn(services[uid], "Unsupported", sentence)
        self._warned = set(services)

    async def _warn(self, service: Object, reason: str, message: str) -> None:
        await events.record(self._client, self._clock, service, reason, message, type="Warning", component="gateway")

    # What routes and the Gateway say of themselves

    async def _report(self, resources: Resources) -> None:
        now = time.timestamp(self._clock.now())
        for seen in resources.seen:
            current = self._routes.get(*meta.key(seen))
            if current is None:
                continue
            # What was rendered is judged, and not what the route has become meanwhile.
            judged = {**seen, "status": current.get("status") or {}}
            wanted = route_status.parents(judged, resources.rendered.get(meta.key(seen)), self._config, now)
            if wanted != (judged["status"].get("parents") or []):
                await self._say(HTTP_ROUTE, seen, {"parents": wanted})
        await self._report_gateway(resources, now)

    async def _report_gateway(self, resources: Resources, now: str) -> None:
        if self._gateway is None:
            return
        attached = sum(1 for route in resources.rendered.values() if not route.refused)
        wanted = route_status.gateway_status(self._gateway, self._config, attached, now)
        if wanted != self._gateway.get("status"):
            self._gateway = await self._say(GATEWAY, self._gateway, wanted) or self._gateway

    async def _say(self, kind: Kind, obj: Object, status: Object) -> Object | None:
        """Write a status. What refuses it, such as a webhook, must not take the gateway away."""
        try:
            return await self._client.patch_status(kind, meta.name(obj), meta.namespace(obj), status)
        except (errors.NotFound, errors.Conflict):
            return None
        except errors.ApiError as failure:
            _try_later(f"the status of {kind.kind} {meta.name(obj)} is not written", failure, self._rest)
            return None

    async def _present(self) -> None:
        """Make the Gateway and its class, once their kinds are defined."""
        while True:
            try:
                await self._make()
                return
            except errors.ApiError as failure:
                log.debug("the Gateway is not made yet: %s", failure)
                await self._clock.sleep(0.5)

    async def _make(self) -> None:
        now = time.timestamp(self._clock.now())
        await self._ensure(NAMESPACE, NAMESPACE.new(GATEWAY_NAMESPACE))
        found = await self._ensure(GATEWAY_CLASS, route_status.gateway_class())
        status = route_status.gateway_class_status(found, now)
        await self._client.patch_status(GATEWAY_CLASS, meta.name(found), None, status)
        self._gateway = await self._ensure(GATEWAY, route_status.gateway(self._config))
        self._rest.set()  # its status is written with those of the routes

    async def _ensure(self, kind: Kind, wanted: Object) -> Object:
        name, namespace = meta.name(wanted), meta.namespace(wanted) or None
        found = await self._client.find(kind, name, namespace)
        if found is None:
            return await self._client.create(kind, wanted)
        if "spec" in wanted:
            return await self._client.patch(kind, name, namespace, {"spec": wanted["spec"]})
        return found


def _try_later(what: str, why: Exception, again: asyncio.Event) -> None:
    log.warning("the gateway will try again: %s: %s", what, why)
    asyncio.get_running_loop().call_later(_AGAIN, again.set)


def _generation(route: Object) -> int:
    return int(route["metadata"].get("generation") or 0)
