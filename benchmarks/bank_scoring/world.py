"""What is measured on: bases of several sizes, random adapters, rows of two kinds. No download."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np

from benchmarks.bank_scoring.peers import Shots
from kshot.data.example import Example
from kshot.data.template import Template
from kshot.miniature import base_folder, truth
from kshot.models.hf import HfModel
from kshot.models.hf.group.factors import linear_shapes
from kshot.models.lora.adapter import LoraAdapter
from kshot.models.lora.delta import LoraDelta

ATTENTION = ("q_proj", "v_proj")


def save_base(out: Path, *, width: int, layers: int) -> Path:
    """A random Llama with the miniature's tokenizer; width 0: the miniature's own base."""
    if width == 0:
        return base_folder()
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(base_folder())
    config = LlamaConfig(
        vocab_size=4000,
        hidden_size=width,
        intermediate_size=width * 11 // 4,
        num_hidden_layers=layers,
        num_attention_heads=width // 64,
        num_key_value_heads=width // 64,
        max_position_embeddings=2048,
        eos_token_id=3999,
    )
    LlamaForCausalLM(config).save_pretrained(out)
    tokenizer.save_pretrained(out)
    return out


def save_bank(base: HfModel, out: Path, *, count: int, rank: int = 16, every: bool = True) -> list[Path]:
    """Random adapters on all linear modules, or on q_proj and v_proj alone."""
    shapes = {n: s for n, s in linear_shapes(base.model).items() if n != "lm_head"}
    folders = []
    for number in range(count):
        rng = np.random.default_rng(number)
        modules = {}
        for name, (rows, columns) in shapes.items():
            if every or name.endswith(ATTENTION):
                a = rng.normal(0, columns**-0.5, (rank, columns)).astype(np.float32)
                b = rng.normal(0, 0.05, (rows, rank)).astype(np.float32)
                modules[name] = LoraDelta(a, b, 1.0)
        folders.append(LoraAdapter(f"expert-{number}", modules).save(out / f"expert-{number}"))
    return folders


def shots(count: int, *, prompt: int, answer: int, reply: int) -> Shots:
    """Rows of words: half as long to twice as long as ``prompt`` words, a third of that shared by all."""
    rng = random.Random(0)
    words = sorted(word for trade in truth().trades.values() for word in trade)
    template = Template(instruction=" ".join(rng.choices(words, k=max(4, prompt // 3))))
    rows = [
        Example(
            " ".join(rng.choices(words, k=rng.randint(max(2, prompt // 3), prompt))),
            " ".join(rng.choices(words, k=answer)),
        )
        for _ in range(count)
    ]
    return Shots([template.conversation(row) for row in rows], [template.target(row) for row in rows], reply)
