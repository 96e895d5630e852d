"""What the end of a pod means for its Job: failure policies, limits for each index, success policies.

The tables are upstream's cases (pod_failure_policy_test.go, success_policy_test.go, job_controller_test.go).
"""

from __future__ import annotations

from typing import Any

import pytest
from pretend_cluster import Here

from fairway.cluster.workloads.jobs import indexes, outcome, policies, render
from fairway.kernel import clock
from fairway.kernel.objects import conditions, errors, meta
from fairway.kernel.objects.kinds import JOB, POD, Object

START = 1_700_000_000.0
TRACKING = "batch.kubernetes.io/job-tracking"
INDEX = "batch.kubernetes.io/job-completion-index"
FAILURES = "batch.kubernetes.io/job-index-failure-count"
IGNORED = "batch.kubernetes.io/job-index-ignored-failure-count"


def job(status: Object | None = None, **spec: Any) -> Object:
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "busybox"}]}}
    made = JOB.new("work", "default", metadata={"uid": "job-uid"}, spec={"template": template, **spec})
    return {**made, "status": status or {}}


def indexed(completions: int, status: Object | None = None, **spec: Any) -> Object:
    given = {"completions": completions, "parallelism": completions, "completionMode": "Indexed", **spec}
    return job(status, **given)


def pod(
    name: str,
    phase: str = "Failed",
    *,
    index: int | None = None,
    codes: dict[str, int] | None = None,
    init: dict[str, int] | None = None,
    said: dict[str, str] | None = None,
    failures: tuple[int, int] = (0, 0),
    deleted: bool = False,
    ended_at: float = START,
) -> Object:
    def statuses(codes: dict[str, int] | None) -> list[Object]:
        end = clock.timestamp(ended_at)
        items = (codes or {}).items()
        return [{"name": n, "state": {"terminated": {"exitCode": code, "finishedAt": end}}} for n, code in items]

    metadata: Object = {"uid": f"{name}-uid", "finalizers": [TRACKING]}
    if index is not None:
        metadata["annotations"] = {INDEX: str(index), FAILURES: str(failures[0]), IGNORED: str(failures[1])}
    if deleted:
        metadata["deletionTimestamp"] = clock.timestamp(START)
    status = {
        "phase": phase,
        "containerStatuses": statuses({"main": 1} if codes is None else codes),
        "initContainerStatuses": statuses(init),
        "conditions": [{"type": type_, "status": value} for type_, value in (said or {}).items()],
    }
    return {**POD.new(name, "default", metadata=metadata, spec={"nodeName": "here"}), "status": status}


def on_codes(action: str, operator: str, *values: int, container: str | None = None) -> Object:
    rule: Object = {"action": action, "onExitCodes": {"operator": operator, "values": list(values)}}
    if container:
        rule["onExitCodes"]["containerName"] = container
    return rule


def on_condition(action: str, type_: str, status: str = "True") -> Object:
    return {"action": action, "onPodConditions": [{"type": type_, "status": status}]}


def with_rules(*rules: Object, **spec: Any) -> Object:
    return job(podFailurePolicy={"rules": list(rules)}, completions=1, parallelism=1, **spec)


@pytest.mark.parametrize(
    ("rule", "failed", "action"),
    [
        (on_codes("FailJob", "In", 1, 2, 3), pod("a", codes={"main": 2}), "FailJob"),
        (on_codes("FailJob", "In", 1, 2, 3), pod("a", codes={"main": 4}), ""),
        (on_codes("FailJob", "NotIn", 5, 6), pod("a", codes={"main": 42}), "FailJob"),
        (on_codes("FailJob", "NotIn", 5, 6), pod("a", codes={"main": 6}), ""),
        (on_codes("FailJob", "NotIn", 5, 6), pod("a", codes={"main": 0}), ""),
        (on_codes("Ignore", "In", 7), pod("a", codes={"main": 1, "side": 7}), "Ignore"),
        (on_codes("Ignore", "In", 7, container="main"), pod("a", codes={"main": 1, "side": 7}), ""),
        (on_codes("FailJob", "In", 3), pod("a", codes={}, init={"setup": 3}), "FailJob"),
        (on_condition("Ignore", "DisruptionTarget"), pod("a", said={"DisruptionTarget": "True"}), "Ignore"),
        (on_condition("Ignore", "DisruptionTarget"), pod("a", said={"DisruptionTarget": "False"}), ""),
        (on_condition("Count", "Ready", "False"), pod("a", said={"Ready": "False"}), "Count"),
    ],
)
def test_a_rule_fits_the_end_of_a_pod(rule: Object, failed: Object, action: str) -> None:
    verdict = policies.judge(with_rules(rule), failed)
    assert verdict.action == action
    assert verdict.counts is (action != "Ignore")


