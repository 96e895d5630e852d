"""The unmodified kubectl against the API server: found on PATH, or named by KUBECTL; skipped where there is none."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from fairway.cluster.api.identity import certificates
from fairway.cluster.api.identity.tokens import MASTERS, Issuer
from fairway.cluster.api.server import ApiServer
from fairway.cluster.node.runtime import ExecResult
from fairway.cluster.node.talking import Talk
from fairway.cluster.store.memory import MemoryStore
from fairway.kernel.client import kubeconfig
from fairway.kernel.client.client import Client
from fairway.kernel.clock import SystemClock
from fairway.kernel.feature import Identity
from fairway.kernel.objects import errors
from fairway.kernel.objects.kinds import DEPLOYMENT, POD, SERVICE_ACCOUNT, Object

KUBECTL = os.environ.get("KUBECTL") or shutil.which("kubectl")

pytestmark = [
    pytest.mark.skipif(KUBECTL is None, reason="kubectl is not on PATH, and KUBECTL does not name one"),
    pytest.mark.slow,
]

WIDGETS = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.dev}
spec:
  group: example.dev
  scope: Namespaced
  names: {plural: widgets, kind: Widget, shortNames: [wd], categories: [all]}
  versions:
  - name: v1
    served: true
    storage: true
    additionalPrinterColumns: [{name: Size, type: integer, jsonPath: .spec.size}]
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            description: What a widget is to be
            properties: {size: {type: integer, description: How large it is}}
"""
WIDGET = "apiVersion: example.dev/v1\nkind: Widget\nmetadata: {name: w}\nspec: {size: %d}"
POLICY = """
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: small}
spec:
  matchConstraints:
    resourceRules:
    - {apiGroups: [example.dev], apiVersions: ['*'], operations: [CREATE, UPDATE], resources: [widgets]}
  validations:
  - expression: object.spec.size <= 5
    messageExpression: "'at most 5, not ' + string(object.spec.size)"
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: small}
spec: {policyName: small, validationActions: [Deny]}
"""
WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: 'nginx:1'%s}]}
"""


class Shelf:
    async def read(self, pod: Object, options: object) -> AsyncGenerator[bytes, None]:
        yield b"hello from the pod\n"


class Rooms:
    """Runs commands on this machine, as a node runs them beside a container's processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def open(self, pod: Object, container: str, command: Sequence[str], *, terminal: bool) -> Talk:
        async def run(paths: list[str]) -> ExecResult:
            stdin = os.open(paths[0], os.O_RDONLY | os.O_NONBLOCK)
            os.set_blocking(stdin, True)
            stdout, stderr = (os.open(path, os.O_WRONLY) for path in paths[1:])
            process = await asyncio.create_subprocess_exec(*command, stdin=stdin, stdout=stdout, stderr=stderr)
            for end in (stdin, stdout, stderr):
                os.close(end)
            return ExecResult(await process.wait(), b"")

        talk = Talk(self.folder, terminal=terminal)
        talk.begin(lambda paths: asyncio.ensure_future(run(paths)))
        return talk

    async def attach(self, pod: Object, container: str, *, input: bool) -> Talk:
        raise errors.BadRequest("there is no container behind these rooms")


@dataclass
class Kubectl:
    """`run` gives what kubectl prints, both streams together; it fails the test unless the exit code is right."""

    config: Path
    home: Path
    admin: Client

    async def run(self, *arguments: str, stdin: str = "", fails: bool = False) -> str:
        process = await self.start(*arguments)
        output, _ = await asyncio.wait_for(process.communicate(stdin.encode()), 60)
        text = output.decode()
        assert (process.returncode != 0) is fails, text
        return text

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        assert KUBECTL is not None
        return await asyncio.create_subprocess_exec(
            KUBECTL,
            f"--kubeconfig={self.config}",
            *arguments,
            env={"HOME": str(self.home), "PATH": os.environ["PATH"], **_passed()},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )


def _passed() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith("KUBECTL_")}


