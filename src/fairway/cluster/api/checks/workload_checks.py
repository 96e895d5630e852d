"""What is wrong with what keeps pods running: Deployment, ReplicaSet, StatefulSet, DaemonSet."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from fairway.cluster.api.checks import causes, pod_checks, policy_checks
from fairway.kernel.objects import selectors
from fairway.kernel.objects.errors import ApiError, Cause
from fairway.kernel.objects.kinds import Object

_CHANGEABLE_IN_SETS = {
    "replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit", "minReadySeconds",
    "persistentVolumeClaimRetentionPolicy",
}  # fmt: skip


def workload(obj: Object, claims: Collection[str] = ()) -> Iterator[Cause]:
    """Whatever keeps pods running: a selector that takes the template's pods.

    `claims`: the names of volumes that each pod gets besides the template's.
    """
    spec = obj.get("spec") or {}
    replicas = spec.get("replicas")
    if isinstance(replicas, int) and replicas < 0:
        yield causes.invalid("spec.replicas", replicas, "must be greater than or equal to 0")
    template = spec.get("template")
    if not isinstance(template, dict) or not isinstance(template.get("spec"), dict):
        yield causes.required("spec.template.spec.containers")
        return
    yield from selector_of(spec, template)
    yield from pod_checks.pod_spec(template["spec"], "spec.template.spec", claims)
    if template["spec"].get("activeDeadlineSeconds") is not None:
        # Its pods would end and be made again for ever, and those that ended are kept.
        kind = "ReplicaSet" if obj.get("kind") == "Deployment" else obj.get("kind")
        text = f"activeDeadlineSeconds in {kind} is not Supported"
        yield causes.forbidden("spec.template.spec.activeDeadlineSeconds", text)
    if template["spec"].get("restartPolicy") != "Always":
        yield causes.unsupported("spec.template.spec.restartPolicy", template["spec"].get("restartPolicy"), "Always")


def deployment(obj: Object) -> Iterator[Cause]:
    yield from workload(obj)
    strategy = (obj.get("spec") or {}).get("strategy") or {}
    yield from _one_of(strategy, "type", "Recreate", "RollingUpdate", within="spec.strategy")
    if strategy.get("type") == "Recreate" and strategy.get("rollingUpdate") is not None:
        yield causes.forbidden("spec.strategy.rollingUpdate", "may not be specified when strategy `type` is 'Recreate'")
        return
    rolling, at = strategy.get("rollingUpdate") or {}, "spec.strategy.rollingUpdate"
    surge, away = rolling.get("maxSurge", "25%"), rolling.get("maxUnavailable", "25%")
    wrong = [
        *policy_checks.share(f"{at}.maxUnavailable", away),
        *policy_checks.share(f"{at}.maxSurge", surge, most=None),
    ]
    yield from wrong
    if not wrong and _nothing(surge) and _nothing(away):
        yield causes.invalid(f"{at}.maxUnavailable", away, "may not be 0 when `maxSurge` is 0")


def _nothing(share: int | str) -> bool:
    return int(str(share).removesuffix("%")) == 0


def selector_of(spec: Object, template: Object) -> Iterator[Cause]:
    selector = spec.get("selector")
    if not selector:
        yield causes.required("spec.selector")
        return
    labels = (template.get("metadata") or {}).get("labels") or {}
    try:
        fits = selectors.of(selector)(labels)
    except (ApiError, KeyError, TypeError, AttributeError) as problem:
        yield causes.invalid("spec.selector", selector, str(problem))
        return
    if not fits:
        text = "`selector` does not match template `labels`"
        yield causes.invalid("spec.template.metadata.labels", labels, text)


def replication_controller(obj: Object) -> Iterator[Cause]:
    """The oldest of them: what it selects is a plain map."""
    spec = obj.get("spec") or {}
    yield from workload({**obj, "spec": {**spec, "selector": selectors.widened(spec.get("selector"))}})


def pod_template(obj: Object) -> Iterator[Cause]:
    spec = (obj.get("template") or {}).get("spec")
    yield from pod_checks.pod_spec(spec if isinstance(spec, dict) else {}, "template.spec")


def workload_change(new: Object, old: Object) -> Iterator[Cause]:
    yield from unchanged(new, old, "selector")


def unchanged(new: Object, old: Object, *fields: str) -> Iterator[Cause]:
    before, after = old.get("spec") or {}, new.get("spec") or {}
    for field in fields:
        if after.get(field) != before.get(field):
            yield causes.invalid(f"spec.{field}", after.get(field), causes.IMMUTABLE)


def stateful_set(obj: Object) -> Iterator[Cause]:
    spec = obj.get("spec") or {}
    names = [(template.get("metadata") or {}).get("name") for _, template in causes.items(spec, "volumeClaimTemplates")]
    yield from workload(obj, [str(name) for name in names if name])
    yield from _one_of(spec, "podManagementPolicy", "OrderedReady", "Parallel")
    yield from _update_strategy(spec)
    rolling = (spec.get("updateStrategy") or {}).get("rollingUpdate") or {}
    for at, field, number in (
        ("spec.updateStrategy.rollingUpdate", "partition", rolling.get("partition")),
        ("spec.ordinals", "start", (spec.get("ordinals") or {}).get("start")),
    ):
        if number is not None and int(number) < 0:
            yield causes.invalid(f"{at}.{field}", number, "must be greater than or equal to 0")
    for index, name in enumerate(names):
        if not name:
            yield causes.required(f"spec.volumeClaimTemplates[{index}].metadata.name")


def stateful_set_change(new: Object, old: Object) -> Iterator[Cause]:
    before, after = old.get("spec") or {}, new.get("spec") or {}
    if any(after.get(field) != before.get(field) for field in {*before, *after} - _CHANGEABLE_IN_SETS):
        text = (
            "Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', "
            "'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' "
            "are forbidden"
        )
        yield Cause("spec", text, "FieldValueForbidden")


def daemon_set(obj: Object) -> Iterator[Cause]:
    yield from workload(obj)
    spec = obj.get("spec") or {}
    yield from _update_strategy(spec)
    surge = ((spec.get("updateStrategy") or {}).get("rollingUpdate") or {}).get("maxSurge")
    if surge not in (None, 0, "0", "0%"):
        text = "this server takes a node's old pod away before the new one comes: set it to 0"
        yield causes.invalid("spec.updateStrategy.rollingUpdate.maxSurge", surge, text)


def _update_strategy(spec: Object) -> Iterator[Cause]:
    strategy = spec.get("updateStrategy") or {}
    if strategy.get("type") not in ("RollingUpdate", "OnDelete"):
        yield causes.invalid("spec.updateStrategy", strategy.get("type"), "must be 'RollingUpdate' or 'OnDelete'")
    away = (strategy.get("rollingUpdate") or {}).get("maxUnavailable")
    if away is not None:
        yield from policy_checks.share("spec.updateStrategy.rollingUpdate.maxUnavailable", away)


def _one_of(spec: Object, field: str, *allowed: str, within: str = "spec") -> Iterator[Cause]:
    if spec.get(field) not in allowed:
        yield causes.unsupported(f"{within}.{field}", spec.get(field), *allowed)
