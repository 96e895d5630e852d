"""What each task of Hugging Face makes of a model's answer. The shapes and words are those of KServe's server.

One class for each task, made when the model is loaded: what people have set is read then, and refused then.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np

from fairway.serving.inpod.formats import settings
from fairway.serving.inpod.messages import Refusal
from fairway.serving.inpod.model import Array, CannotLoad, Tensor

OUTPUT = "output-0"
_MEAN, _FIRST = "pooling_mode_mean_tokens", "pooling_mode_cls_token"


class Asked(Protocol):
    """The loaded model, as a task sees it."""

    torch: Any
    tokenizer: Any

    def encoded(self, texts: list[str], seconds: list[str] | None = None) -> Any: ...

    def ask(self, encoded: Any) -> Any: ...


class Task:
    """`tokenizing` are further arguments of the tokenizer. `batches`: texts of several requests may go together."""

    auto_class: ClassVar[str]
    tokenizing: Mapping[str, Any] = {}
    batches = True

    def __init__(self, config: Any, options: Mapping[str, str], folder: Path) -> None:
        self.labels: Mapping[int, str] = {int(key): str(value) for key, value in config.id2label.items()}
        self.form = _form(options)

    @property
    def outputs(self) -> tuple[Tensor, ...]:
        raise NotImplementedError

    def answer(
        self, model: Any, texts: list[str], seconds: list[str] | None, parameters: Mapping[str, Any]
    ) -> dict[str, Array]:
        raise NotImplementedError


class SequenceClassification(Task):
    """The number of the class; its label, the probabilities or the raw numbers of all classes where asked for."""

    auto_class = "AutoModelForSequenceClassification"

    @property
    def outputs(self) -> tuple[Tensor, ...]:
        return (_scores(self.form, (-1, len(self.labels)), (-1,)),)

    def answer(
        self, model: Asked, texts: list[str], seconds: list[str] | None, parameters: Mapping[str, Any]
    ) -> dict[str, Array]:
        logits = model.ask(model.encoded(texts, seconds)).logits
        return {OUTPUT: _told(model, logits, self.form, self.labels)}


class TokenClassification(Task):
    """The numbers of the classes of all tokens, special ones among them. Its length is that of the longest text."""

    auto_class = "AutoModelForTokenClassification"
    batches = False

    def __init__(self, config: Any, options: Mapping[str, str], folder: Path) -> None:
        super().__init__(config, options, folder)
        self._offsets = settings.flag(options, "return_offsets_mapping")
        self.tokenizing = {"return_offsets_mapping": True} if self._offsets else {}

    @property
    def outputs(self) -> tuple[Tensor, ...]:
        offsets = (Tensor("offset_mapping", "INT64", (-1, -1, 2)),) if self._offsets else ()
        return _scores(self.form, (-1, -1, len(self.labels)), (-1, 1, -1)), *offsets

    def answer(
        self, model: Asked, texts: list[str], seconds: list[str] | None, parameters: Mapping[str, Any]
    ) -> dict[str, Array]:
        encoded = model.encoded(texts, seconds)
        offsets = {"offset_mapping": np.asarray(encoded.pop("offset_mapping"))} if self._offsets else {}
        told = _told(model, model.ask(encoded).logits, self.form, self.labels)
        return {OUTPUT: told[:, np.newaxis, :] if told.ndim == 2 else told, **offsets}


class FillMask(Task):
    """The words for the masks of a text, joined; or the probabilities of all words for each mask."""

    auto_class = "AutoModelForMaskedLM"

    @property
    def outputs(self) -> tuple[Tensor, ...]:
        return (_scores("labels" if self.form == "classes" else self.form, (-1, -1, -1), (-1,)),)

    def answer(
        self, model: Asked, texts: list[str], seconds: list[str] | None, parameters: Mapping[str, Any]
    ) -> dict[str, Array]:
        encoded = model.encoded(texts, seconds)
        masks = encoded["input_ids"] == model.tokenizer.mask_token_id
        logits = model.ask(encoded).logits
        found = [logits[row, masks[row]] for row in range(len(texts))]
        if empty := [row for row, masked in enumerate(found) if not len(masked)]:
            raise Refusal(400, f"Text {empty[0]} has no {model.tokenizer.mask_token} to fill.")
        if self.form in ("classes", "labels"):
            return {OUTPUT: _texts([model.tokenizer.decode(masked.argmax(dim=-1)) for masked in found])}
        if len({len(masked) for masked in found}) > 1:
            raise Refusal(400, "The texts have different numbers of masks, which do not fit into one tensor.")
        return {OUTPUT: _told(model, model.torch.stack(found), self.form, self.labels)}


class TextEmbedding(Task):
    """A vector of length 1 for each text: the mean over its tokens, or its first token where the folder says so."""

    auto_class = "AutoModel"

    def __init__(self, config: Any, options: Mapping[str, str], folder: Path) -> None:
        super().__init__(config, options, folder)
        self._size = int(config.hidden_size)
        self._first = _pools_first(folder)

    @property
    def outputs(self) -> tuple[Tensor, ...]:
        return (Tensor(OUTPUT, "FP32", (-1, self._size)),)

    def answer(
        self, model: Asked, texts: list[str], seconds: list[str] | None, parameters: Mapping[str, Any]
    ) -> dict[str, Array]:
        encoded = model.encoded(texts, seconds)
        hidden = model.ask(encoded).last_hidden_state.float()
        weights = encoded["attention_mask"].to(hidden.device).unsqueeze(-1).float()
        pooled = hidden[:, 0] if self._first else (hidden * weights).sum(1) / weights.sum(1).clamp(min=1e-9)
        return {OUTPUT: model.torch.nn.functional.normalize(pooled, p=2, dim=1).cpu().numpy()}


class ZeroShotClassification(Task):
    """Which of the candidate labels a text is about, by a model of entailment. Labels come from options or request."""

    auto_class = "AutoModelForSequenceClassification"
    batches = False

    def __init__(self, config: Any, options: Mapping[str, str], folder: Path) -> None:
        super().__init__(config, options, folder)
        entails = [key for key, label in self.labels.items() if label.lower().startswith("entail")]
        if not entails:
            known = ", ".join(self.labels.values())
            raise CannotLoad(f"{folder} has no label 'entailment' (it has {known}); zero-shot needs such a model.")
        self._entails = entails[0]
        self._candidates = _split(settings.text(options, "candidate_labels"))
        self._hypothesis = settings.text(options, "hypothesis_template", "This example is {}.")

    @property
    def outputs(self) -> tuple[Tensor, ...]:
        return (_scores("labels" if self.form == "classes" else self.form, (-1, -1), (-1,)),)

    def answer(
        self, model: Asked, texts: list[str], seconds: list[str] | None, parameters: Mapping[str, Any]
    ) -> dict[str, Array]:
        asked = parameters.get("candidate_labels")
        labels = (asked if isinstance(asked, list) else _split(str(asked))) if asked else self._candidates
        if not labels:
            raise Refusal(400, "No candidate_labels; set them for the model, or as a parameter of the request.")
        pairs = [(text, self._hypothesis.format(label)) for text in texts for label in labels]
        logits = model.ask(model.encoded([text for text, _ in pairs], [guess for _, guess in pairs])).logits
        scores = logits[:, self._entails].reshape(len(texts), len(labels))
        form = "labels" if self.form == "classes" else self.form
        return {OUTPUT: _told(model, scores, form, dict(enumerate(map(str, labels))))}


TASKS: Mapping[str, type[Task]] = {
    "sequence_classification": SequenceClassification,
    "token_classification": TokenClassification,
    "fill_mask": FillMask,
    "text_embedding": TextEmbedding,
    "zero_shot_classification": ZeroShotClassification,
}


def _form(options: Mapping[str, str]) -> str:
    asked = [form for form in ("probabilities", "raw_logits", "labels") if settings.flag(options, f"return_{form}")]
    if len(asked) > 1:
        raise CannotLoad(f"return_{asked[0]} and return_{asked[1]} are both set; set one of them.")
    return asked[0] if asked else "classes"


def _scores(form: str, full: tuple[int, ...], short: tuple[int, ...]) -> Tensor:
    if form in ("probabilities", "raw_logits"):
        return Tensor(OUTPUT, "FP32", full)
    return Tensor(OUTPUT, "BYTES" if form == "labels" else "INT64", short)


def _told(model: Asked, logits: Any, form: str, labels: Mapping[int, str]) -> Array:
    """The last dimension of the numbers in the form that was asked for."""
    logits = logits.float().cpu()
    if form == "raw_logits":
        return np.asarray(logits.numpy())
    if form == "probabilities":
        return np.asarray(model.torch.softmax(logits, dim=-1).numpy())
    best = np.asarray(logits.argmax(dim=-1).numpy())
    if form == "classes":
        return best
    return _texts([labels.get(int(key), str(key)) for key in best.reshape(-1)]).reshape(best.shape)


def _texts(texts: list[str]) -> Array:
    array = np.empty(len(texts), dtype=object)
    array[:] = texts
    return array


def _pools_first(folder: Path) -> bool:
    """What sentence-transformers wrote about how a text becomes one vector."""
    file = folder / "1_Pooling" / "config.json"
    if not file.is_file():
        return False
    modes = {
        name for name, on in json.loads(file.read_text()).items() if name.startswith("pooling_mode_") and on is True
    }
    if modes - {"pooling_mode_mean_tokens", "pooling_mode_cls_token"} or len(modes) > 1:
        raise CannotLoad(
            f"{file} asks for {' and '.join(sorted(modes))}; the mean, or the first token, is served here."
        )
    return modes == {"pooling_mode_cls_token"}


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
