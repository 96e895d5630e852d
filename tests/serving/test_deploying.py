"""What a scientist calls, and the command beside it: formats told by files, services listed with why they wait."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from fairway.cluster.network.kinds import KINDS
from fairway.serving import sdk
from fairway.serving.feature import FEATURE
from fairway.serving.kinds import INFERENCE_SERVICE
from fairway.testing.cluster import cluster


@pytest.mark.parametrize(
    ("files", "format"),
    [
        (["model.joblib"], "sklearn"),
        (["model.ubj", "notes.txt"], "xgboost"),
        (["MLmodel", "model.pkl", "conda.yaml"], "mlflow"),
        (["config.json", "model.safetensors"], "huggingface"),
        (["saved_model.pb"], "tensorflow"),
    ],
)
def test_a_format_is_told_by_the_files(files: list[str], format: str, tmp_path: Path) -> None:
    for name in files:
        (tmp_path / name).touch()
    assert sdk.told_by_files(tmp_path.as_uri()) == format


def test_what_the_files_do_not_tell_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").touch()
    (tmp_path / "b.pmml").touch()
    with pytest.raises(sdk.ServingError, match=r"several formats, onnx and pmml; .*Give it, as in format='sklearn'"):
        sdk.told_by_files(tmp_path.as_uri())
    with pytest.raises(sdk.ServingError, match="cannot be told by its name"):
        sdk.told_by_files("s3://bucket/models/7")


async def test_services_are_listed_with_why_they_do_not_answer(tmp_path: Path) -> None:
    async with cluster(tmp_path, features=(FEATURE,), kinds=KINDS) as here:
        spec = {"predictor": {"paddle": {"storageUri": "/m"}}}
        await here.client.create(INFERENCE_SERVICE, INFERENCE_SERVICE.new("odd", "default", spec=spec))
        await here.client.wait(
            INFERENCE_SERVICE, "odd", "default", lambda obj: bool((obj or {}).get("status")), timeout=60
        )
        (found,) = await asyncio.to_thread(sdk.services, kubeconfig_file=here.kubeconfig)
        assert (found.name, found.ready, found.format) == ("odd", False, "paddle")
        assert "No runtime here loads paddle models" in found.reason
        assert await asyncio.to_thread(sdk.delete, "odd", kubeconfig_file=here.kubeconfig)
        assert not await asyncio.to_thread(sdk.delete, "odd", kubeconfig_file=here.kubeconfig)
