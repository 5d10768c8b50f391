"""A mixture built, trained, looked at and exported on its own, outside a run."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kshot.data.example import Example
from kshot.data.template import Template
from kshot.errors import InputError
from kshot.methods.moe import MixtureSettings, build_mixture, export_lora, read_mixture
from kshot.methods.moe.starts import router_start
from kshot.models.lora import LoraAdapter
from kshot.pipeline.lessons import Rows, lessons
from kshot.runs import Listener

if TYPE_CHECKING:
    from kshot.methods.moe.observe import RouterLoads
    from kshot.models.hf import HfModel


@dataclass(frozen=True, slots=True)
class OnRows:
    """A base model, by folder or hub id, and the labelled rows that it is asked with an adapter on."""

    base: str
    rows: Sequence[Example]
    instruction: str = ""

    @property
    def template(self) -> Template:
        """The words around rows: reasoning stands after the answer where a row has any."""
        reasoned = any(row.reasoning for row in self.rows)
        return Template(instruction=self.instruction, reasoning="answer_first" if reasoned else "none")

    def opened(self) -> HfModel:
        """The base, loaded, after mixtures were made known to PEFT."""
        import kshot.peft  # noqa: F401
        from kshot.models.hf import HfModel

        return HfModel.load(self.base)


def joined(adapters: Sequence[Path], out: Path, *, start: str, shape: Mapping[str, Any]) -> Path:
    """The folder of a new mixture; ``shape`` as ``MixtureSettings``.

    Raises:
        AdapterError: An adapter cannot be read, or they do not fit one another.
        InputError: The start needs a model.
    """
    if start not in ("random", "arrow"):
        raise InputError(
            f"--start: {start!r} needs rows and a model; expected random or arrow, or `kshot run`"
        )
    loaded = [LoraAdapter.load(folder) for folder in adapters]
    settings = MixtureSettings(**shape)
    routers = None
    if start == "arrow" and settings.gates == "token":
        routers = router_start("arrow", loaded, seed=settings.seed)
    return build_mixture(loaded, out=out, settings=settings, routers=routers)


def trained(mixture: Path, on: OnRows, *, out: Path, how: Mapping[str, Any], listener: Listener) -> str:
    """Trains a PEFT folder on rows and says how it went; ``how`` as ``TrainSettings``.

    Raises:
        AdapterError: The folder does not fit the base.
        ModelError: Nothing can be learned from, or a setting is out of range.
    """
    from kshot.models.train import TrainSettings, train_adapter

    model = on.opened()
    settings = TrainSettings(**{"learning_rate": model.learning_rate, "max_steps": 100_000, **how})

    def told(step: int, steps: int, loss: float) -> None:
        listener("training", name=out.name, step=step, steps=steps, loss=loss)

    given = lessons(Rows(on.rows), on.template, seed=settings.seed)
    result = train_adapter(model, given, start=mixture, out=out, settings=settings, on_step=told)
    left = f", {len(result.too_long)} rows left out as too long" if result.too_long else ""
    return (
        f"{result.steps} steps in {result.seconds:.0f} s, loss {result.losses[0]:.4f} to "
        f"{result.losses[-1]:.4f} nats per token{left}: {out}"
    )


def looked_at(mixture: Path, on: OnRows | None) -> dict[str, Any]:
    """What a mixture holds, as plain values; ``router`` is None without rows.

    Raises:
        AdapterError: It is no mixture, or does not fit the base.
    """
    found = read_mixture(mixture)
    experts = [
        {
            "name": name,
            "modules": len(adapter.modules),
            "ranks": sorted({adapter.rank(module) for module in adapter.modules}),
            "parameters": adapter.parameters,
        }
        for name, adapter in zip(found.names, found.adapters, strict=True)
    ]
    told: dict[str, Any] = {
        "settings": dataclasses.asdict(found.settings),
        "experts": experts,
        "router": None,
    }
    if on is not None:
        told["router"] = _loads(mixture, on.opened(), on).to_json()
    return told


def exported(mixture: Path, out: Path, on: OnRows | None, *, rank: int | None = None) -> dict[str, Any]:
    """Writes a plain LoRA: by mean gates over rows where the mixture is routed; held against the mixture.

    Raises:
        AdapterError: It is no mixture, or does not fit the base.
        InputError: A routed mixture has no base and rows.
    """
    found = read_mixture(mixture)
    static = found.settings.gates == "static" or len(found.adapters) == 1
    if on is None and not static:
        raise InputError(
            "a routed mixture is exported by its mean gates: give --base and --rows to measure them"
        )
    model = on.opened() if on is not None else None
    gates = None if static or on is None else _loads(mixture, model, on).mean_gates()
    done = export_lora(mixture, out, gates=gates, rank=rank)
    told: dict[str, Any] = {"exact": done.exact, "kept_energy": done.kept_energy, "parity": None}
    if on is not None and model is not None:
        from kshot.methods.moe.parity import parity

        asked = [on.template.conversation(row) for row in on.rows]
        told["parity"] = dataclasses.asdict(parity(model, mixture, out, asked))
    return told


def _loads(mixture: Path, model: Any, on: OnRows) -> RouterLoads:
    from kshot.methods.moe.observe import router_loads

    asked = [on.template.conversation(row) for row in on.rows]
    return router_loads(model, mixture, asked, [on.template.target(row) for row in on.rows])
