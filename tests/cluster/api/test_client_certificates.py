"""Certificates of clients: asked for, approved by those who may, signed, and good for what they say."""

from __future__ import annotations

import base64
import ssl
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from fairway.cluster.api.identity import certificates
from fairway.cluster.api.signing.authority import signer
from fairway.kernel.client.client import Client
from fairway.kernel.client.http import HTTPTransport
from fairway.kernel.client.kubeconfig import Access
from fairway.kernel.feature import Identity
from fairway.kernel.objects import errors
from fairway.kernel.objects.kinds import CERTIFICATE_SIGNING_REQUEST as REQUEST
from fairway.kernel.objects.kinds import CLUSTER_ROLE, CLUSTER_ROLE_BINDING, POD, Kind, Object
from fairway.testing.cluster import Cluster, cluster
from tests.cluster.api.world import World

SIGNER = "kubernetes.io/kube-apiserver-client"
WHO = Kind("authentication.k8s.io", "v1", "SelfSubjectReview", "selfsubjectreviews", False)
KEY = ec.generate_private_key(ec.SECP256R1())


def asked(user: str = "ann", *groups: str, **spec: object) -> Object:
    names = [x509.NameAttribute(NameOID.COMMON_NAME, user)] if user else []
    names += [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
    made = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(names)).sign(KEY, hashes.SHA256())
    request = base64.b64encode(made.public_bytes(serialization.Encoding.PEM)).decode()
    return REQUEST.new(
        user or "nobody", spec={"request": request, "signerName": SIGNER, "usages": ["client auth"]} | spec
    )


def answered(type_: str) -> Object:
    return {"status": {"conditions": [{"type": type_, "status": "True", "reason": "ByTest"}]}}


def pem(key: ec.EllipticCurvePrivateKey) -> str:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def bearing(url: str, ca_pem: str, certificate: str, token: str = "") -> Client:
    access = Access(url, token=token, ca_pem=ca_pem, client_cert_pem=certificate, client_key_pem=pem(KEY))
    return Client(HTTPTransport(url, token=token, tls=access.tls()))


def someone(world: World, user: str, *groups: str) -> Client:
    return Client(world.server.transport(Identity(user, groups)))


@pytest.fixture
def admin(world: World) -> Client:
    return someone(world, "admin", "system:masters")


@pytest.fixture
async def here(tmp_path: Path) -> AsyncGenerator[Cluster, None]:
    async with cluster(tmp_path) as found:
        yield found


async def test_an_approved_request_gives_a_certificate_that_says_who_one_is(here: Cluster) -> None:
    await here.client.create(REQUEST, asked("ann", "staff"))
    path = REQUEST.path(name="ann", subresource="approval")
    await here.client.transport.request(
        "PATCH", path, body=answered("Approved"), content_type="application/merge-patch+json"
    )
    signed = await here.client.wait(
        REQUEST, "ann", None, lambda obj: bool(obj and obj["status"].get("certificate")), timeout=60
    )
    assert signed is not None
    assert [each["type"] for each in signed["status"]["conditions"]] == ["Approved"]
    certificate = base64.b64decode(signed["status"]["certificate"]).decode()
    ann = bearing(here.api_url, (here.folder / "pki/ca.crt").read_text(), certificate)
    who = (await ann.create(WHO, {}))["status"]["userInfo"]
    assert (who["username"], who["groups"]) == ("ann", ["staff", "system:authenticated"])
    with pytest.raises(errors.Forbidden):
        await ann.list(POD, "default")
    await ann.close()


async def test_what_cannot_be_signed_says_why(here: Cluster) -> None:
    await here.client.create(REQUEST, asked("server", usages=["server auth"]))
    path = REQUEST.path(name="server", subresource="approval")
    await here.client.transport.request(
        "PATCH", path, body=answered("Approved"), content_type="application/merge-patch+json"
    )
    failed = await here.client.wait(
        REQUEST, "server", None, lambda obj: bool(obj and len(obj["status"]["conditions"]) == 2), timeout=60
    )
    assert failed is not None
    last = failed["status"]["conditions"][-1]
    assert (last["type"], last["reason"]) == ("Failed", "SignerValidationFailure")
    assert "client auth" in last["message"]