def test_the_first_rule_that_fits_decides_and_says_so() -> None:
    rules = (on_codes("Count", "In", 9), on_codes("FailJob", "In", 2), on_codes("Ignore", "In", 2))
    assert policies.judge(with_rules(*rules), pod("a", codes={"main": 2})).message == (
        "Container main for pod default/a failed with exit code 2 matching FailJob rule at index 1"
    )
    told = policies.judge(with_rules(on_condition("FailJob", "Lost")), pod("b", said={"Lost": "True"})).message
    assert told == "Pod default/b has condition Lost matching FailJob rule at index 0"


@pytest.mark.parametrize(
    ("rule", "done", "met"),
    [
        ({"succeededCount": 2}, {0}, False),
        ({"succeededCount": 2}, {0, 5}, True),
        ({"succeededIndexes": "0-2"}, {0, 1}, False),
        ({"succeededIndexes": "0-2"}, {0, 1, 2, 7}, True),
        ({"succeededIndexes": "0-2", "succeededCount": 1}, {7}, False),
        ({"succeededIndexes": "0-2", "succeededCount": 1}, {2}, True),
    ],
)
def test_a_success_policy_is_met(rule: Object, done: set[int], met: bool) -> None:
    told = policies.succeeded(indexed(10, successPolicy={"rules": [{"succeededCount": 10}, rule]}), done)
    assert told == ("Matched rules at index 1" if met else "")


@pytest.mark.parametrize(
    ("numbers", "text"), [([], ""), ([3], "3"), ([0, 1], "0,1"), ([0, 1, 2, 4, 7, 8, 9, 10], "0-2,4,7-10")]
)
def test_indexes_are_written_as_upstream_does(numbers: list[int], text: str) -> None:
    assert indexes.text(numbers) == text
    assert sorted(indexes.parse(text, 100)) == numbers
    assert sorted(indexes.parse(text, 5)) == [number for number in numbers if number < 5]


def test_an_ignored_failure_is_let_go_and_never_counted() -> None:
    work = with_rules(on_codes("Ignore", "In", 42), backoffLimit=0)
    decided = render.decide(work, [pod("a", codes={"main": 42})], START, 0)
    assert [meta.name(one) for one in decided.release] == ["a"]
    assert decided.status["uncountedTerminatedPods"]["failed"] is None
    assert "conditions" not in decided.status and len(decided.create) == 1


def test_a_pod_that_is_being_stopped_holds_its_place_until_it_has_ended() -> None:
    leaving = pod("a", "Running", codes={}, deleted=True)
    soon = job(completions=1, parallelism=1)
    assert len(render.decide(soon, [leaving], START, 0).create) == 1
    patient = job(completions=1, parallelism=1, podReplacementPolicy="Failed")
    waits = render.decide(patient, [leaving], START, 0)
    assert not waits.create and waits.status["terminating"] == 1
    assert waits.status["uncountedTerminatedPods"]["failed"] is None
    over = pod("a", "Failed", deleted=True)
    decided = render.decide(patient, [over], START, 0)
    assert len(decided.create) == 1 and decided.status["uncountedTerminatedPods"]["failed"] == ["a-uid"]
    never = {**leaving, "spec": {}}  # it had no node: nothing will ever say that it ended
    assert len(render.decide(patient, [never], START, 0).create) == 1


def test_each_index_has_failures_and_a_back_off_of_its_own() -> None:
    work = indexed(2, backoffLimitPerIndex=2)
    seen = [pod("a", index=0, failures=(1, 0)), pod("b", "Running", index=1)]
    early = render.decide(work, seen, START + 1, 10)
    assert not early.create and early.again == 19  # the second failure of this index: 20 s
    assert not early.release and early.status["uncountedTerminatedPods"]["failed"] is None
    later = render.decide(work, seen, START + 20, 10)
    (made,) = later.create
    assert meta.annotations(made)[INDEX] == "0" and meta.annotations(made)[FAILURES] == "2"
    # With its successor there, the failed pod is noted, and then let go.
    noted = render.decide(work, [*seen, pod("c", "Running", index=0, failures=(2, 0))], START + 20, 10)
    assert noted.status["uncountedTerminatedPods"]["failed"] == ["a-uid"]


def test_an_ignored_failure_of_an_index_is_remembered_apart() -> None:
    rules = {"rules": [on_codes("Ignore", "In", 42)]}
    work = indexed(1, backoffLimitPerIndex=0, podFailurePolicy=rules)
    (made,) = render.decide(work, [pod("a", index=0, codes={"main": 42})], START + 60, 10).create
    assert (meta.annotations(made)[FAILURES], meta.annotations(made)[IGNORED]) == ("0", "1")


