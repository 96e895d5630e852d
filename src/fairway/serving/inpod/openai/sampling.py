"""The choice of the next token from the model's numbers: temperature, top_p, penalties, biases, seeds."""

from __future__ import annotations

from typing import Any

from fairway.serving.inpod.openai.engines import Sampling

Likelihoods = tuple[list[float], list[list[tuple[int, float]]]]
"""Of each choice: its token's log probability, and the most likely tokens with theirs."""


class Sampler:
    """Of one request. Each choice has a generator of its own: with a seed, each comes out the same again."""

    def __init__(self, torch: Any, sampling: Sampling, vocabulary: int) -> None:
        self._torch, self._sampling = torch, sampling
        self._generators = [torch.Generator() for _ in range(sampling.choices)]
        for number, generator in enumerate(self._generators):
            if sampling.seed is None:
                generator.seed()
            else:
                generator.manual_seed((sampling.seed + number) % 2**63)
        penalised = sampling.presence_penalty or sampling.frequency_penalty
        self._counts = torch.zeros(sampling.choices, vocabulary) if penalised else None

    def choose(self, logits: Any) -> tuple[list[int], Likelihoods | None]:
        """`logits` has a row for each choice."""
        logits = logits.cpu()
        adjusted = self._adjusted(logits)
        if self._sampling.temperature == 0:
            chosen = adjusted.argmax(dim=-1)
        else:
            probabilities = self._nucleus((adjusted / self._sampling.temperature).softmax(dim=-1))
            draws = [
                self._torch.multinomial(row, 1, generator=generator)
                for row, generator in zip(probabilities, self._generators, strict=True)
            ]
            chosen = self._torch.cat(draws)
        tokens: list[int] = chosen.tolist()
        if self._counts is not None:
            for choice, token in enumerate(tokens):
                self._counts[choice, token] += 1
        return tokens, self._likelihoods(logits, tokens)

    def _adjusted(self, logits: Any) -> Any:
        if self._counts is not None:
            width = logits.shape[-1]
            counts = self._counts[:, :width]
            logits = logits - self._sampling.frequency_penalty * counts - self._sampling.presence_penalty * (counts > 0)
        if self._sampling.bias:
            logits = logits.clone()
            for token, bias in self._sampling.bias.items():
                if 0 <= token < logits.shape[-1]:
                    logits[:, token] += bias
        return logits

    def _nucleus(self, probabilities: Any) -> Any:
        """Only the most likely tokens that together reach top_p; always at least one."""
        if self._sampling.top_p >= 1:
            return probabilities
        ordered, order = probabilities.sort(dim=-1, descending=True)
        beyond = ordered.cumsum(dim=-1) - ordered > self._sampling.top_p
        return self._torch.zeros_like(probabilities).scatter(-1, order, ordered.masked_fill(beyond, 0))

    def _likelihoods(self, logits: Any, tokens: list[int]) -> Likelihoods | None:
        wanted = self._sampling.top_logprobs
        if wanted is None:
            return None
        logprobs = logits.log_softmax(dim=-1)
        own = [float(row[token]) for row, token in zip(logprobs, tokens, strict=True)]
        if not wanted:
            return own, [[] for _ in tokens]
        values, places = logprobs.topk(wanted, dim=-1)
        tops = [
            list(zip(place, value, strict=True)) for place, value in zip(places.tolist(), values.tolist(), strict=True)
        ]
        return own, tops
