"""The bodies of OpenAI's requests, read and checked. What a model here cannot do is refused by its name. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from fairway.serving.inpod.messages import MOST_JSON
from fairway.serving.inpod.openai.engines import Prompt, Sampling

MOST_CHOICES = 16
DEFAULT_TOKENS = 16
"""Of completions, as OpenAI has it; a chat may go on to the end of the model's context."""

_REFUSED = {
    "tools": "tools",
    "tool_choice": "tools",
    "functions": "functions",
    "function_call": "functions",
    "audio": "audio",
    "suffix": "a suffix",
    "prediction": "a prediction",
}


class Wrong(Exception):
    """A request that is answered with an error in OpenAI's shape."""

    def __init__(self, sentence: str, *, param: str | None = None, status: int = 400, code: str | None = None) -> None:
        super().__init__(sentence)
        self.param, self.status, self.code = param, status, code


@dataclass(frozen=True, slots=True)
class Asked:
    """A request for text. Several prompts are several requests in one."""

    prompts: tuple[Prompt, ...]
    sampling: Sampling
    stream: bool
    usage: bool
    """Whether a stream ends with the number of its tokens."""
    echo: bool
    chat: bool


def document(body: bytes) -> dict[str, Any]:
    if len(body) > MOST_JSON:
        raise Wrong(f"JSON is read up to {MOST_JSON} bytes; send fewer texts at a time.", status=413)
    try:
        found = orjson.loads(body or b"null")
    except orjson.JSONDecodeError as wrong:
        raise Wrong(f"The body is not JSON: {wrong}.") from None
    if not isinstance(found, dict):
        raise Wrong("The body is not a JSON object.")
    return found


def completion(body: Mapping[str, Any]) -> Asked:
    most = _whole(body, "max_tokens", 0, 1 << 20)
    prompts = _prompts(body.get("prompt"))
    if (best := _whole(body, "best_of", 1, MOST_CHOICES)) is not None and best != (body.get("n") or 1):
        raise Wrong("best_of other than n is not supported.", param="best_of")
    sampling = _sampling(body, DEFAULT_TOKENS if most is None else most, _whole(body, "logprobs", 0, 20))
    return Asked(prompts, sampling, _flag(body, "stream"), _wants_usage(body), _flag(body, "echo"), chat=False)


def chat(body: Mapping[str, Any]) -> Asked:
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise Wrong('"messages" must be a list with at least one message.', param="messages")
    read = [_message(message, number) for number, message in enumerate(messages)]
    most = _whole(body, "max_completion_tokens", 1, 1 << 20)
    most = _whole(body, "max_tokens", 1, 1 << 20) if most is None else most
    top = _whole(body, "top_logprobs", 0, 20)
    if top and not _flag(body, "logprobs"):
        raise Wrong("top_logprobs needs logprobs.", param="top_logprobs")
    logprobs = (top or 0) if _flag(body, "logprobs") else None
    kind = body.get("response_format")
    if kind is not None and (not isinstance(kind, dict) or kind.get("type") != "text"):
        raise Wrong("response_format other than text is not supported.", param="response_format")
    sampling = _sampling(body, most, logprobs)
    return Asked((read,), sampling, _flag(body, "stream"), _wants_usage(body), echo=False, chat=True)


def embedding(body: Mapping[str, Any]) -> tuple[list[str], bool]:
    """The texts, and whether their vectors are wanted as base64."""
    texts = body.get("input")
    texts = [texts] if isinstance(texts, str) else texts
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise Wrong('"input" must be a text or a list of texts.', param="input")
    form = body.get("encoding_format") or "float"
    if form not in ("float", "base64"):
        raise Wrong(f"encoding_format is {form!r}; it is float or base64.", param="encoding_format")
    if body.get("dimensions") is not None:
        raise Wrong("Vectors are not cut to fewer dimensions here.", param="dimensions")
    return texts, form == "base64"


def ranking(body: Mapping[str, Any]) -> tuple[str, list[str], int, bool]:
    """The query, the documents, how many are wanted, and whether the answer repeats them."""
    query, documents = body.get("query"), body.get("documents")
    if not isinstance(query, str) or not query:
        raise Wrong('"query" must be a text.', param="query")
    if not isinstance(documents, list) or not documents:
        raise Wrong('"documents" must be a list of texts.', param="documents")
    texts: list[Any] = [text.get("text") if isinstance(text, dict) else text for text in documents]
    if not all(isinstance(text, str) for text in texts):
        raise Wrong('"documents" must be a list of texts.', param="documents")
    wanted = _whole(body, "top_n", 1, 1 << 20)
    return query, texts, min(wanted or len(texts), len(texts)), body.get("return_documents") is not False


