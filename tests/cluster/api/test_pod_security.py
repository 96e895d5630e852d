"""The levels of PodSecurity: what each refuses and how it says so, by the labels of a namespace."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from fairway.cluster.api.admission.pod_security import standards
from fairway.cluster.api.admission.pod_security.subject import Subject
from fairway.kernel.client.client import Client
from fairway.kernel.feature import Identity
from fairway.kernel.objects import errors
from fairway.kernel.objects.kinds import DEPLOYMENT, NAMESPACE, POD, Object
from tests.cluster.api.world import World

LABEL = "pod-security.kubernetes.io/"
HARDENED: Object = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}


@pytest.fixture
def client(world: World) -> Client:
    return Client(world.server.transport(Identity("admin", ("system:masters",))))


def spec(context: Object | None = None, *, names: tuple[str, ...] = ("c",), **more: Any) -> Object:
    own = {"securityContext": context} if context is not None else {}
    return {"containers": [{"name": name, "image": "busybox:1", **own} for name in names], **more}


async def namespace(client: Client, **modes: str) -> None:
    labels = {LABEL + mode.replace("_", "-"): level for mode, level in modes.items()}
    await client.create(NAMESPACE, NAMESPACE.new("team", metadata={"labels": labels}))


async def warnings(world: World, path: str, body: Object, method: str = "POST") -> list[str]:
    media = "application/json" if method == "POST" else "application/merge-patch+json"
    code, headers, text = await world.raw(method, path, data=orjson.dumps(body), headers={"Content-Type": media})
    assert code in (200, 201), text
    return [
        text.removeprefix('299 - "').removesuffix('"').replace('\\"', '"') for text in headers.getall("Warning", [])
    ]  # type: ignore[attr-defined]


async def test_a_pod_that_breaks_the_enforced_level_is_refused_in_upstreams_words(client: Client) -> None:
    await namespace(client, enforce="restricted")
    with pytest.raises(errors.Forbidden) as refused:
        await client.create(POD, POD.new("p", "team", spec=spec(names=("a", "b"))))
    assert refused.value.message == (
        'pods "p" is forbidden: violates PodSecurity "restricted:latest": '
        'allowPrivilegeEscalation != false (containers "a", "b" must set '
        "securityContext.allowPrivilegeEscalation=false), "
        'unrestricted capabilities (containers "a", "b" must set securityContext.capabilities.drop=["ALL"]), '
        'runAsNonRoot != true (pod or containers "a", "b" must set securityContext.runAsNonRoot=true), '
        'seccompProfile (pod or containers "a", "b" must set securityContext.seccompProfile.type to "RuntimeDefault" '
        'or "Localhost")'
    )
    await client.create(POD, POD.new("p", "team", spec=spec(HARDENED)))


async def test_the_level_of_a_version_is_what_it_was_then(client: Client) -> None:
    await namespace(client, enforce="restricted", enforce_version="v1.7")
    context = {"runAsNonRoot": True}
    await client.create(POD, POD.new("p", "team", spec=spec(context)))
    with pytest.raises(errors.Forbidden, match=r'violates PodSecurity "restricted:v1.7": runAsNonRoot != true'):
        await client.create(POD, POD.new("q", "team", spec=spec()))


async def test_templates_are_warned_of_and_their_pods_refused(world: World, client: Client) -> None:
    await namespace(client, enforce="baseline")
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": spec(hostNetwork=True)}
    web = DEPLOYMENT.new("web", "team", spec={"selector": {"matchLabels": labels}, "template": template})
    said = await warnings(world, DEPLOYMENT.path("team"), web)
    assert said == ['would violate PodSecurity "baseline:latest": host namespaces (hostNetwork=true)']
    with pytest.raises(errors.Forbidden, match="host namespaces"):
        await client.create(POD, POD.new("p", "team", spec=spec(hostNetwork=True)))


async def test_a_level_that_is_only_warned_of_refuses_nothing(world: World, client: Client) -> None:
    await namespace(client, warn="baseline")
    said = await warnings(world, POD.path("team"), POD.new("p", "team", spec=spec({"privileged": True})))
    assert said == [
        'would violate PodSecurity "baseline:latest": privileged (container "c" must not set '
        "securityContext.privileged=true)"
    ]


async def test_pods_that_are_there_are_told_of_when_the_level_rises(world: World, client: Client) -> None:
    await namespace(client)
    for name in ("a", "b", "c"):
        await client.create(POD, POD.new(name, "team", spec=spec({"privileged": True})))
    raised = {"metadata": {"labels": {f"{LABEL}enforce": "baseline"}}}
    assert await warnings(world, NAMESPACE.path(None, "team"), raised, "PATCH") == [
        'existing pods in namespace "team" violate the new PodSecurity enforce level "baseline:latest"',
        "a (and 2 other pods): privileged",
    ]
    await client.patch(POD, "a", "team", {"metadata": {"labels": {"still": "changed"}}})
    lowered = {"metadata": {"labels": {f"{LABEL}enforce": "privileged"}}}
    assert await warnings(world, NAMESPACE.path(None, "team"), lowered, "PATCH") == []


@pytest.mark.parametrize(
    ("label", "value", "text"),
    [
        ("enforce", "severe", "must be one of privileged, baseline, restricted"),
        ("warn-version", "1.20", 'must be "latest" or "v1.x"'),
    ],
)
async def test_labels_that_cannot_be_read_are_refused(client: Client, label: str, value: str, text: str) -> None:
    with pytest.raises(errors.Invalid, match=text):
        await client.create(NAMESPACE, NAMESPACE.new("team", metadata={"labels": {LABEL + label: value}}))


def judged(level: str, pod: Object, minor: int = standards.LATEST, **metadata: Any) -> list[str]:
    return [str(found) for found in standards.findings(level, minor, Subject(metadata, pod))]


@pytest.mark.parametrize(
    ("pod", "text"),
    [
        (spec(hostPID=True, hostIPC=True), "host namespaces (hostPID=true, hostIPC=true)"),
        (spec(volumes=[{"name": "v", "hostPath": {"path": "/"}}]), 'hostPath volumes (volume "v")'),
        (
            spec({"capabilities": {"add": ["NET_RAW", "CHOWN"]}}),
            'non-default capabilities (container "c" must not include "NET_RAW" in securityContext.capabilities.add)',
        ),
        (
            {"containers": [{"name": "c", "ports": [{"hostPort": 80}, {"hostPort": 81}]}]},
            'hostPort (container "c" uses hostPorts 80, 81)',
        ),
        (
            {"containers": [{"name": "c", "livenessProbe": {"httpGet": {"host": "example.com"}}}]},
            'probe or lifecycle host (container "c" uses probe or lifecycle host "example.com")',
        ),
        (
            spec({"procMount": "Unmasked"}),
            'procMount (container "c" must not set securityContext.procMount to "Unmasked")',
        ),
        (
            spec({"seLinuxOptions": {"type": "spc_t", "user": "u"}}, securityContext={"seLinuxOptions": {"role": "r"}}),
            'seLinuxOptions (pod and container "c" set forbidden securityContext.seLinuxOptions: type "spc_t"; '
            "user may not be set; role may not be set)",
        ),
        (
            spec(securityContext={"seccompProfile": {"type": "Unconfined"}}),
            'seccompProfile (pod must not set securityContext.seccompProfile.type to "Unconfined")',
        ),
        (spec(securityContext={"sysctls": [{"name": "kernel.msgmax"}]}), "forbidden sysctls (kernel.msgmax)"),
        (
            spec({"windowsOptions": {"hostProcess": True}}),
            'hostProcess (container "c" must not set securityContext.windowsOptions.hostProcess=true)',
        ),
        (
            spec({"appArmorProfile": {"type": "Unconfined"}}),
            'forbidden AppArmor profile (container "c" must not set AppArmor profile type to "Unconfined")',
        ),
    ],
)
def test_what_baseline_refuses(pod: Object, text: str) -> None:
    assert judged("baseline", pod) == [text]
    assert judged("privileged", pod) == []


@pytest.mark.parametrize(
    ("context", "more", "text"),
    [
        (
            {"capabilities": {"drop": ["ALL"], "add": ["CHOWN"]}},
            {},
            'unrestricted capabilities (container "c" must not include "CHOWN" in securityContext.capabilities.add)',
        ),
        (
            {"runAsNonRoot": False},
            {},
            'runAsNonRoot != true (container "c" must not set securityContext.runAsNonRoot=false)',
        ),
        ({"runAsUser": 0}, {}, 'runAsUser=0 (container "c" must not set runAsUser=0)'),
        (
            {},
            {"volumes": [{"name": "n", "nfs": {}}, {"name": "h", "hostPath": {}}]},
            'restricted volume types (volumes "n", "h" use restricted volume types "hostPath", "nfs")',
        ),
    ],
)
def test_what_restricted_refuses_besides(context: Object, more: Object, text: str) -> None:
    assert judged("restricted", spec({**HARDENED, **context}, **more)) == [text]


def test_what_the_pod_says_goes_for_its_containers() -> None:
    own = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    whole = {"runAsNonRoot": True, "seccompProfile": {"type": "Localhost"}}
    assert judged("restricted", spec(own, securityContext=whole)) == []


def test_rules_hold_from_their_version_on() -> None:
    users = spec({"procMount": "Unmasked"}, hostUsers=False)
    assert judged("baseline", users) == []
    assert judged("baseline", users, 34) != []
    tuned = spec(securityContext={"sysctls": [{"name": "net.ipv4.tcp_rmem"}]})
    assert judged("baseline", tuned, 32) == []
    assert judged("baseline", tuned, 31) == ["forbidden sysctls (net.ipv4.tcp_rmem)"]
    noted = {"annotations": {"seccomp.security.alpha.kubernetes.io/pod": "unconfined"}}
    assert judged("baseline", spec(), 18, **noted) == [
        'seccompProfile (forbidden annotation seccomp.security.alpha.kubernetes.io/pod="unconfined")'
    ]
    assert judged("restricted", spec(os={"name": "windows"}, securityContext={"runAsNonRoot": True})) == []
