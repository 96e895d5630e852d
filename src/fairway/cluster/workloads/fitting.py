"""Whether a pod fits a node, and if not, why: a ledger of what is used, kept pod by pod. Pure, no clock.

The ledger is told of every change of a pod or node and never adds all pods up again, so that a decision
costs the same with ten pods as with ten thousand. Reasons are upstream's words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from fairway.cluster.workloads import pods
from fairway.kernel.objects import conditions, meta, quantities, selectors
from fairway.kernel.objects.kinds import Object
from fairway.kernel.objects.meta import Key

_NOT_READY = "node.kubernetes.io/not-ready"


@dataclass
class Account:
    """One node: what it offers and what the pods bound to it asked for."""

    node: Object
    offers: Mapping[str, Decimal]
    used: dict[str, Decimal] = field(default_factory=dict)
    pods: int = 0

    def free(self, resource: str) -> Decimal:
        return self.offers.get(resource, Decimal(0)) - self.used.get(resource, Decimal(0))


@dataclass(frozen=True)
class Demand:
    """What a pod needs of a node, and all that a decision depends on: pods of equal demand are alike."""

    requests: Mapping[str, Decimal]
    spec: Object
    signature: str


def demand(pod: Object) -> Demand:
    spec = pod["spec"]
    requests = pods.requests(pod)
    parts = ("nodeSelector", "affinity", "tolerations", "topologySpreadConstraints", "schedulingGates")
    kept = {part: spec[part] for part in parts if spec.get(part)}
    return Demand(requests, kept, f"{sorted((name, str(amount)) for name, amount in requests.items())}{kept!r}")


class Ledger:
    def __init__(self) -> None:
        self._accounts: dict[str, Account] = {}
        self._charges: dict[Key, tuple[str, Mapping[str, Decimal]]] = {}

    def node_changed(self, name: str, node: Object | None) -> None:
        known = self._accounts.get(name)
        if node is None:
            self._accounts.pop(name, None)
            return
        offered = (node.get("status") or {}).get("allocatable") or {}
        offers = {resource: quantities.parse(amount) for resource, amount in offered.items()}
        if known is None:
            known = self._accounts[name] = Account(node, offers)
            for charged_to, requests in self._charges.values():
                if charged_to == name:
                    _charge(known, requests, 1)
        known.node, known.offers = node, offers

    def charge(self, key: Key, node: str, requests: Mapping[str, Decimal]) -> None:
        """The pod uses the node from now on. Saying it twice is saying it once."""
        if self._charges.get(key, ("", {}))[0] == node:
            return
        self.release(key)
        self._charges[key] = (node, requests)
        if account := self._accounts.get(node):
            _charge(account, requests, 1)

    def release(self, key: Key) -> bool:
        """The pod uses nothing any more; whether it did before."""
        charge = self._charges.pop(key, None)
        if charge is None:
            return False
        node, requests = charge
        if account := self._accounts.get(node):
            _charge(account, requests, -1)
        return True

    def knows(self, key: Key) -> bool:
        return key in self._charges

    def place(self, wanted: Demand) -> tuple[str, str]:
        """(node, "") for the emptiest node that fits, or ("", why none does)."""
        fitting, reasons = [], Counter[str]()
        for name, account in self._accounts.items():
            why = list(obstacles(wanted, account))
            if why:
                reasons.update(why)
            else:
                fitting.append((_fullness(account), name))
        if fitting:
            return min(fitting)[1], ""
        if not self._accounts:
            return "", "no nodes available to schedule pods"
        texts = ", ".join(sorted(f"{count} {reason}" for reason, count in reasons.items()))
        return "", f"0/{len(self._accounts)} nodes are available: {texts}."


def chosen(spec: Object, node: Object) -> bool:
    """Whether a pod may be on the node, whatever room there is: selectors and taints, as for pods of a DaemonSet."""
    return _selected(spec, node) and _untolerated(spec, node) is None


def obstacles(wanted: Demand, account: Account) -> Iterable[str]:
    """Everything about the node that keeps such a pod away."""
    if (account.node.get("spec") or {}).get("unschedulable"):
        yield "node(s) were unschedulable"
    if taint := _untolerated(wanted.spec, account.node):
        yield f"node(s) had untolerated taint {{{taint['key']}: {taint.get('value') or ''}}}"
    if not _selected(wanted.spec, account.node):
        yield "node(s) didn't match Pod's node affinity/selector"
    if account.pods + 1 > account.offers.get("pods", Decimal("Infinity")):
        yield "Too many pods"
    for resource, amount in wanted.requests.items():
        if amount > 0 and amount > account.free(resource):
            yield f"Insufficient {resource}"


def unsupported(spec: Object) -> str:
    """What a pod demands that this scheduler cannot promise, as a sentence; empty where there is nothing."""
    affinity = spec.get("affinity") or {}
    required = "requiredDuringSchedulingIgnoredDuringExecution"
    found = [
        f"spec.affinity.{kind}.{required}"
        for kind in ("podAffinity", "podAntiAffinity")
        if (affinity.get(kind) or {}).get(required)
    ]
    if any(c.get("whenUnsatisfiable") != "ScheduleAnyway" for c in spec.get("topologySpreadConstraints") or ()):
        found.append("spec.topologySpreadConstraints with DoNotSchedule")
    if not found:
        return ""
    return f"{' and '.join(found)} cannot be kept by the embedded scheduler yet: remove it, or use the preferred form"


def _charge(account: Account, requests: Mapping[str, Decimal], sign: int) -> None:
    account.pods += sign
    for name, amount in requests.items():
        account.used[name] = account.used.get(name, Decimal(0)) + sign * amount


def _fullness(account: Account) -> float:
    cpu = account.offers.get("cpu")
    return float(account.used.get("cpu", Decimal(0)) / cpu) if cpu else float(account.pods)


def _taints(node: Object) -> list[Object]:
    taints = list((node.get("spec") or {}).get("taints") or ())
    if not conditions.is_true(node, "Ready") and not any(taint["key"] == _NOT_READY for taint in taints):
        taints.append({"key": _NOT_READY, "effect": "NoSchedule"})
    return taints


def _untolerated(spec: Object, node: Object) -> Object | None:
    tolerations = spec.get("tolerations") or ()
    for taint in _taints(node):
        if taint.get("effect") in ("NoSchedule", "NoExecute") and not any(_tolerates(t, taint) for t in tolerations):
            return taint
    return None


def _tolerates(toleration: Object, taint: Object) -> bool:
    if toleration.get("effect") not in (None, "", taint.get("effect")):
        return False
    if toleration.get("key") not in (None, "", taint["key"]):
        return False
    if toleration.get("operator") == "Exists":
        return True
    return bool(toleration.get("key")) and (toleration.get("value") or "") == (taint.get("value") or "")


def _selected(spec: Object, node: Object) -> bool:
    labels = meta.labels(node)
    if any(labels.get(key) != value for key, value in (spec.get("nodeSelector") or {}).items()):
        return False
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    return required is None or any(_matches(term, node) for term in required.get("nodeSelectorTerms") or ())


def _matches(term: Object, node: Object) -> bool:
    """All expressions of one term hold; a term without any holds for no node, as upstream."""
    on_labels, on_fields = term.get("matchExpressions") or [], term.get("matchFields") or []
    if not on_labels and not on_fields:
        return False
    fields = {"metadata.name": meta.name(node)}
    return selectors.of({"matchExpressions": on_labels})(meta.labels(node)) and selectors.of(
        {"matchExpressions": on_fields}
    )(fields)