def _prompts(prompt: Any) -> tuple[Prompt, ...]:
    if isinstance(prompt, str):
        return (prompt,)
    if isinstance(prompt, list) and prompt:
        if all(type(item) is int for item in prompt):
            return (prompt,)
        if all(isinstance(item, str) and item for item in prompt):
            return tuple(prompt)
        if all(isinstance(item, list) and item and all(type(token) is int for token in item) for item in prompt):
            return tuple(prompt)
    raise Wrong('"prompt" must be a text, a list of texts, a list of tokens, or a list of such.', param="prompt")


def _message(message: Any, number: int) -> dict[str, Any]:
    where = f"messages[{number}]"
    if not isinstance(message, dict) or not isinstance(message.get("role"), str):
        raise Wrong(f"{where} must be an object with a role and a content.", param="messages")
    content = message.get("content")
    if isinstance(content, list):
        if not all(isinstance(part, dict) and isinstance(part.get("text"), str) for part in content):
            raise Wrong(f"{where} has a part that is not text, which this model cannot read.", param="messages")
        content = "".join(part["text"] for part in content)
    if not isinstance(content, str):
        raise Wrong(f"{where}.content must be a text.", param="messages")
    return {**message, "content": content}


def _sampling(body: Mapping[str, Any], most: int | None, logprobs: int | None) -> Sampling:
    for name, what in _REFUSED.items():
        if body.get(name) not in (None, [], "none", ""):
            raise Wrong(f"This model does not support {what}.", param=name)
    stop = body.get("stop")
    words = [stop] if isinstance(stop, str) else stop or []
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words) or len(words) > 16:
        raise Wrong('"stop" must be a text or a list of up to 16 texts.', param="stop")
    return Sampling(
        most=most,
        temperature=_number(body, "temperature", 0, 2, 1.0),
        top_p=_number(body, "top_p", 0, 1, 1.0),
        seed=_whole(body, "seed", -(2**63), 2**63 - 1),
        choices=_whole(body, "n", 1, MOST_CHOICES) or 1,
        stop=tuple(words),
        top_logprobs=logprobs,
        presence_penalty=_number(body, "presence_penalty", -2, 2, 0.0),
        frequency_penalty=_number(body, "frequency_penalty", -2, 2, 0.0),
        bias=_bias(body.get("logit_bias")),
    )


def _bias(bias: Any) -> dict[int, float]:
    if bias is None:
        return {}
    try:
        read = {int(token): float(value) for token, value in bias.items()}
    except (AttributeError, TypeError, ValueError):
        read = {0: math.nan}
    if not all(-100 <= value <= 100 for value in read.values()):
        text = '"logit_bias" must be an object of tokens and numbers from -100 to 100.'
        raise Wrong(text, param="logit_bias")
    return read


def _wants_usage(body: Mapping[str, Any]) -> bool:
    options = body.get("stream_options")
    if options is None:
        return False
    if not isinstance(options, dict) or not _flag(body, "stream"):
        raise Wrong("stream_options is an object, and only for streams.", param="stream_options")
    return bool(options.get("include_usage"))


def _flag(body: Mapping[str, Any], name: str) -> bool:
    value = body.get(name)
    if value is not None and not isinstance(value, bool):
        raise Wrong(f'"{name}" must be true or false.', param=name)
    return bool(value)


def _whole(body: Mapping[str, Any], name: str, least: int, most: int) -> int | None:
    value = body.get(name)
    if value is None:
        return None
    if type(value) is not int or not least <= value <= most:
        raise Wrong(f'"{name}" must be a whole number from {least} to {most}.', param=name)
    return value


def _number(body: Mapping[str, Any], name: str, least: float, most: float, default: float) -> float:
    value = body.get(name)
    if value is None:
        return default
    if type(value) not in (int, float) or not least <= value <= most:
        raise Wrong(f'"{name}" must be a number from {least:g} to {most:g}.', param=name)
    return float(value)
