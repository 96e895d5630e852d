"""The unmodified kubectl against what rules others: quotas, limits, classes of priority, disruption budgets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from fairway.cluster.node.fake import Disk, FakeRuntime
from fairway.cluster.workloads import quotas
from fairway.kernel.clock import SystemClock
from fairway.kernel.objects.kinds import POD_DISRUPTION_BUDGET, RESOURCE_QUOTA
from fairway.testing.cluster import NODE, cluster
from tests.clients.test_kubectl import Kubectl, kubectl, pytestmark

__all__ = ["kubectl", "pytestmark"]

POD = """
apiVersion: v1
kind: Pod
metadata: {name: %s}
spec:
  priorityClassName: often
  containers: [{name: c, image: 'nginx:1', resources: {requests: {cpu: 500m}, limits: {memory: 1Gi}}}]
"""


@asynccontextmanager
async def counting(kubectl: Kubectl) -> AsyncIterator[None]:
    """The controller that tells what is used of quotas."""
    task = asyncio.create_task(quotas.service(kubectl.admin, SystemClock()).run(lambda: None))
    yield
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_a_quota_from_creation_to_refusal(kubectl: Kubectl) -> None:
    async with counting(kubectl):
        await kubectl.run("create", "priorityclass", "often", "--value=10", "--description=often")
        await kubectl.run("create", "quota", "compute", "--hard=pods=2,requests.cpu=1,limits.memory=2Gi")
        await kubectl.run("create", "quota", "best", "--hard=pods=1", "--scopes=BestEffort")
        assert "pod/a created" in await kubectl.run("apply", "-f", "-", stdin=POD % "a")
        await kubectl.admin.wait(
            RESOURCE_QUOTA,
            "compute",
            "default",
            lambda q: bool(q) and q["status"]["used"].get("pods") == "1",
            timeout=60,
        )
        described = await kubectl.run("describe", "quota", "compute")
        rows = [line.split() for line in described.splitlines()]
        assert ["limits.memory", "1Gi", "2Gi"] in rows
        assert ["requests.cpu", "500m", "1"] in rows
        shown = await kubectl.run("get", "quota", "compute")
        assert "pods: 1/2, requests.cpu: 500m/1" in shown
        assert "limits.memory: 1Gi/2Gi" in shown
        assert "BestEffort" in await kubectl.run("describe", "quota", "best")
        await kubectl.run("apply", "-f", "-", stdin=POD % "b")
        refused = await kubectl.run("apply", "-f", "-", stdin=POD % "c", fails=True)
        assert 'pods "c" is forbidden: exceeded quota: compute, requested: limits.memory=1Gi,pods=1' in refused
        assert "Resource Quotas" in await kubectl.run("describe", "namespace", "default")


async def test_classes_of_priority(kubectl: Kubectl) -> None:
    await kubectl.run("create", "priorityclass", "often", "--value=10", "--preemption-policy=Never")
    rows = [line.split() for line in (await kubectl.run("get", "pc")).splitlines()]
    assert rows[0] == ["NAME", "VALUE", "GLOBAL-DEFAULT", "AGE", "PREEMPTIONPOLICY"]
    assert [row[:3] for row in rows[1:]] == [
        ["often", "10", "false"],
        ["system-cluster-critical", "2000000000", "false"],
        ["system-node-critical", "2000001000", "false"],
    ]
    await kubectl.run("apply", "-f", "-", stdin=POD % "a")
    assert "Priority Class Name:  often" in await kubectl.run("describe", "pod", "a")


async def test_limits_of_a_namespace(kubectl: Kubectl) -> None:
    limits = """
apiVersion: v1
kind: LimitRange
metadata: {name: usual}
spec:
  limits: [{type: Container, default: {cpu: 200m}, max: {cpu: '1', memory: 1Gi}}]
"""
    await kubectl.run("apply", "-f", "-", stdin=limits)
    assert "CREATED AT" in await kubectl.run("get", "limits")
    rows = [line.split() for line in (await kubectl.run("describe", "limits", "usual")).splitlines()]
    assert ["Container", "cpu", "-", "1", "200m", "200m", "-"] in rows
    await kubectl.run("run", "small", "--image=nginx:1")
    assert (
        await kubectl.run("get", "pod", "small", "-o", "jsonpath={.spec.containers[0].resources.limits.cpu}") == "200m"
    )


async def test_a_node_is_drained_as_far_as_the_budget_allows(tmp_path: Path) -> None:
    web = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {terminationGracePeriodSeconds: 1, containers: [{name: c, image: 'busybox:1', command: [run]}]}
"""
    (tmp_path / "disk").mkdir()
    async with cluster(tmp_path, runtime=FakeRuntime(Disk(tmp_path / "disk"))) as here:
        kubectl = Kubectl(here.kubeconfig, tmp_path, here.client)
        await kubectl.run("apply", "-f", "-", stdin=web)
        await kubectl.run("create", "pdb", "web", "--selector=app=web", "--min-available=1")
        await kubectl.run("rollout", "status", "deploy/web", "--timeout=60s")
        await here.client.wait(
            POD_DISRUPTION_BUDGET,
            "web",
            "default",
            lambda b: bool(b) and (b.get("status") or {}).get("disruptionsAllowed") == 1,
            timeout=60,
        )
        assert "1                     " in await kubectl.run("get", "pdb", "web")
        assert "cordoned" in await kubectl.run("cordon", NODE)
        assert "SchedulingDisabled" in await kubectl.run("get", "nodes")
        # One pod goes; its successor has nowhere to run, so the budget keeps the other.
        draining = await kubectl.start("drain", NODE, "--ignore-daemonsets")
        assert draining.stdout is not None
        said = b""
        async with asyncio.timeout(60):
            while b"Cannot evict pod as it would violate the pod's disruption budget" not in said:
                line = await draining.stdout.readline()
                assert line, said  # it ended
                said += line
            assert said.count(b"evicting pod default/web-") >= 2
            assert draining.returncode is None
            await kubectl.run("delete", "pdb", "web")
            assert f"node/{NODE} drained".encode() in (await draining.communicate())[0]
        assert "uncordoned" in await kubectl.run("uncordon", NODE)
        await kubectl.run("rollout", "status", "deploy/web", "--timeout=60s")


async def test_levels_of_pod_security(kubectl: Kubectl) -> None:
    await kubectl.run("create", "namespace", "team")
    await kubectl.run("run", "plain", "--image=nginx:1", "-n", "team")
    told = await kubectl.run("label", "namespace", "team", "pod-security.kubernetes.io/enforce=restricted")
    assert 'Warning: existing pods in namespace "team" violate the new PodSecurity enforce level' in told
    assert "Warning: plain: allowPrivilegeEscalation != false, unrestricted capabilities, runAsNonRoot != true" in told
    refused = await kubectl.run("run", "other", "--image=nginx:1", "-n", "team", fails=True)
    assert 'pods "other" is forbidden: violates PodSecurity "restricted:latest"' in refused
    warned = await kubectl.run("create", "deployment", "web", "--image=nginx:1", "-n", "team")
    assert 'Warning: would violate PodSecurity "restricted:latest"' in warned


async def test_classes_of_storage(kubectl: Kubectl) -> None:
    shown = await kubectl.run("get", "sc")
    assert "ALLOWVOLUMEEXPANSION" in shown
    assert "local-path (default)   fairway.dev/local-path   Delete          WaitForFirstConsumer" in shown
    assert "IsDefaultClass:        Yes" in await kubectl.run("describe", "sc", "local-path")
