"""What KServe's servers take as flags, ours takes too, and hands to the loader of the format."""

from pathlib import Path

import joblib
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from fairway.serving.inpod import program
from fairway.serving.inpod.formats import settings
from tests.serving.conftest import TWO_FLOWERS, serving


def test_flags_and_environment_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    flags = program.flags().parse_args(["--nthread=3", "--return_probabilities", "--task", "fill-mask"])
    options = settings.with_flags({"NTHREAD": "2", "PREDICT_PROBA": "True"}, flags)
    assert settings.threads(options) == 3
    assert settings.flag(options, "return_probabilities")
    assert settings.text(options, "task") == "fill-mask"
    assert settings.flag(options, "predict_proba")
    assert not settings.flag(options, "return_labels")
    assert settings.text({"DEVICE": "tty1"}, "device", "cpu") == "cpu"  # some environments have other devices


async def test_the_predictive_server_s_command_line(tmp_path: Path) -> None:
    joblib.dump(LogisticRegression(max_iter=500).fit(*load_iris(return_X_y=True)), tmp_path / "model.joblib")
    flags = ("--model_format=predictive", "--framework=sklearn", "--nthread=1")
    async with serving(tmp_path, *flags) as server:
        assert await server.post("/v1/models/m:predict", {"instances": TWO_FLOWERS}) == (200, {"predictions": [1, 1]})
