"""Tiny random models with tiny tokenizers, built on the spot: what the tests of this folder stand on."""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedTokenizerFast,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from kshot.data.example import Example, Message
from kshot.data.template import Target, Template
from kshot.models.hf.loading import Loaded, assemble

LINES = [
    "The capital of France is Paris. What is the capital of Peru? It is Lima, on the coast.",
    "Reply with one of these labels and nothing else: joy, anger, sadness, optimism",
    "Answer: 42, since forty plus two makes forty-two; so the answer is 42.\n\nNext question:",
]
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
NO_SYSTEM = "{% if messages[0].role == 'system' %}{{ raise_exception('no system role') }}{% endif %}" + CHATML
SPECIAL = ["<pad>", "<s>", "</s>", "<|im_start|>", "<|im_end|>"]
ARCHITECTURES = ("llama", "llama-tied", "qwen3", "gpt2", "mistral")
TEMPLATE = Template(instruction="Name the capital.", reasoning="answer_first")
ROWS = [
    Example("France", "Paris", reasoning="It is on the Seine."),
    Example("Peru, whose coast is long and whose mountains are high", "Lima"),
    Example("x", "a longer answer than the others, by far"),
    Example("Žluťoučký kůň 🐎 and naïve 東京", "東京 🗼", reasoning="ß ≠ ss"),
    Example("What is the capital of the country where the river ends?", "?"),
]


def tokenizer(*, chat: str | None = None, pad: bool = True, bos: bool = False) -> PreTrainedTokenizerFast:
    """A byte-level BPE of at most 400 tokens; ``bos`` sets <s> in front of every text by itself."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(LINES, trainer)
    if bos:
        backend.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    made = PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<s>", eos_token="</s>", pad_token="<pad>" if pad else None
    )
    made.chat_template = chat
    return made


def model(kind: str = "llama", *, seed: int = 0, positions: int = 256, vocabulary: int = 400, **options):
    """A random model of two layers, width 32, with dropout that must not be felt."""
    torch.manual_seed(seed)
    size = {
        "vocab_size": vocabulary, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": positions,
        "attention_dropout": 0.3, "initializer_range": 0.3, "bos_token_id": 1, "eos_token_id": 2,
        "pad_token_id": None,
    } | options  # fmt: skip
    if kind.startswith("llama"):
        return LlamaForCausalLM(LlamaConfig(**size, tie_word_embeddings=kind == "llama-tied")).eval()
    if kind == "qwen3":
        return Qwen3ForCausalLM(Qwen3Config(**size, head_dim=8, tie_word_embeddings=True)).eval()
    if kind == "mistral":
        return MistralForCausalLM(MistralConfig(**size, head_dim=8, sliding_window=24)).eval()
    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=vocabulary, n_embd=32, n_layer=2, n_head=4, n_positions=positions,
            initializer_range=0.3, bos_token_id=1, eos_token_id=2,
        )
    ).eval()  # fmt: skip


def loaded(kind: str = "llama", *, batch_tokens: int = 8192, **options) -> Loaded:
    """A model made ready without a folder."""
    words = {key: options.pop(key) for key in ("chat", "pad", "bos") if key in options}
    made = tokenizer(**({"chat": CHATML} | words))
    return assemble(model(kind, **options), made, template="auto", batch_tokens=batch_tokens, name=kind)


def save(
    folder: Path,
    kind: str = "llama",
    *,
    chat: str | None = None,
    pad: bool = True,
    bos: bool = False,
    **options,
) -> Path:
    """A model folder."""
    model(kind, **options).save_pretrained(folder)
    tokenizer(chat=chat, pad=pad, bos=bos).save_pretrained(folder)
    return folder


def conversations(rows=ROWS, *, shots=()):
    return [TEMPLATE.conversation(row, shots) for row in rows]


def targets(rows=ROWS) -> list[Target]:
    return [TEMPLATE.target(row) for row in rows]


def user(text: str):
    return (Message("user", text),)
