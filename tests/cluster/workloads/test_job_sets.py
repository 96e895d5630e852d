"""JobSets on the real API: Jobs that start, fail and succeed together, as upstream's integration tests have it."""

from __future__ import annotations

from typing import Any

import pytest
from pretend_cluster import Here

from fairway.cluster.api.checks import jobset_checks
from fairway.cluster.workloads.jobset import names, render
from fairway.kernel import clock
from fairway.kernel.objects import conditions, errors, meta, patterns
from fairway.kernel.objects.kinds import EVENT, JOB, JOB_SET, PERSISTENT_VOLUME_CLAIM, POD, SERVICE, Object

START = 1_700_000_000.0


def replicated(name: str, replicas: int = 1, *, pods: int = 1, mounts: str = "", **more: Any) -> Object:
    container: Object = {"name": "main", "image": "busybox"}
    if mounts:
        container["volumeMounts"] = [{"name": mounts, "mountPath": "/data"}]
    job = {
        "parallelism": pods,
        "completions": pods,
        "backoffLimit": 0,
        "template": {"spec": {"containers": [container]}},
    }
    return {"name": name, "replicas": replicas, "template": {"spec": job}, **more}


def jobset(*jobs: Object, name: str = "set", **spec: Any) -> Object:
    return JOB_SET.new(name, "default", spec={"replicatedJobs": list(jobs), **spec})


def over(obj: Object) -> Any:
    return (obj.get("status") or {}).get("terminalState")


def index_zero_fails(here: Here, replicated_job: str, *, until_attempt: int = 99) -> None:
    """Pods of the replicated job fail in the first attempts; all others succeed."""

    def behave(pod: Object) -> Object:
        labels = meta.labels(pod)
        bad = labels[names.REPLICATED_JOB] == replicated_job and int(labels[names.RESTART_ATTEMPT]) < until_attempt
        return {"phase": "Failed" if bad else "Succeeded"}

    here.node.behave = behave


async def attempts(here: Here) -> dict[str, str]:
    jobs = (await here.client.list(JOB, "default")).items
    return {meta.name(job): meta.labels(job)[names.RESTART_ATTEMPT] for job in jobs}


# On the API


async def test_jobs_have_upstreams_names_labels_and_addresses(here: Here) -> None:
    await here.client.create(
        JOB_SET,
        jobset(replicated("leader"), replicated("worker", 2, pods=3), coordinator={"replicatedJob": "leader"}),
    )
    pods = await here.until_pods(lambda pods: len(pods) == 7)
    jobs = (await here.client.list(JOB, "default")).items
    assert sorted(map(meta.name, jobs)) == ["set-leader-0", "set-worker-0", "set-worker-1"]
    second = next(pod for pod in pods if pod["spec"]["hostname"] == "set-worker-1-2")
    assert second["spec"]["subdomain"] == "set"
    assert second["spec"]["restartPolicy"] == "OnFailure"
    for said in (meta.labels(second), meta.annotations(second)):
        assert said["jobset.sigs.k8s.io/jobset-name"] == "set"
        assert said["jobset.sigs.k8s.io/replicatedjob-name"] == "worker"
        assert said["jobset.sigs.k8s.io/replicatedjob-replicas"] == "2"
        assert said["jobset.sigs.k8s.io/global-replicas"] == "3"
        assert said["jobset.sigs.k8s.io/job-index"] == "1"
        assert said["jobset.sigs.k8s.io/job-global-index"] == "2"
        assert said["jobset.sigs.k8s.io/job-group-index"] == "2"
        assert said["jobset.sigs.k8s.io/group-name"] == "default"
        assert said["jobset.sigs.k8s.io/restart-attempt"] == "0"
        assert said["jobset.sigs.k8s.io/coordinator"] == "set-leader-0-0.set"
        assert len(said["jobset.sigs.k8s.io/job-key"]) == 40
    service = await here.until(SERVICE, "set", lambda _: True)
    assert service["spec"]["clusterIP"] == "None" and service["spec"]["publishNotReadyAddresses"] is True
    assert service["spec"]["selector"] == {"jobset.sigs.k8s.io/jobset-name": "set"}
    ready = await here.until(
        JOB_SET, "set", lambda one: all(item["ready"] for item in one["status"]["replicatedJobsStatus"])
    )
    assert [item["name"] for item in ready["status"]["replicatedJobsStatus"]] == ["leader", "worker"]


