"""Loads a Hugging Face folder for the endpoints: one that generates, or one of `formats` with vectors or scores."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fairway.serving.inpod.formats import failures, files, huggingface, settings
from fairway.serving.inpod.model import CannotLoad
from fairway.serving.inpod.openai.causal import Causal
from fairway.serving.inpod.openai.encoders import TASKS, Encoding
from fairway.serving.inpod.openai.endpoints import Endpoints

_DTYPES = {"auto": "auto", "float": "float32", "half": "float16"}


def takes(location: Path, options: Mapping[str, str]) -> bool:
    """Whether the folder's task has an endpoint here; it imports nothing of the model's."""
    folder = files.newest(location if location.is_dir() else location.parent)
    return huggingface.task_of(folder, options) in (*huggingface.GENERATES, *TASKS)


def load(name: str, location: Path, options: Mapping[str, str]) -> Any:
    """Raises CannotLoad."""
    folder = files.newest(location if location.is_dir() else location.parent)
    task = huggingface.task_of(folder, options)
    if task in huggingface.GENERATES:
        return Endpoints(name, _generating(folder, task, options), options)
    if task in TASKS:
        return Encoding(name, huggingface.load(name, location, options), TASKS[task], options)
    raise CannotLoad(f"The task {task} has no endpoint of OpenAI's; it is served over V1 and V2.")


def _generating(folder: Path, task: str, options: Mapping[str, str]) -> Causal:
    torch = failures.package("torch", extra="huggingface", wanted_for="A language model")
    transformers = failures.package("transformers", extra="huggingface", wanted_for="A language model")
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(settings.threads(options))
    device = settings.text(options, "device", "cuda" if torch.cuda.is_available() else "cpu")
    said = settings.text(options, "dtype", "auto")
    dtype = _DTYPES.get(said, said)
    trusted = settings.flag(options, "trust_remote_code")
    kind = "AutoModelForCausalLM" if task == "text_generation" else "AutoModelForSeq2SeqLM"
    with failures.loading(folder, "a language model", "Save model and tokenizer there with save_pretrained()."):
        tokenizer = transformers.AutoTokenizer.from_pretrained(
            str(folder), local_files_only=True, trust_remote_code=trusted
        )
        module = getattr(transformers, kind).from_pretrained(
            str(folder),
            local_files_only=True,
            trust_remote_code=trusted,
            dtype=dtype if dtype == "auto" else getattr(torch, dtype),
        )
    return Causal(torch, module.to(device).eval(), tokenizer, options)
