"""Small adapters and a small base, written file by file: what the tests of lora, bank and audit stand on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from kshot.models.lora.adapter import LoraAdapter
from kshot.models.lora.delta import LoraDelta

WIDTH, WIDE, LAYERS, ROWS = 8, 12, 2, 20
PREFIX = "base_model.model."
TARGETS = ("q_proj", "down_proj")
SHAPES = {"q_proj": (WIDTH, WIDTH), "down_proj": (WIDTH, WIDE)}  # (out, in)
CARD = "---\nlicense: mit\ndatasets: [owner/rows]\nbase_model: owner/base\n---\n# A card\n"


def module(layer: int, target: str) -> str:
    part = "self_attn" if target == "q_proj" else "mlp"
    return f"model.layers.{layer}.{part}.{target}"


def write_base(
    folder: Path, *, width: int = WIDTH, seed: int = 0, tokens: dict[str, int] | None = None
) -> Path:
    """A base of two layers: config.json and one safetensors file."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    sizes = {"q_proj": (width, width), "down_proj": (width, WIDE), "up_proj": (WIDE, width)}
    tensors = {
        "model.embed_tokens.weight": rng.normal(size=(ROWS, width)),
        "model.norm.weight": np.ones(width),
    }
    for layer in range(LAYERS):
        for target, size in sizes.items():
            tensors[f"{module(layer, target)}.weight"] = rng.normal(size=size)
    save_file({n: t.astype(np.float32) for n, t in tensors.items()}, folder / "model.safetensors")
    config = {"model_type": "llama", "tie_word_embeddings": True, "num_hidden_layers": LAYERS}
    (folder / "config.json").write_text(json.dumps(config))
    if tokens is not None:
        write_tokenizer(folder, tokens)
    return folder


def write_tokenizer(
    folder: Path, tokens: dict[str, int], *, added: dict[str, int] | None = None, pad: str | None = None
):
    extra = [{"content": token, "id": index} for token, index in (added or {}).items()]
    (folder / "tokenizer.json").write_text(json.dumps({"model": {"vocab": tokens}, "added_tokens": extra}))
    (folder / "tokenizer_config.json").write_text(json.dumps({"pad_token": pad}))


def tensors(
    *, seed: int = 0, rank: int = 2, shapes=SHAPES, targets=TARGETS, layers=LAYERS
) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    made = {}
    for layer in range(layers):
        for target in targets:
            out, into = shapes[target]
            name = PREFIX + module(layer, target)
            made[f"{name}.lora_A.weight"] = rng.normal(size=(rank, into)).astype(np.float32)
            made[f"{name}.lora_B.weight"] = rng.normal(size=(out, rank)).astype(np.float32)
    return made


def write_adapter(
    folder: Path, weights: dict[str, np.ndarray] | None = None, *, card: str | None = CARD, **config
) -> Path:
    """A PEFT folder; ``config`` overrides single fields."""
    folder.mkdir(parents=True, exist_ok=True)
    fields = {
        "peft_type": "LORA", "r": 2, "lora_alpha": 4, "target_modules": list(TARGETS), "bias": "none",
        "base_model_name_or_path": "owner/base", "use_rslora": False,
    }  # fmt: skip
    (folder / "adapter_config.json").write_text(json.dumps(fields | config))
    save_file(tensors() if weights is None else weights, folder / "adapter_model.safetensors")
    if card is not None:
        (folder / "README.md").write_text(card, encoding="utf-8")
    return folder


def random_adapter(
    seed: int, *, ranks=(2, 3), shape=(5, 4), modules=("a", "b"), dtype=np.float32
) -> LoraAdapter:
    """An adapter in memory with a rank of its own for each module."""
    rng = np.random.default_rng(seed)
    made = {
        name: LoraDelta(
            rng.normal(size=(rank, shape[1])).astype(dtype),
            rng.normal(size=(shape[0], rank)).astype(dtype),
            0.5 + seed,
        )
        for name, rank in zip(modules, ranks, strict=True)
    }
    return LoraAdapter(f"adapter-{seed}", made)


def dense(adapter: LoraAdapter, names, shape=(5, 4)) -> np.ndarray:
    """All deltas of the named modules in full, zeros where there is none, as one vector."""
    parts = [adapter.delta(n) if n in adapter.modules else np.zeros(shape) for n in names]
    return np.concatenate([part.ravel() for part in parts])