@pytest.fixture
async def kubectl(tmp_path: Path) -> AsyncIterator[Kubectl]:
    issuer, files = Issuer.load(tmp_path), certificates.ensure(tmp_path)
    server = ApiServer(MemoryStore(), clock=SystemClock(), issuer=issuer)
    server.reach_pods(Shelf(), Rooms(tmp_path))
    port = await server.serve("127.0.0.1", 0, certificates.server_context(files))
    config = tmp_path / "kubeconfig"
    token = issuer.mint("admin", [MASTERS], seconds=600)
    kubeconfig.write(config, server=f"https://127.0.0.1:{port}", ca_pem=files.ca_pem, token=token)
    yield Kubectl(config, tmp_path, Client(server.transport(Identity("admin", (MASTERS,)))))
    await server.close()


async def test_custom_resources_from_definition_to_apply(kubectl: Kubectl) -> None:
    assert "created" in await kubectl.run("create", "-f", "-", stdin=WIDGETS)
    assert "w created" in await kubectl.run("apply", "-f", "-", stdin=WIDGET % 3)
    assert "w configured" in await kubectl.run("apply", "-f", "-", stdin=WIDGET % 5)
    assert "w unchanged" in await kubectl.run("apply", "-f", "-", stdin=WIDGET % 5)
    assert (await kubectl.run("get", "wd")).split() == ["NAME", "SIZE", "w", "5"]
    assert "widget.example.dev/w" in await kubectl.run("get", "all")
    assert "How large it is" in await kubectl.run("explain", "widgets.spec.size")
    assert "condition met" in await kubectl.run("wait", "--for=jsonpath={.spec.size}=5", "wd/w", "--timeout=60s")
    assert "Size:  5" in await kubectl.run("describe", "wd", "w")
    assert "deleted" in await kubectl.run("delete", "crd", "widgets.example.dev")
    # kubectl remembers for a while which kinds there were; the server does not.
    assert "could not find the requested resource" in await kubectl.run("get", "widgets.v1.example.dev", fails=True)


async def test_rules_and_policies_are_read_by_people(kubectl: Kubectl) -> None:
    size = "{type: integer, description: How large it is}"
    rules = "x-kubernetes-validations: [{rule: 'RULE', message: a widget cannot shrink}]"
    ruled = WIDGETS.replace(size, f"{size[:-1]}, {rules}}}")
    broken = await kubectl.run("apply", "-f", "-", stdin=ruled.replace("RULE", "self >= oldSize"), fails=True)
    assert "compilation failed: ERROR: <input>:1:9: undeclared reference to 'oldSize'" in broken
    await kubectl.run("apply", "-f", "-", stdin=ruled.replace("RULE", "self >= oldSelf"))
    await kubectl.run("apply", "-f", "-", stdin=WIDGET % 3)
    shrunk = await kubectl.run("apply", "-f", "-", stdin=WIDGET % 2, fails=True)
    assert 'The Widget "w" is invalid: spec.size: Invalid value: 2: a widget cannot shrink' in shrunk
    await kubectl.run("apply", "-f", "-", stdin=POLICY)
    refused = await kubectl.run("apply", "-f", "-", stdin=WIDGET % 9, fails=True)
    assert "ValidatingAdmissionPolicy 'small' with binding 'small' denied request: at most 5, not 9" in refused
    listed = await kubectl.run("get", "validatingadmissionpolicies,validatingadmissionpolicybindings")
    assert "validatingadmissionpolicy.admissionregistration.k8s.io/small   1             <unset>" in listed
    await kubectl.run("delete", "validatingadmissionpolicy", "small")
    await kubectl.run("apply", "-f", "-", stdin=WIDGET % 9)


