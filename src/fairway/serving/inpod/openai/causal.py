"""An engine around a Hugging Face model that generates: token by token, with its cache, all choices side by side.

The loop is ours and not `generate()`: each token is told as it comes, a client that hangs up ends it between two, and
every choice has a seed of its own. Decoder-only and encoder-decoder models differ in one call.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fairway.serving.inpod.messages import Refusal
from fairway.serving.inpod.openai.engines import Generation, Likely, Piece, Prompt, Sampling
from fairway.serving.inpod.openai.sampling import Sampler
from fairway.serving.inpod.programs import loops, results

ENDLESS = 4096
"""Tokens of a context, for a model that does not say how long its is."""


class Causal:
    def __init__(self, torch: Any, module: Any, tokenizer: Any, options: Mapping[str, str]) -> None:
        self._torch, self._module, self._tokenizer = torch, module, tokenizer
        self._encoder_decoder = bool(module.config.is_encoder_decoder)
        asked = int(options.get("max_model_len") or options.get("MAX_MODEL_LEN") or 0)
        longest = getattr(module.config, "max_position_embeddings", None) or ENDLESS
        self._context = min(asked or longest, longest)
        ends = module.generation_config.eos_token_id
        ends = tokenizer.eos_token_id if ends is None else ends
        self._ends = set(ends) if isinstance(ends, list) else {ends} - {None}

    @property
    def abilities(self) -> frozenset[str]:
        chats = bool(getattr(self._tokenizer, "chat_template", None))
        return frozenset({"completions", "chat"} if chats else {"completions"})

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Generation:
        tokens = await loops.in_thread(lambda: self._tokens(prompt))
        room = self._context if self._encoder_decoder else self._context - len(tokens)
        if room < 1 or (sampling.most is not None and sampling.most > room):
            wanted = f" and {sampling.most} new ones" if sampling.most is not None else ""
            raise Refusal(400, f"The prompt has {len(tokens)} tokens{wanted}; the model's context has {self._context}.")
        most = room if sampling.most is None else sampling.most
        return Generation(len(tokens), results.steps(self._run(tokens, sampling, most)))

    async def embed(self, texts: Sequence[str]) -> tuple[list[list[float]], int]:
        raise Refusal(400, "This model gives no embeddings.")

    async def rerank(self, query: str, documents: Sequence[str]) -> tuple[list[float], int]:
        raise Refusal(400, "This model does not rank documents.")

    def close(self) -> None:
        """The module goes with its last user."""

    def _tokens(self, prompt: Prompt) -> list[int]:
        """In a thread; a tokenizer may be slow with a long text."""
        if isinstance(prompt, str):
            found: list[int] = self._tokenizer(prompt)["input_ids"]
        elif prompt and isinstance(prompt[0], int):
            found = list(prompt)
            if max(found) >= self._module.config.vocab_size or min(found) < 0:
                raise Refusal(400, f"The model has {self._module.config.vocab_size} tokens, numbered from 0.")
        else:
            found = self._tokenizer(self._said(prompt), add_special_tokens=False)["input_ids"]
        return found or [self._start()]

    def _said(self, messages: Prompt) -> str:
        """A chat as the model's own template writes it, which may refuse it for its roles and their order."""
        try:
            text: str = self._tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        except Exception as wrong:  # of the template's language, whose package may be absent
            raise Refusal(400, f"The model's chat template does not take these messages: {wrong}") from None
        return text

    def _start(self) -> int:
        """What an empty prompt becomes."""
        for token in (self._tokenizer.bos_token_id, self._tokenizer.eos_token_id):
            if token is not None:
                return int(token)
        raise Refusal(400, "The prompt is empty, and the model has no token to begin with.")

    def _run(self, prompt: list[int], sampling: Sampling, most: int) -> Iterator[Piece]:
        """In threads, a step at a time: nothing that belongs to a thread may last from one to the next."""
        if most == 0:
            yield from (Piece(choice, "", 0, "length") for choice in range(sampling.choices))
            return
        sampler = Sampler(self._torch, sampling, self._module.config.vocab_size)
        writers = [_Writer(self._tokenizer) for _ in range(sampling.choices)]
        decoder = _Decoder(self._torch, self._module, prompt, sampling.choices, self._encoder_decoder)
        for number in range(1, most + 1):
            chosen, likely = sampler.choose(decoder.logits())
            for choice, token in enumerate(chosen):
                writer = writers[choice]
                if writer.ended:
                    continue
                ends = token in self._ends
                text = writer.last() if ends else writer.add(token)
                if number == most and not ends:
                    text += writer.last()
                writer.ended = ends or number == most
                finish = "stop" if ends else "length" if number == most else ""
                yield Piece(choice, text, 1, finish, _told(self._tokenizer, token, likely, choice, ends=ends))
            if all(writer.ended for writer in writers):
                return
            decoder.feed(chosen)


class _Decoder:
    """The model and its cache, for all choices at once."""

    def __init__(self, torch: Any, module: Any, prompt: list[int], choices: int, encoder_decoder: bool) -> None:
        self._torch, self._module = torch, module
        self._past: Any = None
        self._fixed: dict[str, Any] = {}
        ids = torch.tensor([prompt] * choices, device=module.device)
        self._name = "input_ids"
        if encoder_decoder:
            self._name = "decoder_input_ids"
            with torch.inference_mode():
                self._fixed["encoder_outputs"] = module.get_encoder()(input_ids=ids)
            start = module.generation_config.decoder_start_token_id
            start = module.config.decoder_start_token_id if start is None else start
            ids = torch.full((choices, 1), start or 0, device=module.device)
        self._ids = ids

    def logits(self) -> Any:
        """Of the next token, a row for each choice."""
        given = {self._name: self._ids, "past_key_values": self._past, "use_cache": True, **self._fixed}
        with self._torch.inference_mode():
            told = self._module(**given)
        self._past = told.past_key_values
        return told.logits[:, -1, :].float()

    def feed(self, tokens: list[int]) -> None:
        self._ids = self._torch.tensor([[token] for token in tokens], device=self._module.device)


class _Writer:
    """Tokens of one choice as text: a character of several tokens is told once it is whole."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._tokens: list[int] = []
        self._read = self._told = 0  # the tokens whose text is settled, and those that were told
        self.ended = False

    def add(self, token: int) -> str:
        self._tokens.append(token)
        before, now = self._texts()
        if now.endswith("\ufffd"):
            return ""
        self._read, self._told = self._told, len(self._tokens)
        return now[len(before) :]

    def last(self) -> str:
        """What is left, whole or not."""
        before, now = self._texts()
        self._read = self._told = len(self._tokens)
        return now[len(before) :]

    def _texts(self) -> tuple[str, str]:
        """A few tokens back is enough: what a token's text is depends on the one before it."""
        decode = self._tokenizer.decode
        before: str = decode(self._tokens[self._read : self._told], skip_special_tokens=True)
        now: str = decode(self._tokens[self._read :], skip_special_tokens=True)
        return before, now


def _told(tokenizer: Any, token: int, likely: Any, choice: int, *, ends: bool) -> tuple[Likely, ...]:
    if likely is None or ends:
        return ()
    own, tops = likely
    top = tuple((tokenizer.decode([other]), logprob) for other, logprob in tops[choice])
    return (Likely(tokenizer.decode([token]), own[choice], top),)
