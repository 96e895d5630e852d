"""The unmodified `kubernetes` package (the official Python client) against the API server."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from fairway.cluster.api.identity import certificates
from fairway.cluster.api.identity.tokens import MASTERS, Issuer
from fairway.cluster.api.server import ApiServer
from fairway.cluster.api.signing.authority import signer
from fairway.cluster.store.memory import MemoryStore
from fairway.kernel.client import kubeconfig
from fairway.kernel.clock import SystemClock
from tests.cluster.api.world import WIDGET

k8s: Any = pytest.importorskip("kubernetes", reason="the kubernetes package is not installed")


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Any]:
    issuer, files = Issuer.load(tmp_path), certificates.ensure(tmp_path)
    server = ApiServer(MemoryStore(), clock=SystemClock(), issuer=issuer)
    port = await server.serve("127.0.0.1", 0, certificates.server_context(files))
    path = tmp_path / "kubeconfig"
    token = issuer.mint("admin", [MASTERS], seconds=600)
    kubeconfig.write(path, server=f"https://127.0.0.1:{port}", ca_pem=files.ca_pem, token=token)
    client = k8s.config.new_client_from_config(str(path), persist_config=False)
    yield client
    client.close()
    client.rest_client.pool_manager.clear()
    await server.close()


async def test_typed_objects_live_and_die(api: Any) -> None:
    def script() -> None:
        core, apps, batch = k8s.client.CoreV1Api(api), k8s.client.AppsV1Api(api), k8s.client.BatchV1Api(api)
        core.create_namespace({"metadata": {"name": "team"}})
        container = k8s.client.V1Container(name="c", image="busybox", command=["true"])
        meta = k8s.client.V1ObjectMeta
        spec = k8s.client.V1PodSpec(containers=[container], restart_policy="Never")
        pod = core.create_namespaced_pod("team", k8s.client.V1Pod(metadata=meta(generate_name="p-"), spec=spec))
        assert pod.metadata.name.startswith("p-")
        assert [each.metadata.uid for each in core.list_namespaced_pod("team").items] == [pod.metadata.uid]
        template = k8s.client.V1PodTemplateSpec(metadata=meta(labels={"a": "b"}), spec=spec)
        job_spec = k8s.client.V1JobSpec(template=template)
        job = batch.create_namespaced_job("team", k8s.client.V1Job(metadata=meta(name="j"), spec=job_spec))
        assert job.spec.backoff_limit == 6
        always = k8s.client.V1PodTemplateSpec(
            metadata=meta(labels={"a": "b"}), spec=k8s.client.V1PodSpec(containers=[container])
        )
        selector = k8s.client.V1LabelSelector(match_labels={"a": "b"})
        wanted = k8s.client.V1DeploymentSpec(selector=selector, template=always)
        apps.create_namespaced_deployment("team", k8s.client.V1Deployment(metadata=meta(name="d"), spec=wanted))
        deployment = apps.read_namespaced_deployment("d", "team")
        deployment.spec.replicas = 2
        assert apps.replace_namespaced_deployment("d", "team", deployment).metadata.generation == 2
        assert apps.read_namespaced_deployment_scale("d", "team").spec.replicas == 2
        core.delete_namespaced_pod(pod.metadata.name, "team")
        with pytest.raises(k8s.client.ApiException) as caught:
            core.read_namespaced_pod(pod.metadata.name, "team")
        assert caught.value.status == 404

    await asyncio.to_thread(script)


async def test_custom_objects_are_watched_and_patched(api: Any) -> None:
    def script() -> list[tuple[str, int]]:
        extensions, custom = k8s.client.ApiextensionsV1Api(api), k8s.client.CustomObjectsApi(api)
        extensions.create_custom_resource_definition(WIDGET.definition())
        place = ("example.dev", "v1", "default", "widgets")
        custom.create_namespaced_custom_object(*place, WIDGET.kind.new("w", spec={"size": 1}))
        seen = []
        watch = k8s.watch.Watch()
        for event in watch.stream(custom.list_namespaced_custom_object, *place, timeout_seconds=5):
            seen.append((event["type"], event["object"]["spec"]["size"]))
            if len(seen) == 2:
                watch.stop()
            else:
                custom.patch_namespaced_custom_object(*place, "w", {"spec": {"size": 2}})
        custom.delete_namespaced_custom_object(*place, "w")
        return seen

    assert await asyncio.to_thread(script) == [("ADDED", 1), ("MODIFIED", 2)]


async def test_the_dynamic_client_discovers(api: Any) -> None:
    def script() -> list[str]:
        dynamic = k8s.dynamic.DynamicClient(api)
        maps = dynamic.resources.get(api_version="v1", kind="ConfigMap")
        maps.create(body={"metadata": {"name": "c"}, "data": {"a": "b"}}, namespace="default")
        return [item.metadata.name for item in maps.get(namespace="default").items]

    assert await asyncio.to_thread(script) == ["c"]


async def test_a_port_of_a_pod_is_forwarded_over_channels(api: Any) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.readline()).upper())
        await writer.drain()
        writer.close()

    def script(address: str, port: int) -> None:
        core = k8s.client.CoreV1Api(api)
        spec = {"containers": [{"name": "c", "image": "busybox"}]}
        core.create_namespaced_pod("default", {"metadata": {"name": "p"}, "spec": spec})
        core.patch_namespaced_pod_status("p", "default", {"status": {"phase": "Running", "podIP": address}})
        forward = stream.portforward(core.connect_get_namespaced_pod_portforward, "p", "default", ports=f"{port},1")
        talk = forward.socket(port)
        talk.sendall(b"hello\n")
        assert talk.recv(100) == b"HELLO\n"
        assert talk.recv(100) == b""
        talk.close()
        forward.socket(1).close()
        assert "error occurred forwarding to port 1 of pod p" in forward.error(1)
        forward.websocket.sock.close()  # which the client leaves to the garbage collector

    stream = pytest.importorskip("kubernetes.stream")
    server = await asyncio.start_server(serve, "127.64.9.9", 0)
    async with server:
        await asyncio.to_thread(script, *server.sockets[0].getsockname()[:2])


async def test_a_client_certificate_says_who_one_is(api: Any, tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ann")])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    text = base64.b64encode(request.public_bytes(serialization.Encoding.PEM)).decode()
    certificate = base64.b64decode(signer(tmp_path)({"request": text, "usages": ["client auth"]})).decode()
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    document = yaml.safe_load((tmp_path / "kubeconfig").read_text())
    document["users"][0]["user"] = {
        "client-certificate-data": base64.b64encode(certificate.encode()).decode(),
        "client-key-data": base64.b64encode(key.private_bytes(*form)).decode(),
    }
    (tmp_path / "ann").write_text(yaml.safe_dump(document))

    def script() -> None:
        ann = k8s.config.new_client_from_config(str(tmp_path / "ann"), persist_config=False)
        review = k8s.client.AuthenticationV1Api(ann).create_self_subject_review(k8s.client.V1SelfSubjectReview())
        assert review.status.user_info.username == "ann"
        with pytest.raises(k8s.client.ApiException) as caught:
            k8s.client.CoreV1Api(ann).list_namespaced_pod("default")
        assert caught.value.status == 403
        ann.close()
        ann.rest_client.pool_manager.clear()

    await asyncio.to_thread(script)
