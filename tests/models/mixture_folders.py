"""Adapters and mixture folders on the tiny models, for the tests of this folder."""

from __future__ import annotations

import numpy as np
import tiny
from peft_folders import peft_folder

from kshot.methods.moe import MixtureSettings, build_mixture
from kshot.models.lora import LoraAdapter

TARGETS = {"gpt2": ["c_attn", "c_fc"]}
# mixed ranks and alphas, a module that one expert alone has, rsLoRA
KINDS = (
    {"r": 4, "lora_alpha": 4},
    {"r": 2, "lora_alpha": 8},
    {"r": 3, "lora_alpha": 3, "use_rslora": True},
)


def adapters(place, kind="llama", *, count=3) -> list[LoraAdapter]:
    """Random experts, saved by PEFT and read by kshot."""
    found = []
    for at in range(count):
        targets = TARGETS.get(kind, ["q_proj", "v_proj"])
        targets = targets if at != 1 else [*targets[:1], "c_proj" if kind == "gpt2" else "down_proj"]
        folder = place / f"{kind}-{at}"
        if not folder.exists():
            options = KINDS[at % 3] | {"target_modules": targets, "fan_in_fan_out": kind == "gpt2"}
            peft_folder(folder, kind, seed=at, **options)
        found.append(LoraAdapter.load(folder))
    return found


def mixture(place, kind="llama", *, count=3, name="mixture", **settings):
    """A mixture folder of random experts with routers that decide."""
    experts = adapters(place, kind, count=count)
    options = MixtureSettings(**settings)
    random = np.random.default_rng(0)
    modules = sorted(set().union(*(each.modules for each in experts)))
    routers = {
        module: random.standard_normal(
            count
            if options.gates == "static"
            else (count, next(e.modules[module].shape[1] for e in experts if module in e.modules))
        ).astype(np.float32)
        for module in modules
    }
    return build_mixture(experts, out=place / name, settings=options, routers=routers)


def ids():
    """(2, 9) token ids."""
    import torch

    return torch.arange(18).reshape(2, 9) * 19 % tiny.tokenizer().vocab_size
