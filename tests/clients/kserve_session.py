"""A session of the unmodified `kserve` package: everything that its KServeClient does with services, and a prediction.

Run as a program, with the interpreter that has the package: `kserve_session.py KUBECONFIG URL TOKEN MODEL`. It prints
one line for each thing that it saw, and ends with status 0 where all of it was so.
"""

import asyncio
import os
import sys
import tempfile
import urllib.request
from pathlib import Path
from typing import Any


def main(kubeconfig: str, url: str, token: str, model: str) -> None:
    sys.argv = sys.argv[:1]  # the package reads the arguments of whoever imports it
    from kserve import (  # noqa: PLC0415
        KServeClient,
        V1beta1InferenceService,
        V1beta1InferenceServiceSpec,
        V1beta1PredictorSpec,
        V1beta1SKLearnSpec,
        constants,
    )
    from kubernetes import client  # noqa: PLC0415

    def service(**predictor: Any) -> V1beta1InferenceService:
        return V1beta1InferenceService(
            api_version=constants.KSERVE_V1BETA1,
            kind=constants.KSERVE_KIND_INFERENCESERVICE,
            metadata=client.V1ObjectMeta(name="iris", namespace="default"),
            spec=V1beta1InferenceServiceSpec(
                predictor=V1beta1PredictorSpec(sklearn=V1beta1SKLearnSpec(storage_uri=model), **predictor)
            ),
        )

    kserve = KServeClient(config_file=kubeconfig)
    kserve.create(service())
    kserve.wait_isvc_ready("iris", namespace="default", timeout_seconds=60, polling_interval=1)
    assert kserve.is_isvc_ready("iris", namespace="default")
    print("created and ready")
    found = kserve.get("iris", namespace="default")
    assert found["status"]["url"] == "http://iris-default.example.com", found["status"]
    assert found["status"]["modelStatus"]["states"]["activeModelState"] == "Loaded"
    assert [one["metadata"]["name"] for one in kserve.get(namespace="default")["items"]] == ["iris"]
    print("read")
    body = b'{"instances": [[6.8, 2.8, 4.8, 1.4], [6.0, 3.4, 4.5, 1.6]]}'
    headers = {"Host": "iris-default.example.com", "Authorization": f"Bearer {token}"}
    request = urllib.request.Request(f"{url}/v1/models/iris:predict", body, headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert answer.read() == b'{"predictions":[1,1]}'
    print("answered")
    asyncio.run(_over_grpc(url, token))
    print("answered over gRPC")
    patched = kserve.patch("iris", service(timeout=90), namespace="default")
    assert patched["spec"]["predictor"]["timeout"] == 90
    replaced = kserve.replace("iris", service(timeout=30), namespace="default")
    assert replaced["spec"]["predictor"]["timeout"] == 30
    kserve.wait_isvc_ready("iris", namespace="default", timeout_seconds=60, polling_interval=1)
    print("patched and replaced")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "credentials"
        file.write_text(f"[default]\naws_access_key_id = {'K' * 20}\naws_secret_access_key = {'S' * 40}\n")
        kserve.set_credentials(
            "S3",
            namespace="default",
            credentials_file=str(file),
            service_account="reader",
            s3_profile="default",
            s3_endpoint="minio:9000",
            s3_region="us-west-2",
            s3_use_https="0",
            s3_verify_ssl="0",
        )
    account = kserve.core_api.read_namespaced_service_account("reader", "default")
    (secret,) = account.secrets
    kept = kserve.core_api.read_namespaced_secret(secret.name, "default")
    assert kept.metadata.annotations["serving.kserve.io/s3-endpoint"] == "minio:9000", kept.metadata
    print("credentials")
    kserve.delete("iris", namespace="default")
    assert not any(one["metadata"]["name"] == "iris" for one in kserve.get(namespace="default")["items"])
    print("deleted")


async def _over_grpc(url: str, token: str) -> None:
    """At the same address as everything else, told apart by its content type."""
    from kserve import InferenceGRPCClient, InferInput, InferRequest  # noqa: PLC0415

    authority = [("grpc.default_authority", "iris-default.example.com")]
    asking = InferenceGRPCClient(url=url.removeprefix("http://"), channel_args=authority)
    headers = [("authorization", f"Bearer {token}")]
    assert await asking.is_server_live(headers=headers)
    rows = InferInput("rows", [2, 4], "FP32", [6.8, 2.8, 4.8, 1.4, 6.0, 3.4, 4.5, 1.6])
    answer = await asking.infer(InferRequest(model_name="iris", infer_inputs=[rows]), headers=headers)
    assert list(answer.outputs[0].data) == [1, 1], answer


if __name__ == "__main__":
    os.environ.setdefault("PYTHONWARNINGS", "ignore")
    main(*sys.argv[1:5])
