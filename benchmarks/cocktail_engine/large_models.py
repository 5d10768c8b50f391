"""Llama-shaped models of random bfloat16 numbers, written straight to disk; no model is ever built."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from transformers import LlamaConfig

from benchmarks.cocktail_engine.tiny_models import tokenizer

_SHARD_BYTES = 1 << 30


@dataclass(frozen=True)
class Shape:
    """Of TinyLlama-1.1B unless told otherwise."""

    width: int = 2048
    inner: int = 5632
    layers: int = 22
    heads: int = 32
    key_value_heads: int = 4
    vocabulary: int = 32_000

    def tensors(self) -> dict[str, tuple[int, ...]]:
        """Names and shapes, in the order of the files."""
        head = self.width // self.heads * self.key_value_heads
        found: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (self.vocabulary, self.width)}
        for layer in range(self.layers):
            lead = f"model.layers.{layer}."
            found[f"{lead}input_layernorm.weight"] = (self.width,)
            found[f"{lead}mlp.down_proj.weight"] = (self.width, self.inner)
            found[f"{lead}mlp.gate_proj.weight"] = (self.inner, self.width)
            found[f"{lead}mlp.up_proj.weight"] = (self.inner, self.width)
            found[f"{lead}post_attention_layernorm.weight"] = (self.width,)
            found[f"{lead}self_attn.k_proj.weight"] = (head, self.width)
            found[f"{lead}self_attn.o_proj.weight"] = (self.width, self.width)
            found[f"{lead}self_attn.q_proj.weight"] = (self.width, self.width)
            found[f"{lead}self_attn.v_proj.weight"] = (head, self.width)
        found["model.norm.weight"] = (self.width,)
        found["lm_head.weight"] = (self.vocabulary, self.width)
        return found

    def config(self) -> LlamaConfig:
        """What transformers, mergekit and LM_Cocktail read."""
        return LlamaConfig(
            vocab_size=self.vocabulary,
            hidden_size=self.width,
            intermediate_size=self.inner,
            num_hidden_layers=self.layers,
            num_attention_heads=self.heads,
            num_key_value_heads=self.key_value_heads,
            architectures=["LlamaForCausalLM"],
            dtype="bfloat16",
        )


def write_model(folder: Path, shape: Shape, *, seed: int, distinct_layers: int) -> Path:
    """A model folder in shards of 1 GiB; layers beyond ``distinct_layers`` repeat the first ones.

    Seed 0 is the base; another seed is the base plus normal noise of .002 on its .02.
    """
    folder.mkdir(parents=True)
    shards: list[list[str]] = [[]]
    sizes = [0]
    for name, dims in shape.tensors().items():
        size = 2 * torch.Size(dims).numel()
        if sizes[-1] and sizes[-1] + size > _SHARD_BYTES:
            shards.append([])
            sizes.append(0)
        shards[-1].append(name)
        sizes[-1] += size
    weight_map = {}
    for at, names in enumerate(shards, 1):
        path = folder / f"model-{at:05d}-of-{len(shards):05d}.safetensors"
        _write_shard(path, names, shape, seed, distinct_layers)
        weight_map |= dict.fromkeys(names, path.name)
    index = {"metadata": {"total_size": sum(sizes)}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2), encoding="utf-8")
    shape.config().save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


def _write_shard(path: Path, names: list[str], shape: Shape, seed: int, distinct: int) -> None:
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    start = 0
    for name in names:
        dims = shape.tensors()[name]
        size = 2 * torch.Size(dims).numel()
        header[name] = {"dtype": "BF16", "shape": dims, "data_offsets": [start, start + size]}
        start += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name in names:
            for part in _values(name, shape.tensors()[name], seed, distinct):
                file.write(part.view(torch.uint8).numpy().data)


def _values(name: str, dims: tuple[int, ...], seed: int, distinct: int) -> Iterator[Tensor]:
    """Blocks of a tensor; the same numbers for a repeated layer."""
    words = name.split(".")
    if words[1] == "layers":
        words[2] = str(int(words[2]) % distinct)
    key = sum(byte * 31**at for at, byte in enumerate(".".join(words).encode())) % (1 << 40)
    base, noise = (torch.Generator().manual_seed(key + (one << 41)) for one in (0, seed))
    left = torch.Size(dims).numel()
    norm = len(dims) == 1
    while left:
        count = min(left, 1 << 20)
        block = torch.randn(count, generator=base) * 0.02 + (1.0 if norm else 0.0)
        if seed:
            block += torch.randn(count, generator=noise) * 0.002
        yield block.to(torch.bfloat16)
        left -= count
