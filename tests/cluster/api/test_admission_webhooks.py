"""Admission webhooks: who is asked, what they are told, what their answers and their silence do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import orjson
import pytest

from fairway.cluster.api.identity.tokens import MASTERS, Issuer
from fairway.cluster.api.server import ApiServer
from fairway.cluster.store.memory import MemoryStore
from fairway.kernel.client.client import Client
from fairway.kernel.clock import SystemClock
from fairway.kernel.feature import Identity
from fairway.kernel.objects import errors
from fairway.kernel.objects.kinds import (
    CONFIG_MAP,
    ENDPOINT_SLICE,
    HORIZONTAL_POD_AUTOSCALER,
    MUTATING_WEBHOOK_CONFIGURATION,
    NAMESPACE,
    POD,
    SERVICE,
    VALIDATING_WEBHOOK_CONFIGURATION,
    Kind,
    Object,
)
from tests.cluster.api.webhook_server import WebhookServer, patch, webhook_server
from tests.cluster.api.world import World, pod

_ADMIN = Identity("admin", (MASTERS,))
RULE = {"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*/*"]}


@pytest.fixture
async def hook(keys: Path, tmp_path: Path) -> AsyncGenerator[WebhookServer, None]:
    async with webhook_server(tmp_path, "hook.default.svc") as server:
        yield server


async def allowed(request: Object) -> Object:
    return {"allowed": True}


async def denied(request: Object) -> Object:
    return {"allowed": False, "status": {"message": "not today", "code": 403, "reason": "Forbidden"}}


def webhook(config: Object, *, resources: tuple[str, ...] = ("configmaps",), **more: Any) -> Object:
    return {
        "name": "hook.example.dev",
        "clientConfig": config,
        "rules": [{**RULE, "resources": list(resources)}],
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        **more,
    }


async def validating(client: Client, *webhooks: Object, name: str = "v") -> Object:
    kind = VALIDATING_WEBHOOK_CONFIGURATION
    return await client.create(kind, {"metadata": {"name": name}, "webhooks": list(webhooks)})


async def mutating(client: Client, *webhooks: Object, name: str = "m") -> Object:
    kind = MUTATING_WEBHOOK_CONFIGURATION
    return await client.create(kind, {"metadata": {"name": name}, "webhooks": list(webhooks)})


def config_map(name: str = "one", **data: str) -> Object:
    return CONFIG_MAP.new(name, "default", data=data)


async def test_a_no_is_told_in_upstreams_words_and_nothing_is_stored(client: Client, hook: WebhookServer) -> None:
    made = await validating(client, webhook(hook.on("/no", denied)))
    given = made["webhooks"][0]
    assert (given["failurePolicy"], given["matchPolicy"], given["timeoutSeconds"]) == ("Fail", "Equivalent", 10)
    assert (given["namespaceSelector"], given["rules"][0]["scope"]) == ({}, "*")
    text = 'admission webhook "hook.example.dev" denied the request: not today'
    with pytest.raises(errors.Forbidden, match=f"^{text}$"):
        await client.create(CONFIG_MAP, config_map())
    with pytest.raises(errors.NotFound):
        await client.get(CONFIG_MAP, "one", "default")
    assert hook.queries == ["timeout=10s"]


async def test_a_webhook_is_told_all_that_is_known_of_who_asks(world: World, hook: WebhookServer) -> None:
    known = Identity("ann", (MASTERS,), uid="7", extra=(("example.dev/scope", ("all",)),))
    client = Client(world.server.transport(known))
    await validating(client, webhook(hook.on("/", allowed)))
    await client.create(CONFIG_MAP, config_map())
    (asked,) = hook.asked
    assert asked["userInfo"] == {
        "username": "ann",
        "groups": [MASTERS, "system:authenticated"],
        "uid": "7",
        "extra": {"example.dev/scope": ["all"]},
    }


async def test_a_webhook_is_told_who_asks_what_of_which_object(client: Client, hook: WebhookServer) -> None:
    await validating(client, webhook(hook.on("/", allowed)))
    await client.create(CONFIG_MAP, config_map(a="1"))
    await client.patch(CONFIG_MAP, "one", "default", {"data": {"a": "2"}})
    await client.delete(CONFIG_MAP, "one", "default")
    create, update, delete = hook.asked
    assert create["operation"] == "CREATE"
    assert create["kind"] == create["requestKind"] == {"group": "", "version": "v1", "kind": "ConfigMap"}
    assert create["resource"] == {"group": "", "version": "v1", "resource": "configmaps"}
    assert (create["name"], create["namespace"], create["dryRun"]) == ("one", "default", False)
    assert create["userInfo"]["username"] == "admin"
    assert "system:masters" in create["userInfo"]["groups"]
    assert (create["object"]["data"], create["oldObject"]) == ({"a": "1"}, None)
    assert (update["operation"], update["object"]["data"], update["oldObject"]["data"]) == (
        "UPDATE",
        {"a": "2"},
        {"a": "1"},
    )
    assert update["options"]["kind"] == "PatchOptions"
    assert (delete["operation"], delete["object"], delete["oldObject"]["data"]) == ("DELETE", None, {"a": "2"})
    assert delete["options"]["kind"] == "DeleteOptions"


async def test_patches_are_laid_over_each_other_and_completed(client: Client, hook: WebhookServer) -> None:
    async def add(request: Object) -> Object:
        container = {"name": "side", "image": "busybox:1", "junk": 1}
        return patch({"op": "add", "path": "/spec/containers/-", "value": container})

    async def label(request: Object) -> Object:
        assert [one["name"] for one in request["object"]["spec"]["containers"]] == ["main", "side"]
        return patch({"op": "add", "path": "/metadata/labels", "value": {"hooked": "yes"}})

    first, second = hook.on("/add", add), hook.on("/label", label)
    await mutating(client, webhook(first, resources=("pods",), name="a.example.dev"), name="first")
    await mutating(client, webhook(second, resources=("pods",), name="b.example.dev"), name="second")
    made = await client.create(POD, pod("p"))
    side = made["spec"]["containers"][1]
    assert (side["terminationMessagePolicy"], "junk" in side) == ("File", False)
    assert made["metadata"]["labels"] == {"hooked": "yes"}
    assert (await client.get(POD, "p", "default")) == made


async def test_who_wants_it_is_asked_again_after_a_change(client: Client, hook: WebhookServer) -> None:
    seen: list[tuple[str, object]] = []

    async def early(request: Object) -> Object:
        seen.append(("early", request["object"]["data"].get("late")))
        return {"allowed": True}

    async def once(request: Object) -> Object:
        seen.append(("once", request["object"]["data"].get("late")))
        return {"allowed": True}

    async def late(request: Object) -> Object:
        return patch({"op": "add", "path": "/data/late", "value": "yes"})

    await mutating(
        client,
        webhook(hook.on("/early", early), name="early.example.dev", reinvocationPolicy="IfNeeded"),
        webhook(hook.on("/once", once), name="once.example.dev"),
        webhook(hook.on("/late", late), name="late.example.dev"),
    )
    await client.create(CONFIG_MAP, config_map(a="1"))
    assert seen == [("early", None), ("once", None), ("early", "yes")]


async def test_what_a_webhook_may_not_change_stays(client: Client, hook: WebhookServer) -> None:
    async def rename(request: Object) -> Object:
        return patch(
            {"op": "replace", "path": "/metadata/name", "value": "other"},
            {"op": "add", "path": "/metadata/uid", "value": "x"},
            {"op": "add", "path": "/data", "value": {"b": "2"}},
        )

    await mutating(client, webhook(hook.on("/", rename)))
    made = await client.create(CONFIG_MAP, config_map(a="1"))
    assert (made["metadata"]["name"], made["data"]) == ("one", {"b": "2"})
    assert made["metadata"]["uid"] != "x"


async def test_silence_is_a_no_unless_it_may_be_passed_over(client: Client, hook: WebhookServer) -> None:
    hanging = asyncio.Event()

    async def hang(request: Object) -> Object:
        await hanging.wait()
        return {"allowed": True}

    await validating(client, webhook(hook.on("/hang", hang), timeoutSeconds=1))
    begun = time.monotonic()
    with pytest.raises(errors.InternalError) as caught:
        await client.create(CONFIG_MAP, config_map())
    assert str(caught.value) == (
        'Internal error occurred: failed calling webhook "hook.example.dev": failed to call webhook: '
        f'Post "https://127.0.0.1:{hook.port}/hang?timeout=1s": context deadline exceeded'
    )
    # Others are not held up by it.
    await client.create(SERVICE, SERVICE.new("s", "default", spec={"ports": [{"port": 80}]}))
    assert time.monotonic() - begun < 10
    await client.patch(VALIDATING_WEBHOOK_CONFIGURATION, "v", None, {"webhooks": None})
    ignored = webhook(hook.config("/hang"), timeoutSeconds=1, failurePolicy="Ignore")
    await validating(client, ignored, name="w")
    await client.create(CONFIG_MAP, config_map())
    hanging.set()


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (b"<html>", "json parse error"),
        (b"[]", "the answer is no object"),
        (b"{}", "received invalid webhook response: webhook response was absent"),
        (
            b'{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","response":{"uid":"x"}}',
            "expected response.uid=",
        ),
        (b"x" * (9 * 1024 * 1024), "has more than 8388608 bytes"),
    ],
)
async def test_rubbish_is_no_answer(client: Client, hook: WebhookServer, answer: bytes, text: str) -> None:
    async def rubbish(request: Object) -> bytes:
        return answer

    await mutating(client, webhook(hook.on("/", rubbish)))
    with pytest.raises(errors.InternalError, match=text):
        await client.create(CONFIG_MAP, config_map())


async def test_a_webhook_that_is_not_there_is_named(client: Client, hook: WebhookServer, unused_tcp_port: int) -> None:
    absent = {**hook.config("/"), "url": f"https://127.0.0.1:{unused_tcp_port}/"}
    await validating(client, webhook(absent))
    with pytest.raises(errors.InternalError, match=f"dial tcp 127.0.0.1:{unused_tcp_port}: connect: .*refused"):
        await client.create(CONFIG_MAP, config_map())


async def test_a_certificate_of_another_authority_is_refused(client: Client, hook: WebhookServer) -> None:
    await validating(client, webhook({"url": hook.config("/")["url"]}))
    with pytest.raises(errors.InternalError, match="tls: failed to verify certificate: x509"):
        await client.create(CONFIG_MAP, config_map())


async def test_a_service_is_found_by_its_endpoints_and_named_in_the_certificate(
    client: Client, hook: WebhookServer
) -> None:
    config = {
        "service": {"name": "hook", "namespace": "default", "path": "/judge"},
        "caBundle": hook.on("/judge", denied)["caBundle"],
    }
    await validating(client, webhook(config))
    with pytest.raises(errors.InternalError, match=r'hook\.default\.svc:443/judge\?timeout=10s": service "hook" not'):
        await client.create(CONFIG_MAP, config_map())
    await client.create(SERVICE, SERVICE.new("hook", "default", spec={"ports": [{"port": 443}]}))
    with pytest.raises(errors.InternalError, match='no endpoints available for service "hook"'):
        await client.create(CONFIG_MAP, config_map())
    labels = {"kubernetes.io/service-name": "hook"}
    slice_ = ENDPOINT_SLICE.new("hook", "default", metadata={"labels": labels}, addressType="IPv4")
    slice_ |= {"endpoints": [{"addresses": ["127.0.0.1"]}], "ports": [{"port": hook.port}]}
    await client.create(ENDPOINT_SLICE, slice_)
    with pytest.raises(errors.Forbidden, match="not today"):
        await client.create(CONFIG_MAP, config_map())


async def test_selectors_and_rules_say_whom_it_concerns(client: Client, hook: WebhookServer) -> None:
    hook.on("/", denied)
    chosen = {"matchLabels": {"hooked": "yes"}}
    await client.create(NAMESPACE, {"metadata": {"name": "team", "labels": {"hooked": "yes"}}})
    await validating(client, webhook(hook.config("/"), namespaceSelector=chosen), name="by-namespace")
    await client.create(CONFIG_MAP, config_map())
    with pytest.raises(errors.Forbidden):
        await client.create(CONFIG_MAP, CONFIG_MAP.new("one", "team"))
    await validating(
        client, webhook(hook.config("/"), resources=("services",), objectSelector=chosen), name="by-object"
    )
    service = SERVICE.new("s", "default", spec={"ports": [{"port": 80}]})
    await client.create(SERVICE, service)
    with pytest.raises(errors.Forbidden):  # the new object has the label
        await client.patch(SERVICE, "s", "default", {"metadata": {"labels": {"hooked": "yes"}}})
    cluster = webhook(hook.config("/"), resources=("*",))
    cluster["rules"][0]["scope"] = "Cluster"
    await validating(client, cluster, name="by-scope")
    await client.create(POD, pod("p"))
    with pytest.raises(errors.Forbidden):
        await client.create(NAMESPACE, {"metadata": {"name": "other"}})


async def test_another_version_is_shown_as_the_webhook_knows_it(client: Client, hook: WebhookServer) -> None:
    async def grow(request: Object) -> Object:
        return patch({"op": "replace", "path": "/spec/maxReplicas", "value": 7})

    rules = [{**RULE, "apiGroups": ["autoscaling"], "apiVersions": ["v1"], "resources": ["*"]}]
    await mutating(client, webhook(hook.on("/", grow), rules=rules))
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    spec = {"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 3}
    made = await client.create(HORIZONTAL_POD_AUTOSCALER, HORIZONTAL_POD_AUTOSCALER.new("h", "default", spec=spec))
    assert made["spec"]["maxReplicas"] == 7
    asked = hook.asked[0]
    assert (asked["kind"]["version"], asked["requestKind"]["version"]) == ("v1", "v2")
    assert asked["object"]["apiVersion"] == "autoscaling/v1"
    rules = [{**rules[0], "apiVersions": ["v2"]}]
    await client.update(
        MUTATING_WEBHOOK_CONFIGURATION,
        {
            **(await client.get(MUTATING_WEBHOOK_CONFIGURATION, "m", None)),
            "webhooks": [webhook(hook.config("/"), rules=rules, matchPolicy="Exact")],
        },
    )
    old = Kind("autoscaling", "v1", "HorizontalPodAutoscaler", "horizontalpodautoscalers")
    made = await client.create(old, old.new("i", "default", spec=spec))
    assert made["spec"]["maxReplicas"] == 3


async def test_a_dry_run_asks_only_those_without_side_effects(world: World, hook: WebhookServer) -> None:
    client = Client(world.server.transport(_ADMIN))
    await validating(client, webhook(hook.on("/", allowed), sideEffects="NoneOnDryRun"))
    path = CONFIG_MAP.path("default")
    await client.transport.request("POST", path, query={"dryRun": "All"}, body=config_map())
    assert hook.asked[0]["dryRun"] is True
    assert hook.asked[0]["options"]["dryRun"] == ["All"]


async def test_status_and_connections_are_subresources(client: Client, hook: WebhookServer) -> None:
    await client.create(POD, pod("p"))

    async def mark(request: Object) -> Object:
        return patch(
            {"op": "add", "path": "/status/message", "value": "hooked"},
            {"op": "add", "path": "/metadata/labels", "value": {"a": "b"}},
        )

    await mutating(client, webhook(hook.on("/", mark), resources=("pods/status",)))
    told = await client.patch_status(POD, "p", "default", {"phase": "Pending"})
    assert (told["status"]["message"], told["metadata"].get("labels")) == ("hooked", None)
    assert (hook.asked[0]["subResource"], hook.asked[0]["kind"]["kind"]) == ("status", "Pod")


async def test_a_shell_in_a_pod_may_be_refused(world: World, hook: WebhookServer) -> None:
    client = Client(world.server.transport(_ADMIN))
    await client.create(POD, pod("p"))
    await validating(client, webhook(hook.on("/", denied), resources=("pods/exec",)))
    code, _, body = await world.raw("GET", POD.path("default", "p", "exec") + "?command=sh&stdin=true")
    assert (code, b"not today" in body) == (403, True)
    asked = hook.asked[0]
    assert (asked["operation"], asked["object"]["kind"]) == ("CONNECT", "PodExecOptions")
    assert (asked["object"]["stdin"], asked["object"]["command"]) == (True, ["sh"])


async def test_of_connections_those_are_asked_too_that_change_objects(
    world: World, client: Client, hook: WebhookServer
) -> None:
    await client.create(POD, pod("p"))
    await mutating(client, webhook(hook.on("/", denied), resources=("pods/exec",)))
    code, _, body = await world.raw("GET", POD.path("default", "p", "exec") + "?command=sh&stdin=true")
    assert (code, b"not today" in body) == (403, True)


async def test_configurations_are_judged_by_nobody(client: Client, hook: WebhookServer) -> None:
    everything = webhook(hook.on("/", denied), rules=[RULE])
    await validating(client, everything)
    await mutating(client, webhook(hook.config("/"), rules=[RULE]))
    await client.delete(VALIDATING_WEBHOOK_CONFIGURATION, "v")
    await client.delete(MUTATING_WEBHOOK_CONFIGURATION, "m")
    await client.create(CONFIG_MAP, config_map())
    assert hook.asked == []


async def test_a_webhook_may_ask_the_api_meanwhile_and_warns(world: World, hook: WebhookServer) -> None:
    client = Client(world.server.transport(_ADMIN))

    async def look(request: Object) -> Object:
        await client.create(CONFIG_MAP, config_map("witness-" + request["name"]))
        return {"allowed": True, "warnings": ["seen"]}

    only = webhook(hook.on("/", look), resources=("services",))
    await validating(client, only)
    body = b'{"metadata":{"name":"s"},"spec":{"ports":[{"port":80}]}}'
    code, headers, _ = await world.raw("POST", SERVICE.path("default"), data=body)
    assert (code, headers["Warning"]) == (201, '299 - "seen"')
    assert await client.get(CONFIG_MAP, "witness-s", "default")


async def test_all_judges_are_asked_at_the_same_time_over_kept_connections(client: Client, hook: WebhookServer) -> None:
    together = asyncio.Barrier(2)

    async def wait(request: Object) -> Object:
        await together.wait()
        return {"allowed": True}

    config = hook.on("/", wait)
    await validating(client, webhook(config, name="a.example.dev"), webhook(config, name="b.example.dev"))
    for number in range(3):
        await client.create(CONFIG_MAP, config_map(f"c{number}"))
    assert (len(hook.asked), len(hook.connections)) == (6, 2)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"name": "short"}, "should be a domain with at least three segments separated by dots"),
        ({"sideEffects": "Some"}, 'Unsupported value: "Some": supported values: "None", "NoneOnDryRun"'),
        ({"timeoutSeconds": 31}, "the timeout value must be between 1 and 30 seconds"),
        ({"admissionReviewVersions": ["v1beta1"]}, "this server sends AdmissionReviews of v1"),
        ({"clientConfig": {}}, "exactly one of url or service is required"),
        ({"clientConfig": {"url": "http://example.dev"}}, "'https' is the only allowed URL scheme"),
        (
            {"rules": [{**RULE, "operations": ["CREATE", "*"]}]},
            "if '\\*' is present, must not specify other operations",
        ),
        ({"matchConditions": [{"name": "a", "expression": "objet.x"}]}, "undeclared reference to 'objet'"),
        ({"matchConditions": [{"name": "a", "expression": "1 + 1"}]}, "must evaluate to bool but got int"),
    ],
)
async def test_mistakes_in_configurations_are_named(
    client: Client, hook: WebhookServer, change: Object, text: str
) -> None:
    with pytest.raises(errors.Invalid, match=text):
        await validating(client, webhook(hook.config("/")) | change)


async def test_conditions_choose_among_requests(client: Client, hook: WebhookServer) -> None:
    conditions = [
        {"name": "marked", "expression": "object.data.mark == 'yes'"},
        {"name": "others", "expression": "request.userInfo.username != 'system:apiserver'"},
    ]
    await validating(client, webhook(hook.on("/", denied), matchConditions=conditions))
    await client.create(CONFIG_MAP, config_map("plain", mark="no"))
    with pytest.raises(errors.Forbidden, match="not today"):
        await client.create(CONFIG_MAP, config_map("marked", mark="yes"))
    with pytest.raises(errors.Forbidden, match=r'configmaps "bare" is forbidden: .*no such key: mark'):
        await client.create(CONFIG_MAP, config_map("bare", other="x"))
    await client.delete(VALIDATING_WEBHOOK_CONFIGURATION, "v")
    ignorable = webhook(hook.config("/"), matchConditions=conditions, failurePolicy="Ignore")
    await validating(client, ignorable)
    await client.create(CONFIG_MAP, config_map("bare", other="x"))
    assert len(hook.asked) == 1


async def test_what_a_webhook_notes_is_in_the_audit_log(keys: Path, tmp_path: Path, hook: WebhookServer) -> None:
    store, clock = MemoryStore(), SystemClock()
    server = ApiServer(store, clock=clock, issuer=Issuer.load(keys), audit=tmp_path / "audit")
    client = Client(server.transport(_ADMIN))

    async def note(request: Object) -> Object:
        return {"allowed": True, "auditAnnotations": {"seen-by": "the hook"}}

    await validating(client, webhook(hook.on("/", note)))
    await client.create(CONFIG_MAP, config_map())
    await server.close()
    records = [orjson.loads(line) for file in (tmp_path / "audit").iterdir() for line in file.read_text().splitlines()]
    found = [one["annotations"] for one in records if (one.get("objectRef") or {}).get("resource") == "configmaps"]
    assert [one.get("hook.example.dev/seen-by") for one in found] == ["the hook"]
