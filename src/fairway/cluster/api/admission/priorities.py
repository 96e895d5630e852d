"""Priority: a pod has the number of its PriorityClass, or of the default one; there is one default at most.

The scheduler reads the number. A pod keeps it, whatever becomes of the class.
"""

from __future__ import annotations

from fairway.cluster.api.admission.chain import Step
from fairway.cluster.api.admission.request import Request
from fairway.cluster.store.protocol import Key, Store
from fairway.kernel.objects import errors, meta
from fairway.kernel.objects.kinds import POD, PRIORITY_CLASS, Object

_PREEMPTS = "PreemptLowerPriority"


class Priority(Step):
    resources = (POD.resource, PRIORITY_CLASS.resource)

    def __init__(self, store: Store) -> None:
        self._store = store

    def wants(self, request: Request) -> bool:
        written = request.operation in ("CREATE", "UPDATE")
        return written and not (request.subresource and request.resource == POD.resource)

    async def mutate(self, request: Request) -> None:
        if request.resource != POD.resource:
            return
        if request.operation == "CREATE":
            self._resolve(request)
        else:
            _keep(request)

    async def validate(self, request: Request) -> None:
        if request.resource == PRIORITY_CLASS.resource and request.object.get("globalDefault"):
            default = self._default()
            if default is not None and meta.name(default) != request.call.name:
                why = f"PriorityClass {meta.name(default)} is already marked as default. Only one default can exist"
                raise errors.forbidden(PRIORITY_CLASS.resource, request.call.name, why)

    def _resolve(self, request: Request) -> None:
        spec, name = request.object["spec"], request.call.name
        found = self._class(spec.get("priorityClassName") or "", name)
        if found is not None:
            spec["priorityClassName"] = meta.name(found)
        value = int(found.get("value") or 0) if found else 0
        policy = str(found.get("preemptionPolicy") or _PREEMPTS) if found else _PREEMPTS
        for field, wanted, words in (
            ("priority", value, "the integer value of priority"),
            ("preemptionPolicy", policy, "the string value of PreemptionPolicy"),
        ):
            given = spec.get(field)
            if given not in (None, wanted):
                why = (
                    f"{words} ({given}) must not be provided in pod spec; priority admission controller computed "
                    f"{wanted} from the given PriorityClass name"
                )
                raise errors.forbidden(POD.resource, name, why)
            spec[field] = wanted

    def _class(self, wanted: str, pod: str) -> Object | None:
        if not wanted:
            return self._default()
        record = self._store.get(Key(PRIORITY_CLASS.resource, "", wanted))
        if record is None:
            raise errors.forbidden(POD.resource, pod, f"no PriorityClass with name {wanted} was found")
        return record.object

    def _default(self) -> Object | None:
        """Of several that came in at once, the lowest."""
        classes = [record.object for record in self._store.list(PRIORITY_CLASS.resource).records]
        defaults = [each for each in classes if each.get("globalDefault")]
        return min(defaults, key=lambda each: int(each.get("value") or 0), default=None)


def _keep(request: Request) -> None:
    """Who writes a whole pod again need not know what it was given."""
    old, new = request.old["spec"], request.object["spec"]
    for field in ("priority", "preemptionPolicy"):
        if new.get(field) is None and old.get(field) is not None:
            new[field] = old[field]
