"""Jobs on the real API: they complete, fail, retry, suspend, and count every pod once."""

from __future__ import annotations

from typing import Any

import pytest
from pretend_cluster import Here

from fairway.cluster.workloads.jobs import outcome
from fairway.cluster.workloads.jobs import render as job_render
from fairway.kernel import clock
from fairway.kernel.objects import conditions, meta
from fairway.kernel.objects.kinds import JOB, POD, Object

TRACKING = "batch.kubernetes.io/job-tracking"


def job(name: str = "work", **spec: Any) -> Object:
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "busybox"}]}}
    return JOB.new(name, "default", spec={"template": template, **spec})


def ended(obj: Object) -> bool:
    return outcome.finished(obj)


def kinds_of(obj: Object) -> list[str]:
    return [condition["type"] for condition in obj["status"]["conditions"]]


async def test_a_job_runs_all_its_completions(here: Here) -> None:
    here.node.behave = lambda pod: {"phase": "Succeeded"}
    await here.client.create(JOB, job(completions=7, parallelism=3))
    done = await here.until(JOB, "work", ended)
    assert done["status"]["succeeded"] == 7
    assert kinds_of(done) == ["SuccessCriteriaMet", "Complete"]
    assert done["status"]["startTime"] and done["status"]["completionTime"]
    assert not any(TRACKING in pod["metadata"].get("finalizers", ()) for pod in await here.pods())
    assert len(await here.pods("job-name=work")) == 7


async def test_no_more_than_parallelism_pods_are_active(here: Here) -> None:
    await here.client.create(JOB, job(completions=4, parallelism=2))
    pods = await here.until_pods(lambda pods: [p["status"].get("phase") for p in pods] == ["Running"] * 2)
    await here.until(JOB, "work", lambda j: j["status"].get("active") == 2)
    await here.finish(pods[0])
    more = await here.until_pods(lambda pods: len(pods) == 3)
    assert sum(1 for pod in more if pod["status"].get("phase") != "Succeeded") == 2


async def test_an_indexed_job_runs_each_index_once(here: Here) -> None:
    here.node.behave = lambda pod: {"phase": "Succeeded"}
    await here.client.create(JOB, job(completions=5, parallelism=2, completionMode="Indexed"))
    done = await here.until(JOB, "work", ended)
    assert done["status"]["completedIndexes"] == "0-4"
    pods = await here.pods()
    key = "batch.kubernetes.io/job-completion-index"
    assert sorted(meta.annotations(pod)[key] for pod in pods) == list("01234")
    first = min(pods, key=lambda pod: meta.annotations(pod)[key])
    assert first["spec"]["hostname"] == "work-0"
    assert first["spec"]["containers"][0]["env"][0]["name"] == "JOB_COMPLETION_INDEX"


async def test_failures_beyond_the_limit_end_the_job(here: Here) -> None:
    here.node.behave = lambda pod: {"phase": "Failed"}
    await here.client.create(JOB, job(backoffLimit=0))
    failed = await here.until(JOB, "work", ended)
    assert kinds_of(failed) == ["FailureTarget", "Failed"]
    condition = conditions.find(failed, "Failed")
    assert condition and condition["reason"] == "BackoffLimitExceeded"
    assert failed["status"]["failed"] == 1 and "succeeded" not in failed["status"]


async def test_a_suspended_job_stops_its_pods_and_starts_again(here: Here) -> None:
    await here.client.create(JOB, job(completions=2, parallelism=2))
    await here.until(JOB, "work", lambda j: (j.get("status") or {}).get("active") == 2)
    await here.client.patch(JOB, "work", "default", {"spec": {"suspend": True}})
    await here.until_pods(lambda pods: not pods)
    stopped = await here.until(JOB, "work", lambda j: conditions.is_true(j, "Suspended"))
    assert "failed" not in stopped["status"]
    await here.client.patch(JOB, "work", "default", {"spec": {"suspend": False}})
    for pod in await here.until_pods(lambda pods: [p["status"].get("phase") for p in pods] == ["Running"] * 2):
        await here.finish(pod)
    done = await here.until(JOB, "work", ended)
    assert done["status"]["succeeded"] == 2 and "failed" not in done["status"]


async def test_deleting_a_job_takes_its_pods_away(here: Here) -> None:
    await here.client.create(JOB, job(completions=3, parallelism=3))
    await here.until(JOB, "work", lambda j: (j.get("status") or {}).get("active") == 3)
    await here.client.delete(JOB, "work", "default", propagation="Background")
    await here.until_pods(lambda pods: not pods)


async def test_pods_of_a_job_that_was_deleted_alone_stay_and_can_be_deleted(here: Here) -> None:
    await here.client.create(JOB, job())
    await here.until(JOB, "work", lambda j: (j.get("status") or {}).get("active") == 1)
    await here.client.delete(JOB, "work", "default", propagation="Orphan")
    await here.until_gone(JOB, "work")
    (left,) = await here.until_pods(lambda pods: not any(TRACKING in p["metadata"].get("finalizers", ()) for p in pods))
    await here.client.delete(POD, meta.name(left), "default")
    await here.until_pods(lambda pods: not pods)


