"""A rollout that does not move says so when its deadline is over. Time is a number here."""

from __future__ import annotations

from fairway.cluster.workloads import deployment_status
from fairway.cluster.workloads.rollout import Limits
from fairway.kernel.objects import conditions
from fairway.kernel.objects.kinds import Object

START = 1_700_000_000.0
ALLOWED = Limits(2, 1, 0)


def replica_set(available: int) -> Object:
    status = {"replicas": 2, "readyReplicas": available, "availableReplicas": available}
    return {"metadata": {"name": "web-1"}, "spec": {"replicas": 2}, "status": status}


def told(before: Object, available: int, now: float) -> tuple[Object, float | None]:
    new = replica_set(available)
    status, due = deployment_status.describe(before, new, [new], ALLOWED, now)
    return {**before, "status": status}, due


def reason(obj: Object) -> str:
    found = conditions.find(obj, "Progressing")
    assert found
    return str(found["reason"])


def test_no_progress_for_too_long_is_said_and_progress_starts_the_clock_again() -> None:
    spec = {"replicas": 2, "progressDeadlineSeconds": 60}
    web: Object = {"metadata": {"name": "web", "generation": 1}, "spec": spec}
    web, due = told(web, 0, START)
    assert (reason(web), due) == ("ReplicaSetUpdated", 60)
    web, due = told(web, 0, START + 50)
    assert (reason(web), due) == ("ReplicaSetUpdated", 10)
    web, _ = told(web, 1, START + 55)
    web, due = told(web, 1, START + 70)
    assert (reason(web), due) == ("ReplicaSetUpdated", 45)
    web, due = told(web, 1, START + 115)
    assert (reason(web), due) == ("ProgressDeadlineExceeded", None)
    assert not conditions.is_true(web, "Progressing")
    web, _ = told(web, 2, START + 200)
    assert reason(web) == "NewReplicaSetAvailable"
    web, due = told(web, 1, START + 300)  # a pod lost later is no rollout
    assert (reason(web), due) == ("NewReplicaSetAvailable", None)
    assert not conditions.is_true(web, "Available")
