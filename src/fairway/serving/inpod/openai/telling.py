"""OpenAI's answers: whole documents, the chunks of a stream, lists of models, errors. Pure."""

from __future__ import annotations

import base64
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from fairway.serving.inpod.openai.engines import Likely, Piece

DONE = b"data: [DONE]\n\n"
_TYPES = {400: "invalid_request_error", 404: "invalid_request_error", 429: "rate_limit_error"}


@dataclass(frozen=True, slots=True)
class Teller:
    """Of one request: what is the same in all that it is told."""

    id: str
    created: int
    model: str
    chat: bool

    def whole(self, choices: Sequence[Choice], prompt_tokens: int) -> dict[str, Any]:
        completed = sum(choice.tokens for choice in choices)
        return {
            **self._head("chat.completion" if self.chat else "text_completion"),
            "choices": [self._choice(choice) for choice in choices],
            "usage": usage(prompt_tokens, completed),
        }

    def opening(self, choice: int) -> bytes:
        """A chat's choice begins with whose turn it is."""
        return self._chunk({"index": choice, "delta": {"role": "assistant", "content": ""}, "finish_reason": None})

    def piece(self, piece: Piece) -> bytes:
        about: dict[str, Any] = {"index": piece.choice, "finish_reason": piece.finish or None}
        if self.chat:
            about["delta"] = {"content": piece.text} if piece.text else {}
            about["logprobs"] = _chat_logprobs(piece.likely) if piece.likely else None
        else:
            about["text"] = piece.text
            about["logprobs"] = _text_logprobs(piece.likely) if piece.likely else None
        return self._chunk(about)

    def last(self, prompt_tokens: int, completed: int) -> bytes:
        """The tokens of a whole stream."""
        return event({**self._stream_head(), "choices": [], "usage": usage(prompt_tokens, completed)})

    def _choice(self, choice: Choice) -> dict[str, Any]:
        about: dict[str, Any] = {"index": choice.index, "finish_reason": choice.finish, "logprobs": None}
        if self.chat:
            about["message"] = {"role": "assistant", "content": choice.text}
            about["logprobs"] = _chat_logprobs(choice.likely) if choice.likely else None
        else:
            about["text"] = choice.text
            about["logprobs"] = _text_logprobs(choice.likely) if choice.likely else None
        return about

    def _chunk(self, choice: dict[str, Any]) -> bytes:
        return event({**self._stream_head(), "choices": [choice]})

    def _stream_head(self) -> dict[str, Any]:
        return self._head("chat.completion.chunk" if self.chat else "text_completion")

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}


@dataclass(slots=True)
class Choice:
    """Grows as its pieces come."""

    index: int
    text: str = ""
    tokens: int = 0
    finish: str = "stop"
    likely: list[Likely] = field(default_factory=list)

    def grow(self, piece: Piece) -> None:
        self.text += piece.text
        self.tokens += piece.tokens
        self.likely += piece.likely
        self.finish = piece.finish or self.finish


def usage(prompt: int, completed: int) -> dict[str, int]:
    return {"prompt_tokens": prompt, "completion_tokens": completed, "total_tokens": prompt + completed}


def model(name: str, created: int) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": created, "owned_by": "fairway"}


def embeddings(name: str, vectors: Sequence[Sequence[float]], tokens: int, *, packed: bool) -> dict[str, Any]:
    data = [
        {"object": "embedding", "index": index, "embedding": _packed(vector) if packed else list(vector)}
        for index, vector in enumerate(vectors)
    ]
    return {
        "object": "list",
        "data": data,
        "model": name,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def ranking(
    id: str, name: str, documents: Sequence[str], scores: Sequence[float], tokens: int, *, most: int, repeat: bool
) -> dict[str, Any]:
    order = sorted(range(len(scores)), key=lambda at: -scores[at])[:most]
    found: list[dict[str, Any]] = [{"index": at, "relevance_score": scores[at]} for at in order]
    if repeat:
        for each in found:
            each["document"] = {"text": documents[each["index"]]}
    return {"id": id, "model": name, "results": found, "usage": {"total_tokens": tokens}}


def error(sentence: str, status: int, *, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    return {"error": {"message": sentence, "type": kind, "param": param, "code": code}}


def event(document: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(document) + b"\n\n"


def _chat_logprobs(likely: Sequence[Likely]) -> dict[str, Any]:
    return {
        "content": [
            {**_token(one.text, one.logprob), "top_logprobs": [_token(*other) for other in one.top]} for one in likely
        ],
        "refusal": None,
    }


def _token(text: str, logprob: float) -> dict[str, Any]:
    return {"token": text, "logprob": logprob, "bytes": list(text.encode())}


def _text_logprobs(likely: Sequence[Likely]) -> dict[str, Any]:
    offsets, at = [], 0
    for one in likely:
        offsets.append(at)
        at += len(one.text)
    return {
        "tokens": [one.text for one in likely],
        "token_logprobs": [one.logprob for one in likely],
        "top_logprobs": [dict(one.top) for one in likely],
        "text_offset": offsets,
    }


def _packed(vector: Sequence[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
