"""OpenAI's endpoints, judged by its own client: a tiny model made here, and users' classes."""

import asyncio
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fairway.serving.inpod import programs
from fairway.serving.inpod.messages import Refusal
from fairway.serving.inpod.openai.causal import Causal
from fairway.serving.inpod.openai.engines import Sampling
from tests.serving.programs.conftest import v1
from tests.serving.programs.serving import server

openai = pytest.importorskip("openai", reason="the openai client is not installed")

Load = Callable[..., Any]

PARROT = """
import time

class Parrot:
    ended = []

    def generate(self, prompt: str, temperature: float):
        try:
            for word in prompt.split():
                yield word + " "
                if temperature > 1.5:
                    time.sleep(0.02)
        finally:
            self.ended.append(prompt[:5])

    async def chat(self, messages, max_tokens):
        for word in ("You", " said: ", messages[-1]["content"]):
            yield word

    def embed(self, texts):
        return [[float(len(text)), 1.0] for text in texts]

    def rerank(self, query, documents):
        return [float(document.count(query)) for document in documents]
"""


@pytest.fixture(scope="module")
def parrot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("parrot")
    (folder / "model.py").write_text(PARROT)
    made: list[Any] = []

    def load() -> tuple[Any, str]:
        made.append(programs.load("python", "parrot", folder, {}))
        return made[0], "1"

    with server(given={"parrot": load}) as address:
        client = openai.OpenAI(base_url=f"{address}/openai/v1", api_key="none", max_retries=0)
        client.parrot, client.address = made[0]._engine._owner, address
        yield client
        client.close()


def test_models_are_listed(parrot: Any) -> None:
    assert [model.id for model in parrot.models.list()] == ["parrot"]
    assert parrot.models.retrieve("parrot").owned_by == "fairway"
    with pytest.raises(openai.NotFoundError, match="The model 'owl' is not here; this is 'parrot'"):
        parrot.models.retrieve("owl")


def test_a_text_is_continued(parrot: Any) -> None:
    told = parrot.completions.create(model="parrot", prompt="one two three", n=2)
    assert [(choice.index, choice.text, choice.finish_reason) for choice in told.choices] == [
        (0, "one two three ", "stop"),
        (1, "one two three ", "stop"),
    ]
    assert (told.usage.prompt_tokens, told.usage.completion_tokens) == (3, 6)
    assert told.object == "text_completion"


def test_several_prompts_are_several_choices(parrot: Any) -> None:
    told = parrot.completions.create(model="parrot", prompt=["a b", "c"], echo=True)
    assert [choice.text for choice in told.choices] == ["a ba b ", "cc "]


def test_length_and_stop_words_cut(parrot: Any) -> None:
    told = parrot.completions.create(model="parrot", prompt="a b c d", max_tokens=2)
    assert (told.choices[0].text, told.choices[0].finish_reason) == ("a b ", "length")
    told = parrot.completions.create(model="parrot", prompt="a b c d", stop=["b c"])
    assert (told.choices[0].text, told.choices[0].finish_reason) == ("a ", "stop")