async def test_all_jobs_complete_it(here: Here) -> None:
    here.node.behave = lambda pod: {"phase": "Succeeded"}
    await here.client.create(JOB_SET, jobset(replicated("a"), replicated("b", 2)))
    done = await here.until(JOB_SET, "set", over)
    assert done["status"]["terminalState"] == "Completed"
    said = conditions.find(done, "Completed")
    assert said and (said["reason"], said["message"]) == ("AllJobsCompleted", "jobset completed successfully")


async def test_the_jobs_that_matter_complete_it_and_the_others_go(here: Here) -> None:
    def behave(pod: Object) -> Object:
        leads = meta.labels(pod)[names.REPLICATED_JOB] == "leader"
        return here.node.running() if leads else {"phase": "Succeeded"}

    here.node.behave = behave
    policy = {"operator": "All", "targetReplicatedJobs": ["workers"]}
    await here.client.create(JOB_SET, jobset(replicated("leader"), replicated("workers", 2), successPolicy=policy))
    await here.until(JOB_SET, "set", lambda one: over(one) == "Completed")
    await here.until_gone(JOB, "set-leader-0")
    assert sorted(await attempts(here)) == ["set-workers-0", "set-workers-1"]


async def test_without_a_policy_one_failure_fails_it(here: Here) -> None:
    index_zero_fails(here, "b")
    await here.client.create(JOB_SET, jobset(replicated("b"), name="set"))
    failed = await here.until(JOB_SET, "set", over)
    said = conditions.find(failed, "Failed")
    assert said and said["reason"] == "FailedJobs"
    assert said["message"] == "jobset failed due to one or more job failures (first failed job: set-b-0)"


@pytest.mark.parametrize("strategy", ["Recreate", "BlockingRecreate"])
async def test_it_is_restarted_whole_until_it_succeeds(here: Here, strategy: str) -> None:
    index_zero_fails(here, "b", until_attempt=2)
    policy = {"maxRestarts": 3, "restartStrategy": strategy}
    await here.client.create(JOB_SET, jobset(replicated("a"), replicated("b"), failurePolicy=policy))
    done = await here.until(JOB_SET, "set", over)
    assert done["status"]["terminalState"] == "Completed"
    assert done["status"]["restarts"] == done["status"]["restartsCountTowardsMax"] == 2
    assert set((await attempts(here)).values()) == {"2"}


async def test_it_fails_when_it_was_restarted_too_often(here: Here) -> None:
    index_zero_fails(here, "b")
    await here.client.create(JOB_SET, jobset(replicated("b"), failurePolicy={"maxRestarts": 1}))
    failed = await here.until(JOB_SET, "set", over)
    said = conditions.find(failed, "Failed")
    assert said and said["reason"] == "ReachedMaxRestarts" and failed["status"]["restarts"] == 1
    reasons = {event["reason"] for event in (await here.client.list(EVENT, "default")).items}
    assert "RestartJobSetFailurePolicyAction" in reasons


async def test_a_job_is_restarted_alone(here: Here) -> None:
    def behave(pod: Object) -> Object:
        labels = meta.labels(pod)
        bad = labels[names.REPLICATED_JOB] == "b" and labels[names.JOB_RESTART_ATTEMPT] == "0"
        return {"phase": "Failed" if bad else "Succeeded"}

    here.node.behave = behave
    policy = {"maxRestarts": 1, "rules": [{"action": "RestartJob"}]}
    await here.client.create(JOB_SET, jobset(replicated("a"), replicated("b"), failurePolicy=policy))
    done = await here.until(JOB_SET, "set", over)
    assert done["status"]["terminalState"] == "Completed" and done["status"]["restarts"] == 0
    (b,) = [item for item in done["status"]["replicatedJobsStatus"] if item["name"] == "b"]
    assert b["jobRestarts"] == b["jobRestartsCountTowardsMax"] == [1]


