"""Adapters that PEFT itself wrote, in every shape that kshot reads; and folders broken on purpose."""

from __future__ import annotations

import numpy as np
import tiny
import torch
from peft import LoraConfig, get_peft_model
from small_bank import PREFIX, module, tensors, write_adapter

from kshot.models.hf.loading import quiet

VARIANTS = {
    "plain": ("llama", {"r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "down_proj"]}),
    "rank and alpha patterns": (
        "llama",
        {
            "r": 4,
            "lora_alpha": 8,
            "target_modules": ["q_proj", "v_proj", "up_proj"],
            "rank_pattern": {"layers.1.*": 2, "v_proj": 3},
            "alpha_pattern": {"q_proj": 5},
        },
    ),
    "rsLoRA": ("llama-tied", {"r": 3, "lora_alpha": 8, "target_modules": "all-linear", "use_rslora": True}),
    "regular expression": (
        "qwen3",
        {"r": 2, "lora_alpha": 1, "target_modules": r".*layers\.1\..*(k|o)_proj"},
    ),
    "Conv1D": (
        "gpt2",
        {"r": 2, "lora_alpha": 7, "target_modules": ["c_attn", "c_fc"], "fan_in_fan_out": True},
    ),
}


def peft_folder(folder, kind, *, seed=0, **options):
    """A random adapter with a B that is not zero, saved by PEFT itself."""
    with quiet():
        made = get_peft_model(tiny.model(kind), LoraConfig(task_type="CAUSAL_LM", **options)).eval()
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if "lora_" in name:
                parameter.copy_(torch.randn(parameter.shape) * 0.2)
    made.save_pretrained(folder)


def broken(folder, name):
    """One adapter folder for each way of being wrong."""
    key = f"{PREFIX}{module(0, 'q_proj')}"
    weights, config = tensors(), {}
    if name == "unknown key":
        weights[f"{key}.lora_gate.weight"] = np.ones(4, np.float32)
    elif name == "missing B":
        del weights[f"{key}.lora_B.weight"]
    elif name == "other rank":
        config = {"r": 3}
    elif name == "no target":
        config = {"target_modules": ["down_proj"]}
    elif name == "convolution":
        weights[f"{key}.lora_A.weight"] = np.ones((2, 8, 1, 1), np.float32)
    elif name == "embedding":
        weights[f"{PREFIX}model.embed_tokens.lora_embedding_A"] = np.ones((2, 20), np.float32)
    elif name == "DoRA vectors":
        weights[f"{key}.lora_magnitude_vector"] = np.ones(8, np.float32)
    elif name == "saved module":
        weights[f"{PREFIX}lm_head.modules_to_save.weight"] = np.ones((20, 8), np.float32)
    elif name == "integers":
        weights[f"{key}.lora_A.weight"] = np.ones((2, 8), np.int32)
    elif name == "no tensors":
        weights = {}
    elif name == "DoRA":
        config = {"use_dora": True}
    elif name == "other type":
        config = {"peft_type": "PREFIX_TUNING"}
    write_adapter(folder, weights, **config)
    if name == "cut short":
        path = folder / "adapter_model.safetensors"
        path.write_bytes(path.read_bytes()[:-9])
    elif name == "pickled only":
        (folder / "adapter_model.safetensors").rename(folder / "adapter_model.bin")
    elif name == "no weights":
        (folder / "adapter_model.safetensors").unlink()
    elif name == "no configuration":
        (folder / "adapter_config.json").unlink()
    elif name == "configuration no JSON":
        (folder / "adapter_config.json").write_text("{'r': 2}")
    return folder


BROKEN = {
    "unknown key": "lora_gate.weight is no part of a LoRA",
    "missing B": "lora_B.weight is missing",
    "other rank": r"A is \(2, 8\) and B is \(8, 2\), but the configuration says rank 3",
    "no target": "q_proj has weights, but is no target",
    "convolution": "only linear layers",
    "embedding": "adapts an embedding",
    "DoRA vectors": "is a DoRA",
    "saved module": "replaces whole modules",
    "integers": "is I32, expected floating point",
    "no tensors": "no LoRA factor at all",
    "DoRA": "is a DoRA",
    "other type": "peft_type is 'PREFIX_TUNING', expected LORA",
    "cut short": "is cut short",
    "pickled only": "has pickled weights only.*convert it",
    "no weights": "adapter_model.safetensors: is missing",
    "no configuration": "adapter_config.json: is missing",
    "configuration no JSON": "is no JSON",
}