@pytest.mark.parametrize("another", [False, True], ids=["the job is gone", "another job has its name"])
async def test_what_a_job_left_behind_while_nobody_looked_can_be_deleted(here: Here, another: bool) -> None:
    """The platform was killed between the end of the Job and the moment its pods were let go."""
    if another:
        await here.client.create(JOB, job(suspend=True))
    labels = {"batch.kubernetes.io/job-name": "work", "batch.kubernetes.io/controller-uid": "an-earlier-job"}
    spec = job()["spec"]["template"]["spec"]
    left = POD.new("left", "default", metadata={"labels": labels, "finalizers": [TRACKING]}, spec=spec)
    await here.client.create(POD, left)
    await here.client.delete(POD, "left", "default")
    await here.until_gone(POD, "left")


async def test_pods_of_an_earlier_job_of_the_same_name_go(here: Here) -> None:
    await here.client.create(JOB, job(suspend=True))
    earlier = {"apiVersion": "batch/v1", "kind": "Job", "name": "work", "uid": "an-earlier-job", "controller": True}
    spec = job()["spec"]["template"]["spec"]
    metadata = {"ownerReferences": [earlier], "finalizers": [TRACKING]}
    await here.client.create(POD, POD.new("left", "default", metadata=metadata, spec=spec))
    await here.until_gone(POD, "left")


async def test_a_finished_job_goes_when_its_time_to_live_is_over(here: Here) -> None:
    here.node.behave = lambda pod: {"phase": "Succeeded"}
    await here.client.create(JOB, job(ttlSecondsAfterFinished=0))
    await here.until_gone(JOB, "work")
    await here.until_pods(lambda pods: not pods)


# The same, decided on paper


START = 1_700_000_000.0


def on_paper(status: Object | None = None, **spec: Any) -> Object:
    made = job(**{"completions": 1, "parallelism": 1, **spec})
    made["metadata"]["uid"] = "job-uid"
    return {**made, "status": status or {}}


def pod(name: str, phase: str, *, tracked: bool = True, ended_at: float = START) -> Object:
    finished = {"state": {"terminated": {"finishedAt": clock.timestamp(ended_at)}}}
    metadata = {"finalizers": [TRACKING]} if tracked else {}
    made = POD.new(name, "default", metadata={"uid": f"{name}-uid", **metadata}, spec={})
    return {**made, "status": {"phase": phase, "containerStatuses": [finished]}}


def test_a_pod_is_counted_only_after_it_was_noted_and_released() -> None:
    work = on_paper(completions=2)
    noted = job_render.decide(work, [pod("a", "Succeeded")], START, 10)
    assert noted.status["uncountedTerminatedPods"]["succeeded"] == ["a-uid"]
    assert noted.status["succeeded"] is None and not noted.release
    stored = on_paper({"uncountedTerminatedPods": {"succeeded": ["a-uid"]}}, completions=2)
    held = job_render.decide(stored, [pod("a", "Succeeded")], START, 10)
    assert [meta.name(one) for one in held.release] == ["a"] and held.status["succeeded"] is None
    for left in ([pod("a", "Succeeded", tracked=False)], []):  # released, or even gone
        counted = job_render.decide(stored, left, START, 10)
        assert counted.status["succeeded"] == 1
        assert counted.status["uncountedTerminatedPods"]["succeeded"] is None


def test_a_failed_pod_is_made_again_after_a_delay_that_doubles() -> None:
    failures = [pod("a", "Failed", ended_at=START)]
    early = job_render.decide(on_paper(), failures, START + 4, 10)
    assert not early.create and early.again == 6
    assert len(job_render.decide(on_paper(), failures, START + 10, 10).create) == 1
    failures.append(pod("b", "Failed", ended_at=START + 20))
    assert job_render.decide(on_paper(), failures, START + 30, 10).again == 10
    assert len(job_render.decide(on_paper(), failures, START + 40, 10).create) == 1


def test_a_job_that_is_active_for_too_long_fails_and_stops_its_pods() -> None:
    started = {"startTime": clock.timestamp(START)}
    running = pod("a", "Running")
    work = on_paper(started, activeDeadlineSeconds=30)
    assert job_render.decide(work, [running], START + 10, 10).again == 20
    over = job_render.decide(work, [running], START + 30, 10)
    assert over.delete == (running,)
    assert [(c["type"], c["reason"]) for c in over.status["conditions"]] == [("FailureTarget", "DeadlineExceeded")]


def test_a_work_queue_starts_nothing_new_after_its_first_success() -> None:
    work = on_paper(completions=None, parallelism=2)
    del work["spec"]["completions"]
    still = job_render.decide(work, [pod("a", "Succeeded"), pod("b", "Running")], START, 10)
    assert not still.create and "conditions" not in still.status
    done = job_render.decide(work, [pod("a", "Succeeded"), pod("b", "Succeeded")], START, 10)
    assert done.status["conditions"][0]["type"] == "SuccessCriteriaMet"


def test_deciding_twice_is_deciding_once() -> None:
    work = on_paper(completions=3, parallelism=3)
    assert job_render.decide(work, [], START, 10) == job_render.decide(work, [], START, 10)
    names = {meta.name(one) for one in job_render.decide(work, [], START, 10).create}
    assert len(names) == 3
