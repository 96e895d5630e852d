"""What generates: the protocol between the endpoints and a model or a user's class, and the values that cross it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

Prompt = str | list[int] | list[dict[str, Any]]
"""Text, tokens, or the messages of a chat."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to continue. `most` is None where the request does not say; an engine then takes its own measure."""

    most: int | None = None
    temperature: float = 1.0
    top_p: float = 1.0
    seed: int | None = None
    choices: int = 1
    stop: tuple[str, ...] = ()
    top_logprobs: int | None = None
    """How many alternatives to tell of each token; None: not even its own probability."""
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    bias: Mapping[int, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Likely:
    """A token and its log probability; the most likely ones of its place with it."""

    text: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of one choice. The last of each has `finish`: stop or length."""

    choice: int
    text: str
    tokens: int = 1
    finish: str = ""
    likely: tuple[Likely, ...] = ()


@dataclass(frozen=True, slots=True)
class Generation:
    prompt_tokens: int
    pieces: AsyncIterator[Piece]
    """Closed (`aclose`) when nobody reads on."""


class Engine(Protocol):
    """Asked on the event loop; its work is elsewhere. Each raises Refusal 400 where the request does not fit."""

    @property
    def abilities(self) -> frozenset[str]:
        """Of completions, chat, embeddings and rerank."""
        ...

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Generation: ...

    async def embed(self, texts: Sequence[str]) -> tuple[list[list[float]], int]:
        """A vector for each text, and the number of their tokens."""
        ...

    async def rerank(self, query: str, documents: Sequence[str]) -> tuple[list[float], int]:
        """How well each document answers, and the number of tokens."""
        ...

    def close(self) -> None: ...