async def test_what_kubectl_sends_as_protobuf(kubectl: Kubectl) -> None:
    await kubectl.run("create", "namespace", "team")
    await kubectl.run("create", "configmap", "c", "--from-literal=a=b", "-n", "team")
    await kubectl.run("create", "secret", "generic", "s", "--from-literal=p=q", "-n", "team")
    await kubectl.run("create", "deployment", "d", "--image=nginx:1", "--replicas=0", "-n", "team")
    await kubectl.run("create", "job", "j", "--image=busybox", "-n", "team", "--", "true")
    await kubectl.run("create", "cronjob", "cj", "--image=busybox", "--schedule=0 3 * * *", "-n", "team", "--", "true")
    await kubectl.run("create", "job", "now", "--from=cronjob/cj", "-n", "team")
    assert "0 3 * * *" in await kubectl.run("get", "cj", "-n", "team")
    assert await kubectl.run("get", "cm", "c", "-n", "team", "-o", "jsonpath={.data.a}") == "b"
    assert await kubectl.run("get", "secret", "s", "-n", "team", "-o", "jsonpath={.data.p}") == "cQ=="
    assert await kubectl.run("get", "deploy", "d", "-n", "team", "-o", "jsonpath={.spec.replicas}") == "0"
    assert "Username    admin" in await kubectl.run("auth", "whoami")
    assert (await kubectl.run("auth", "can-i", "create", "pods")).strip() == "yes"
    await kubectl.admin.create(SERVICE_ACCOUNT, SERVICE_ACCOUNT.new("bot", "team"))
    assert (await kubectl.run("create", "token", "bot", "-n", "team")).count(".") == 2


async def test_changing_what_is_there(kubectl: Kubectl) -> None:
    await kubectl.run("apply", "-f", "-", stdin=WEB % "")
    assert "unchanged" in await kubectl.run("apply", "-f", "-", stdin=WEB % "")
    await kubectl.run("label", "deploy", "web", "tier=front")
    await kubectl.run("annotate", "deploy", "web", "note=hello")
    await kubectl.run("patch", "deploy", "web", "--type=merge", "-p", '{"spec":{"replicas":2}}')
    operation = '[{"op":"replace","path":"/spec/replicas","value":3}]'
    await kubectl.run("patch", "deploy", "web", "--type=json", "-p", operation)
    await kubectl.run("scale", "deploy", "web", "--replicas=4")
    shown = await kubectl.run("get", "deploy", "web", "--subresource=scale")
    assert shown.split()[:6] == ["NAME", "DESIRED", "AVAILABLE", "AGE", "web", "4"]
    await kubectl.run("replace", "-f", "-", stdin=WEB % ", command: [x]")
    found = await kubectl.admin.get(DEPLOYMENT, "web", "default")
    assert found["spec"]["template"]["spec"]["containers"][0]["command"] == ["x"]
    assert found["metadata"]["generation"] == 5
    assert "Pod Template:" in await kubectl.run("describe", "deploy", "web")
    assert "deleted" in await kubectl.run("delete", "deploy", "web")


async def test_what_people_change_a_deployment_with(kubectl: Kubectl) -> None:
    await kubectl.run("apply", "-f", "-", stdin=WEB % ", command: [x], env: [{name: A, value: '1'}]")
    changed = WEB % ", env: [{name: B, value: '2'}, {name: A, value: '3'}]"
    assert '-          value: "1"' in await kubectl.run("diff", "-f", "-", stdin=changed, fails=True)
    assert "configured" in await kubectl.run("apply", "-f", "-", stdin=changed)
    assert "unchanged" in await kubectl.run("apply", "-f", "-", stdin=changed)
    found = await kubectl.admin.get(DEPLOYMENT, "web", "default")
    (container,) = found["spec"]["template"]["spec"]["containers"]
    assert "command" not in container
    assert container["env"] == [{"name": "B", "value": "2"}, {"name": "A", "value": "3"}]
    assert "image updated" in await kubectl.run("set", "image", "deploy/web", "c=nginx:2")
    assert "env updated" in await kubectl.run("set", "env", "deploy/web", "A-", "C=4")
    assert "resource requirements updated" in await kubectl.run("set", "resources", "deploy/web", "--limits=cpu=1")
    assert "restarted" in await kubectl.run("rollout", "restart", "deploy/web")
    await kubectl.run(
        "patch", "deploy", "web", "-p", '{"spec":{"template":{"spec":{"containers":[{"name":"d","image":"x"}]}}}}'
    )
    found = await kubectl.admin.get(DEPLOYMENT, "web", "default")
    first, second = found["spec"]["template"]["spec"]["containers"]
    assert (first["name"], second["name"], second["image"]) == ("d", "c", "nginx:2")
    assert [one["name"] for one in second["env"]] == ["B", "C"]
    assert second["resources"]["limits"] == {"cpu": "1"}
    assert "kubectl.kubernetes.io/restartedAt" in found["spec"]["template"]["metadata"]["annotations"]


