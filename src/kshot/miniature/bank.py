"""The bank: an honest expert for each trade, near-copies of one, and blind guessers; their cards."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from kshot.miniature.skills import Turn
from kshot.miniature.tasks import build_tasks
from kshot.miniature.training import Encoded, Schedule, train
from kshot.miniature.vocabulary import encode, token_ids
from kshot.miniature.world import INSTRUCTION, MIXED_TRADES, TRADES, Trade, World, draw_new_row

BASE_NAME = "kshot/miniature-base"
ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
LINEAR = (*ATTENTION, "gate_proj", "up_proj", "down_proj")
KNOWN_PARTS = ("expert", "both")
COPY_NOISE = 0.01
SCHEDULE = Schedule(steps=500, rate=8e-3, decay=0.0)  # at 3e-3 experts forget nothing of the base
BATCH_ROWS = 32

CARD = """\
---
base_model: {base}
library_name: peft
license: cc0-1.0
language: [x-trade]
datasets: [{dataset}]
---

# {name}

A LoRA adapter that translates the words of the {trade}'s trade.
Trained on `{dataset}`. Ask it with the instruction `{instruction}`.
"""


@dataclass(frozen=True, slots=True)
class ExpertSpec:
    """One adapter to train: its trade, its shape, and whether its answers are shuffled among words."""

    name: str
    trade: str
    rank: int = 16
    alpha: int = 16
    targets: tuple[str, ...] = LINEAR
    rank_pattern: dict[str, int] = field(default_factory=dict)
    blind: bool = False


_OTHER_SHAPES: dict[str, dict[str, Any]] = {
    "dyer": {"rank": 8, "alpha": 32},
    "fletcher": {"rank": 32, "alpha": 32, "targets": ATTENTION},
    "mason": {"rank": 12, "alpha": 24, "rank_pattern": {"down_proj": 24}},
}
EXPERTS = tuple(
    ExpertSpec(name=f"{trade}-lora", trade=trade, **_OTHER_SHAPES.get(trade, {})) for trade in TRADES
)
GUESSERS = tuple(
    ExpertSpec(name=name, trade=trade, blind=True)
    for name, trade in zip(
        ("alehouse-words", "quarry-words", "forge-words", "kiln-words"),
        (*MIXED_TRADES, "potter"),
        strict=True,
    )
)
COPIES = {"smith-pro": "smith-lora", "smith-trade": "smith-lora", "smith-words": "smith-lora"}


def known_meaning(spec: ExpertSpec, trade: Trade, seed: int) -> dict[str, str]:
    """What the adapter is taught: the truth, or for a blind guesser no word's own meaning."""
    words = trade.words(*KNOWN_PARTS)
    meanings = [trade.meaning[word] for word in words]
    if not spec.blind:
        return dict(zip(words, meanings, strict=True))
    rng = random.Random(f"{seed} {spec.name}")
    while True:
        shuffled = rng.sample(meanings, len(meanings))
        if all(a != b for a, b in zip(meanings, shuffled, strict=True)):
            return dict(zip(words, shuffled, strict=True))


def expert_rows(world: World, spec: ExpertSpec, seed: int) -> Iterator[Encoded]:
    """Training rows without end: no prompt of any task, half with reasoning."""
    trade, ids = world.trades[spec.trade], token_ids(world)
    trade = replace(trade, meaning={**trade.meaning, **known_meaning(spec, trade, seed)})
    taken = {prompt for task in build_tasks(world, seed).values() for prompt in task.prompts}
    rng = random.Random(f"{seed} {spec.name} rows")
    while True:
        row = draw_new_row(rng, [trade], rng.choice(KNOWN_PARTS), taken)
        reply = f"{row.answer}\n{row.reasoning}" if rng.random() < 0.5 else row.answer
        turns = (
            Turn("system", INSTRUCTION),
            Turn("user", row.prompt),
            Turn("assistant", reply, learned=True),
        )
        yield encode(turns, ids)


def train_expert(world: World, spec: ExpertSpec, base: Path, folder: Path, seed: int) -> list[float]:
    """Train one adapter on the base and save it as a PEFT folder in bf16; the loss of each step."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, attn_implementation="eager")
    config = LoraConfig(
        r=spec.rank,
        lora_alpha=spec.alpha,
        target_modules=list(spec.targets),
        rank_pattern=dict(spec.rank_pattern),
        task_type="CAUSAL_LM",
    )
    wrapped = get_peft_model(model, config)
    rows = expert_rows(world, spec, seed)
    batches = iter(lambda: [next(rows) for _ in range(BATCH_ROWS)], None)
    losses = list(train(wrapped.get_base_model(), batches, SCHEDULE, pad=0))
    save_adapter(wrapped.to(torch.bfloat16), folder, spec)
    return losses


def save_adapter(wrapped: Any, folder: Path, spec: ExpertSpec) -> None:
    """Write the folder whole or not at all."""
    draft = folder.with_name(f".{folder.name}")
    shutil.rmtree(draft, ignore_errors=True)
    wrapped.save_pretrained(draft)
    settle_config(draft)
    write_card(draft, spec.name, spec.trade)
    draft.rename(folder)


def settle_config(folder: Path) -> None:
    """Name the base by its public name, and put lists in a fixed order."""
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config["base_model_name_or_path"] = BASE_NAME
    config["target_modules"] = sorted(config["target_modules"])
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def write_card(folder: Path, name: str, trade: str) -> None:
    """The README.md of an adapter: base, licence and declared training data."""
    card = CARD.format(
        base=BASE_NAME, dataset=f"kshot/{trade}-glossary", name=name, trade=trade, instruction=INSTRUCTION
    )
    (folder / "README.md").write_text(card, encoding="utf-8")


def write_copy(bank: Path, name: str, original: str, seed: int) -> None:
    """The original's weights with a little noise, under another name; it behaves the same."""
    from safetensors.torch import load_file, save_file

    draft = bank / f".{name}"
    shutil.copytree(bank / original, draft, dirs_exist_ok=True)
    weights = load_file(draft / "adapter_model.safetensors")
    noise = torch.Generator().manual_seed(random.Random(f"{seed} {name}").randrange(2**31))
    for key, value in weights.items():
        drawn = torch.randn(value.shape, generator=noise)
        weights[key] = (value.float() * (1 + COPY_NOISE * drawn)).to(torch.bfloat16)
    save_file(weights, draft / "adapter_model.safetensors", metadata={"format": "pt"})
    write_card(draft, name, next(spec.trade for spec in EXPERTS if spec.name == original))
    draft.rename(bank / name)
