"""Hugging Face models that generate, behind OpenAI's endpoints: tiny ones with random weights, made here."""

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fairway.serving.inpod import programs
from fairway.serving.inpod.openai import causal
from fairway.serving.inpod.openai.engines import Sampling
from tests.serving.programs.serving import server
from tests.serving.programs.tiny_models import tiny_llama, tokenizer_of

openai = pytest.importorskip("openai", reason="the openai client is not installed")
torch = pytest.importorskip("torch", reason="torch is not installed")
transformers = pytest.importorskip("transformers", reason="transformers is not installed")
pytest.importorskip("tokenizers", reason="tokenizers is not installed")

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("llm")
    tiny_llama(folder)
    return folder


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[Any]:
    with server("--model_name", "llm", "--model_dir", str(folder), "--model_format", "huggingface") as address:
        client = openai.OpenAI(base_url=f"{address}/openai/v1", api_key="none", max_retries=0, timeout=60)
        client.address = address
        yield client
        client.close()


def test_it_continues_as_transformers_itself_does(client: Any, folder: Path) -> None:
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    ids = tokenizer("the quick", return_tensors="pt")
    whole = model.generate(**ids, max_new_tokens=20, do_sample=False)[0, ids["input_ids"].shape[1] :]
    told = client.completions.create(model="llm", prompt="the quick", max_tokens=20, temperature=0)
    assert told.choices[0].text == tokenizer.decode(whole, skip_special_tokens=True)
    assert told.usage.prompt_tokens == ids["input_ids"].shape[1]
    assert told.usage.completion_tokens == len(whole)


def test_a_stream_is_the_whole_in_pieces(client: Any) -> None:
    asked = {"model": "llm", "prompt": "fox", "max_tokens": 30, "seed": 5, "n": 2}
    whole = client.completions.create(**asked)
    pieces = ["", ""]
    for chunk in client.completions.create(**asked, stream=True):
        pieces[chunk.choices[0].index] += chunk.choices[0].text
    assert pieces == [choice.text for choice in whole.choices]
    assert pieces[0] != pieces[1]


def test_a_seed_repeats_and_another_does_not(client: Any) -> None:
    def told(seed: int) -> str:
        answer = client.completions.create(model="llm", prompt="the", max_tokens=24, temperature=1, seed=seed)
        return str(answer.choices[0].text)

    assert told(1) == told(1)
    assert told(1) != told(2)


def test_a_chat_goes_through_the_models_template(client: Any, folder: Path) -> None:
    messages = [{"role": "user", "content": "hello world"}]
    told = client.chat.completions.create(
        model="llm", messages=messages, max_tokens=8, temperature=0, logprobs=True, top_logprobs=2
    )
    prompt = "user: hello world\nassistant:"
    same = client.completions.create(model="llm", prompt=prompt, max_tokens=8, temperature=0)
    assert told.choices[0].message.content == same.choices[0].text
    tokens = told.choices[0].logprobs.content
    assert len(tokens) == 8 and len(tokens[0].top_logprobs) == 2
    assert tokens[0].logprob == pytest.approx(tokens[0].top_logprobs[0].logprob)


def test_a_bias_and_penalties_change_the_choice(client: Any) -> None:
    asked = {"model": "llm", "prompt": "the", "max_tokens": 6, "temperature": 0}
    only = client.completions.create(**asked, logit_bias={"65": 100}, logprobs=1)
    assert len(set(only.choices[0].logprobs.tokens)) == 1
    other = client.completions.create(**asked, logit_bias={"65": 1.9, "66": 1.9}, frequency_penalty=2, logprobs=0)
    assert len(set(other.choices[0].logprobs.tokens)) > 1


def test_more_than_the_context_is_refused(client: Any) -> None:
    with pytest.raises(openai.BadRequestError, match="the model's context has 128"):
        client.completions.create(model="llm", prompt="fox " * 200, max_tokens=1)
    with pytest.raises(openai.BadRequestError, match="and 1000 new ones"):
        client.completions.create(model="llm", prompt="fox", max_tokens=1000)
    with pytest.raises(openai.BadRequestError, match="numbered from 0"):
        client.completions.create(model="llm", prompt=[1, 99999])


def test_tokens_are_a_prompt_too(client: Any, folder: Path) -> None:
    ids = transformers.AutoTokenizer.from_pretrained(folder)("the quick")["input_ids"]
    by_tokens = client.completions.create(model="llm", prompt=ids, max_tokens=5, temperature=0)
    by_text = client.completions.create(model="llm", prompt="the quick", max_tokens=5, temperature=0)
    assert by_tokens.choices[0].text == by_text.choices[0].text


async def test_a_character_of_several_tokens_is_told_whole(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = programs.load("huggingface", "llm", folder, {})
    engine = program._engine
    tokens = engine._tokenizer("東京 é")["input_ids"]
    assert len(tokens) > len("東京 é")

    class Fixed:
        def choose(self, logits: Any) -> Any:
            return [tokens[len(self.told)]], self.told.append(0)

        told: list[int] = []

    monkeypatch.setattr(causal, "Sampler", lambda *_: Fixed())
    generation = await engine.generate("x", Sampling(most=len(tokens)))
    pieces = [piece.text async for piece in generation.pieces]
    assert "".join(pieces) == "東京 é"
    assert not any("\ufffd" in piece for piece in pieces)


def test_v1_continues_texts_too(client: Any) -> None:
    body = json.dumps({"instances": ["the quick"], "parameters": {"max_tokens": 5, "temperature": 0}}).encode()
    with urllib.request.urlopen(urllib.request.Request(f"{client.address}/v1/models/llm:predict", body)) as response:
        (text,) = json.load(response)["predictions"]
    same = client.completions.create(model="llm", prompt="the quick", max_tokens=5, temperature=0)
    assert text == same.choices[0].text


def test_an_encoder_decoder_model_generates(tmp_path: Path) -> None:
    tokenizer = tokenizer_of(tmp_path)
    config = transformers.T5Config(
        vocab_size=len(tokenizer), d_model=32, d_ff=64, d_kv=8, num_layers=2, num_heads=4, decoder_start_token_id=0
    )
    model = transformers.T5ForConditionalGeneration(config)
    model.save_pretrained(tmp_path)
    ids = tokenizer("the quick", return_tensors="pt")["input_ids"]
    whole = model.eval().generate(input_ids=ids, max_new_tokens=9, do_sample=False)[0]
    with server("--model_name", "t5", "--model_dir", str(tmp_path)) as address:
        client = openai.OpenAI(base_url=f"{address}/openai/v1", api_key="none", max_retries=0)
        told = client.completions.create(model="t5", prompt="the quick", max_tokens=9, temperature=0)
        client.close()
    assert told.choices[0].text == tokenizer.decode(whole[1:], skip_special_tokens=True)


def test_an_embedding_model_has_its_endpoint(tmp_path: Path) -> None:
    tokenizer = tokenizer_of(tmp_path)
    config = transformers.BertConfig(
        vocab_size=len(tokenizer) + 1,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=64,
    )
    transformers.BertModel(config).save_pretrained(tmp_path)
    with server("--model_name", "bert", "--model_dir", str(tmp_path), "--model_format", "huggingface") as address:
        client = openai.OpenAI(base_url=f"{address}/openai/v1", api_key="none", max_retries=0)
        told = client.embeddings.create(model="bert", input=["the quick", "fox"])
        client.close()
    assert [len(one.embedding) for one in told.data] == [32, 32]
    assert told.usage.total_tokens > 2
