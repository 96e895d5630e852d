"""kubectl where it is about who may do what: roles, questions, acting as others."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from fairway.cluster.api.signing.authority import signer
from fairway.kernel.client import kubeconfig
from fairway.kernel.objects.kinds import CERTIFICATE_SIGNING_REQUEST
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


REQUEST = """
apiVersion: certificates.k8s.io/v1
kind: CertificateSigningRequest
metadata: {name: ann}
spec:
  request: %s
  signerName: kubernetes.io/kube-apiserver-client
  usages: [client auth]
"""


def wanted(key: ec.EllipticCurvePrivateKey) -> str:
    """A request for a certificate of ann, as a CertificateSigningRequest has it."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ann")])
    made = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return base64.b64encode(made.public_bytes(serialization.Encoding.PEM)).decode()


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


async def test_a_certificate_from_request_to_use(kubectl: Kubectl, tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    text = wanted(key)
    assert "created" in await kubectl.run("create", "-f", "-", stdin=REQUEST % text)
    assert "Pending" in await kubectl.run("get", "csr")
    assert "approved" in await kubectl.run("certificate", "approve", "ann")
    assert "Approved" in await kubectl.run("get", "csr", "ann")
    assert "kube-apiserver-client" in await kubectl.run("describe", "csr", "ann")
    spec = (await kubectl.admin.get(CERTIFICATE_SIGNING_REQUEST, "ann"))["spec"]
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (tmp_path / "ann.key").write_bytes(key.private_bytes(*form))
    (tmp_path / "ann.crt").write_bytes(base64.b64decode(signer(tmp_path)(spec)))
    access = kubeconfig.load(kubectl.config)
    kubeconfig.write(kubectl.config, server=access.server, ca_pem=access.ca_pem, token="")
    shown = (f"--client-certificate={tmp_path / 'ann.crt'}", f"--client-key={tmp_path / 'ann.key'}")
    assert "ann" in await kubectl.run("auth", "whoami", *shown)
    assert 'User "ann" cannot list' in await kubectl.run("get", "pods", *shown, fails=True)


async def test_a_denied_request_stays_denied(kubectl: Kubectl) -> None:
    text = wanted(ec.generate_private_key(ec.SECP256R1()))
    await kubectl.run("create", "-f", "-", stdin=REQUEST % text)
    assert "denied" in await kubectl.run("certificate", "deny", "ann")
    assert "Denied" in await kubectl.run("get", "csr")
    await kubectl.run("certificate", "approve", "ann", fails=True)
