"""A mixture folder read back into LoRA adapters and routers, without a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np

from kshot.errors import AdapterError, ModelError, collected
from kshot.methods.moe.names import PEFT_TYPE, ROUTER, ModuleShape, factor, module_shapes
from kshot.methods.moe.settings import STORED, MixtureSettings
from kshot.models.lora import LoraAdapter, LoraDelta
from kshot.models.lora.config import CONFIG, read_config
from kshot.models.lora.files import PREFIX, WEIGHTS
from kshot.models.safetensor_files import Array, read_header


@final
@dataclass(frozen=True, slots=True, eq=False)
class Mixture:
    """A mixture in memory.

    Attributes:
        names: (E,) of the experts.
        adapters: (E,) the experts, as trained.
        routers: Module name to its router, (E, in) float32; (E,) scalars of static gates.
        settings: How it routes and trains; ``scaled`` is true, since the adapters carry their scalings.
        base: The base model that it declares.
    """

    names: tuple[str, ...]
    adapters: tuple[LoraAdapter, ...]
    routers: Mapping[str, Array]
    settings: MixtureSettings
    base: str | None = None


def read_mixture(folder: str | Path) -> Mixture:
    """A mixture folder, its experts as LoRA adapters.

    Raises:
        AdapterError: It is no mixture, or a tensor is missing, unknown or of another shape.
    """
    folder = Path(folder)
    config = _read_config(folder)
    names = tuple(config["experts"])
    shapes = module_shapes(config["modules"], names=names)
    settings = MixtureSettings(**{name: config[name] for name in STORED if name in config})
    values = _read_tensors(folder, shapes, static=settings.gates == "static")
    base, conv = config.get("base_model_name_or_path"), bool(config.get("fan_in_fan_out"))
    adapters = []
    for at, name in enumerate(names):
        modules = {
            module: LoraDelta(
                values[f"{module}.{factor('A', at)}"],
                values[f"{module}.{factor('B', at)}"],
                shape.scalings[at],
            )
            for module, shape in shapes.items()
            if shape.ranks[at]
        }
        adapters.append(LoraAdapter(name, modules, base, conv))
    routers = {module: values[f"{module}.{ROUTER}"] for module in shapes}
    return Mixture(names, tuple(adapters), routers, settings, base)


def _read_config(folder: Path) -> dict[str, Any]:
    if not folder.is_dir():
        raise AdapterError(f"{folder}: no such folder; expected a mixture")
    config = read_config(folder)
    if config.get("peft_type") != PEFT_TYPE:
        raise AdapterError(
            f"{folder.name}: its peft_type is {config.get('peft_type')!r}, expected {PEFT_TYPE}: a mixture"
        )
    experts, modules = config.get("experts"), config.get("modules")
    if not isinstance(experts, list) or not all(isinstance(e, str) for e in experts) or not experts:
        raise AdapterError(f"{folder.name}: {CONFIG}: field 'experts' is {experts!r}, expected names")
    if not isinstance(modules, dict) or not modules:
        raise AdapterError(f"{folder.name}: {CONFIG}: field 'modules' is {modules!r}, expected modules")
    return config


def _read_tensors(folder: Path, shapes: Mapping[str, ModuleShape], *, static: bool) -> dict[str, Array]:
    """Module-relative names to values; everything expected is there, and nothing else."""
    try:
        header = read_header(folder / WEIGHTS)
    except ModelError as error:
        raise AdapterError(f"{folder.name}: {error}") from error
    expected = {
        f"{PREFIX}{module}.{name}": size
        for module, shape in shapes.items()
        for name, size in shape.tensors(static=static).items()
    }
    problems = [f"tensor {name} is missing" for name in sorted(expected.keys() - header.keys())]
    problems += [f"tensor {name} is unknown" for name in sorted(header.keys() - expected.keys())]
    problems += [
        f"tensor {name} is {header[name].shape}, expected {expected[name]}"
        for name in sorted(expected.keys() & header.keys())
        if header[name].shape != expected[name]
    ]
    if problems:
        raise AdapterError(collected([f"{folder.name}: {problem}" for problem in problems]))
    values = {name: np.array(header[name].read()) for name in expected}
    wrong = [f"tensor {name} holds NaN or infinity" for name in values if not np.isfinite(values[name]).all()]
    if wrong:
        raise AdapterError(collected([f"{folder.name}: {problem}" for problem in wrong]))
    return {name.removeprefix(PREFIX): value for name, value in values.items()}