def test_a_chat_is_streamed(parrot: Any) -> None:
    stream = parrot.chat.completions.create(
        model="parrot",
        messages=[{"role": "user", "content": [{"type": "text", "text": "hello"}]}],
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "You said: hello"
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens == 3


def test_the_bytes_of_a_stream_are_server_sent_events(parrot: Any) -> None:
    body = json.dumps({"model": "parrot", "prompt": "a b", "stream": True}).encode()
    request = urllib.request.Request(f"{parrot.address}/openai/v1/completions", body)
    with urllib.request.urlopen(request) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        lines = response.read().decode().split("\n\n")
    assert lines[-2:] == ["data: [DONE]", ""]
    assert json.loads(lines[0].removeprefix("data: "))["choices"][0]["text"] == "a "


def test_vectors_and_scores(parrot: Any) -> None:
    told = parrot.embeddings.create(model="parrot", input=["a", "abc"])
    assert [one.embedding for one in told.data] == [[1.0, 1.0], [3.0, 1.0]]
    plain = parrot.embeddings.create(model="parrot", input="abcd", encoding_format="float")
    assert plain.data[0].embedding == [4.0, 1.0]
    body = json.dumps({"model": "parrot", "query": "a", "documents": ["b", "aa", "a"], "top_n": 2}).encode()
    with urllib.request.urlopen(urllib.request.Request(f"{parrot.address}/openai/v1/rerank", body)) as response:
        ranked = json.load(response)
    assert [(one["index"], one["relevance_score"]) for one in ranked["results"]] == [(1, 2.0), (2, 1.0)]


@pytest.mark.parametrize(
    ("asked", "param", "sentence"),
    [
        ({"max_tokens": -1}, "max_tokens", '"max_tokens" must be a whole number'),
        ({"temperature": 7}, "temperature", '"temperature" must be a number from 0 to 2'),
        ({"n": 1000}, "n", '"n" must be a whole number from 1 to 16'),
        ({"suffix": "end"}, "suffix", "This model does not support a suffix"),
        ({"stop": [1]}, "stop", '"stop" must be a text or a list'),
        ({"prompt": {}}, "prompt", '"prompt" must be a text'),
    ],
)
def test_what_is_wrong_is_told_in_openais_shape(parrot: Any, asked: dict[str, Any], param: str, sentence: str) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        parrot.completions.create(**{"model": "parrot", "prompt": "a", **asked})
    assert refused.value.body["type"] == "invalid_request_error"
    assert (refused.value.param, sentence in refused.value.body["message"]) == (param, True)


def test_another_model_and_another_path_are_not_found(parrot: Any) -> None:
    with pytest.raises(openai.NotFoundError) as refused:
        parrot.completions.create(model="owl", prompt="a")
    assert refused.value.code == "model_not_found"
    with pytest.raises(urllib.error.HTTPError, match="405"):
        urllib.request.urlopen(f"{parrot.address}/openai/v1/completions")


def test_a_client_that_hangs_up_ends_the_generation(parrot: Any) -> None:
    stream = parrot.completions.create(
        model="parrot", prompt="gone " * 1000, temperature=2, max_tokens=10_000, stream=True
    )
    assert next(iter(stream)).choices[0].text == "gone "
    stream.close()
    waited = threading.Event()
    for _ in range(200):
        if "gone " in parrot.parrot.ended:
            break
        waited.wait(0.02)
    assert "gone " in parrot.parrot.ended


def test_tools_are_refused_by_name(parrot: Any) -> None:
    tools = [{"type": "function", "function": {"name": "f"}}]
    with pytest.raises(openai.BadRequestError, match="does not support tools"):
        parrot.chat.completions.create(model="parrot", messages=[{"role": "user", "content": "a"}], tools=tools)


async def test_a_function_is_a_language_model_too(load: Load) -> None:
    program = load("def generate(prompt):\n    return prompt.upper()")
    body = json.dumps({"model": "m", "prompt": "hello"}).encode()
    reply = await program.speak("POST", "/openai/v1/completions", "", {}, body)
    assert reply.body["choices"][0]["text"] == "HELLO"
    chat = json.dumps({"model": "m", "messages": [{"role": "user", "content": "x"}]}).encode()
    refused = await program.speak("POST", "/openai/v1/chat/completions", "", {}, chat)
    assert (refused.status, refused.body["error"]["message"]) == (
        400,
        "This model does not chat; it may do completions.",
    )


async def test_a_class_may_predict_and_generate(load: Load) -> None:
    program = load("""
    class Both:
        def predict(self, x):
            return x
        def generate(self, prompt):
            return prompt
    """)
    assert await v1(program, 1) == {"predictions": [1]}
    assert "/openai/v1/completions" in program.paths


async def test_a_program_that_fails_says_so_in_openais_shape(load: Load) -> None:
    program = load("def generate(prompt):\n    raise RuntimeError('no memory')")
    body = json.dumps({"model": "m", "prompt": "hello"}).encode()
    reply = await program.speak("POST", "/openai/v1/completions", "", {}, body)
    assert (reply.status, reply.body["error"]["type"]) == (500, "server_error")
    assert reply.body["error"]["message"] == "The program failed: RuntimeError: no memory"


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (b'{"model": "m", "prompt": "hello"}', 500, "AttributeError"),
        (b'{"model": "m", "prompt": "a", "logit_bias": {"1": "nan"}}', 400, "logit_bias"),
        (b'{"model": "m", "prompt": "a", "logit_bias": {"1": 1e300}}', 400, "logit_bias"),
        (b'{"model": "m", "prompt": "' + b"a" * (64 << 20) + b'"}', 413, "bytes"),
    ],
)
async def test_what_goes_wrong_has_openais_shape(load: Load, body: bytes, status: int, says: str) -> None:
    program = load("def generate(prompt):\n    return prompt\n\ngenerate.count_tokens = None")
    program._engine._owner.count_tokens = lambda text: text.tokens  # a failure of what stands around the program
    reply = await program.speak("POST", "/openai/v1/completions", "", {}, body)
    assert (reply.status, says in reply.body["error"]["message"]) == (status, True)


async def test_messages_that_a_template_refuses_are_the_callers_mistake() -> None:
    def template(*_: Any, **__: Any) -> str:
        raise LookupError("roles must alternate")

    config = SimpleNamespace(is_encoder_decoder=False, max_position_embeddings=128)
    module = SimpleNamespace(config=config, generation_config=SimpleNamespace(eos_token_id=0))
    tokenizer = SimpleNamespace(chat_template="", apply_chat_template=template)
    engine = Causal(None, module, tokenizer, {})
    with pytest.raises(Refusal, match="roles must alternate") as refused:
        await engine.generate([{"role": "user", "content": "?"}], Sampling())
    assert refused.value.status == 400


async def test_too_many_requests_are_told_at_once(load: Load, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    program = load(f"""
    import os, time

    def generate(prompt):
        while not os.path.exists({str(gate)!r}):
            time.sleep(0.01)
        return prompt
    """)
    program._at_once, program._turns = 1, asyncio.Semaphore(1)
    body = json.dumps({"model": "m", "prompt": "hello"}).encode()
    asked = [asyncio.create_task(program.speak("POST", "/openai/v1/completions", "", {}, body)) for _ in range(70)]
    done, pending = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
    assert {task.result().status for task in done} == {429}
    gate.touch()
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)


@pytest.mark.parametrize(("options", "at_once"), [({}, 4), ({"container_concurrency": "2"}, 2)])
def test_a_containers_limit_holds_for_generations(tmp_path: Path, options: dict[str, str], at_once: int) -> None:
    (tmp_path / "model.py").write_text("def generate(prompt):\n    return prompt")
    program = programs.load("python", "m", tmp_path, options)
    assert program._at_once == at_once
    program.close()


def test_the_prefix_is_kserves_own_setting(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text("def generate(prompt):\n    return prompt")
    program = programs.load("python", "m", tmp_path, {"KSERVE_OPENAI_ROUTE_PREFIX": "/llm"})
    assert "/llm/v1/chat/completions" in program.paths
    program.close()
