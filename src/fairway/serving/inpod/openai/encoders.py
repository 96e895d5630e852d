"""Engines around models of `formats` that read texts and give vectors or scores, and keep speaking V1 and V2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fairway.serving.inpod.messages import Refusal
from fairway.serving.inpod.model import Array, Inputs, Model, Reply, Signature
from fairway.serving.inpod.openai.endpoints import Endpoints
from fairway.serving.inpod.openai.engines import Generation, Prompt, Sampling
from fairway.serving.inpod.programs import loops

TASKS = {"text_embedding": "embeddings", "sequence_classification": "rerank"}
"""The tasks of Hugging Face folders that have an endpoint here, and its name."""


class Encoding:
    """A `Model` as it is, with OpenAI's paths beside it."""

    limits_itself = True

    def __init__(self, name: str, model: Any, ability: str, options: Mapping[str, str]) -> None:
        self._model: Model = model
        self._endpoints = Endpoints(name, _Engine(model, ability), options)

    @property
    def signature(self) -> Signature:
        return self._model.signature

    @property
    def one_at_a_time(self) -> bool:
        return self._model.one_at_a_time

    @property
    def paths(self) -> tuple[str, ...]:
        return self._endpoints.paths

    def predict(self, inputs: Inputs) -> Mapping[str, Array]:
        return self._model.predict(inputs)

    async def speak(self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> Reply:
        return await self._endpoints.speak(method, path, query, headers, body)

    def close(self) -> None:
        self._model.close()


class _Engine:
    def __init__(self, model: Any, ability: str) -> None:
        self._model = model
        self.abilities = frozenset({ability})

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Generation:
        raise Refusal(400, "This model does not continue texts.")

    async def embed(self, texts: Sequence[str]) -> tuple[list[list[float]], int]:
        def work() -> tuple[list[list[float]], int]:
            outputs = self._model.predict(Inputs({self._model.signature.inputs[0].name: _texts(texts)}))
            vectors = next(iter(outputs.values()))
            return vectors.reshape(len(texts), -1).tolist(), self._tokens(list(texts), None)

        return await loops.in_thread(work)

    async def rerank(self, query: str, documents: Sequence[str]) -> tuple[list[float], int]:
        queries = [query] * len(documents)

        def work() -> tuple[list[float], int]:
            encoded = self._model.encoded(queries, list(documents))
            logits = self._model.ask(encoded).logits.float()
            scores = logits[:, 0].sigmoid() if logits.shape[1] == 1 else logits.softmax(dim=1)[:, -1]
            return scores.tolist(), self._tokens(queries, list(documents))

        return await loops.in_thread(work)

    def close(self) -> None:
        """The model belongs to whoever made this."""

    def _tokens(self, texts: list[str], seconds: list[str] | None) -> int:
        return int(self._model.encoded(texts, seconds)["attention_mask"].sum())


def _texts(texts: Sequence[str]) -> Array:
    return np.array(texts, dtype=object)