async def test_who_depends_on_others_starts_after_them(here: Here) -> None:
    after = replicated("worker", dependsOn=[{"name": "setup", "status": "Complete"}])
    await here.client.create(JOB_SET, jobset(replicated("setup"), after))
    (first,) = await here.until_pods(lambda pods: [pod["status"].get("phase") for pod in pods] == ["Running"])
    assert set(await attempts(here)) == {"set-setup-0"}
    await here.finish(first)
    await here.until(JOB, "set-worker-0", lambda _: True)


async def test_jobs_start_in_order(here: Here) -> None:
    here.node.behave = lambda pod: None  # nothing is ready
    order = {"startupPolicyOrder": "InOrder"}
    await here.client.create(JOB_SET, jobset(replicated("a"), replicated("b"), startupPolicy=order))
    (first,) = await here.until_pods(lambda pods: len(pods) == 1)
    await here.until(JOB_SET, "set", lambda one: conditions.is_true(one, "StartupPolicyInProgress"))
    await here.client.patch_status(POD, meta.name(first), "default", here.node.running())
    await here.until_pods(lambda pods: len(pods) == 2)
    for pod in await here.pods():
        await here.client.patch_status(POD, meta.name(pod), "default", here.node.running())
    started = await here.until(JOB_SET, "set", lambda one: conditions.is_true(one, "StartupPolicyCompleted"))
    assert not conditions.is_true(started, "StartupPolicyInProgress")


async def test_it_waits_while_it_is_suspended(here: Here) -> None:
    await here.client.create(JOB_SET, jobset(replicated("a"), suspend=True))
    await here.until(JOB_SET, "set", lambda one: conditions.is_true(one, "Suspended"))
    assert not await here.pods()
    live = await here.client.get(JOB_SET, "set", "default")
    pod = live["spec"]["replicatedJobs"][0]["template"]["spec"]["template"]
    pod["spec"]["tolerations"] = [{"key": "pool", "operator": "Exists"}]
    live["spec"]["suspend"] = False
    await here.client.update(JOB_SET, live)
    (made,) = await here.until_pods(lambda pods: len(pods) == 1)
    assert {"key": "pool", "operator": "Exists"} in made["spec"]["tolerations"]
    await here.client.patch(JOB_SET, "set", "default", {"spec": {"suspend": True}})
    await here.until_pods(lambda pods: not pods)
    await here.until(JOB_SET, "set", lambda one: conditions.is_true(one, "Suspended"))
    await here.client.patch(JOB_SET, "set", "default", {"spec": {"suspend": False}})
    await here.until_pods(lambda pods: len(pods) == 1)


async def test_it_goes_when_its_time_to_live_is_over(here: Here) -> None:
    here.node.behave = lambda pod: {"phase": "Succeeded"}
    await here.client.create(JOB_SET, jobset(replicated("a"), ttlSecondsAfterFinished=0))
    await here.until_gone(JOB_SET, "set")
    await here.until_gone(JOB, "set-a-0")


