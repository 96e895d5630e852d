"""An engine around a user's class with generate, chat, embed or rerank, which imports nothing of ours.

`generate(prompt, ...)` and `chat(messages, ...)` give a text, or texts in pieces by a generator, synchronous or not;
they are handed what they ask for by name: max_tokens, temperature, top_p, seed, stop. Stop words and max_tokens (in
pieces) hold whether the class looks at them or not. Tokens are counted by its count_tokens, or else as words.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import Any

from fairway.serving.inpod.messages import Refusal
from fairway.serving.inpod.openai.endpoints import Endpoints
from fairway.serving.inpod.openai.engines import Generation, Piece, Prompt, Sampling
from fairway.serving.inpod.programs import failures, loops, results

_ABILITIES = {"generate": "completions", "chat": "chat", "embed": "embeddings", "rerank": "rerank"}


def endpoints(owner: Any, name: str, options: Mapping[str, str]) -> Endpoints:
    return Endpoints(name, OwnCode(owner, name), options)


class OwnCode:
    def __init__(self, owner: Any, name: str) -> None:
        self._owner = owner
        self._loop = loops.OwnLoop(name)

    @property
    def abilities(self) -> frozenset[str]:
        return frozenset(verb for step, verb in _ABILITIES.items() if callable(getattr(self._owner, step, None)))

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Generation:
        if isinstance(prompt, list) and prompt and isinstance(prompt[0], int):
            raise Refusal(400, "This model takes texts, not tokens.")
        step = self._owner.generate if isinstance(prompt, str) else self._owner.chat
        said = prompt if isinstance(prompt, str) else " ".join(str(message["content"]) for message in prompt)  # type: ignore[index]
        settings = _settings(step, sampling)
        return Generation(self._count(said), self._choices(lambda: step(prompt, **settings), sampling))

    async def embed(self, texts: Sequence[str]) -> tuple[list[list[float]], int]:
        vectors = results.jsonable(await self._call(lambda: self._owner.embed(list(texts))))
        return vectors, sum(map(self._count, texts))

    async def rerank(self, query: str, documents: Sequence[str]) -> tuple[list[float], int]:
        scores = results.jsonable(await self._call(lambda: self._owner.rerank(query, list(documents))))
        return scores, sum(map(self._count, documents)) + self._count(query)

    def close(self) -> None:
        if callable(end := getattr(self._owner, "close", None)):
            end()
        self._loop.close()

    async def _choices(self, step: Callable[[], Any], sampling: Sampling) -> AsyncIterator[Piece]:
        for choice in range(sampling.choices):
            texts = self._texts(await self._call(step))
            told = 0
            try:
                async for text in texts:
                    told += 1
                    if sampling.most is not None and told > sampling.most:
                        break
                    yield Piece(choice, text)
            finally:
                await texts.aclose()  # type: ignore[attr-defined]
            cut = sampling.most is not None and told > sampling.most
            yield Piece(choice, "", tokens=0, finish="length" if cut else "stop")

    async def _call(self, step: Callable[[], Any]) -> Any:
        """On the class' own loop, or in a thread, as it is written."""

        async def work() -> Any:
            return await loops.settled(await loops.in_thread(step))

        with failures.as_refusals("The program"):
            return await self._loop.call(work)

    async def _texts(self, given: Any) -> AsyncIterator[str]:
        if isinstance(given, str):
            yield given
            return
        if hasattr(given, "__anext__"):
            source: AsyncIterator[Any] = self._loop.iterate(given)
        elif isinstance(given, Iterator) or inspect.isgenerator(given):
            source = results.steps(given)
        else:
            raise Refusal(500, f"The program gave {type(given).__name__}; a text or an iterator of texts is wanted.")
        try:
            with failures.as_refusals("The program"):
                async for text in source:
                    yield str(text)
        finally:
            await source.aclose()  # type: ignore[attr-defined]

    def _count(self, text: str) -> int:
        count = getattr(self._owner, "count_tokens", None)
        return int(count(text)) if callable(count) else len(text.split())


def _settings(step: Callable[..., Any], sampling: Sampling) -> dict[str, Any]:
    """What the function asks for by name."""
    offered = {
        "max_tokens": sampling.most,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "seed": sampling.seed,
        "stop": list(sampling.stop),
    }
    parameters = inspect.signature(step).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return offered
    return {name: value for name, value in offered.items() if name in parameters}
