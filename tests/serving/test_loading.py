"""A model that does not load says why, in one sentence, where people and Kubernetes look."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import joblib
import pytest
from sklearn.linear_model import LogisticRegression

from fairway.serving.inpod import formats
from fairway.serving.inpod.model import CannotLoad

from .conftest import serving


class MadeElsewhere:
    """A class whose module the server does not have."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return __import__, ("a_module_of_yours",)


def test_the_one_model_file_of_a_folder_is_found_or_the_file_itself(models: Path) -> None:
    for location in (models / "iris", models / "iris" / "model.joblib"):
        assert formats.load("sklearn", "m", location, {}).signature.inputs[0].shape == (-1, 4)


def test_what_cannot_load_is_said_in_a_sentence(tmp_path: Path) -> None:
    def sentence(name: str) -> str:
        with pytest.raises(CannotLoad) as raised:
            formats.load("sklearn", "m", tmp_path / name, {})
        return str(raised.value)

    for folder in ("empty", "two", "text", "number", "elsewhere", "unfitted"):
        (tmp_path / folder).mkdir()
    joblib.dump({}, tmp_path / "two" / "a.joblib")
    joblib.dump({}, tmp_path / "two" / "b.pkl")
    (tmp_path / "text" / "model.pkl").write_text("this is no pickle")
    joblib.dump(7, tmp_path / "number" / "model.joblib")
    (tmp_path / "elsewhere" / "model.pickle").write_bytes(pickle.dumps(MadeElsewhere()))
    joblib.dump(LogisticRegression(), tmp_path / "unfitted" / "model.joblib")
    (tmp_path / "notes.txt").write_text("x")

    assert "does not exist" in sentence("nowhere")
    assert "has no file that ends in .joblib, .pkl, .pickle or .skops" in sentence("empty")
    assert "has 2 model files (a.joblib, b.pkl)" in sentence("two")
    assert "is not a model that joblib can load" in sentence("text")
    assert "holds a int, which has no predict()" in sentence("number")
    assert "needs the Python module 'a_module_of_yours'" in sentence("elsewhere")
    assert "was saved before fit()" in sentence("unfitted")
    assert "is not a model file" in sentence("notes.txt")


def test_a_model_of_another_version_that_does_not_work_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    with monkeypatch.context() as patch:
        patch.setattr("sklearn.base.__version__", "0.19.0")
        joblib.dump(model, tmp_path / "works.joblib")
        del model.coef_
        joblib.dump(model, tmp_path / "breaks.joblib")
    assert formats.load("sklearn", "m", tmp_path / "works.joblib", {}).signature.inputs[0].shape == (-1, 1)
    with pytest.raises(CannotLoad, match=r"saved by scikit-learn 0\.19\.0 and does not work"):
        formats.load("sklearn", "m", tmp_path / "breaks.joblib", {})


async def test_a_server_whose_model_cannot_load_ends_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(CannotLoad, match="does not exist"):
        async with serving(tmp_path / "nowhere"):
            pass


@pytest.mark.slow
def test_as_a_process_it_exits_1_and_leaves_a_termination_message(tmp_path: Path) -> None:
    """As Kubernetes runs it: the reason is in the container's termination message, and in its log."""
    log = tmp_path / "termination-log"
    command = [sys.executable, "-m", "fairway.serving.inpod", "--model_name=m", "--http_port=0"]
    ended = subprocess.run(
        [*command, f"--model_dir={tmp_path / 'nowhere'}"],
        env={**os.environ, "FAIRWAY_TERMINATION_LOG": str(log)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1
    assert log.read_text() == ended.stderr.strip()
    assert log.read_text().endswith(
        "nowhere does not exist; set storageUri to a model file or to the folder that holds it."
    )


@pytest.mark.slow
def test_the_server_loads_nothing_of_the_rest_of_the_house() -> None:
    code = "import sys, fairway.serving.inpod.program; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    names = set(loaded.stdout.split())
    ours = {name for name in names if name.startswith("fairway.") and not name.startswith("fairway.serving")}
    assert not ours
    assert not names & {"aiohttp", "yaml", "sqlalchemy", "cryptography", "fairway.serving.kinds"}
