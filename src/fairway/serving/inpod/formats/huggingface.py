"""Hugging Face folders whose task gives an answer at once: classes, labels of tokens, filled masks, embeddings.

The task is told by the architecture in config.json, as KServe's server tells it, or by the option `task`. Models that
generate text are not loaded here: `programs` and `openai` have them. Weights are read as tensors, never as pickles of
code, and nothing is fetched. Importing transformers and torch takes some seconds and 350 MB.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fairway.serving.inpod.formats import arguments, failures, files, settings, text_tasks
from fairway.serving.inpod.formats.text_tasks import Task
from fairway.serving.inpod.messages import Refusal
from fairway.serving.inpod.model import Array, CannotLoad, Inputs, Signature, Tensor

_BY_ARCHITECTURE = {
    "ForSequenceClassification": "sequence_classification",
    "ForTokenClassification": "token_classification",
    "ForMaskedLM": "fill_mask",
    "ForCausalLM": "text_generation",
    "LMHeadModel": "text_generation",
    "ForConditionalGeneration": "text2text_generation",
    "MTModel": "text2text_generation",
    "EncoderDecoderModel": "text2text_generation",
    "ForPrediction": "time_series_forecast",
    "ForQuestionAnswering": "question_answering",
    "ForMultipleChoice": "multiple_choice",
    "Model": "text_embedding",
}

_SAME = {
    "text_classification": "sequence_classification",
    "feature_extraction": "text_embedding",
    "embedding": "text_embedding",
    "sentence_similarity": "text_embedding",
    "ner": "token_classification",
    "zero_shot": "zero_shot_classification",
}
"""Names of the hub for what KServe calls otherwise."""

GENERATES = ("text_generation", "text2text_generation")

_DTYPES = {"float": "float32", "half": "float16"}


@dataclass(frozen=True, slots=True)
class Encoder:
    """`tokenizing`: a fast tokenizer keeps how it pads in itself, so that one thread at a time may use it."""

    name: str
    torch: Any
    tokenizer: Any
    module: Any
    task: Task
    signature: Signature
    device: str
    how: Mapping[str, Any]
    tokenizing: threading.Lock = field(default_factory=threading.Lock)
    one_at_a_time: bool = False

    def predict(self, inputs: Inputs) -> Mapping[str, Array]:
        texts, seconds = self._texts(inputs)
        with failures.predicting(self.name):
            return self.task.answer(self, texts, seconds, inputs.parameters)

    def encoded(self, texts: list[str], seconds: list[str] | None = None) -> Any:
        """The tokens of the texts, padded to one length."""
        with self.tokenizing:
            return self.tokenizer(texts, seconds, **self.how)

    def ask(self, encoded: Any) -> Any:
        """What the model makes of encoded texts."""
        with self.torch.inference_mode():
            return self.module(**{name: tensor.to(self.device) for name, tensor in encoded.items()})

    def close(self) -> None:
        """The module goes with its last user."""

    def _texts(self, inputs: Inputs) -> tuple[list[str], list[str] | None]:
        """One text for each row, or two where the request has the columns text and text_pair."""
        given = dict(inputs.tensors)
        second = given.pop("text_pair", None)
        if len(given) != 1:
            raise Refusal(400, f"The model {self.name} takes one text for each row, or text and text_pair.")
        columns = [next(iter(given.values())), *([] if second is None else [second])]
        if any(column.dtype.kind not in "OUS" for column in columns):
            raise Refusal(400, f"The model {self.name} takes texts, and the request has something else.")
        texts = [arguments.as_text(column.reshape(-1), f"The model {self.name}").tolist() for column in columns]
        if len(texts) == 2 and len(texts[0]) != len(texts[1]):
            raise Refusal(400, "text and text_pair have different lengths.")
        return texts[0], texts[1] if len(texts) == 2 else None


def task_of(folder: Path, options: Mapping[str, str]) -> str:
    """The task in KServe's words; it imports nothing. Raises CannotLoad."""
    said = settings.text(options, "task").lower().replace("-", "_")
    if said:
        return _SAME.get(said, said)
    architectures = _config(folder).get("architectures") or ["(none)"]
    for ending, task in _BY_ARCHITECTURE.items():
        if str(architectures[0]).endswith(ending):
            return task
    raise CannotLoad(f"{folder} has the architecture {architectures[0]}, whose task is not known; set the option task.")


