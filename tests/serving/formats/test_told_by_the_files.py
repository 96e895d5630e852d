"""A model without a format is what its files say, and never a guess."""

import subprocess
import sys
from pathlib import Path

import pytest

from fairway.serving.inpod import formats
from fairway.serving.inpod.formats import detecting
from fairway.serving.inpod.model import CannotLoad


@pytest.mark.parametrize(
    ("file", "content", "format"),
    [
        ("model.joblib", "", "sklearn"),
        ("model.skops", "", "sklearn"),
        ("model.bst", "tree\nversion=v4", "lightgbm"),
        ("model.bst", '{"learner"', "xgboost"),
        ("model.txt", "tree\nversion=v4", "lightgbm"),
        ("model.json", '{"learner":{}}', "xgboost"),
        ("model.onnx", "", "onnx"),
        ("model.pt2", "", "pytorch"),
        ("model.pmml", "", "pmml"),
        ("MLmodel", "", "mlflow"),
        ("saved_model.pb", "", "tensorflow"),
        ("1/saved_model.pb", "", "tensorflow"),
        ("1/model.onnx", "", "onnx"),
    ],
)
def test_one_model_in_a_folder(tmp_path: Path, file: str, content: str, format: str) -> None:
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(content)
    (tmp_path / "config.pbtxt").touch()
    assert detecting.format_of(tmp_path) == format


def test_a_folder_of_hugging_face_is_one_model(tmp_path: Path) -> None:
    for file in ("config.json", "model.safetensors", "tokenizer.json", "training_args.bin", "vocab.txt"):
        (tmp_path / file).write_text("{}")
    assert detecting.format_of(tmp_path) == "huggingface"


def test_what_does_not_tell_asks_for_the_format(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(CannotLoad, match=r"no model whose format can be told by its files; set the format"):
        formats.load("", "m", tmp_path, {})
    (tmp_path / "model.onnx").touch()
    (tmp_path / "model.pmml").touch()
    with pytest.raises(CannotLoad, match="files of several formats, onnx and pmml; set the format"):
        formats.load("", "m", tmp_path, {})
    with pytest.raises(CannotLoad, match="nowhere does not exist"):
        formats.load("", "m", tmp_path / "nowhere", {})


def test_formats_that_are_not_served_are_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "model.pdmodel").touch()
    with pytest.raises(CannotLoad, match="paddle is not served here; convert the model to ONNX"):
        formats.load("", "m", tmp_path, {})
    with pytest.raises(CannotLoad, match="'caffe' is not known; it must be one of "):
        formats.load("caffe", "m", tmp_path, {})


def test_a_package_that_is_missing_is_named_with_the_way_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(CannotLoad, match=r"onnxruntime, which is not installed here; .*pip install 'fairway\[onnx\]'"):
        formats.load("onnx", "m", tmp_path, {})


@pytest.mark.slow
def test_the_room_itself_imports_no_library_of_models() -> None:
    code = "import sys, fairway.serving.inpod.formats; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert not set(loaded.stdout.split()) & {"sklearn", "pandas", "xgboost", "lightgbm", "torch", "onnxruntime"}