SETS = """
apiVersion: apps/v1
kind: %s
metadata: {name: db}
spec:
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: c, image: 'nginx:1'}]}
"""


async def test_sets_with_names_and_sets_for_each_node(kubectl: Kubectl) -> None:
    for kind in ("StatefulSet", "DaemonSet"):
        await kubectl.run("apply", "-f", "-", stdin=SETS % kind)
        assert "image updated" in await kubectl.run("set", "image", f"{kind}/db", "c=nginx:2")
        assert "db" in await kubectl.run("get", kind, "-o", "wide")
        assert "Pod Template:" in await kubectl.run("describe", kind, "db")
    await kubectl.run("scale", "sts", "db", "--replicas=3")
    assert await kubectl.run("get", "sts", "db", "-o", "jsonpath={.spec.replicas}") == "3"
    assert "deleted" in await kubectl.run("delete", "sts,ds", "db")


async def test_server_side_apply_tells_owners_apart(kubectl: Kubectl) -> None:
    apply = ("apply", "--server-side", "-f", "-")
    assert "serverside-applied" in await kubectl.run(*apply, stdin=WEB % ", command: [x]")
    assert "serverside-applied" in await kubectl.run(*apply, stdin=WEB % "")
    found = await kubectl.admin.get(DEPLOYMENT, "web", "default")
    assert "command" not in found["spec"]["template"]["spec"]["containers"][0]
    await kubectl.run("set", "image", "deploy/web", "c=nginx:2")
    refused = await kubectl.run(*apply, stdin=WEB % "", fails=True)
    assert 'conflict with "kubectl-set" using apps/v1: .spec.template.spec.containers[name="c"].image' in refused
    assert "serverside-applied" in await kubectl.run(*apply, "--force-conflicts", stdin=WEB % "")
    shown = await kubectl.run("get", "deploy", "web", "-o", "yaml", "--show-managed-fields")
    assert "manager: kubectl" in shown
    # From client-side apply to this one: kubectl hands over what it owned.
    await kubectl.run("apply", "-f", "-", stdin=WIDGETS)
    await kubectl.run("apply", "-f", "-", stdin=WIDGET % 3)
    assert "serverside-applied" in await kubectl.run(*apply, stdin=WIDGET % 4)


async def test_mistakes_and_refusals_are_read_by_people(kubectl: Kubectl) -> None:
    wrong = await kubectl.run("apply", "-f", "-", stdin=WEB % ", imagee: x", fails=True)
    assert 'strict decoding error: unknown field "spec.template.spec.containers[0].imagee"' in wrong
    await kubectl.run("apply", "-f", "-", stdin=WEB % "")
    missing = await kubectl.run("get", "pod", "nobody", fails=True)
    assert missing.strip() == 'Error from server (NotFound): pods "nobody" not found'


async def test_pods_in_lists_logs_and_watches(kubectl: Kubectl) -> None:
    spec = {"containers": [{"name": "main", "image": "busybox"}], "terminationGracePeriodSeconds": 0}
    await kubectl.admin.create(POD, POD.new("p", "default", spec=spec))
    watching = await kubectl.start("get", "pods", "--watch", "--no-headers")
    assert watching.stdout is not None
    assert (await asyncio.wait_for(watching.stdout.readline(), 60)).split()[:3] == [b"p", b"0/1", b"Pending"]
    await kubectl.admin.transport.request("POST", POD.path("default", "p", "binding"), body={"target": {"name": "n"}})
    container = {"name": "main", "image": "busybox", "imageID": "", "ready": True, "restartCount": 0}
    status = {"phase": "Running", "containerStatuses": [{**container, "state": {"running": {}}}]}
    await kubectl.admin.patch_status(POD, "p", "default", status)
    async with asyncio.timeout(60):
        while (line := await watching.stdout.readline()).split()[:3] != [b"p", b"1/1", b"Running"]:
            assert line
    watching.terminate()
    await watching.communicate()
    assert await kubectl.run("logs", "p") == "hello from the pod\n"
    assert "Node:" in await kubectl.run("describe", "pod", "p")
    assert "deleted" in await kubectl.run("delete", "pod", "p", "--wait=false")


