"""Aggregated APIs: a real server behind an APIService answers a group version, and everybody sees it as one API."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from fairway.cluster.api.identity.tokens import MASTERS
from fairway.kernel.client import kubeconfig
from fairway.kernel.client.client import Client
from fairway.kernel.client.http import HTTPTransport
from fairway.kernel.objects import conditions, errors
from fairway.kernel.objects.kinds import API_SERVICE, CRD, ENDPOINT_SLICE, NAMESPACE, SERVICE, Kind, Object
from fairway.testing.cluster import Cluster, cluster
from fairway.up.owner import ADMIN
from tests.cluster.api import extension_server as wardle
from tests.cluster.api.extension_server import NAME, ROOT, ExtensionServer
from tests.cluster.api.world import define

FLUNDER = Kind(wardle.GROUP, wardle.VERSION, "Flunder", "flunders")
AGGREGATED = {"Accept": "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"}


@dataclass
class Here:
    cluster: Cluster
    server: ExtensionServer

    @property
    def client(self) -> Client:
        return self.cluster.client

    async def until(self, status: str, reason: str) -> Object:
        """The APIService, once it says so."""

        def says(service: Object | None) -> bool:
            found = conditions.find(service or {}, "Available") or {}
            return (found.get("status"), found.get("reason")) == (status, reason)

        found = await self.client.wait(API_SERVICE, NAME, None, says, timeout=60)
        assert found is not None
        return found

    async def look_again(self) -> None:
        """A change of the Service is a reason to."""
        labels = {"looked": str(time.monotonic_ns())}
        await self.client.patch(SERVICE, wardle.SERVICE_NAME, wardle.NAMESPACE_NAME, {"metadata": {"labels": labels}})

    async def behind(self, **spec: object) -> None:
        """An APIService whose server answers."""
        trust = spec or {"caBundle": self.server.bundle}
        await self.client.create(API_SERVICE, wardle.api_service(**trust))
        await self.until("True", "Passed")

    async def raw(
        self, method: str, path: str, user: str = "ann", groups: tuple[str, ...] = (MASTERS,), **headers: str
    ) -> tuple[int, aiohttp.typedefs.LooseHeaders, bytes]:
        access = kubeconfig.load(self.cluster.kubeconfig)
        token = self.cluster.issuer.mint(user, groups, seconds=600)
        async with (
            aiohttp.ClientSession() as session,
            session.request(
                method,
                self.cluster.api_url + path,
                headers={"Authorization": f"Bearer {token}", **headers},
                ssl=access.tls(),
            ) as answer,
        ):
            return answer.status, dict(answer.headers), await answer.read()


@pytest.fixture
async def here(tmp_path: Path) -> AsyncGenerator[Here, None]:
    async with cluster(tmp_path) as made:
        server = ExtensionServer(tmp_path / "wardle")
        await server.start(made.client)
        await wardle.furnish(made.client, server.port)
        yield Here(made, server)
        await server.stop()


async def test_requests_go_on_in_the_name_of_who_asks_and_without_their_token(here: Here) -> None:
    await here.behind()
    flunder = FLUNDER.new("one", "default", spec={"size": 1})
    transport = HTTPTransport.from_kubeconfig(here.cluster.kubeconfig)
    over_http = Client(transport)
    for client in (over_http, here.client):
        await client.create(FLUNDER, flunder)
        assert (await client.get(FLUNDER, "one", "default"))["spec"] == {"size": 1}
        assert [each["metadata"]["name"] for each in (await client.list(FLUNDER, "default")).items] == ["one"]
        await client.delete(FLUNDER, "one", "default")
        with pytest.raises(errors.NotFound, match="wardle says NotFound"):
            await client.get(FLUNDER, "one", "default")
    await transport.close()
    assert {each.user for each in here.server.asked} == {ADMIN.user}
    assert all(MASTERS in each.groups for each in here.server.asked)
    assert not any(name.lower() == "authorization" for each in here.server.asked for name, _ in each.headers)


async def test_who_a_caller_says_to_be_in_the_servers_own_headers_counts_nothing(here: Here) -> None:
    await here.behind()
    forged = {"X-Remote-User": "root", "X-Remote-Group": "wheel", "X-Remote-Extra-Scope": "all"}
    code, _, _ = await here.raw("GET", f"{ROOT}/namespaces/default/flunders", **forged)
    (asked,) = here.server.told("ann")
    assert code == 200
    assert "wheel" not in asked.groups
    assert not any(name.lower().startswith("x-remote-extra") for name, _ in asked.headers)


async def test_who_may_not_is_refused_before_anybody_is_asked(here: Here) -> None:
    await here.behind()
    code, _, said = await here.raw("GET", f"{ROOT}/namespaces/default/flunders", groups=())
    assert code == 403
    assert f'User "ann" cannot list resource "flunders" in API group "{wardle.GROUP}"' in json.loads(said)["message"]
    assert here.server.told("ann") == []
    code, _, _ = await here.raw("GET", ROOT, groups=())
    assert code == 200  # discovery is everybody's who is known


async def test_impersonation_is_told_and_not_passed_on(here: Here) -> None:
    await here.behind()
    await here.raw("GET", f"{ROOT}/flunders", **{"Impersonate-User": "bob", "Impersonate-Group": MASTERS})
    (asked,) = here.server.told("bob")
    assert not any(name.lower().startswith("impersonate") for name, _ in asked.headers)


async def test_a_watch_is_passed_on_as_it_comes(here: Here) -> None:
    await here.behind()
    transport = HTTPTransport.from_kubeconfig(here.cluster.kubeconfig)
    for client in (Client(transport), here.client):
        here.server.changes.clear()
        events = client.watch(FLUNDER, "default")
        async with asyncio.timeout(60):
            for name in ("one", "two"):
                here.server.add(name)
                assert (await anext(events)).object["metadata"]["name"] == name
        await events.aclose()
    await transport.close()


@pytest.mark.parametrize(
    "said",
    [
        b"no JSON",
        b'{"type": "ADDED"}',
        b'{"type": "ADDED", "object": {"metadata": {"resourceVersion": "1"}}}',
        b'{"type": "ADDED", "object": {"metadata": {"name": "a", "resourceVersion": "1", "ownerReferences": [{}]}}}',
    ],
)
async def test_a_server_that_breaks_the_protocol_costs_its_readers_an_error_and_no_more(
    here: Here, said: bytes
) -> None:
    await here.behind()
    here.server.add("one")
    here.server.broken = said + b"\n"
    events = here.client.watch(FLUNDER, "default")
    async with asyncio.timeout(60):
        await anext(events)
        with pytest.raises(errors.InternalError, match="the server behind"):
            await anext(events)
    assert (await here.client.list(API_SERVICE)).items  # and everything else goes on


async def test_a_change_of_protocol_is_passed_on_with_who_asks(here: Here) -> None:
    await here.behind()
    access = kubeconfig.load(here.cluster.kubeconfig)
    host, port = here.cluster.api_url.removeprefix("https://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port), ssl=access.tls())
    lines = (f"GET {ROOT}/flunders HTTP/1.1", f"Host: {host}", f"Authorization: Bearer {access.token}")
    writer.write("\r\n".join((*lines, "Upgrade: echo", "Connection: Upgrade", "X-Remote-User: root", "", "")).encode())
    async with asyncio.timeout(60):
        assert b"101" in (await reader.readuntil(b"\r\n\r\n"))
        said = await reader.read(100)
    assert said and said != b"root"
    writer.close()


async def test_a_refusal_to_change_the_protocol_comes_whole(here: Here) -> None:
    await here.behind()
    code, _, body = await here.raw("GET", f"{ROOT}/flunders/refused", Upgrade="echo", Connection="Upgrade")
    assert (code, body) == (418, b"not in this hour")


async def test_discovery_names_it_in_its_place(here: Here) -> None:
    await here.behind()
    await define(here.client)
    _, _, old = await here.raw("GET", "/apis")
    names = [group["name"] for group in json.loads(old)["groups"]]
    assert names[:3] == ["apiregistration.k8s.io", "apps", "events.k8s.io"]
    assert names.index("discovery.k8s.io") < names.index(wardle.GROUP) < names.index("example.dev")
    _, _, new = await here.raw("GET", "/apis", **AGGREGATED)
    group = next(each for each in json.loads(new)["items"] if each["metadata"]["name"] == wardle.GROUP)
    (version,) = group["versions"]
    assert (version["version"], version["freshness"]) == (wardle.VERSION, "Current")
    (flunders,) = version["resources"]
    assert (flunders["resource"], flunders["scope"], flunders["shortNames"]) == ("flunders", "Namespaced", ["fl"])
    assert flunders["subresources"][0]["subresource"] == "status"
    _, _, whole = await here.raw("GET", f"/apis/{wardle.GROUP}")
    assert json.loads(whole)["preferredVersion"]["version"] == wardle.VERSION
    _, _, listed = await here.raw("GET", ROOT)
    assert json.loads(listed) == wardle.RESOURCES


async def test_its_schemas_are_where_its_server_says(here: Here) -> None:
    await here.behind()
    _, _, index = await here.raw("GET", "/openapi/v3")
    place = json.loads(index)["paths"][ROOT.removeprefix("/")]["serverRelativeURL"]
    code, _, document = await here.raw("GET", place)
    assert (code, json.loads(document)["info"]["title"]) == (200, "Wardle")


async def test_a_server_that_is_gone_is_told_apart_step_by_step(here: Here) -> None:
    await here.behind()
    here.server.silent = True
    await here.look_again()
    found = await here.until("False", "FailedDiscoveryCheck")
    assert "bad status from https://127.0.0.1" in found["status"]["conditions"][0]["message"]
    code, _, said = await here.raw("GET", f"{ROOT}/flunders")
    assert (code, said) == (503, b"service unavailable\n")
    with pytest.raises(errors.Unavailable, match="the server is currently unable to handle the request"):
        await here.client.list(FLUNDER)
    _, _, new = await here.raw("GET", "/apis", **AGGREGATED)
    group = next(each for each in json.loads(new)["items"] if each["metadata"]["name"] == wardle.GROUP)
    assert group["versions"][0]["freshness"] == "Stale"
    await here.client.patch(
        ENDPOINT_SLICE,
        wardle.SERVICE_NAME,
        wardle.NAMESPACE_NAME,
        {"endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": False}}]},
    )
    await here.until("False", "MissingEndpoints")
    await here.client.delete(ENDPOINT_SLICE, wardle.SERVICE_NAME, wardle.NAMESPACE_NAME)
    await here.until("False", "EndpointsNotFound")
    await here.client.patch(SERVICE, wardle.SERVICE_NAME, wardle.NAMESPACE_NAME, {"spec": {"ports": [{"port": 80}]}})
    await here.until("False", "ServicePortError")
    await here.client.delete(SERVICE, wardle.SERVICE_NAME, wardle.NAMESPACE_NAME)
    found = await here.until("False", "ServiceNotFound")
    assert found["status"]["conditions"][0]["message"] == 'service/api in "wardle" is not present'


@pytest.mark.slow
async def test_a_namespace_waits_for_a_server_that_might_keep_something_in_it(here: Here) -> None:
    await here.behind()
    await here.client.create(NAMESPACE, NAMESPACE.new("team"))
    here.server.silent = True
    await here.look_again()
    await here.until("False", "FailedDiscoveryCheck")
    await here.client.delete(NAMESPACE, "team")
    kept = await here.client.wait(
        NAMESPACE, "team", None, lambda one: conditions.is_true(one or {}, "NamespaceDeletionDiscoveryFailure")
    )
    said = conditions.find(kept or {}, "NamespaceDeletionDiscoveryFailure") or {}
    assert f"1 failing: unable to retrieve the complete list of server APIs: {wardle.GROUP}" in said["message"]
    here.server.silent = False
    await here.look_again()
    await here.client.wait(NAMESPACE, "team", None, lambda one: one is None, timeout=60)


async def test_another_authority_than_the_bundles_is_not_believed(here: Here) -> None:
    other = (here.cluster.folder / "pki" / "ca.crt").read_bytes()
    await here.behind(caBundle=base64.b64encode(other).decode())  # looking does not look at it, as upstream
    code, _, said = await here.raw("GET", f"{ROOT}/flunders")
    assert code == 503
    assert "error trying to reach service" in json.loads(said)["message"]
    assert here.server.asked == []
    await here.client.patch(API_SERVICE, NAME, None, {"spec": {"caBundle": None, "insecureSkipTLSVerify": True}})
    code, _, _ = await here.raw("GET", f"{ROOT}/flunders")
    assert code == 200


async def test_a_deleted_one_is_gone_everywhere(here: Here) -> None:
    await here.behind()
    await here.client.delete(API_SERVICE, NAME)
    code, _, _ = await here.raw("GET", f"{ROOT}/flunders")
    assert code == 404
    _, _, old = await here.raw("GET", "/apis")
    assert wardle.GROUP not in old.decode()


async def test_what_is_served_here_has_apiservices_that_say_so(here: Here) -> None:
    found = {each["metadata"]["name"]: each for each in (await here.client.list(API_SERVICE)).items}
    assert {"v1.", "v1.apps", "v2.autoscaling", "v1.rbac.authorization.k8s.io"} <= found.keys()
    assert "v1.apiregistration.k8s.io" not in found
    for name, priority in (("v1.", 18000), ("v1.apps", 17800)):
        service = found[name]
        assert service["metadata"]["labels"] == {"kube-aggregator.kubernetes.io/automanaged": "onstart"}
        assert service["spec"]["groupPriorityMinimum"] == priority
        (said,) = service["status"]["conditions"]
        assert (said["type"], said["status"], said["reason"]) == ("Available", "True", "Local")


async def test_those_of_custom_resources_come_and_go_with_their_definition(here: Here) -> None:
    definition = await define(here.client)
    name = "v1.example.dev"
    kept = await here.client.wait(
        API_SERVICE, name, None, lambda one: one is not None and "conditions" in (one.get("status") or {})
    )
    assert kept is not None and kept["metadata"]["labels"] == {"kube-aggregator.kubernetes.io/automanaged": "true"}
    await here.client.patch(API_SERVICE, name, None, {"spec": {"versionPriority": 7}})
    await here.client.wait(
        API_SERVICE, name, None, lambda one: one is not None and one["spec"]["versionPriority"] == 100
    )
    await here.client.delete(CRD, definition["metadata"]["name"])
    await here.client.wait(API_SERVICE, name, None, lambda one: one is None)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"group": "other.example.com"}, 'must be `spec.version+"."+spec.group`: "v1alpha1.other.example.com"'),
        ({"groupPriorityMinimum": 0}, "spec.groupPriorityMinimum: Invalid value: 0: must be positive and less than"),
        ({"versionPriority": 1001}, "spec.versionPriority: Invalid value: 1001: must be positive and less than 1000"),
        ({"service": {"name": "api"}}, "spec.service.namespace: Required value"),
        ({"caBundle": "bm8="}, "spec.caBundle: Invalid value"),
        ({"service": None, "insecureSkipTLSVerify": True}, "local APIServices may not have insecureSkipTLSVerify"),
    ],
)
async def test_what_is_wrong_with_one_is_said(client: Client, change: Object, said: str) -> None:
    with pytest.raises(errors.Invalid) as refused:
        await client.create(API_SERVICE, wardle.api_service(**change))
    assert said in str(refused.value)


async def test_a_built_in_group_stays_with_this_server(client: Client) -> None:
    metrics = wardle.api_service(group="metrics.k8s.io", version="v1beta1")
    metrics["metadata"]["name"] = "v1beta1.metrics.k8s.io"
    del metrics["spec"]["groupPriorityMinimum"], metrics["spec"]["versionPriority"]
    wanted = {**metrics, "spec": {**metrics["spec"], "groupPriorityMinimum": 100, "versionPriority": 100}}
    with pytest.raises(errors.Invalid, match="this server answers the group"):
        await client.patch(API_SERVICE, "v1beta1.metrics.k8s.io", None, {"spec": wanted["spec"]})