async def test_who_asked_is_written_down_and_nothing_of_it_changes(world: World, admin: Client) -> None:
    rules = [{"apiGroups": [REQUEST.group], "resources": [REQUEST.plural], "verbs": ["create"]}]
    await admin.create(CLUSTER_ROLE, CLUSTER_ROLE.new("ask", rules=rules))
    reference = {"apiGroup": CLUSTER_ROLE.group, "kind": "ClusterRole", "name": "ask"}
    subjects = [{"kind": "User", "name": "bob"}]
    await admin.create(CLUSTER_ROLE_BINDING, CLUSTER_ROLE_BINDING.new("ask", subjects=subjects, roleRef=reference))
    lies: Object = {"username": "root", "groups": ["system:masters"], "uid": "0", "extra": {"a": ["b"]}}
    made = await someone(world, "bob").create(REQUEST, asked(**lies))
    told = {key: made["spec"].get(key) for key in lies}
    assert told == {"username": "bob", "groups": ["system:authenticated"], "uid": None, "extra": None}
    again = await admin.patch(REQUEST, "ann", None, {"spec": {"username": "root", "usages": ["server auth"]}})
    assert again["spec"] == made["spec"]


async def test_answering_and_signing_need_the_signers_verbs(world: World, admin: Client) -> None:
    await admin.create(REQUEST, asked())
    rules = [
        {
            "apiGroups": [REQUEST.group],
            "resources": [f"{REQUEST.plural}/approval", f"{REQUEST.plural}/status"],
            "verbs": ["patch"],
        },
        {
            "apiGroups": [REQUEST.group],
            "resources": ["signers"],
            "verbs": ["approve"],
            "resourceNames": ["example.dev/*"],
        },
    ]
    await admin.create(CLUSTER_ROLE, CLUSTER_ROLE.new("answer", rules=rules))
    reference = {"apiGroup": CLUSTER_ROLE.group, "kind": "ClusterRole", "name": "answer"}
    subjects = [{"kind": "User", "name": "bob"}]
    await admin.create(CLUSTER_ROLE_BINDING, CLUSTER_ROLE_BINDING.new("answer", subjects=subjects, roleRef=reference))
    bob = someone(world, "bob")
    with pytest.raises(errors.Forbidden, match="user not permitted to approve requests with signerName"):
        await bob.patch(REQUEST, "ann", None, answered("Approved"), subresource="approval")
    with pytest.raises(errors.Forbidden, match="user not permitted to sign requests with signerName"):
        await bob.patch_status(REQUEST, "ann", None, {"certificate": base64.b64encode(b"forged").decode()})
    rules[1]["resourceNames"] = ["kubernetes.io/*"]
    await admin.patch(CLUSTER_ROLE, "answer", None, {"rules": rules})
    done = await bob.patch(REQUEST, "ann", None, answered("Denied"), subresource="approval")
    assert [each["type"] for each in done["status"]["conditions"]] == ["Denied"]
    with pytest.raises(errors.Invalid, match="may not remove a condition of type"):
        await admin.patch(REQUEST, "ann", None, answered("Approved"), subresource="approval")


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ({"request": base64.b64encode(b"hello").decode()}, "PEM block type must be CERTIFICATE REQUEST"),
        ({"usages": []}, "usages must be provided"),
        ({"signerName": "mine"}, "must be a fully qualified domain"),
        ({"expirationSeconds": 60}, "may not specify a duration less than 600 seconds"),
    ],
)
async def test_what_is_wrong_is_named(admin: Client, spec: Object, problem: str) -> None:
    with pytest.raises(errors.Invalid, match=problem):
        await admin.create(REQUEST, asked(**spec))


async def test_nobody_becomes_an_administrator_by_a_signature(admin: Client, keys: Path) -> None:
    wanted = asked("eve", "system:masters")
    with pytest.raises(errors.Forbidden, match="with system:masters group is not allowed"):
        await admin.create(REQUEST, wanted)
    with pytest.raises(ValueError, match="system:masters"):
        signer(keys)(wanted["spec"])


async def test_a_certificate_of_another_authority_is_nobodys(world: World, keys: Path, tmp_path: Path) -> None:
    certificates.ensure(tmp_path)
    for folder, token, code in ((tmp_path, world.token(), 0), (keys, "", 201)):
        certificate = base64.b64decode(signer(folder)(asked()["spec"])).decode()
        client = bearing(world.url, (keys / "ca.crt").read_text(), certificate, token)
        if code:
            assert (await client.create(WHO, {}))["status"]["userInfo"]["username"] == "ann"
        else:
            with pytest.raises((errors.ApiError, OSError, ssl.SSLError)):
                await client.create(WHO, {})
        await client.close()


async def test_the_servers_own_certificate_is_nobodys(world: World, keys: Path) -> None:
    context = ssl.create_default_context(cafile=str(keys / "ca.crt"))
    context.load_cert_chain(keys / "serving.crt", keys / "serving.key")
    client = Client(HTTPTransport(world.url, token=world.token(), tls=context))
    with pytest.raises((errors.ApiError, OSError, ssl.SSLError)):
        await client.create(WHO, {})
    await client.close()