@pytest.mark.parametrize(
    ("spec", "seen", "failed", "reason"),
    [
        ({}, [pod("a", index=0, failures=(1, 0))], "0", ""),
        ({}, [pod("a", index=0)], "", ""),
        ({"maxFailedIndexes": 0}, [pod("a", index=0, failures=(1, 0))], "0", "MaxFailedIndexesExceeded"),
        (
            {},
            [pod("a", index=0, failures=(1, 0)), pod("b", "Succeeded", index=1), pod("c", "Succeeded", index=2)],
            "0",
            "FailedIndexes",
        ),
        ({"podFailurePolicy": {"rules": [on_codes("FailIndex", "In", 1)]}}, [pod("a", index=2)], "2", ""),
        ({"podFailurePolicy": {"rules": [on_codes("Ignore", "In", 1)]}}, [pod("a", index=2, failures=(9, 0))], "", ""),
    ],
)
def test_an_index_fails_alone_and_too_many_fail_the_job(
    spec: Object, seen: list[Object], failed: str, reason: str
) -> None:
    decided = render.decide(indexed(3, backoffLimitPerIndex=1, **spec), seen, START, 10)
    assert decided.status["failedIndexes"] == failed
    said = conditions.find({"status": decided.status}, "FailureTarget")
    assert (said["reason"] if said else "") == reason


def test_a_job_of_indexes_shrinks_and_grows() -> None:
    grown = indexed(5, {"completedIndexes": "0,1", "succeeded": 2})
    made = render.decide(grown, [], START, 0).create
    assert sorted(meta.annotations(one)[INDEX] for one in made) == ["2", "3", "4"]
    shrunk = indexed(2, {"completedIndexes": "0,3", "succeeded": 2})
    running = [pod("a", "Running", index=1), pod("b", "Running", index=4)]
    decided = render.decide(shrunk, running, START, 0)
    assert [meta.name(one) for one in decided.delete] == ["b"]
    assert decided.status["completedIndexes"] == "0" and decided.status["succeeded"] == 1


def test_a_resumed_job_starts_its_clock_anew() -> None:
    suspended = {"type": "Suspended", "status": "True", "lastTransitionTime": clock.timestamp(START)}
    stopped = job({"startTime": clock.timestamp(START), "conditions": [suspended]}, completions=1, parallelism=1)
    resumed = render.decide({**stopped, "spec": {**stopped["spec"], "activeDeadlineSeconds": 10}}, [], START + 99, 0)
    assert resumed.status["startTime"] == clock.timestamp(START + 99)
    assert len(resumed.create) == 1


# On the real API


def failing(here: Here, *, code: int, only: str = "") -> None:
    def behave(seen: Object) -> Object:
        if only and meta.annotations(seen).get(INDEX) != only:
            return {"phase": "Succeeded"}
        ended = {"exitCode": code, "finishedAt": clock.timestamp(START)}
        main = {"name": "main", "image": "", "imageID": "", "ready": False, "restartCount": 0}
        return {"phase": "Failed", "containerStatuses": [{**main, "state": {"terminated": ended}}]}

    here.node.behave = behave


def to_send(work: Object) -> Object:
    return {**JOB.new("work", "default"), "spec": work["spec"]}


async def test_an_exit_code_fails_the_job_at_once(here: Here) -> None:
    failing(here, code=42)
    await here.client.create(JOB, to_send(with_rules(on_codes("FailJob", "In", 42))))
    failed = await here.until(JOB, "work", outcome.finished)
    assert [item["type"] for item in failed["status"]["conditions"]] == ["FailureTarget", "Failed"]
    said = conditions.find(failed, "Failed")
    assert said and said["reason"] == "PodFailurePolicy" and "failed with exit code 42" in said["message"]
    assert failed["status"]["failed"] == 1


async def test_one_index_fails_and_the_others_go_on(here: Here) -> None:
    failing(here, code=1, only="1")
    await here.client.create(JOB, to_send(indexed(3, backoffLimitPerIndex=0)))
    failed = await here.until(JOB, "work", outcome.finished)
    assert (failed["status"]["failedIndexes"], failed["status"]["completedIndexes"]) == ("1", "0,2")
    said = conditions.find(failed, "Failed")
    assert said and (said["reason"], said["message"]) == ("FailedIndexes", "Job has failed indexes")
    assert not any(TRACKING in one["metadata"].get("finalizers", ()) for one in await here.pods())


