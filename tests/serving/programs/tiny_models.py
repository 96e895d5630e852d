"""Language models with random weights, small enough to be made in a test; nothing is fetched."""

from importlib import import_module
from pathlib import Path
from typing import Any

TEMPLATE = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}assistant:"
TEXTS = ["the quick brown fox jumps over the lazy dog", "user assistant system: hello world, über naïve café 東京"]


def tokenizer_of(folder: Path) -> Any:
    """Bytes are its alphabet, so that every text has tokens, and a character may have several."""
    tokenizers, transformers = import_module("tokenizers"), import_module("transformers")
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=300, special_tokens=["<eos>"], initial_alphabet=alphabet)
    tokenizer.train_from_iterator(TEXTS, trainer)
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<eos>", bos_token="<eos>")
    fast.chat_template = TEMPLATE
    fast.save_pretrained(folder)
    return fast


def tiny_llama(folder: Path) -> None:
    torch, transformers = import_module("torch"), import_module("transformers")
    tokenizer = tokenizer_of(folder)
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=128,
        eos_token_id=0,
        bos_token_id=0,
    )
    transformers.LlamaForCausalLM(config).save_pretrained(folder)
