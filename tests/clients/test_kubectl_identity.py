"""kubectl where it is about who may do what: roles, questions, acting as others."""

from __future__ import annotations

import pytest

from tests.clients.test_kubectl import KUBECTL, Kubectl, kubectl

__all__ = ["kubectl"]

pytestmark = [
    pytest.mark.skipif(KUBECTL is None, reason="kubectl is not on PATH, and KUBECTL does not name one"),
    pytest.mark.slow,
]

WORKER = "--as=system:serviceaccount:default:worker"
RECONCILED = """
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader, namespace: default}
rules:
- {apiGroups: [""], resources: [pods], verbs: [get]}
- {apiGroups: [""], resources: [pods/log], verbs: [get]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader, namespace: default}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects:
- {apiGroup: rbac.authorization.k8s.io, kind: User, name: bob}
"""


async def test_roles_from_creation_to_refusal(kubectl: Kubectl) -> None:
    await kubectl.run("create", "role", "reader", "--verb=get,list", "--resource=pods,deployments.apps")
    await kubectl.run("create", "rolebinding", "reader", "--role=reader", "--user=ann", "--serviceaccount=default:bot")
    await kubectl.run("create", "clusterrole", "all", "--verb=get", "--resource=nodes", "--non-resource-url=/metrics")
    await kubectl.run("create", "clusterrolebinding", "all", "--clusterrole=all", "--group=staff")
    assert "Role/reader" in await kubectl.run("get", "rolebindings")
    assert "ClusterRole/all" in await kubectl.run("get", "clusterrolebindings", "all", "-o", "wide")
    described = await kubectl.run("describe", "role", "reader")
    assert any(
        line.split()[0] == "deployments.apps" and "[get list]" in line for line in described.splitlines() if line
    )
    assert (await kubectl.run("auth", "can-i", "list", "deployments", "--as=ann")).strip() == "yes"
    assert "no" in await kubectl.run("auth", "can-i", "list", "secrets", "--as=ann", fails=True)
    assert (await kubectl.run("auth", "can-i", "get", "/metrics", "--as=x", "--as-group=staff")).strip() == "yes"
    refused = await kubectl.run("get", "secrets", "--as=ann", fails=True)
    assert 'secrets is forbidden: User "ann" cannot list resource "secrets" in API group "" in the namespace' in refused
    assert "No resources found" in await kubectl.run("get", "pods", "--as=system:serviceaccount:default:bot")
    changed = await kubectl.run(
        "patch", "rolebinding", "reader", "--type=merge", "-p", '{"roleRef": {"name": "other"}}', fails=True
    )
    assert "cannot change roleRef" in changed


async def test_reconcile_adds_what_is_missing(kubectl: Kubectl) -> None:
    await kubectl.run("create", "role", "reader", "--verb=get", "--resource=pods")
    await kubectl.run("create", "rolebinding", "reader", "--role=reader", "--user=ann")
    said = await kubectl.run("auth", "reconcile", "-f", "-", stdin=RECONCILED)
    assert said.count("reconciled") == 2
    names = await kubectl.run("get", "rolebinding", "reader", "-o", "jsonpath={.subjects[*].name}")
    assert names.split() == ["ann", "bob"]
    assert (await kubectl.run("auth", "can-i", "get", "pods/log", "--as=bob")).strip() == "yes"


async def test_what_a_workload_may_do_is_listed(kubectl: Kubectl) -> None:
    listed = await kubectl.run("auth", "can-i", "--list", WORKER)
    assert any(line.split()[0] == "secrets" and "[*]" in line for line in listed.splitlines())
    assert "no" in await kubectl.run("auth", "can-i", "delete", "namespace/default", WORKER, fails=True)
    assert "no" in await kubectl.run("auth", "can-i", "list", "pods", "-A", WORKER, fails=True)
    await kubectl.run("label", "namespace", "default", "fairway.dev/service-accounts=roles-only")
    assert "no" in await kubectl.run("auth", "can-i", "get", "secrets", WORKER, fails=True)
    whoami = await kubectl.run("auth", "whoami", WORKER)
    assert "system:serviceaccounts:default" in whoami


async def test_an_editor_cannot_make_an_administrator(kubectl: Kubectl) -> None:
    await kubectl.run("create", "rolebinding", "ann", "--clusterrole=admin", "--user=ann")
    await kubectl.run("create", "rolebinding", "bob", "--clusterrole=edit", "--user=bob", "--as=ann")
    refused = await kubectl.run(
        "create", "rolebinding", "eve", "--clusterrole=cluster-admin", "--user=eve", "--as=ann", fails=True
    )
    assert "is attempting to grant RBAC permissions not currently held" in refused
    refused = await kubectl.run("create", "role", "r", "--verb=get", "--resource=pods", "--as=bob", fails=True)
    assert 'cannot create resource "roles"' in refused
