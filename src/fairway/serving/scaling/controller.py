"""The autoscaler: for each Deployment with a contract, decides every two seconds how many pods it has.

It reads the pods and what `stats` and the activator measured, asks the Deployment's `Scaler`, writes the number of
replicas, and puts the activator before the Service or takes it away. Deployments of others it does not touch.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

from fairway.kernel.clock import Clock
from fairway.kernel.control import children
from fairway.kernel.control.controller import Controller, Nudges, World
from fairway.kernel.feature import Ready, Service
from fairway.kernel.objects import errors, meta
from fairway.kernel.objects.kinds import DEPLOYMENT, ENDPOINT_SLICE, POD, SERVICE, Object
from fairway.kernel.objects.meta import Key
from fairway.serving.kinds import RENDERED
from fairway.serving.scaling import contract as contracts
from fairway.serving.scaling import proxying
from fairway.serving.scaling.activator.activator import Activator
from fairway.serving.scaling.asked import RPS
from fairway.serving.scaling.contract import Contract
from fairway.serving.scaling.pods import answering, broken, place
from fairway.serving.scaling.scaler import Scaler
from fairway.serving.scaling.stats import Place, Stats

log = logging.getLogger(__name__)

GRACE = 30.0
_SCRAPE = 1.0


class Autoscaler:
    """`grace` is how long gateways have to learn of the activator before the last pod goes."""

    def __init__(self, clock: Clock, *, grace: float = GRACE) -> None:
        self._clock, self._grace = clock, grace
        self._nudges = Nudges()
        self.activator = Activator(clock, self._woken)
        self.stats = Stats(clock)
        self._scalers: dict[Key, Scaler] = {}
        self._places: dict[Key, tuple[Place, ...]] = {}
        self._selectors: dict[Key, dict[str, str]] = {}
        self._scaled = asyncio.Event()  # set while there are scalers

    def controller(self) -> Controller:
        return Controller(
            "autoscaler",
            DEPLOYMENT,
            self._reconcile,
            watches=((POD, self._of_pod), (ENDPOINT_SLICE, _of_slice)),
            reads=(SERVICE,),
            nudges=self._nudges,
        )

    def services(self) -> tuple[Service, ...]:
        return Service("activator", self.activator.run), Service("autoscaler-stats", self._measure)

    def _woken(self, key: Key) -> None:
        if scaler := self._scalers.get(key):
            scaler.poke(self._clock.now())
        self._nudges(key)

    def _of_pod(self, pod: Object) -> Iterable[Key]:
        namespace, labels = meta.namespace(pod), meta.labels(pod)
        for key, selector in self._selectors.items():
            if key[0] == namespace and selector.items() <= labels.items():
                yield key

    async def _measure(self, ready: Ready) -> None:
        """Once a second, what each scaled Deployment has to do; not at all while there is none."""
        ready()
        try:
            while True:
                await self._scaled.wait()
                await self._clock.sleep(_SCRAPE)
                measured = await asyncio.gather(*map(self._measure_one, list(self._scalers)), return_exceptions=True)
                for failure in filter(None, measured):  # of one Deployment: the others are measured on
                    log.error("a Deployment was not measured", exc_info=failure)
                self.stats.forget_others(place.uid for places in self._places.values() for place in places)
                if not self._scalers:
                    self._scaled.clear()
        finally:
            await self.stats.close()

    async def _measure_one(self, key: Key) -> None:
        scaler, places = self._scalers.get(key), self._places.get(key, ())
        if scaler is None:
            return  # it was forgotten in this moment
        if scaler.fixed and not self.activator.knows(key):
            return
        load = await self.stats.collect(places) if places else None
        seen, waiting = self.activator.look(key)
        if places and load is None:
            return  # a pod answers requests and does not say how many: no news is no zero
        by_rate = scaler.contract.metric == RPS
        of_pods = (load.rate if by_rate else load.inside) if load else 0.0
        passed_on = seen.left if by_rate else max(0.0, seen.inside - waiting)
        held = max(0.0, seen.came - seen.left) if by_rate else float(waiting)
        scaler.record(self._clock.now(), max(of_pods, passed_on) + held)

    async def _reconcile(self, world: World, namespace: str, name: str) -> float | None:
        key = (namespace, name)
        deployment = world.mirror(DEPLOYMENT).get(namespace, name)
        contract = contracts.read(deployment) if deployment and not meta.being_deleted(deployment) else None
        if deployment is None or contract is None:
            await self._forget(key)
            return None
        selector = (deployment["spec"].get("selector") or {}).get("matchLabels") or {}
        self._selectors[key] = selector
        pods = [pod for pod in world.mirror(POD).all(namespace) if selector.items() <= meta.labels(pod).items()]
        there = answering(pods)
        self.activator.tell(
            key, map(_address, there), limit=contract.limit, patience=contract.timeout, broken=broken(pods)
        )
        self._places[key] = tuple(map(place, there))
        if contract.scaler != "kpa":
            self._scalers.pop(key, None)
            await self._put(world, deployment, contract, pods, before=_holds(contract, deployment, len(there)))
            return None
        return await self._scale(world, deployment, contract, pods, len(there))

    async def _scale(
        self, world: World, deployment: Object, contract: Contract, pods: list[Object], ready: int
    ) -> float:
        key, now = meta.key(deployment), self._clock.now()
        replicas = int(deployment["spec"].get("replicas", 1))
        scaler = self._scalers.get(key)
        if scaler is None:
            scaler = self._scalers[key] = Scaler(contract, replicas, ready, now)
            scaler.version = _version(deployment)
            self._scaled.set()
        elif scaler.version != _version(deployment):
            scaler.version = _version(deployment)
            scaler.begin_anew(now)
        scaler.update(contract, now)
        if now >= scaler.due:
            step = scaler.tick(now, ready, grace=self._grace)
            if step.apply and step.pods != replicas:
                await world.client.patch(DEPLOYMENT, key[1], key[0], {"spec": {"replicas": step.pods}})
        may_sleep = contract.least == 0 or contract.spec.burst != 0
        before = (may_sleep and scaler.behind_activator(ready)) or _holds(contract, deployment, ready)
        scaler.proxied(now, is_so=await self._put(world, deployment, contract, pods, before=before))
        return max(0.05, scaler.due - now)

    async def _put(
        self, world: World, deployment: Object, contract: Contract, pods: list[Object], *, before: bool
    ) -> bool:
        """Put the activator before the Service, or take it away; whether it stands there for sure."""
        namespace = meta.namespace(deployment)
        service = world.mirror(SERVICE).get(namespace, contract.service)
        found = world.mirror(ENDPOINT_SLICE).get(namespace, proxying.slice_name(contract.service))
        if service is None or meta.being_deleted(service) or not proxying.stands_for(service, deployment):
            return False
        if not before:
            await self._take_away(world, service, found)
            return False
        ports = proxying.ports(service, pods)
        doors = self.activator.open(meta.key(deployment), ports)
        wanted = proxying.activator_slice(deployment, service, self.activator.host, doors)
        if found is None:
            try:
                await world.client.create(ENDPOINT_SLICE, wanted)
            except errors.AlreadyExists:
                return False  # the mirror will show it, and we are called again
        elif not meta.being_deleted(found) and (patch := children.missing(found, wanted)):
            await world.client.patch(ENDPOINT_SLICE, meta.name(found), namespace, patch)
        hide = contract.spec.burst != 0
        if hide != proxying.hidden(service) and found is not None:
            await world.client.patch(SERVICE, meta.name(service), namespace, proxying.hiding(hide=hide))
        return found is not None

    async def _take_away(self, world: World, service: Object, found: Object | None) -> None:
        """Pods come back into the path first; the activator leaves when they are seen in it."""
        namespace = meta.namespace(service)
        if proxying.hidden(service):
            await world.client.patch(SERVICE, meta.name(service), namespace, proxying.hiding(hide=False))
        if found is None or meta.being_deleted(found):
            return
        if any(_has_ready(one) for one in _others(world, service, found)):
            await world.client.delete(ENDPOINT_SLICE, meta.name(found), namespace, uid=meta.uid(found))

    async def _forget(self, key: Key) -> None:
        if key in self._selectors:
            del self._selectors[key]
            self._scalers.pop(key, None)
            self._places.pop(key, None)
            await self.activator.forget(key)


def _holds(contract: Contract, deployment: Object, ready: int) -> bool:
    """Whether requests go to the activator though nothing sleeps, because there may be no pod for a while."""
    return contract.hold and (not ready or _in_change(deployment))


def _in_change(deployment: Object) -> bool:
    """Pods of it come and go, or are about to."""
    status, wanted = deployment.get("status") or {}, int(deployment["spec"].get("replicas", 1))
    seen = int(status.get("observedGeneration") or 0) >= int(deployment["metadata"].get("generation") or 0)
    counts = [int(status.get(name) or 0) for name in ("replicas", "updatedReplicas", "availableReplicas")]
    return not seen or any(count != wanted for count in counts)


def _version(deployment: Object) -> str:
    return meta.annotations(deployment).get(RENDERED, "")


def _address(pod: Object) -> str:
    return str(pod["status"]["podIP"])


def _of_slice(obj: Object) -> Iterable[Key]:
    """The Deployment has the name of its Service."""
    if service := meta.labels(obj).get(proxying.SERVICE_NAME):
        yield meta.namespace(obj), service


def _others(world: World, service: Object, but: Object) -> Iterable[Object]:
    for one in world.mirror(ENDPOINT_SLICE).all(meta.namespace(service)):
        if meta.labels(one).get(proxying.SERVICE_NAME) == meta.name(service) and meta.uid(one) != meta.uid(but):
            yield one


def _has_ready(endpoint_slice: Object) -> bool:
    return any((one.get("conditions") or {}).get("ready") is not False for one in endpoint_slice.get("endpoints") or ())
