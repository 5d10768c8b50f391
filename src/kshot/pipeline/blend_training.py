"""How a blend is trained: its rows, its settings, and what there is to tell of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kshot.data.example import Example
from kshot.models.bank import BankEntry
from kshot.models.lora import LoraAdapter
from kshot.pipeline.blends import Blend
from kshot.pipeline.lessons import Rows, lessons
from kshot.pipeline.workbench import Workbench

if TYPE_CHECKING:
    from kshot.models.train import TrainResult, TrainRows
    from kshot.models.train.fit import OnStep

_FEWEST_TO_HOLD_BACK = 40  # shots from which on some are kept apart to stop by
_NARROW = 1024  # below this width all rows of a step fit at once
_SCALAR_RATE = 0.02  # one scalar an expert and layer needs larger steps than a matrix


@dataclass(frozen=True, slots=True)
class Gathered:
    """What a blend is made of: shots, experts as adapters and entries, rows; and what there is to tell."""

    shots: tuple[Example, ...]
    adapters: tuple[LoraAdapter, ...]
    entries: tuple[BankEntry, ...]
    chosen: tuple[Example, ...]
    made_up: tuple[Example, ...]
    facts: dict[str, Any]


def train_further(bench: Workbench, made: Gathered, *, blend: Blend, start: Path, out: Path) -> None:
    """Trains the adapter of a folder on what was gathered, into another folder; notes how it went."""
    from kshot.models.train import train_adapter

    rows = blend_lessons(bench, made, blend=blend)
    learns = blend.learns or bench.settings.mixture.train
    settings = train_settings(bench, scalars=blend.form == "mixture" and learns == "static")
    told = teller(bench, blend)
    result = train_adapter(bench.model, rows, start=start, out=out, settings=settings, on_step=told)
    what = {"joint": "routers and experts", "router": "routers", "static": "one weight an expert and layer"}
    made.facts["training"] = training_facts(
        result, what[learns] if blend.form == "mixture" else "the adapter"
    )


def teller(bench: Workbench, blend: Blend) -> OnStep:
    """Tells the run of every twentieth step."""

    def told(step: int, steps: int, loss: float) -> None:
        if step % 20 == 0 or step == steps:
            bench.run.event("training", name=blend.name, step=step, steps=steps, loss=loss)

    return told


def blend_lessons(bench: Workbench, made: Gathered, *, blend: Blend) -> TrainRows:
    """The rows that are learned, and the shots that stop the training where there are enough."""
    asked = bench.settings.mixture
    share = asked.hold_back
    if share == "auto":
        share = 0.2 if len(made.shots) >= _FEWEST_TO_HOLD_BACK and blend.form == "mixture" else 0.0
    return lessons(
        Rows(made.shots, made.chosen, made.made_up),
        bench.template,
        kshot_repeat=asked.kshot_repeat,
        hold_back=int(share * len(made.shots)),
        seed=bench.settings.examples.seed,
    )


def train_settings(bench: Workbench, *, scalars: bool = False) -> Any:
    """As the task file says under mixture; ``scalars`` are learned faster."""
    from kshot.models.train import TrainSettings

    asked = bench.settings.mixture
    width = bench.model.model.config.get_text_config().hidden_size
    at_a_time = min(asked.batch_size, asked.rows_at_a_time or (asked.batch_size if width < _NARROW else 2))
    rate = asked.learning_rate or bench.model.learning_rate
    return TrainSettings(
        epochs=asked.epochs,
        learning_rate=rate,
        rates=(("router", _SCALAR_RATE / rate),) if scalars else (),
        batch_size=at_a_time,
        accumulation=-(-asked.batch_size // at_a_time),
        max_tokens=asked.max_tokens,
        gradient_checkpointing=asked.gradient_checkpointing,
        weight_decay=1e-4,
        seed=bench.settings.examples.seed,
        max_steps=100_000,
        check_every=25,
        patience=20,
    )


def training_facts(result: TrainResult, trained: str) -> dict[str, Any]:
    """How a training went, as plain values."""
    return {
        "trained": trained,
        "steps": result.steps,
        "seconds": result.seconds,
        "losses": list(result.losses),
        "held": [list(look) for look in result.held],
        "best_step": result.best_step,
        "too_long": len(result.too_long),
    }