async def test_claims_are_shared_and_mounted(here: Here) -> None:
    claim = {
        "metadata": {"name": "cache"},
        "spec": {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    await here.client.create(
        JOB_SET, jobset(replicated("a", mounts="cache"), replicated("b"), volumeClaimPolicies=[{"templates": [claim]}])
    )
    made = await here.until(PERSISTENT_VOLUME_CLAIM, "cache-set", lambda _: True)
    assert meta.controller_of(made)
    job = await here.until(JOB, "set-a-0", lambda _: True)
    assert job["spec"]["template"]["spec"]["volumes"] == [
        {"name": "cache", "persistentVolumeClaim": {"claimName": "cache-set"}}
    ]


async def test_somebody_elses_controller_is_left_alone(here: Here) -> None:
    await here.client.create(JOB_SET, jobset(replicated("a"), name="theirs", managedBy="acme.io/queue"))
    await here.client.create(JOB_SET, jobset(replicated("a"), name="ours"))
    await here.until(JOB, "ours-a-0", lambda _: True)
    assert set(await attempts(here)) == {"ours-a-0"}


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (jobset(replicated("a", dependsOn=[{"name": "a", "status": "Ready"}])), "DependsOn can't be set for the first"),
        (
            jobset(replicated("a"), replicated("b", dependsOn=[{"name": "c", "status": "Ready"}])),
            "replicatedJob: b cannot depend on replicatedJob: c",
        ),
        (
            jobset(replicated("a"), successPolicy={"operator": "All", "targetReplicatedJobs": ["x"]}),
            "invalid replicatedJob name 'x' does not appear in .spec.ReplicatedJobs",
        ),
        (
            jobset(replicated("a"), failurePolicy={"rules": [{"name": "1", "action": "FailJobSet"}]}),
            "invalid failure policy rule name '1', a failure policy rule name must start with an alphabetic character",
        ),
        (
            jobset(replicated("a"), failurePolicy={"restartStrategy": "InPlaceRestart"}),
            "InPlaceRestart restart strategy cannot be set when InPlaceRestart feature gate is disabled",
        ),
        (jobset(replicated("a"), name="n" * 62), "job names generated for this JobSet will exceed 63 characters"),
        (
            jobset(replicated("a"), coordinator={"replicatedJob": "a", "jobIndex": 3}),
            "coordinator job index 3 is invalid for replicatedJob a",
        ),
        (jobset({"name": "a", "template": {"spec": {"parallelism": "two"}}}), "spec.replicatedJobs[0].template.spec"),
        (
            {**jobset(replicated("a")), "metadata": {
                "name": "set", "annotations": {"alpha.jobset.sigs.k8s.io/exclusive-topology": "rack"}}},
            "this cluster does not place Jobs exclusively by topology: remove the annotation",
        ),
    ],
)  # fmt: skip
async def test_mistakes_are_told_in_upstreams_words(here: Here, wrong: Object, told: str) -> None:
    with pytest.raises(errors.Invalid) as refused:
        await here.client.create(JOB_SET, {**wrong, "metadata": {**wrong["metadata"], "namespace": "default"}})
    assert told in str(refused.value)


async def test_what_may_not_change(here: Here) -> None:
    made = await here.client.create(JOB_SET, jobset(replicated("a"), failurePolicy={"maxRestarts": 1}))
    assert made["spec"]["network"] == {"enableDNSHostnames": True, "publishNotReadyAddresses": True}
    assert made["spec"]["successPolicy"] == {"operator": "All"}
    with pytest.raises(errors.Invalid, match="Value is immutable"):
        await here.client.patch(JOB_SET, "set", "default", {"spec": {"failurePolicy": {"maxRestarts": 2}}})
    with pytest.raises(errors.Invalid, match="field is immutable"):
        await here.client.patch(JOB_SET, "set", "default", {"spec": {"replicatedJobs": [replicated("a", 2)]}})


async def test_lists_as_their_manifest_has_them_are_no_change(here: Here) -> None:
    """`kubectl apply` of the same file: it knows no defaults, and sends what is in lists as the file has it."""
    asked = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    claim = {"metadata": {"name": "data"}, "spec": asked}
    given = {"failurePolicy": {"rules": [{"action": "FailJobSet"}]}, "volumeClaimPolicies": [{"templates": [claim]}]}
    file = jobset(replicated("a", mounts="data"), **given)
    made = await here.client.create(JOB_SET, file)
    again = await here.client.patch(JOB_SET, "set", "default", {"spec": file["spec"]})
    assert again["spec"] == made["spec"]


# On paper


def failed(
    name: str, replicated_job: str, *, reason: str = "BackoffLimitExceeded", message: str = "", at: int = 0
) -> Object:
    condition = {
        "type": "Failed", "status": "True", "reason": reason, "message": message,
        "lastTransitionTime": clock.timestamp(START + at),
    }  # fmt: skip
    labels = {names.REPLICATED_JOB: replicated_job, names.JOB_INDEX: "0", names.RESTART_ATTEMPT: "0"}
    return {**JOB.new(name, "default", metadata={"labels": labels}, spec={}), "status": {"conditions": [condition]}}