@asynccontextmanager
async def an_echo() -> AsyncGenerator[tuple[str, int]]:
    """A server at an address of its own, as a pod has it: it says each line again, in capitals."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(line.upper())
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.64.9.9", 0, limit=1 << 20)
    async with server:
        yield server.sockets[0].getsockname()[:2]


async def a_running_pod(admin: Client, address: str) -> None:
    spec = {"containers": [{"name": "main", "image": "busybox"}]}
    await admin.create(POD, POD.new("p", "default", spec=spec))
    await admin.patch_status(POD, "p", "default", {"phase": "Running", "podIP": address})


@pytest.mark.parametrize("websockets", ["true", "false"])  # SPDY inside a WebSocket, and on the bare connection
async def test_a_port_of_a_pod_is_reached_from_here(
    kubectl: Kubectl, websockets: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECTL_PORT_FORWARD_WEBSOCKETS", websockets)
    async with an_echo() as (address, port):
        await a_running_pod(kubectl.admin, address)
        forwarding = await kubectl.start("port-forward", "--address=127.0.0.1", "pod/p", f":{port}", ":1")
        assert forwarding.stdout is not None
        local = {}
        for _ in range(2):
            line = (await asyncio.wait_for(forwarding.stdout.readline(), 60)).decode()
            here, _, there = line.removeprefix("Forwarding from 127.0.0.1:").strip().partition(" -> ")
            local[int(there)] = int(here)
        talks = []
        for number in range(3):
            reader, writer = await asyncio.open_connection("127.0.0.1", local[port])
            writer.write(f"hello {number}\n".encode() + b"x" * 300_000 + b"\n")
            talks.append((number, reader, writer))
        for number, reader, writer in talks:
            assert await asyncio.wait_for(reader.readline(), 60) == f"HELLO {number}\n".encode()
            assert len(await asyncio.wait_for(reader.readexactly(300_001), 60)) == 300_001
            writer.close()
        reader, writer = await asyncio.open_connection("127.0.0.1", local[1])
        assert await asyncio.wait_for(reader.read(), 60) == b""  # nobody listens there, and kubectl says so
        said = b""
        while b"error occurred forwarding to port 1" not in said:
            said = await asyncio.wait_for(forwarding.stdout.readline(), 60)
            assert said
        writer.close()
        with suppress(ProcessLookupError):  # kubectl itself may end after such an error
            forwarding.terminate()
        await forwarding.communicate()


async def test_commands_run_in_a_pod_and_files_are_carried(kubectl: Kubectl, tmp_path: Path) -> None:
    await a_running_pod(kubectl.admin, "127.64.9.9")
    said = await kubectl.run("exec", "p", "--", "sh", "-c", "echo out; echo err >&2; exit 3", fails=True)
    assert {"out", "err", "command terminated with exit code 3"} <= set(said.splitlines())
    assert await kubectl.run("exec", "-i", "p", "--", "tr", "a-z", "A-Z", stdin="hello") == "HELLO"
    here, there, back = tmp_path / "here.txt", tmp_path / "there.txt", tmp_path / "back.txt"
    here.write_text("carried")
    await kubectl.run("cp", str(here), f"p:{there}")
    assert there.read_text() == "carried"
    await kubectl.run("cp", f"p:{there}", str(back))
    assert back.read_text() == "carried"
    assert "container other is not valid for pod p" in await kubectl.run(
        "exec", "p", "-c", "other", "--", "true", fails=True
    )


async def test_what_is_served_is_listed(kubectl: Kubectl) -> None:
    listed = await kubectl.run("api-resources")
    assert ["deployments", "deploy", "apps/v1"] in [line.split()[:3] for line in listed.splitlines()]
    assert "apps/v1" in (await kubectl.run("api-versions")).split()
    assert "Server Version: v1.36" in await kubectl.run("version")
    assert "restartPolicy" in await kubectl.run("explain", "pod.spec")