async def test_a_leader_that_succeeds_ends_its_job(here: Here) -> None:
    here.node.behave = lambda seen: (
        {"phase": "Succeeded"} if meta.annotations(seen)[INDEX] == "0" else here.node.running()
    )
    rule = {"rules": [{"succeededIndexes": "0"}]}
    await here.client.create(JOB, to_send(indexed(3, successPolicy=rule)))
    done = await here.until(JOB, "work", outcome.finished)
    said = [(item["type"], item["reason"]) for item in done["status"]["conditions"]]
    assert said == [("SuccessCriteriaMet", "SuccessPolicy"), ("Complete", "SuccessPolicy")]
    assert done["status"]["succeeded"] == 1


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"backoffLimitPerIndex": 1}, "spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode"),
        (
            {"completionMode": "Indexed", "completions": 2, "maxFailedIndexes": 1},
            "spec.backoffLimitPerIndex: Required value: when maxFailedIndexes is specified",
        ),
        (
            {"podFailurePolicy": {"rules": [on_codes("FailJob", "In", 0, 1)]}},
            "spec.podFailurePolicy.rules[0].onExitCodes.values[0]: Invalid value: 0: must not be 0 for the In operator",
        ),
        (
            {"podFailurePolicy": {"rules": [on_codes("FailJob", "In", 2, 1)]}},
            "spec.podFailurePolicy.rules[0].onExitCodes.values: Invalid value: [2,1]: must be ordered",
        ),
        (
            {"podFailurePolicy": {"rules": [on_codes("FailIndex", "In", 1)]}},
            'spec.podFailurePolicy.rules[0].action: Invalid value: "FailIndex": requires the backoffLimitPerIndex '
            "to be set",
        ),
        (
            {"podFailurePolicy": {"rules": [{"action": "Count"}]}},
            "specifying one of OnExitCodes and OnPodConditions is required",
        ),
        (
            {
                "podFailurePolicy": {"rules": [on_codes("Count", "In", 1)]},
                "podReplacementPolicy": "TerminatingOrFailed",
            },
            'spec.podReplacementPolicy: Unsupported value: "TerminatingOrFailed": supported values: "Failed"',
        ),
        (
            {"completionMode": "Indexed", "completions": 2, "successPolicy": {"rules": [{"succeededIndexes": "0-2"}]}},
            'Invalid value: "0-2": error parsing succeededIndexes: too large index: "2"',
        ),
        (
            {"managedBy": "me"},
            'spec.managedBy: Invalid value: "me": must be a domain-prefixed path (such as "acme.io/foo")',
        ),
    ],
)
async def test_mistakes_are_told_in_upstreams_words(here: Here, spec: Object, told: str) -> None:
    with pytest.raises(errors.Invalid) as refused:
        await here.client.create(JOB, to_send(job(**spec)))
    assert told in str(refused.value)


async def test_what_may_change_of_a_job(here: Here) -> None:
    await here.client.create(JOB, to_send(indexed(2, suspend=True, backoffLimitPerIndex=1)))
    made = await here.until(JOB, "work", lambda one: conditions.is_true(one, "Suspended"))
    assert made["spec"]["backoffLimit"] == 2**31 - 1
    places = {"spec": {"template": {"spec": {"nodeSelector": {"pool": "gpu"}}}}}
    await here.client.patch(JOB, "work", "default", places)
    with pytest.raises(errors.Invalid, match="field is immutable"):
        await here.client.patch(JOB, "work", "default", {"spec": {"template": {"spec": {"hostname": "other"}}}})
    await here.client.patch(JOB, "work", "default", {"spec": {"completions": 3, "parallelism": 3}})
    with pytest.raises(errors.Invalid, match=r"can only be modified in tandem with spec\.parallelism"):
        await here.client.patch(JOB, "work", "default", {"spec": {"completions": 4}})
    await here.client.patch(JOB, "work", "default", {"spec": {"suspend": False, "backoffLimit": 5}})
    with pytest.raises(errors.Invalid, match="field is immutable"):
        await here.client.patch(JOB, "work", "default", places | {"spec": {"backoffLimitPerIndex": 3}})


@pytest.mark.parametrize(
    "spec",
    [
        {"parallelism": 2**31 - 1},
        {"parallelism": 2**31 - 1, "completions": 2**31 - 1},
        {
            "parallelism": 100_000,
            "completions": 2**31 - 1,
            "completionMode": "Indexed",
            "successPolicy": {"rules": [{"succeededIndexes": "0-2147483640"}, {"succeededCount": 2**31 - 2}]},
        },
    ],
)
def test_a_job_of_any_size_is_begun_with_a_few_hundred_pods(spec: Object) -> None:
    begun = render.decide(job(**spec), [], START, 10.0).create
    assert len(begun) == len({meta.name(pod) for pod in begun}) == 500
    done = {"completedIndexes": "0-9"} if "completionMode" in spec else {}
    assert len(render.decide(job(done, **spec), begun, START, 10.0).create) == 500
