"""A mixture folder made from LoRA adapters, without a model."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from kshot.errors import AdapterError, collected
from kshot.methods.moe.names import PEFT_TYPE, ROUTER, ModuleShape, factor
from kshot.methods.moe.settings import STORED, MixtureSettings
from kshot.models.folders import new_folder
from kshot.models.lora import LoraAdapter, LoraDelta
from kshot.models.lora.config import CONFIG
from kshot.models.lora.files import PREFIX, WEIGHTS
from kshot.models.safetensor_files import Array, packed, write_bytes

_CARD = """---
base_model: {base}
library_name: peft
tags:
- kshot
- mixture-of-experts
---

# A mixture of {count} LoRA experts, made by kshot {version}

PEFT loads this folder once kshot is installed (`pip install kshot`) and imported:

```python
import kshot.peft  # makes PEFT know the type KSHOT_MOE
from peft import AutoPeftModelForCausalLM

model = AutoPeftModelForCausalLM.from_pretrained("this folder")
```

Without the import PEFT stops with `KeyError: 'KSHOT_MOE'`. A plain LoRA that loads everywhere is written by
`kshot moe export`. The licence is for whoever publishes it to state: those of the base model and of each
expert apply.

| expert | modules | ranks | parameters |
|---|--:|---|--:|
{experts}

