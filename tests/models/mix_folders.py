"""Families of tiny models that share an origin, one folder each: what a mix is made of in the tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tiny
import torch
from safetensors.torch import load_file
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    ModernBertConfig,
    ModernBertModel,
    T5Config,
    T5ForConditionalGeneration,
    XLMRobertaConfig,
    XLMRobertaModel,
)

from kshot.models.hf.loading import quiet

WEIGHTS = (0.5, 0.3, 0.2)
EPSILON = (0.0, 0.02, 0.05)  # of the spec of the tests: absolute, for every weight
LLAMAS = ("llama", "llama-tied", "qwen3", "gpt2", "mistral")
FAMILIES = (*LLAMAS, "bert", "reranker", "xlm-roberta", "modernbert", "t5")
_SIZE = {
    "vocab_size": 500, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
    "num_attention_heads": 4, "max_position_embeddings": 512, "pad_token_id": 0,
}  # fmt: skip


def made(family: str, *, seed: int = 0):
    """A random model of that family in evaluation mode; sizes and seeds are those of the spec's fixtures."""
    if family in LLAMAS:
        size = {"hidden_size": 64, "intermediate_size": 128, "initializer_range": 0.02}
        options = {} if family == "gpt2" else size
        return tiny.model(family, seed=seed, positions=512, vocabulary=500, **options)
    torch.manual_seed(seed)
    if family == "bert":
        return BertModel(BertConfig(**_SIZE)).eval()
    if family == "reranker":
        return BertForSequenceClassification(BertConfig(**_SIZE, num_labels=1)).eval()
    if family == "xlm-roberta":
        return XLMRobertaModel(XLMRobertaConfig(**_SIZE, bos_token_id=1, eos_token_id=2)).eval()
    if family == "modernbert":
        special = {"bos_token_id": 1, "eos_token_id": 2, "cls_token_id": 1, "sep_token_id": 2}
        return ModernBertModel(ModernBertConfig(**_SIZE, **special)).eval()
    size = {"d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4}
    options = {"vocab_size": 400, "decoder_start_token_id": 0, "pad_token_id": 0, "eos_token_id": 2}
    return T5ForConditionalGeneration(T5Config(**size, **options)).eval()


def family(
    folder: Path, name: str = "llama", *, count: int = 3, dtype=torch.float32, shard: str = "5GB"
) -> list[Path]:
    """Folders of a base and its fine-tunes: for each a new seed, a model built, then base + epsilon randn."""
    places = []
    base, words = made(name), tiny.tokenizer()
    for at in range(count):
        model = made(name, seed=at)
        with torch.no_grad(), quiet():
            for value, own in zip(model.parameters(), base.parameters(), strict=True):
                value.copy_(own + EPSILON[at] * torch.randn(own.shape))
            place = folder / f"{name}-{at}"
            model.to(dtype).save_pretrained(place, max_shard_size=shard)
            words.save_pretrained(place)
        places.append(place)
    return places


def tensors(folder: Path) -> dict[str, torch.Tensor]:
    """All tensors of a folder's weights files."""
    return {
        key: value for path in sorted(folder.glob("*.safetensors")) for key, value in load_file(path).items()
    }


def reference(folders, weights=WEIGHTS) -> dict[str, np.ndarray]:
    """The weighted sum in double."""
    parts = [tensors(folder) for folder in folders]
    return {
        key: sum(w * part[key].double().numpy() for w, part in zip(weights, parts, strict=True))
        for key in parts[0]
    }


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder by its path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
