"""Who may do what: three rules, checked on every route; tokens and what they are bound to."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import jwt
import orjson
import pytest

from fairway.cluster.api.identity import certificates
from fairway.cluster.api.identity.tokens import Issuer
from fairway.kernel.client.client import Client
from fairway.kernel.client.http import HTTPTransport
from fairway.kernel.feature import Identity
from fairway.kernel.objects import errors
from fairway.kernel.objects.kinds import CONFIG_MAP, NAMESPACE, NODE, POD, SERVICE_ACCOUNT, TOKEN_REVIEW, Kind, Object
from tests.cluster.api.world import World, pod

ACCESS = Kind("authorization.k8s.io", "v1", "SelfSubjectAccessReview", "selfsubjectaccessreviews", False)
WHO = Kind("authentication.k8s.io", "v1", "SelfSubjectReview", "selfsubjectreviews", False)


@pytest.fixture
def admin(world: World) -> Client:
    return Client(world.server.transport(Identity("admin", ("system:masters",))))


@pytest.mark.parametrize("groups", [("system:masters",), ("system:masters", "system:authenticated"), ()])
async def test_each_group_is_told_once(world: World, groups: tuple[str, ...]) -> None:
    remote = Client(HTTPTransport(world.url, token=world.token("somebody", groups), tls=world.tls))
    answer = await remote.transport.request("POST", WHO.path(), body={})
    await remote.close()
    assert answer["status"]["userInfo"]["groups"] == [*dict.fromkeys((*groups, "system:authenticated"))]


async def account(admin: Client, **spec: object) -> tuple[str, Object]:
    """A token of the service account `worker` in default."""
    if await admin.find(SERVICE_ACCOUNT, "worker", "default") is None:
        await admin.create(SERVICE_ACCOUNT, SERVICE_ACCOUNT.new("worker", "default"))
    path = SERVICE_ACCOUNT.path("default", "worker", "token")
    answer = await admin.transport.request("POST", path, body={"spec": spec})
    return answer["status"]["token"], answer


async def test_a_service_account_rules_its_own_namespace_only(world: World, admin: Client) -> None:
    await admin.create(NAMESPACE, NAMESPACE.new("other"))
    token, _ = await account(admin)
    worker = Client(HTTPTransport(world.url, token=token, tls=world.tls))
    await worker.create(CONFIG_MAP, CONFIG_MAP.new("mine", "default"))
    assert (await worker.get(NAMESPACE, "default"))["metadata"]["name"] == "default"
    assert await worker.transport.request("GET", "/apis")
    text = (
        'configmaps is forbidden: User "system:serviceaccount:default:worker" cannot list resource "configmaps" '
        'in API group "" in the namespace "other"'
    )
    with pytest.raises(errors.Forbidden) as caught:
        await worker.list(CONFIG_MAP, "other")
    assert caught.value.message == text
    for attempt in (
        worker.list(CONFIG_MAP),
        worker.list(NODE),
        worker.list(NAMESPACE),
        worker.create(NAMESPACE, NAMESPACE.new("n")),
        worker.delete(NAMESPACE, "default"),
        worker.create(TOKEN_REVIEW, {"spec": {"token": token}}),
        worker.get(NAMESPACE, "other"),
    ):
        with pytest.raises(errors.Forbidden):
            await attempt
    with pytest.raises(errors.Forbidden):
        await anext(worker.watch(POD))
    await worker.close()


async def test_who_is_known_and_nothing_else_may_ask_and_discover(world: World) -> None:
    stranger = Client(HTTPTransport(world.url, token=world.token("ann", ("staff",)), tls=world.tls))
    review = await stranger.create(WHO, {})
    assert review["status"]["userInfo"]["username"] == "ann"
    wanted = {"resourceAttributes": {"verb": "get", "resource": "pods", "namespace": "default"}}
    assert (await stranger.create(ACCESS, {"spec": wanted}))["status"]["allowed"] is False
    with pytest.raises(errors.Forbidden):
        await stranger.list(POD, "default")
    with pytest.raises(errors.Forbidden):
        await stranger.get(POD, "hidden", "default")
    await stranger.close()


async def test_a_pods_token_ends_with_the_pod(world: World, admin: Client) -> None:
    await account(admin)
    running = pod("p")
    running["spec"]["serviceAccountName"] = "worker"
    made = await admin.create(POD, running)
    bound = {"kind": "Pod", "apiVersion": "v1", "name": "p", "uid": made["metadata"]["uid"]}
    token, answer = await account(admin, boundObjectRef=bound, expirationSeconds=3600)
    assert answer["spec"]["expirationSeconds"] == 3600
    path = "/api/v1/namespaces/default/pods"
    assert (await world.raw("GET", path, token=token))[0] == 200
    asked = {"spec": {"token": token}}
    assert (await admin.create(TOKEN_REVIEW, asked))["status"]["user"]["username"].endswith(":worker")
    await admin.delete(POD, "p", "default")
    assert (await world.raw("GET", path, token=token))[0] == 401
    assert (await admin.create(TOKEN_REVIEW, asked))["status"]["authenticated"] is False


async def test_a_token_that_is_bound_to_a_node_ends_with_the_node(world: World, admin: Client) -> None:
    await admin.create(NODE, NODE.new("n"))
    token, _ = await account(admin, boundObjectRef={"kind": "Node", "apiVersion": "v1", "name": "n"})
    path = "/api/v1/namespaces/default/pods"
    assert (await world.raw("GET", path, token=token))[0] == 200
    await admin.delete(NODE, "n", None)
    assert (await world.raw("GET", path, token=token))[0] == 401


async def test_tokens_of_others_are_nothing(world: World, admin: Client, tmp_path: Path) -> None:
    foreign = Issuer.load(tmp_path).mint("admin", ["system:masters"], seconds=600)
    over = world.token(seconds=-60)
    unsigned = jwt.encode({"sub": "admin", "groups": ["system:masters"]}, "", algorithm="none")
    elsewhere, _ = await account(admin, audiences=["somewhere-else"])
    for token in (foreign, over, unsigned, elsewhere, "nonsense", ""):
        assert (await world.raw("GET", "/version", token=token))[0] == 401
        review = await admin.create(TOKEN_REVIEW, {"spec": {"token": token}})
        assert review["status"]["authenticated"] is False


async def test_the_published_keys_verify_tokens(world: World) -> None:
    _, _, body = await world.raw("GET", "/openid/v1/jwks")
    key = jwt.PyJWK(orjson.loads(body)["keys"][0])
    claims = jwt.decode(world.token(), key, algorithms=["ES256"], audience="fairway")
    _, _, body = await world.raw("GET", "/.well-known/openid-configuration")
    assert orjson.loads(body)["issuer"] == claims["iss"]
    assert claims["exp"] > time.time()


def test_keys_are_made_once_and_private(tmp_path: Path) -> None:
    first = Issuer.load(tmp_path)
    token = first.mint("ann", seconds=60)
    assert Issuer.load(tmp_path).verify(token).user == "ann"
    files = certificates.ensure(tmp_path, ["box.example"])
    again = certificates.ensure(tmp_path, ["box.example"])
    assert (files, files.cert.read_bytes()) == (again, again.cert.read_bytes())
    before = files.cert.read_bytes()
    assert certificates.ensure(tmp_path, ["renamed.example"]).cert.read_bytes() != before
    for path in tmp_path.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_key_that_was_half_written_is_in_nobodys_way(tmp_path: Path) -> None:
    (tmp_path / f"token.key.{os.getpid()}.new").write_bytes(b"-----BEGIN")
    Issuer.load(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["token.key"]


async def test_a_token_is_bound_to_what_there_is(world: World, admin: Client) -> None:
    _, answer = await account(admin)
    made = await admin.create(POD, pod("theirs"))
    path = SERVICE_ACCOUNT.path("default", "worker", "token")
    for reference, error in (
        ({"kind": "Pod", "apiVersion": "v1", "name": "absent"}, errors.NotFound),
        ({"kind": "Pod", "apiVersion": "v1", "name": "theirs"}, errors.BadRequest),  # another account's
        ({"kind": "ConfigMap", "apiVersion": "v1", "name": "c"}, errors.BadRequest),
    ):
        with pytest.raises(error):
            await admin.transport.request("POST", path, body={"spec": {"boundObjectRef": reference}})
    default = await admin.get(SERVICE_ACCOUNT, "default", "default")
    reference = {"kind": "Pod", "apiVersion": "v1", "name": "theirs", "uid": "of-an-earlier-one"}
    path = SERVICE_ACCOUNT.path("default", "default", "token")
    with pytest.raises(errors.Conflict):
        await admin.transport.request("POST", path, body={"spec": {"boundObjectRef": reference}})
    reference["uid"] = made["metadata"]["uid"]
    answer = await admin.transport.request("POST", path, body={"spec": {"boundObjectRef": reference}})
    review = await admin.create(TOKEN_REVIEW, {"spec": {"token": answer["status"]["token"]}})
    user = review["status"]["user"]
    assert user["uid"] == default["metadata"]["uid"]
    assert user["extra"]["authentication.kubernetes.io/pod-name"] == ["theirs"]
    assert user["extra"]["authentication.kubernetes.io/pod-uid"] == [made["metadata"]["uid"]]
