"""Tiny random models of eight kinds, each a base and two fine-tunes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
import transformers as t
from tokenizers import Tokenizer, models, pre_tokenizers

SIZE = {
    "vocab_size": 500,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
}
DECODER = SIZE | {
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
ENCODER = SIZE | {"max_position_embeddings": 256, "pad_token_id": 0}
MODERN = {"max_position_embeddings": 256, "cls_token_id": 3, "sep_token_id": 4}
SPECIAL = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
T5 = {"vocab_size": 500, "d_model": 64, "d_kv": 16, "d_ff": 128, "num_layers": 2, "num_heads": 4}

# name: (how LM_Cocktail calls it, the model)
KINDS: Mapping[str, tuple[str, Callable[[], Any]]] = {
    "Llama": ("decoder", lambda: t.LlamaForCausalLM(t.LlamaConfig(**DECODER))),
    "Llama, tied": (
        "decoder",
        lambda: t.LlamaForCausalLM(t.LlamaConfig(**DECODER, tie_word_embeddings=True)),
    ),
    "Qwen3": (
        "decoder",
        lambda: t.Qwen3ForCausalLM(t.Qwen3Config(**DECODER, head_dim=16, tie_word_embeddings=True)),
    ),
    "BERT": ("encoder", lambda: t.BertModel(t.BertConfig(**ENCODER))),
    "XLM-R": ("encoder", lambda: t.XLMRobertaModel(t.XLMRobertaConfig(**ENCODER))),
    "ModernBERT": ("encoder", lambda: t.ModernBertModel(t.ModernBertConfig(**SIZE, **MODERN, **SPECIAL))),
    "T5": (
        "encoder-decoder",
        lambda: t.T5ForConditionalGeneration(t.T5Config(**T5, decoder_start_token_id=0)),
    ),
    "reranker": (
        "reranker",
        lambda: t.XLMRobertaForSequenceClassification(t.XLMRobertaConfig(**ENCODER, num_labels=1)),
    ),
}
NOISE = (0.0, 0.02, 0.05)


def tokenizer() -> t.PreTrainedTokenizerFast:
    """Words w5 to w499 behind five special tokens."""
    special = ["[PAD]", "<s>", "</s>", "[CLS]", "[SEP]"]
    words = {word: at for at, word in enumerate([*special, *(f"w{at}" for at in range(5, 500))])}
    backend = Tokenizer(models.WordLevel(words, unk_token="[PAD]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    names = {"pad_token": "[PAD]", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "[PAD]"}
    return t.PreTrainedTokenizerFast(
        tokenizer_object=backend, cls_token="[CLS]", sep_token="[SEP]", model_max_length=256, **names
    )


def save_family(kind: str, dtype: torch.dtype, place: Path) -> list[Path]:
    """Base and fine-tunes: the base plus normal noise of .02 and .05 on every parameter."""
    folders = []
    for at, noise in enumerate(NOISE):
        torch.manual_seed(0)
        model = KINDS[kind][1]()
        torch.manual_seed(at)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(noise * torch.randn_like(parameter))
        folder = place / f"model-{at}"
        model.to(dtype).save_pretrained(folder)
        tokenizer().save_pretrained(folder)
        folders.append(folder)
    return folders