@pytest.mark.parametrize(
    ("rules", "reason", "restarts"),
    [
        ([{"name": "r", "action": "FailJobSet", "targetReplicatedJobs": ["b"]}], "FailJobSetFailurePolicyAction", 0),
        ([{"name": "r", "action": "FailJobSet", "targetReplicatedJobs": ["c"]}], "DefaultFailurePolicy", 1),
        ([{"name": "r", "action": "RestartJobSet", "onJobFailureReasons": ["PodFailurePolicy"]}], "FailurePolicy_r", 1),
        (
            [
                {"name": "no", "action": "FailJobSet", "onJobFailureMessagePatterns": ["exit code 1[0-9]"]},
                {"name": "yes", "action": "RestartJobSetAndIgnoreMaxRestarts"},
            ],
            "FailurePolicy_yes",
            1,
        ),
    ],
)
def test_the_first_rule_that_fits_decides(rules: list[Object], reason: str, restarts: int) -> None:
    one = jobset(replicated("a"), replicated("b"), replicated("c"), failurePolicy={"maxRestarts": 1, "rules": rules})
    ended = [
        failed("set-b-0", "b", reason="PodFailurePolicy", message="failed with exit code 2", at=5),
        failed("set-a-0", "a", at=1),
    ]
    status = render.decide(one, ended, START + 9).report.status
    assert status["conditions"][-1]["reason"] == reason
    assert status["restarts"] == restarts


def rule_with(pattern: str) -> Object:
    return {
        "maxRestarts": 1,
        "rules": [{"name": "r", "action": "FailJobSet", "onJobFailureMessagePatterns": [pattern]}],
    }


@pytest.mark.skipif(not patterns.LINEAR, reason="this machine has no google-re2")
def test_a_hostile_pattern_holds_nobody_up() -> None:
    """Python's engine would take longer than anybody waits for this one."""
    one = jobset(replicated("a"), failurePolicy=rule_with("^(a+)+$"))
    status = render.decide(one, [failed("set-a-0", "a", message="a" * 60 + "!")], START).report.status
    assert status["restarts"] == 1
    status = render.decide(one, [failed("set-a-0", "a", message="a" * 60)], START).report.status
    assert status["conditions"][-1]["reason"] == "FailJobSetFailurePolicyAction"


@pytest.mark.parametrize(
    ("linear", "said"), [(True, "error parsing regexp: missing ): ("), (False, "install the package google-re2")]
)
def test_a_pattern_that_cannot_be_kept_is_refused(linear: bool, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if linear and not patterns.LINEAR:
        pytest.skip("this machine has no google-re2")
    monkeypatch.setattr(patterns, "LINEAR", linear)
    found = list(jobset_checks.problems(jobset(replicated("a"), failurePolicy=rule_with("(" if linear else "a"))))
    assert [cause.field for cause in found] == ["spec.failurePolicy.rules[0].onJobFailureMessagePatterns[0]"]
    assert said in found[0].message


def test_what_ignores_the_limit_does_not_count() -> None:
    rules = [{"name": "r", "action": "RestartJobSetAndIgnoreMaxRestarts"}]
    one = jobset(replicated("a"), failurePolicy={"maxRestarts": 0, "rules": rules})
    status = render.decide(one, [failed("set-a-0", "a")], START).report.status
    assert status["restarts"] == 1 and not status.get("restartsCountTowardsMax")
    assert status["conditions"][-1]["message"] == (
        "applying RestartJobSetAndIgnoreMaxRestarts failure policy action (first failed job: set-a-0)"
    )


def test_jobs_of_an_earlier_run_go_before_others_come() -> None:
    one = {**jobset(replicated("a"), failurePolicy={"maxRestarts": 3, "restartStrategy": "BlockingRecreate"})}
    one["status"] = {"restarts": 1}
    decided = render.decide(one, [failed("set-a-0", "a")], START)
    assert [meta.name(job) for job in decided.delete] == ["set-a-0"] and not decided.create
    fresh = render.decide(one, [], START)
    assert [meta.labels(job)[names.RESTART_ATTEMPT] for job in fresh.create] == ["1"]
    assert render.decide(one, [], START) == fresh


def test_a_set_of_any_size_is_begun_with_a_few_hundred_jobs() -> None:
    huge = jobset(replicated("many", 2**31 - 1))
    huge["metadata"]["uid"] = "a-uid"
    assert len(render.decide(huge, [], 0.0).create) == 500
