"""The paths of OpenAI's API for one model, as a `Program` that also `Speaks`.

Requests beyond what may be at work wait, and beyond that get 429 at once. A container's own limit holds here, too.
Over V1 and V2 the same model continues texts, so that graphs and transformers can use it.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from fairway.serving.inpod.batching import failed
from fairway.serving.inpod.messages import Refusal
from fairway.serving.inpod.model import Message, Reply, Signature, Tensor
from fairway.serving.inpod.openai import asking, telling
from fairway.serving.inpod.openai.asking import Asked, Wrong
from fairway.serving.inpod.openai.engines import Engine, Generation, Piece, Sampling
from fairway.serving.inpod.openai.stopping import Stopper
from fairway.serving.inpod.openai.telling import Choice, Teller

MOST_WAITING = 64
_STREAM = "text/event-stream"
_NOT_HERE = {
    "completions": "This model does not continue texts.",
    "chat": "This model does not chat; it may do completions.",
    "embeddings": "This model gives no embeddings.",
    "rerank": "This model does not rank documents.",
}


class Endpoints:
    asynchronous = True
    limits_itself = True

    def __init__(self, name: str, engine: Engine, options: Mapping[str, str]) -> None:
        self._name, self._engine = name, engine
        prefix = options.get("KSERVE_OPENAI_ROUTE_PREFIX", "/openai").strip("/")
        self._base = f"/{prefix}/v1" if prefix else "/v1"
        self._created = int(time.time())
        limit = int(options.get("container_concurrency") or 0)
        asked = int(options.get("FAIRWAY_GENERATIONS_AT_ONCE") or 4)
        self._at_once = min(limit, asked) if limit else asked
        self._turns = asyncio.Semaphore(self._at_once)
        self._inside = 0

    @property
    def paths(self) -> tuple[str, ...]:
        """Each by itself, as /v1 alone may also be the inference protocol's."""
        names = ("models", "completions", "chat/completions", "embeddings", "rerank")
        return tuple(f"{self._base}/{name}" for name in names if self._base != "/v1" or name != "models")

    @property
    def signature(self) -> Signature:
        text = (Tensor("text", "BYTES", (-1,)),)
        return Signature("openai", text, text, batches=False)

    async def speak(self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> Reply:
        try:
            return await self._spoken(method, path.removeprefix(self._base).strip("/"), body)
        except Wrong as wrong:
            document = telling.error(str(wrong), wrong.status, param=wrong.param, code=wrong.code)
            return Reply(body=document, status=wrong.status)
        except Refusal as refused:
            refusal = refused
        except Exception as broken:
            refusal = failed(broken)
        return Reply(body=telling.error(str(refusal), refusal.status), status=refusal.status)

    async def answer(self, message: Message) -> Reply:
        """V1 and V2: each text continued."""
        if message.verb == "explain":
            raise Refusal(501, "This model has no explainer.")
        texts, parameters = _texts(message)
        most = parameters.get("max_tokens", parameters.get("max_new_tokens", asking.DEFAULT_TOKENS))
        try:
            body = {**{name: value for name, value in parameters.items() if name != "max_new_tokens"}, "prompt": texts}
            asked = asking.completion({**body, "max_tokens": most, "stream": None})
        except Wrong as wrong:
            raise Refusal(wrong.status, str(wrong)) from None
        choices, _ = await self._whole(asked)
        told = [choice.text for choice in choices]
        if message.inputs is not None:
            return Reply(outputs={"text": np.array(told, dtype=object)})
        return Reply(body={"predictions": told})

    def close(self) -> None:
        self._engine.close()

    async def _spoken(self, method: str, path: str, body: bytes) -> Reply:
        if path == "models" or path.startswith("models/"):
            return self._about(path.removeprefix("models").strip("/"))
        verbs: dict[str, tuple[str, Callable[[dict[str, Any]], Awaitable[Reply]]]] = {
            "completions": ("completions", self._completion),
            "chat/completions": ("chat", self._chat),
            "embeddings": ("embeddings", self._embeddings),
            "rerank": ("rerank", self._ranking),
        }
        if path not in verbs:
            raise Wrong(f"There is nothing at {self._base}/{path}.", status=404)
        if method != "POST":
            raise Wrong(f"{self._base}/{path} takes POST, not {method}.", status=405)
        ability, verb = verbs[path]
        document = asking.document(body)
        self._check_name(document.get("model"))
        if ability not in self._engine.abilities:
            raise Wrong(_NOT_HERE[ability])
        return await verb(document)

    def _about(self, name: str) -> Reply:
        if name:
            self._check_name(name)
            return Reply(body=telling.model(self._name, self._created))
        return Reply(body={"object": "list", "data": [telling.model(self._name, self._created)]})

    def _check_name(self, name: Any) -> None:
        if name != self._name:
            said = "The request names no model" if name is None else f"The model {name!r} is not here"
            raise Wrong(f"{said}; this is {self._name!r}.", param="model", status=404, code="model_not_found")

    # Text.

    async def _completion(self, document: dict[str, Any]) -> Reply:
        return await self._text(asking.completion(document), f"cmpl-{uuid.uuid4().hex}")

    async def _chat(self, document: dict[str, Any]) -> Reply:
        return await self._text(asking.chat(document), f"chatcmpl-{uuid.uuid4().hex}")

    async def _text(self, asked: Asked, id: str) -> Reply:
        teller = Teller(id, int(time.time()), self._name, asked.chat)
        if not asked.stream:
            return Reply(body=teller.whole(*await self._whole(asked)))
        pieces = self._pieces(asked)
        first = await anext(pieces)  # what is wrong with the request is told as an error and not in a stream
        return Reply(stream=_streamed(asked, teller, first, pieces), content_type=_STREAM)

    async def _whole(self, asked: Asked) -> tuple[list[Choice], int]:
        choices: dict[int, Choice] = {}
        prompt_tokens = 0
        pieces = self._pieces(asked)
        try:
            async for piece, tokens in pieces:
                choices.setdefault(piece.choice, Choice(piece.choice)).grow(piece)
                prompt_tokens = tokens
        finally:
            await pieces.aclose()  # type: ignore[attr-defined]
        return [choices[index] for index in sorted(choices)], prompt_tokens

    async def _pieces(self, asked: Asked) -> AsyncIterator[tuple[Piece, int]]:
        """All pieces of all prompts, each with the number of tokens of the prompts so far."""
        prompt_tokens = 0
        async with self._turn():
            for number, prompt in enumerate(asked.prompts):
                generation = await self._engine.generate(prompt, asked.sampling)
                prompt_tokens += generation.prompt_tokens
                first = number * asked.sampling.choices
                if asked.echo and isinstance(prompt, str):
                    for choice in range(asked.sampling.choices):
                        yield Piece(first + choice, prompt, tokens=0), prompt_tokens
                stopped = _stopped(generation, asked.sampling)
                try:
                    async for piece in stopped:
                        moved = Piece(first + piece.choice, piece.text, piece.tokens, piece.finish, piece.likely)
                        yield moved, prompt_tokens
                finally:
                    await stopped.aclose()  # type: ignore[attr-defined]

    # Vectors and scores.

    async def _embeddings(self, document: dict[str, Any]) -> Reply:
        texts, packed = asking.embedding(document)
        async with self._turn():
            vectors, tokens = await self._engine.embed(texts)
        return Reply(body=telling.embeddings(self._name, vectors, tokens, packed=packed))

    async def _ranking(self, document: dict[str, Any]) -> Reply:
        query, documents, most, repeat = asking.ranking(document)
        async with self._turn():
            scores, tokens = await self._engine.rerank(query, documents)
        id = f"rerank-{uuid.uuid4().hex}"
        return Reply(body=telling.ranking(id, self._name, documents, scores, tokens, most=most, repeat=repeat))

    def _turn(self) -> _Turn:
        if self._inside >= self._at_once + MOST_WAITING:
            raise Wrong("Too many requests are waiting for this model; try again in a moment.", status=429)
        return _Turn(self)

    def enter(self) -> asyncio.Semaphore:
        self._inside += 1
        return self._turns

    def leave(self) -> None:
        self._inside -= 1


class _Turn:
    """A place among those that are at work, waited for."""

    def __init__(self, endpoints: Endpoints) -> None:
        self._endpoints = endpoints
        self._turns = endpoints.enter()

    async def __aenter__(self) -> None:
        try:
            await self._turns.acquire()
        except BaseException:
            self._endpoints.leave()
            raise

    async def __aexit__(self, *_: object) -> None:
        self._turns.release()
        self._endpoints.leave()


async def _stopped(generation: Generation, sampling: Sampling) -> AsyncIterator[Piece]:
    """The pieces without what comes after a stop word; ends the generation once all choices are ended."""
    stoppers = [Stopper(sampling.stop) for _ in range(sampling.choices)]
    open_choices = sampling.choices
    try:
        async for piece in generation.pieces:
            stopper = stoppers[piece.choice]
            if stopper.stopped:
                continue
            text = stopper.feed(piece.text)
            finish = "stop" if stopper.stopped else piece.finish
            if piece.finish and not stopper.stopped:
                text += stopper.rest()
            yield Piece(piece.choice, text, piece.tokens, finish, piece.likely)
            if finish:
                stopper.stopped = True
                open_choices -= 1
            if not open_choices:
                break
    finally:
        with suppress(AttributeError):
            await generation.pieces.aclose()  # type: ignore[attr-defined]


async def _streamed(
    asked: Asked, teller: Teller, first: tuple[Piece, int], pieces: AsyncIterator[tuple[Piece, int]]
) -> AsyncIterator[bytes]:
    opened: set[int] = set()
    completed = prompt_tokens = 0

    def told(piece: Piece) -> bytes:
        opening = b""
        if asked.chat and piece.choice not in opened:
            opened.add(piece.choice)
            opening = teller.opening(piece.choice)
        return opening + (teller.piece(piece) if piece.text or piece.finish or piece.likely else b"")

    try:
        prompt_tokens, completed = first[1], first[0].tokens
        if chunk := told(first[0]):
            yield chunk
        async for piece, tokens in pieces:
            prompt_tokens = tokens
            completed += piece.tokens
            if chunk := told(piece):
                yield chunk
        if asked.usage:
            yield teller.last(prompt_tokens, completed)
        yield telling.DONE
    except (Refusal, Wrong) as failure:
        yield telling.event(telling.error(str(failure), failure.status))
    finally:
        await pieces.aclose()  # type: ignore[attr-defined]


def _texts(message: Message) -> tuple[list[str], Mapping[str, Any]]:
    if message.inputs is not None:
        (array,) = list(message.inputs.tensors.values())[:1] or (np.array([]),)
        rows: Sequence[Any] = array.reshape(-1).tolist()
        parameters: Any = message.inputs.parameters
    else:
        body = message.body if isinstance(message.body, dict) else {}
        rows, parameters = body.get("instances", body.get("inputs")) or [], body.get("parameters") or {}
    texts = [row.decode(errors="replace") if isinstance(row, bytes) else row for row in rows]
    if not texts or not all(isinstance(text, str) for text in texts):
        raise Refusal(400, 'This model continues texts; send {"instances": ["..."]}, or a tensor of BYTES.')
    return texts, parameters
