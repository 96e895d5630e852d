"""pods/eviction: delete a pod, if the disruption budget that covers it allows one more to be missing.

The budget's controller says in its status how many may be missing; each eviction takes one of these on condition that
nobody else has taken it meanwhile, and writes down which pod will go, so that the controller does not count on it.
`removal` does the rest. What is over, or never began, is evicted without asking.
"""

from __future__ import annotations

from typing import Any

from fairway.cluster.api import reading, removal
from fairway.cluster.api.admission.request import Request
from fairway.cluster.api.backend import Backend
from fairway.cluster.api.calls import Call, Reply
from fairway.cluster.store.protocol import Record, WrongRevision
from fairway.kernel.objects import conditions, errors, meta, selectors
from fairway.kernel.objects.kinds import POD_DISRUPTION_BUDGET, Object

_MOST_UNCONFIRMED = 2000
"""Pods that were evicted and that the controller has not seen go."""
_LATER = 10
"""Seconds after which a client may ask again."""


async def evict(backend: Backend, call: Call) -> Reply:
    options = _options(call)
    request = Request("CREATE", call, call.body, {})
    await backend.admission.mutate(request)
    async with backend.admission.validated(request):
        return await _evicted(backend, call, options)


def _options(call: Call) -> Object:
    """How the pod is to be deleted. A dry run may be asked for here and there."""
    body: Any = call.body if isinstance(call.body, dict) else {}
    if (body.get("metadata") or {}).get("name", call.name) != call.name:
        raise errors.BadRequest("name in URL does not match name in Eviction object")
    options = dict(body.get("deleteOptions") or {})
    if options.get("dryRun"):
        call.query = {**call.query, "dryRun": options["dryRun"][0]}
    elif call.dry_run:
        options["dryRun"] = ["All"]
    return options


async def _evicted(backend: Backend, call: Call, options: Object) -> Reply:
    while True:
        pod = reading.found(backend.store, call)
        budget = None if _needs_no_leave(pod.object) else _budget(backend, pod.object)
        pinned = await _leave(backend, call, pod, budget)
        try:
            await _delete(backend, call, options, pod if pinned else None)
        except errors.Conflict:
            if (options.get("preconditions") or {}).get("resourceVersion") or not pinned:
                raise
            if budget is not None:
                raise _later(meta.name(budget.object)) from None
            continue  # it is another one than was looked at
        return Reply({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}, 201)


def _needs_no_leave(pod: Object) -> bool:
    """It serves nobody (yet, or any more)."""
    phase = (pod.get("status") or {}).get("phase") or "Pending"
    return phase in ("Succeeded", "Failed", "Pending") or meta.being_deleted(pod)


def _budget(backend: Backend, pod: Object) -> Record | None:
    records = backend.store.list(POD_DISRUPTION_BUDGET.resource, meta.namespace(pod)).records
    labels = meta.labels(pod)
    covering = [record for record in records if selectors.of((record.object.get("spec") or {}).get("selector"))(labels)]
    if len(covering) > 1:
        text = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
        raise errors.InternalError(text)
    return covering[0] if covering else None


async def _leave(backend: Backend, call: Call, pod: Record, budget: Record | None) -> bool:
    """Take one disruption of the budget. Gives whether the pod must be deleted as it is now, because it was judged by
    its state. Raises TooManyRequests where there is none left."""
    if budget is None:
        phase = (pod.object.get("status") or {}).get("phase") or "Pending"
        return phase == "Pending" and not meta.being_deleted(pod.object)
    if not conditions.is_true(pod.object, "Ready") and _unready_may_go(budget.object):
        return True
    while True:
        new = _less_one(budget.object, call.name, backend.now())
        if call.dry_run:
            return False
        try:
            await backend.store.update(budget.key, new, budget.revision)
        except WrongRevision as race:
            await backend.store.progress(race.current)
            newest = backend.store.get(budget.key)
            if newest is None:
                return False
            budget = newest
            continue
        return False


def _unready_may_go(budget: Object) -> bool:
    """A pod that is not ready is not counted on: it may go where the others are enough, or in any case if the budget
    says so."""
    if (budget.get("spec") or {}).get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return True
    status = budget.get("status") or {}
    wanted = int(status.get("desiredHealthy") or 0)
    return int(status.get("currentHealthy") or 0) >= wanted > 0


def _less_one(budget: Object, pod: str, now: str) -> Object:
    """The budget with one disruption less, and the pod among those that go."""
    name, status = meta.name(budget), dict(budget.get("status") or {})
    allowed, gone = int(status.get("disruptionsAllowed") or 0), dict(status.get("disruptedPods") or {})
    if int(status.get("observedGeneration") or 0) < int(budget["metadata"].get("generation") or 0):
        raise _later(name)
    if len(gone) > _MOST_UNCONFIRMED:
        why = "DisruptedPods map too big - too many evictions not confirmed by PDB controller"
        raise errors.forbidden(POD_DISRUPTION_BUDGET.resource, name, why)
    if allowed <= 0:
        needs, has = status.get("desiredHealthy") or 0, status.get("currentHealthy") or 0
        raise _refused(f"The disruption budget {name} needs {needs} healthy pods and has {has} currently", 0)
    status |= {"disruptionsAllowed": allowed - 1, "disruptedPods": {**gone, pod: now}}
    if allowed == 1:
        status["conditions"] = conditions.merged(
            status.get("conditions"), now, ("DisruptionAllowed", False, "InsufficientPods", "")
        )
    return {**budget, "status": status}


def _later(budget: str) -> errors.TooManyRequests:
    return _refused(f"The disruption budget {budget} is still being processed by the server.", _LATER)


def _refused(why: str, seconds: int) -> errors.TooManyRequests:
    details: Object = {"causes": [{"reason": "DisruptionBudget", "message": why}]}
    if seconds:
        details["retryAfterSeconds"] = seconds
    return errors.TooManyRequests("Cannot evict pod as it would violate the pod's disruption budget.", details=details)


async def _delete(backend: Backend, call: Call, options: Object, as_it_is: Record | None) -> None:
    given = options.get("preconditions") or {}
    if as_it_is is not None and not given.get("resourceVersion"):
        options = {**options, "preconditions": {**given, "resourceVersion": str(as_it_is.revision)}}
    query = {key: value for key, value in call.query.items() if key == "dryRun"}
    one = Call("delete", call.served, call.namespace, call.name, "", query, call.identity, options)
    await removal.delete(backend, one)
