"""The base model: a small Llama whose attention starts near reading, trained on the skills alone.

From a random start on two cores this model stalls for a long time before it finds out how to look a word up
in its notes. So the first layer starts with heads that look one to four tokens back, and the later layers
with heads that match what those heads brought: the well-known induction circuit. Training does the rest.
"""

from __future__ import annotations

import math
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from kshot.miniature.skills import LONG, episodes
from kshot.miniature.training import Encoded, Schedule, bucketed, train
from kshot.miniature.vocabulary import encode, save_tokenizer, token_ids
from kshot.miniature.world import World

WIDTH = 128
HEADS = 4
ROPE_THETA = 100_000.0
SCHEDULE = Schedule(steps=2500, rate=1.5e-3, decay=0.01, warm_share=0.03)
LONG_SCHEDULE = Schedule(steps=600, rate=8e-4, decay=0.01)
BATCH_TOKENS = 3500
LEVEL_FROM, LEVEL_TO = 0.03, 0.35

EMBEDDING_STD = 0.06
CONSTANT = 0.36
LOOK_BACK = 8.0
MATCH = 8.0
MATCHES = ((3, 2), (3, 4), (1, 2), (1, 2))  # of each head: asked this far back, found this far back
FAST_PAIRS = 8
SLOW_FROM = 5

CARD = """\
---
license: cc0-1.0
library_name: transformers
---

# kshot miniature base

A Llama of three layers that reads notes, follows shots, explains preferences and echoes words of an invented
language. It knows the meaning of no word. Built by `python -m kshot.miniature.build`.
"""


def new_model(vocabulary_size: int, seed: int) -> Any:
    """An untrained model whose attention starts near reading."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=vocabulary_size,
        hidden_size=WIDTH,
        intermediate_size=3 * WIDTH,
        num_hidden_layers=3,
        num_attention_heads=HEADS,
        max_position_embeddings=2048,
        rope_parameters={"rope_type": "default", "rope_theta": ROPE_THETA},
        tie_word_embeddings=True,
        attn_implementation="eager",
        pad_token_id=0,
        bos_token_id=None,
        eos_token_id=2,
    )
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        start_near_reading(model)
    return model


def start_near_reading(model: Any) -> None:
    """Set embeddings and attention so that heads look back in layer 0 and match in the layers after it."""
    embedding = model.model.embed_tokens.weight
    embedding.normal_(0, EMBEDDING_STD)
    embedding[:, 0] = CONSTANT
    spaces = _orthogonal(WIDTH, WIDTH).reshape(HEADS, WIDTH // HEADS, WIDTH)  # (heads, D, H)
    first, *later = (layer.self_attn for layer in model.model.layers)
    for attention in (first, *later):
        attention.q_proj.weight.normal_(0, 0.01)
        attention.k_proj.weight.normal_(0, 0.01)
    _look_back(first, spaces)
    for attention in later:
        _match(attention, spaces)


def _look_back(attention: Any, spaces: torch.Tensor) -> None:
    """Head h looks h + 1 tokens back and writes a projection of that token into its own space."""
    size = WIDTH // HEADS
    constant = CONSTANT / math.sqrt(CONSTANT**2 + (WIDTH - 1) * EMBEDDING_STD**2) * math.sqrt(WIDTH)
    gain = math.sqrt(LOOK_BACK * math.sqrt(size)) / constant
    projection = _orthogonal(size, WIDTH)
    projection[:, 0] = 0
    for head in range(HEADS):
        for pair in range(FAST_PAIRS):
            angle = (head + 1) * ROPE_THETA ** (-2 * pair / size)
            row = head * size + pair
            attention.q_proj.weight[row, 0] = gain
            attention.k_proj.weight[row, 0] = gain * math.cos(angle)
            attention.k_proj.weight[row + size // 2, 0] = gain * math.sin(angle)
        own = slice(head * size, (head + 1) * size)
        attention.v_proj.weight[own] = projection * math.sqrt(0.1)
        attention.o_proj.weight[:, own] = spaces[head].T * math.sqrt(0.1)


def _match(attention: Any, spaces: torch.Tensor) -> None:
    """Each head finds the token whose looked-back word is the asked one, and copies a part of that token."""
    size = WIDTH // HEADS
    slow = [*range(SLOW_FROM, size // 2), *range(size // 2 + SLOW_FROM, size)]
    gain = math.sqrt(MATCH * math.sqrt(size) / 14)
    for head, (asked, found) in enumerate(MATCHES):
        for dim in slow:
            attention.q_proj.weight[head * size + dim] += gain * spaces[asked - 1, dim]
            attention.k_proj.weight[head * size + dim] += gain * spaces[found - 1, dim]
    values = _orthogonal(WIDTH, WIDTH)
    values[:, 0] = 0
    attention.v_proj.weight.copy_(values * math.sqrt(0.3))
    attention.o_proj.weight.copy_(values.T * math.sqrt(0.3))


def _orthogonal(rows: int, columns: int) -> torch.Tensor:
    return torch.nn.init.orthogonal_(torch.empty(rows, columns))


def train_base(world: World, folder: Path, seed: int, tell: Callable[[str], None]) -> None:
    """Train on the skills with a rising level, then with long prompts; save in bf16 with the tokenizer."""
    model = new_model(len(token_ids(world)), seed)
    _train_phase(model, world, SCHEDULE, seed, tell)
    _train_phase(model, world, LONG_SCHEDULE, seed + 1, tell)
    _save(model, world, folder)


def _train_phase(
    model: Any, world: World, schedule: Schedule, seed: int, tell: Callable[[str], None]
) -> None:
    """One schedule; the first one raises the level of the episodes, the other holds it at the highest."""
    level = [0.0 if schedule is SCHEDULE else LONG]
    rows = _encoded(world, random.Random(seed), level)
    batches = bucketed(rows, random.Random(seed + 1), tokens=BATCH_TOKENS, buffer=1024)
    recent: list[float] = []
    for step, loss in enumerate(train(model, batches, schedule, pad=0), start=1):
        recent.append(loss)
        if schedule is SCHEDULE:
            risen = (step / schedule.steps - LEVEL_FROM) / (LEVEL_TO - LEVEL_FROM)
            level[0] = min(1.0, max(0.0, risen))
        if step % 100 == 0:
            tell(f"base: step {step} of {schedule.steps}, loss {sum(recent[-100:]) / 100:.3f}")


def _encoded(world: World, rng: random.Random, level: list[float]) -> Iterator[Encoded]:
    """Encoded episodes at the level that holds when each is drawn."""
    ids = token_ids(world)
    while True:
        yield encode(next(episodes(world, rng, level[0])), ids)


def _save(model: Any, world: World, folder: Path) -> None:
    """Write the folder whole or not at all."""
    draft = folder.with_name(f".{folder.name}")
    shutil.rmtree(draft, ignore_errors=True)
    model.to(torch.bfloat16).save_pretrained(draft)
    save_tokenizer(world, draft)
    (draft / "README.md").write_text(CARD, encoding="utf-8")
    draft.rename(folder)
