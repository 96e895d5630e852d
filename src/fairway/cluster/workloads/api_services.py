"""APIServices: those of custom resources follow their definitions, and those with a Service say whether it answers.

Of a Service it is looked at, in this order, whether it is there, has the port and somebody behind it, and whether that
somebody says what it serves. The last is asked again from time to time, as nothing tells when a server falls silent: by
a function that the room is given, as it alone knows how the API proves who it is. The first mistake found is the reason
of the condition Available, in upstream's words.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Iterable

from fairway.kernel import clock
from fairway.kernel.control.controller import Controller, World
from fairway.kernel.objects import api_services, conditions, errors, meta
from fairway.kernel.objects.api_services import ALWAYS, LOCAL, MANAGED
from fairway.kernel.objects.kinds import API_SERVICE, CRD, ENDPOINT_SLICE, SERVICE, Object
from fairway.kernel.objects.meta import Key

Look = Callable[[str], Awaitable[str]]
"""From the name of an APIService to what is wrong with the server behind it; an empty text where it answers."""

Condition = tuple[str, "bool | None", str, str]

_PERIOD, _SOONEST = 30.0, 1.0
_GROUP_PRIORITY, _VERSION_PRIORITY = 1000, 100  # of custom resources
_SERVICE_NAME = "kubernetes.io/service-name"
_CLEARED = {"service": None, "caBundle": None, "insecureSkipTLSVerify": None}


def controller(look: Look | None) -> Controller:
    """Without `look` whoever has endpoints is taken to answer."""
    book = _Behind()
    return Controller(
        "apiservices",
        API_SERVICE,
        _Reconciler(look, book).reconcile,
        watches=((CRD, _of_definition), (SERVICE, book.of_service), (ENDPOINT_SLICE, book.of_slice)),
    )


def _of_definition(definition: Object) -> Iterable[Key]:
    spec = definition["spec"]
    for version in spec["versions"]:
        yield "", api_services.name(spec["group"], version["name"])


class _Behind:
    """Which APIServices a Service is behind."""

    def __init__(self) -> None:
        self._names: dict[Key, set[str]] = {}

    def note(self, name: str, service: Object | None) -> None:
        for names in self._names.values():
            names.discard(name)
        if service:
            self._names.setdefault((service["namespace"], service["name"]), set()).add(name)

    def of_service(self, service: Object) -> Iterable[Key]:
        return (("", name) for name in sorted(self._names.get(meta.key(service), ())))

    def of_slice(self, endpoints: Object) -> Iterable[Key]:
        key = meta.namespace(endpoints), meta.labels(endpoints).get(_SERVICE_NAME, "")
        return (("", name) for name in sorted(self._names.get(key, ())))


class _Reconciler:
    def __init__(self, look: Look | None, book: _Behind) -> None:
        self._look, self._book = look, book
        self._waits: dict[str, float] = {}
        """Seconds until the next look, of those that did not answer."""
        self._looked: dict[str, tuple[Object, float]] = {}
        """What was there when the servers were asked last, and when they are to be asked again."""

    async def reconcile(self, world: World, _: str, name: str) -> float | None:
        found, wanted = world.mirror(API_SERVICE).get("", name), _wanted(world, name)
        self._book.note(name, found["spec"].get("service") if found else None)
        if found is None:
            self._waits.pop(name, None)
            self._looked.pop(name, None)
            if wanted is not None:
                with contextlib.suppress(errors.AlreadyExists):
                    await world.client.create(API_SERVICE, wanted)
            return None
        if meta.labels(found).get(MANAGED) == ALWAYS and not await _still_kept(world, found, wanted):
            return None
        if not found["spec"].get("service"):
            await _say(world, found, LOCAL)
            return None
        said = _missing(world, found)
        if said is not None:
            self._looked.pop(name, None)
            await _say(world, found, said)
            return self._next(name, answers=False)
        # What is told of it comes back as a change, and may be told in other words each time: no reason to ask again.
        there, now = _there(world, found), world.clock.now()
        before, due = self._looked.get(name, ({}, now))
        if before == there and now < due:
            return due - now
        said = await self._asked(name)
        wait = self._next(name, answers=said[1] is True)
        self._looked[name] = there, now + wait
        await _say(world, found, said)
        return wait

    async def _asked(self, name: str) -> Condition:
        wrong = await self._look(name) if self._look else ""
        if wrong:
            return "Available", False, "FailedDiscoveryCheck", wrong
        return "Available", True, "Passed", "all checks passed"

    def _next(self, name: str, *, answers: bool) -> float:
        if answers:
            self._waits.pop(name, None)
            return _PERIOD
        wait = self._waits.get(name, _SOONEST)
        self._waits[name] = min(2 * wait, _PERIOD)
        return wait


def _wanted(world: World, name: str) -> Object | None:
    """The APIService of a custom group version, where a definition serves it."""
    version, _, group = name.partition(".")
    for definition in world.mirror(CRD).all():
        spec = definition["spec"]
        served = spec["group"] == group and conditions.is_true(definition, "Established")
        if served and any(each["name"] == version and each.get("served") for each in spec["versions"]):
            return api_services.local(group, version, _GROUP_PRIORITY, _VERSION_PRIORITY, ALWAYS)
    return None


async def _still_kept(world: World, found: Object, wanted: Object | None) -> bool:
    """Whether it is as it should be; it goes with its definition, and what somebody changed comes back."""
    name = meta.name(found)
    if wanted is None:
        await world.client.delete(API_SERVICE, name, uid=meta.uid(found))
        return False
    if found["spec"] != wanted["spec"]:
        await world.client.patch(API_SERVICE, name, None, {"spec": {**_CLEARED, **wanted["spec"]}})
        return False
    return True


def _there(world: World, found: Object) -> Object:
    """What decides who is asked, and how."""
    reference = found["spec"]["service"]
    service = world.mirror(SERVICE).get(reference["namespace"], reference["name"])
    slices = {meta.name(each): meta.revision(each) for each in _slices(world, reference)}
    return {"spec": found["spec"], "service": meta.revision(service) if service else 0, "slices": slices}


def _slices(world: World, reference: Object) -> list[Object]:
    found = world.mirror(ENDPOINT_SLICE).all(reference["namespace"])
    return [each for each in found if meta.labels(each).get(_SERVICE_NAME) == reference["name"]]


def _missing(world: World, found: Object) -> Condition | None:
    """What the objects tell, before anybody is asked."""
    reference = found["spec"]["service"]
    namespace, name, port = reference["namespace"], reference["name"], int(reference.get("port") or 443)
    service = world.mirror(SERVICE).get(namespace, name)
    if service is None:
        return _not("ServiceNotFound", f'service/{name} in "{namespace}" is not present')
    if service["spec"].get("type") == "ExternalName":
        return None
    ports = {each["port"]: str(each.get("name") or "") for each in service["spec"].get("ports") or ()}
    if port not in ports:
        return _not("ServicePortError", f'service/{name} in "{namespace}" is not listening on port {port}')
    slices = _slices(world, reference)
    if not slices:
        return _not("EndpointsNotFound", f'cannot find endpointslices for service/{name} in "{namespace}"')
    if not any(_has_ready(each, ports[port]) for each in slices):
        text = f'endpointslices for service/{name} in "{namespace}" have no addresses with port name "{ports[port]}"'
        return _not("MissingEndpoints", text)
    return None


def _not(reason: str, message: str) -> Condition:
    return "Available", False, reason, message


def _has_ready(endpoints: Object, port: str) -> bool:
    ready = any((each.get("conditions") or {}).get("ready") is not False for each in endpoints.get("endpoints") or ())
    return ready and any(
        str(each.get("name") or "") == port and each.get("port") for each in endpoints.get("ports") or ()
    )


async def _say(world: World, found: Object, said: Condition) -> None:
    known = (found.get("status") or {}).get("conditions")
    new = conditions.merged(known, clock.timestamp(world.clock.now()), said)
    if new != known:
        await world.client.patch_status(API_SERVICE, meta.name(found), None, {"conditions": new})
