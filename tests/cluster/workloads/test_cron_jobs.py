"""CronJobs on the real API: a Job for each slot, once; missed slots, policies, history."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from pretend_cluster import Here, cluster

from fairway.cluster.workloads import cron_render
from fairway.kernel import clock as time
from fairway.kernel.clock import FakeClock
from fairway.kernel.objects import errors, meta
from fairway.kernel.objects.kinds import CRON_JOB, JOB, Object

NOON = time.parse("2026-03-01T12:00:00Z")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOON + 30)


@pytest.fixture
async def here(tmp_path: Path, clock: FakeClock) -> AsyncGenerator[Here, None]:
    async with cluster(tmp_path, clock) as found:
        yield found


def cron_job(**spec: Any) -> Object:
    pod = {"spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "busybox"}]}}
    spec = {"schedule": "* * * * *", "jobTemplate": {"spec": {"template": pod}}, **spec}
    return CRON_JOB.new("tick", "default", spec=spec)


def known(born: float = NOON + 30, last: float | None = None, **spec: Any) -> Object:
    """A CronJob as the controller reads it."""
    obj = cron_job(
        **{"concurrencyPolicy": "Allow", "successfulJobsHistoryLimit": 1, "failedJobsHistoryLimit": 1, **spec}
    )
    obj["metadata"] |= {"uid": "u", "creationTimestamp": time.timestamp(born)}
    return obj | ({"status": {"lastScheduleTime": time.timestamp(last)}} if last else {})


def job(name: str, end: str = "") -> Object:
    conditions = [{"type": end, "status": "True"}] if end else []
    status = {"startTime": f"2026-03-01T11:0{name[-1]}:00Z", "conditions": conditions}
    if end == "Complete":
        status["completionTime"] = status["startTime"]
    return JOB.new(name, "default", metadata={"uid": name}, status=status)


async def test_each_slot_becomes_a_job_and_a_crash_makes_no_second(here: Here, clock: FakeClock) -> None:
    here.node.behave = lambda pod: {"phase": "Succeeded"}
    await here.client.create(CRON_JOB, cron_job(timeZone="Europe/Berlin"))
    await clock.advance(31)
    name = f"tick-{int(NOON + 60) // 60}"
    done = await here.until(JOB, name, lambda obj: (obj.get("status") or {}).get("succeeded") == 1)
    assert meta.annotations(done)[cron_render.SCHEDULED_AT] == "2026-03-01T13:01:00+01:00"
    told = await here.until(CRON_JOB, "tick", lambda obj: (obj.get("status") or {}).get("lastSuccessfulTime"))
    assert told["status"]["lastScheduleTime"] == "2026-03-01T12:01:00Z"
    assert not told["status"].get("active")
    await here.client.patch_status(
        CRON_JOB, "tick", "default", {"lastScheduleTime": None}
    )  # as if it had not been told
    await here.until(CRON_JOB, "tick", lambda obj: obj["status"].get("lastScheduleTime") == "2026-03-01T12:01:00Z")
    assert [meta.name(each) for each in (await here.client.list(JOB, "default")).items] == [name]


async def test_a_suspended_one_runs_nothing(here: Here, clock: FakeClock) -> None:
    await here.client.create(CRON_JOB, cron_job(suspend=True))
    await clock.advance(600)
    assert not (await here.client.list(JOB, "default")).items


def test_only_the_last_of_the_missed_slots_runs() -> None:
    decision = cron_render.decide(known(last=NOON), [], NOON + 605)
    assert decision.create and meta.name(decision.create) == f"tick-{int(NOON + 600) // 60}"
    assert decision.again == pytest.approx(55)


def test_a_slot_older_than_its_deadline_is_let_go() -> None:
    late = known(last=NOON, schedule="0 * * * *", startingDeadlineSeconds=60)
    assert cron_render.decide(late, [], NOON + 3700).create is None
    assert cron_render.decide(late, [], NOON + 3650).create is not None


def test_many_missed_slots_are_told_of_and_the_last_one_runs() -> None:
    decision = cron_render.decide(known(last=NOON), [], NOON + 86_400)
    assert [said.reason for said in decision.said] == ["TooManyMissedTimes"]
    assert decision.create and meta.name(decision.create) == f"tick-{int(NOON + 86_400) // 60}"


@pytest.mark.parametrize(
    ("policy", "creates", "deletes"), [("Allow", True, 0), ("Forbid", False, 0), ("Replace", True, 1)]
)
def test_what_becomes_of_a_job_that_still_runs(policy: str, creates: bool, deletes: int) -> None:
    decision = cron_render.decide(known(last=NOON, concurrencyPolicy=policy), [job("j1")], NOON + 65)
    assert (decision.create is not None, len(decision.delete)) == (creates, deletes)
    assert len(decision.status["active"]) == (2 if policy == "Allow" else 1)


def test_finished_jobs_beyond_the_history_go() -> None:
    jobs = [job("j1", "Complete"), job("j2", "Complete"), job("j3", "Failed"), job("j4", "Failed"), job("j5")]
    decision = cron_render.decide(known(last=NOON), jobs, NOON + 1)
    assert [meta.name(each) for each in decision.delete] == ["j1", "j3"]


def test_a_job_that_does_not_say_when_it_was_complete_holds_nothing_up() -> None:
    odd = job("tick-1", "Complete")
    del odd["status"]["completionTime"]
    made = cron_render.decide(known(), [odd, job("tick-2", "Complete")], NOON + 65)
    assert made.create and made.status["lastSuccessfulTime"] == "2026-03-01T11:02:00Z"


def test_an_interval_runs_by_the_clock() -> None:
    decision = cron_render.decide(known(last=NOON, schedule="@every 90s"), [], NOON + 95)
    assert decision.create and decision.again == pytest.approx(85)


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"schedule": "* * *"}, "expected exactly 5 fields, found 3"),
        ({"schedule": "61 * * * *"}, "spec.schedule"),
        ({"schedule": "TZ=UTC * * * * *"}, "use timeZone field instead"),
        ({"timeZone": "Mars/Olympus"}, "there is no time zone 'Mars/Olympus'"),
        ({"concurrencyPolicy": "Maybe"}, 'supported values: "Allow", "Forbid", "Replace"'),
        ({"jobTemplate": {"spec": {"template": {"spec": {"containers": []}}}}}, "spec.jobTemplate.spec.template.spec"),
    ],
)
async def test_mistakes_are_refused_with_their_place(here: Here, spec: Object, why: str) -> None:
    with pytest.raises(errors.Invalid, match=why):
        await here.client.create(CRON_JOB, cron_job(**spec))


async def test_a_day_that_never_comes_is_accepted_and_told(here: Here) -> None:
    await here.client.create(CRON_JOB, cron_job(schedule="59 23 31 2 *"))
    event = await here.first_event_of("tick")
    assert (event["type"], event["reason"]) == ("Warning", "InvalidSchedule")
    assert event["message"].startswith("invalid schedule: 59 23 31 2 *")
