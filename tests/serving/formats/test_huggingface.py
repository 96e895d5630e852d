"""Hugging Face folders: a tiny model of each task, made here, answers as KServe's server would."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fairway.serving.inpod import formats
from fairway.serving.inpod.formats import huggingface
from fairway.serving.inpod.messages import Refusal
from fairway.serving.inpod.model import CannotLoad, Inputs, Tensor

from .asking import rows

torch = pytest.importorskip("torch", reason="torch is not installed")
transformers = pytest.importorskip("transformers", reason="transformers is not installed")

pytestmark = [pytest.mark.slow]

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "cat", "dog", "sat", "on", "mat", "is", "this", "example"]
TEXTS = ["the cat sat", "the dog sat on the mat"]


def folder(path: Path, kind: str, **settings: Any) -> tuple[Path, Any]:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors  # noqa: PLC0415  optional

    tokens = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokens.normalizer = normalizers.Lowercase()
    tokens.pre_tokenizer = pre_tokenizers.Whitespace()
    marks = [("[CLS]", 2), ("[SEP]", 3)]
    tokens.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", "[CLS] $A [SEP] $B [SEP]", marks)
    names = {"unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=tokens, mask_token="[MASK]", **names)
    config = transformers.BertConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=32,
        **settings,
    )
    torch.manual_seed(3)
    model = getattr(transformers, kind)(config).eval()
    model.save_pretrained(path)
    fast.save_pretrained(path)
    return path, model


def reference(path: Path, model: Any, texts: list[str]) -> Any:
    encoded = transformers.AutoTokenizer.from_pretrained(path)(texts, padding=True, return_tensors="pt")
    with torch.no_grad():
        return model(**encoded)


def test_classes_their_labels_and_their_probabilities(tmp_path: Path) -> None:
    labels = {0: "bad", 1: "fine", 2: "good"}
    path, made = folder(tmp_path, "BertForSequenceClassification", id2label=labels)
    logits = reference(path, made, TEXTS).logits.numpy()

    model = formats.load("", "m", path, {})
    assert model.signature.platform == "huggingface"
    assert model.signature.inputs == (Tensor("input-0", "BYTES", (-1,)),)
    assert model.signature.outputs == (Tensor("output-0", "INT64", (-1,)),)
    assert rows(model, TEXTS) == logits.argmax(axis=1).tolist()
    assert rows(model, [{"text": "the cat", "text_pair": "the dog"}]) in ([0], [1], [2])

    worded = formats.load("huggingface", "m", path, {"return_labels": "true", "task": "text-classification"})
    assert rows(worded, TEXTS) == [labels[key] for key in logits.argmax(axis=1)]
    likely = formats.load("huggingface", "m", path, {"return_probabilities": "true"})
    assert likely.signature.outputs == (Tensor("output-0", "FP32", (-1, 3)),)
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(rows(likely, TEXTS), expected, rtol=1e-4)
    raw = formats.load("huggingface", "m", path, {"return_raw_logits": "true"})
    np.testing.assert_allclose(rows(raw, TEXTS), logits, rtol=1e-4)

    with pytest.raises(Refusal, match="takes texts, and the request has something else"):
        rows(model, [1, 2])
    with pytest.raises(CannotLoad, match="return_probabilities and return_raw_logits are both set"):
        formats.load("huggingface", "m", path, {"return_raw_logits": "1", "return_probabilities": "1"})


def test_the_classes_of_tokens_and_where_they_are(tmp_path: Path) -> None:
    path, made = folder(tmp_path, "BertForTokenClassification", num_labels=4)
    logits = reference(path, made, TEXTS).logits.numpy()
    model = formats.load("huggingface", "m", path, {})
    assert not model.signature.batches
    assert rows(model, TEXTS) == logits.argmax(axis=2)[:, np.newaxis].tolist()
    placed = formats.load("huggingface", "m", path, {"return_offsets_mapping": "true"})
    answer = placed.predict(Inputs({"input-0": np.array(["the cat"], dtype=object)}))
    assert answer["offset_mapping"].tolist() == [[[0, 0], [0, 3], [4, 7], [0, 0]]]


def test_masks_are_filled(tmp_path: Path) -> None:
    path, made = folder(tmp_path, "BertForMaskedLM")
    texts = ["the [MASK] sat", "the dog sat on the [MASK]"]
    logits = reference(path, made, texts).logits
    model = formats.load("huggingface", "m", path, {})
    assert rows(model, texts) == [WORDS[logits[0, 2].argmax()], WORDS[logits[1, 6].argmax()]]
    likely = formats.load("huggingface", "m", path, {"return_probabilities": "true"})
    np.testing.assert_allclose(rows(likely, texts)[0][0], torch.softmax(logits[0, 2], dim=-1).numpy(), rtol=1e-4)
    with pytest.raises(Refusal, match=r"Text 1 has no \[MASK\] to fill"):
        rows(model, ["[MASK]", "the cat"])
    with pytest.raises(Refusal, match="different numbers of masks"):
        rows(likely, ["[MASK]", "the [MASK] [MASK]"])


def test_embeddings_are_means_of_length_one_whatever_else_is_asked_with_them(tmp_path: Path) -> None:
    path, made = folder(tmp_path, "BertModel")
    hidden = reference(path, made, TEXTS[:1]).last_hidden_state[0]
    model = formats.load("huggingface", "m", path, {})
    assert model.signature.outputs == (Tensor("output-0", "FP32", (-1, 16)),)
    answer = np.array(rows(model, TEXTS))
    mean = hidden.mean(dim=0).numpy()
    np.testing.assert_allclose(answer[0], mean / np.linalg.norm(mean), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(rows(model, TEXTS[:1])[0], answer[0], rtol=1e-4, atol=1e-6)

    (path / "1_Pooling").mkdir()
    (path / "1_Pooling" / "config.json").write_text(
        '{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false}'
    )
    first = hidden[0].numpy()
    answer = np.array(rows(formats.load("huggingface", "m", path, {}), TEXTS))
    np.testing.assert_allclose(answer[0], first / np.linalg.norm(first), rtol=1e-4, atol=1e-6)
    (path / "1_Pooling" / "config.json").write_text('{"pooling_mode_lasttoken": true}')
    with pytest.raises(CannotLoad, match="asks for pooling_mode_lasttoken"):
        formats.load("huggingface", "m", path, {})


def test_labels_that_nobody_trained(tmp_path: Path) -> None:
    labels = {0: "contradiction", 1: "neutral", 2: "entailment"}
    path, _ = folder(tmp_path / "nli", "BertForSequenceClassification", id2label=labels)
    options = {"task": "zero-shot-classification", "candidate_labels": "cat, dog"}
    assert set(rows(formats.load("huggingface", "m", path, options), TEXTS)) <= {"cat", "dog"}
    likely = formats.load("huggingface", "m", path, {**options, "return_probabilities": "true"})
    np.testing.assert_allclose(np.sum(rows(likely, TEXTS), axis=1), [1, 1], rtol=1e-5)
    asked = Inputs({"input-0": np.array(TEXTS, dtype=object)}, parameters={"candidate_labels": "mat,on,is"})
    assert likely.predict(asked)["output-0"].shape == (2, 3)
    path, _ = folder(tmp_path / "other", "BertForSequenceClassification", num_labels=2)
    with pytest.raises(CannotLoad, match="has no label 'entailment'"):
        formats.load("huggingface", "m", path, options)


def test_long_texts_are_cut_and_threads_do_not_meet_in_the_tokenizer(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

    path, _ = folder(tmp_path, "BertModel")
    model = formats.load("huggingface", "m", path, {"max_model_len": "8"})
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda n: rows(model, ["cat " * n]), [5, 100, 30, 6] * 10))
    assert answers[1] == answers[2]


def test_folders_that_are_not_served_here_say_why(tmp_path: Path) -> None:
    def sentence(config: str, **options: str) -> str:
        (tmp_path / "config.json").write_text(config)
        with pytest.raises(CannotLoad) as raised:
            formats.load("huggingface", "m", tmp_path, options)
        return str(raised.value)

    assert "generates text" in sentence('{"architectures": ["LlamaForCausalLM"]}')
    assert "The task question_answering is not served here" in sentence(
        '{"architectures": ["BertForQuestionAnswering"]}'
    )
    assert "architecture Strange, whose task is not known" in sentence('{"architectures": ["Strange"]}')
    assert "is not a folder that transformers" in sentence('{"architectures": ["BertModel"]}')
    assert "is not the configuration of a model" in sentence("hello")
    assert huggingface.task_of(tmp_path, {"task": "feature-extraction"}) == "text_embedding"
