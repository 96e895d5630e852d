"""The unmodified kubectl where it reads what the server says of itself: descriptions, kinds, columns, words."""

from __future__ import annotations

import pytest

from tests.clients.test_kubectl import WIDGETS, Kubectl, kubectl, pytestmark

__all__ = ["kubectl", "pytestmark"]

LIST = """
apiVersion: v1
kind: List
items:
- {apiVersion: example.dev/v1, kind: Widget, metadata: {name: w}, spec: {size: 1}}
- {apiVersion: v1, kind: ConfigMap, metadata: {name: c}, data: {a: b}}
"""
POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\n%s"
MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m}\ndata: {key: value%s}"


async def test_a_list_is_checked_by_the_older_description(kubectl: Kubectl) -> None:
    await kubectl.run("apply", "-f", "-", stdin=WIDGETS)
    wrong = LIST.replace("data:", "dat:")
    said = await kubectl.run("apply", "-f", "-", stdin=wrong, fails=True)
    assert 'unknown field "dat" in io.k8s.api.core.v1.ConfigMap' in said
    made = await kubectl.run("apply", "-f", "-", stdin=LIST)
    assert "widget.example.dev/w created" in made and "configmap/c created" in made
    told = await kubectl.run("explain", "pods.spec.containers", "--output=plaintext-openapiv2")
    assert "RESOURCE: containers <[]Object>" in told


async def test_what_was_applied_here_becomes_the_servers(kubectl: Kubectl) -> None:
    await kubectl.run("apply", "-f", "-", stdin=MAP % ", legacy: unused")
    await kubectl.run("apply", "--server-side", "-f", "-", stdin=MAP % ", legacy: unused")
    await kubectl.run("apply", "--server-side", "-f", "-", stdin=MAP % "")
    assert await kubectl.run("get", "configmap", "m", "-o", "jsonpath={.data}") == '{"key":"value"}'


async def test_what_a_set_no_longer_has_is_pruned(kubectl: Kubectl, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECTL_APPLYSET", "true")
    both, one = f"{MAP % ''}\n---\n{(MAP % '').replace('name: m', 'name: other')}", MAP % ""
    command = ("apply", "-n", "default", "--server-side", "--prune", "--applyset=together", "-f", "-")
    assert "configmap/other serverside-applied" in await kubectl.run(*command, stdin=both)
    assert "configmap/other pruned (server dry run)" in await kubectl.run(*command, "--dry-run=server", stdin=one)
    assert "configmap/other pruned" in await kubectl.run(*command, stdin=one)
    assert "not found" in await kubectl.run("get", "configmap", "other", fails=True)
    parent = await kubectl.run("get", "secret", "together", "-o", "yaml")
    assert "applyset.kubernetes.io/contains-group-kinds: ConfigMap" in parent


async def test_a_status_is_applied_and_what_would_change_is_told(kubectl: Kubectl) -> None:
    await kubectl.run("run", "p", "--image=nginx:1")
    said = POD % 'status: {conditions: [{type: example.io/A, status: "True"}]}'
    await kubectl.run("apply", "--server-side", "--subresource=status", "-f", "-", stdin=said)
    assert "example.io/A" in await kubectl.run("get", "pod", "p", "-o", "jsonpath={.status.conditions[*].type}")
    changed = POD % "spec: {containers: [{name: p, image: 'nginx:2'}]}"
    told = await kubectl.run("diff", "--server-side", "--force-conflicts", "-f", "-", stdin=changed, fails=True)
    assert "-  - image: nginx:1" in told and "+  - image: nginx:2" in told
    assert await kubectl.run("get", "pod", "p", "-o", "jsonpath={.spec.containers[0].image}") == "nginx:1"


async def test_kinds_that_are_only_kept(kubectl: Kubectl) -> None:
    said = await kubectl.run("create", "ingress", "web", "--rule=a.example/*=web:80", "--class=nginx")
    assert "ingress.networking.k8s.io/web created" in said and "publish the Service with an HTTPRoute" in said
    table = await kubectl.run("get", "ingress")
    assert table.split()[:6] == ["NAME", "CLASS", "HOSTS", "ADDRESS", "PORTS", "AGE"]
    assert table.split()[6:10] == ["web", "nginx", "a.example", "80"]
    assert "a.example" in await kubectl.run("describe", "ingress", "web")
    overrides = '--overrides={"spec":{"runtimeClassName":"gvisor"}}'
    said = await kubectl.run("run", "p", "--image=nginx", overrides, "--dry-run=server")
    assert "runtimeClassName is not used by this server" in said


async def test_bodies_that_are_of_no_use_are_refused_in_upstreams_words(kubectl: Kubectl) -> None:
    said = await kubectl.run("create", "--raw", "/api/v1/namespaces", "-f", "-", stdin="no: json", fails=True)
    assert "the object provided is unrecognized (must be of type Namespace)" in said
    await kubectl.run("create", "configmap", "m")
    said = await kubectl.run("patch", "configmap", "m", "-p", '{"metadata":{"labels":"wrong"}}', fails=True)
    assert "cannot restore map from string" in said