| setting | value |
|---|---|
{settings}
"""


def build_mixture(
    adapters: Sequence[LoraAdapter],
    *,
    out: str | Path,
    settings: MixtureSettings | None = None,
    routers: Mapping[str, Array] | None = None,
    names: Sequence[str] | None = None,
) -> Path:
    """Write adapters and their routers as one PEFT folder of type ``KSHOT_MOE``; no model is loaded.

    Every module that any expert adapts gets a router over all experts; an expert without weights there is
    masked. Factors are stored as they are.

    Args:
        adapters: The experts; ranks, scalings and targets may differ.
        out: The folder to write; absent or empty.
        settings: See ``MixtureSettings``.
        routers: Starts for some or all modules, (E, in), or (E,) for static gates. Others start uniform
            within 1/sqrt(in) by ``settings.seed``, or equal.
        names: Of the experts; their adapters' names unless given. Equal names get a number.

    Returns:
        ``out``.

    Raises:
        AdapterError: No adapter, shapes that differ, weights that are no numbers, a router that does not fit.
        ModelError: The folder is not empty, or cannot be written.

    Example::

        folder = build_mixture([LoraAdapter.load(path) for path in chosen], out="runs/mixture")
        model.adapted(folder).generate(...)  # after import kshot.peft
    """
    settings = settings or MixtureSettings()
    called = _names(adapters, names)
    shapes = _shapes(adapters, settings)
    tensors = _routers(shapes, settings, routers or {})
    for at, adapter in enumerate(adapters):
        for module, delta in adapter.modules.items():
            if delta.rank:
                tensors[f"{PREFIX}{module}.{factor('A', at)}"] = delta.a
                tensors[f"{PREFIX}{module}.{factor('B', at)}"] = delta.b
    bases = {adapter.base for adapter in adapters}
    base = bases.pop() if len(bases) == 1 else None
    config = _config(called, shapes, settings, base=base, conv=any(a.fan_in_fan_out for a in adapters))
    with new_folder(Path(out)) as part:
        write_bytes(part / WEIGHTS, packed(tensors))
        write_bytes(part / CONFIG, (json.dumps(config, indent=2, sort_keys=True) + "\n").encode())
        write_bytes(part / "README.md", _card(called, adapters, settings, base).encode())
    return Path(out)


def fresh_experts(like: LoraAdapter, count: int, *, seed: int = 0) -> tuple[LoraAdapter, ...]:
    """Untrained experts of an adapter's shape: A ~ N(0, .01), B = 0 (MixLoRA-like).

    Source: arXiv 2408.15915v2, Table 1, the baseline MixLoRA.
    """
    if count < 1:
        raise AdapterError(f"{count} fresh experts were asked for, expected 1 or more")
    random = np.random.default_rng(seed)
    return tuple(
        LoraAdapter(
            f"fresh-{at}",
            {
                module: LoraDelta(
                    (0.01 * random.standard_normal(delta.a.shape)).astype(np.float32),
                    np.zeros(delta.b.shape, np.float32),
                    delta.scaling,
                )
                for module, delta in like.modules.items()
            },
            like.base,
            like.fan_in_fan_out,
        )
        for at in range(count)
    )


def _names(adapters: Sequence[LoraAdapter], names: Sequence[str] | None) -> list[str]:
    if not adapters:
        raise AdapterError("no adapter was given; a mixture needs at least one expert")
    if names is not None and len(names) != len(adapters):
        raise AdapterError(f"{len(adapters)} adapters and {len(names)} names; expected one name each")
    found: list[str] = []
    for name in names if names is not None else [adapter.name for adapter in adapters]:
        number, unique = 1, name
        while unique in found:
            number += 1
            unique = f"{name}-{number}"
        found.append(unique)
    return found


def _shapes(adapters: Sequence[LoraAdapter], settings: MixtureSettings) -> dict[str, ModuleShape]:
    """What stands on each module; every expert must agree on its size."""
    problems = [f"{a.name}: tensor {name} holds NaN or infinity" for a in adapters for name in a.non_finite()]
    found: dict[str, ModuleShape] = {}
    for module in sorted(set().union(*(adapter.modules for adapter in adapters))):
        deltas = [adapter.modules.get(module) for adapter in adapters]
        sizes = {delta.shape for delta in deltas if delta}
        if len(sizes) > 1:
            told = " and ".join(str(size) for size in sorted(sizes))
            problems.append(f"{module}: shapes {told} differ between the experts; one base model is needed")
        outputs, inputs = sorted(sizes)[0]
        scalings = [(delta.scaling if settings.scaled else 1.0) if delta else 0.0 for delta in deltas]
        ranks = tuple(delta.rank if delta else 0 for delta in deltas)
        if any(ranks):
            found[module] = ModuleShape(inputs, outputs, ranks, tuple(scalings))
    if not found:
        problems.append("the adapters adapt no module at all")
    if problems:
        raise AdapterError(collected(problems))
    return found


def _routers(
    shapes: Mapping[str, ModuleShape], settings: MixtureSettings, given: Mapping[str, Array]
) -> dict[str, Array]:
    problems = [
        f"{name}: a router was given, but no expert adapts it" for name in sorted(given.keys() - shapes)
    ]
    random = np.random.default_rng(settings.seed)
    tensors: dict[str, Array] = {}
    for module, shape in shapes.items():
        size = shape.tensors(static=settings.gates == "static")[ROUTER]
        drawn = _first_router(random, size, settings)
        value = np.asarray(given.get(module, drawn), dtype=np.float32)
        if value.shape != size:
            problems.append(f"{module}: the router is {value.shape}, expected {size}")
        elif not np.isfinite(value).all():
            problems.append(f"{module}: the router holds NaN or infinity")
        tensors[f"{PREFIX}{module}.{ROUTER}"] = value
    if problems:
        raise AdapterError(collected(problems))
    return tensors


def _first_router(random: np.random.Generator, size: tuple[int, ...], settings: MixtureSettings) -> Array:
    if settings.gates == "static":
        return np.full(size, 0.0 if settings.normalise else 1 / size[0], np.float32)
    bound = 1 / math.sqrt(size[1])
    return random.uniform(-bound, bound, size).astype(np.float32)


def _config(
    names: Sequence[str],
    shapes: Mapping[str, ModuleShape],
    settings: MixtureSettings,
    *,
    base: str | None,
    conv: bool,
) -> dict[str, Any]:
    return {name: getattr(settings, name) for name in STORED} | {
        "base_model_name_or_path": base,
        "experts": list(names),
        "fan_in_fan_out": conv,
        "inference_mode": True,
        "kshot_version": version("kshot"),
        "modules": {module: shape.to_json() for module, shape in shapes.items()},
        "peft_type": PEFT_TYPE,
        "target_modules": list(shapes),
        "task_type": "CAUSAL_LM",
    }


def _card(
    names: Sequence[str], adapters: Sequence[LoraAdapter], settings: MixtureSettings, base: str | None
) -> str:
    rows = []
    for name, adapter in zip(names, adapters, strict=True):
        ranks = sorted({adapter.rank(module) for module in adapter.modules})
        told = ", ".join(map(str, ranks))
        plain = " ".join(name.replace("|", "/").split())
        rows.append(f"| {plain} | {len(adapter.modules)} | {told} | {adapter.parameters:,} |")
    values = dataclasses.asdict(settings)
    return _CARD.format(
        base=base or "unknown",
        count=len(adapters),
        version=version("kshot"),
        experts="\n".join(rows),
        settings="\n".join(f"| {key.replace('_', ' ')} | {value} |" for key, value in values.items()),
    )