def load(name: str, location: Path, options: Mapping[str, str]) -> Encoder:
    folder = files.newest(location if location.is_dir() else location.parent)
    named = task_of(folder, options)
    if named in GENERATES:
        raise CannotLoad(f"{folder} has a model that generates text, which is served as a program with OpenAI's paths.")
    if named not in text_tasks.TASKS:
        known = ", ".join(sorted(text_tasks.TASKS))
        raise CannotLoad(f"The task {named} is not served here; it must be one of {known}.")
    torch = failures.package("torch", extra="huggingface", wanted_for="A Hugging Face model")
    transformers = failures.package("transformers", extra="huggingface", wanted_for="A Hugging Face model")
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(settings.threads(options))
    device = settings.text(options, "device", "cuda" if torch.cuda.is_available() else "cpu")
    kind = text_tasks.TASKS[named]
    advice = "Save model and tokenizer there with save_pretrained()."
    with failures.loading(folder, f"a folder that transformers {transformers.__version__} can load", advice):
        tokenizer = _tokenizer(transformers, folder, options)
        module = _module(transformers, torch, folder, kind.auto_class, options).to(device).eval()
        _complete(tokenizer, module)
        task = kind(module.config, options, folder)
    signature = Signature("huggingface", (Tensor("input-0", "BYTES", (-1,)),), task.outputs, batches=task.batches)
    how = _how(tokenizer, module.config, task, options)
    return Encoder(name, torch, tokenizer, module, task, signature, device, how)


def _config(folder: Path) -> dict[str, Any]:
    with failures.loading(folder / "config.json", "the configuration of a model", "Save it with save_pretrained()."):
        found: dict[str, Any] = json.loads((folder / "config.json").read_text())
    return found


def _tokenizer(transformers: Any, folder: Path, options: Mapping[str, str]) -> Any:
    lower = {} if settings.flag(options, "disable_lower_case") else {"do_lower_case": True}
    trusted = settings.flag(options, "trust_remote_code")
    return transformers.AutoTokenizer.from_pretrained(
        str(folder), local_files_only=True, trust_remote_code=trusted, **lower
    )


def _module(transformers: Any, torch: Any, folder: Path, kind: str, options: Mapping[str, str]) -> Any:
    said = settings.text(options, "dtype", "auto")
    dtype = "float32" if said == "auto" else _DTYPES.get(said, said)
    return getattr(transformers, kind).from_pretrained(
        str(folder),
        local_files_only=True,
        trust_remote_code=settings.flag(options, "trust_remote_code"),
        dtype=getattr(torch, dtype),
    )


def _complete(tokenizer: Any, module: Any) -> None:
    """Rows of different lengths need a token to fill up with; a tokenizer without one gets one, as in KServe."""
    if not tokenizer.pad_token:
        tokenizer.add_special_tokens({"pad_token": "[PAD]"})
        module.resize_token_embeddings(len(tokenizer))


def _how(tokenizer: Any, config: Any, task: Task, options: Mapping[str, str]) -> dict[str, Any]:
    """The arguments of the tokenizer. Longer texts are cut, as in KServe."""
    known = [tokenizer.model_max_length, getattr(config, "max_position_embeddings", 0)]
    longest = min((length for length in known if length and length < 10**9), default=512)
    asked = settings.number(options, "max_model_len", settings.number(options, "max_length", 0))
    how: dict[str, Any] = {
        "padding": True,
        "truncation": True,
        "max_length": min(asked or longest, longest),
        "add_special_tokens": not settings.flag(options, "disable_special_tokens"),
        "return_tensors": "pt",
    }
    if settings.flag(options, "return_token_type_ids"):
        how["return_token_type_ids"] = True
    return {**how, **task.tokenizing}
