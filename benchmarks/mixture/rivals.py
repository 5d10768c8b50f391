"""The ways that are timed: on one linear layer, and on a whole Llama of one width."""

from __future__ import annotations

import contextlib
import copy
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import peft
import torch
from peft.tuners.lora import ArrowConfig, create_arrow_model
from torch import Tensor, nn
from transformers import LlamaConfig, LlamaForCausalLM

import kshot.peft  # noqa: F401 - registers the mixture
from kshot.methods.moe import LoraMoELinear, LoraPair, MixtureSettings, build_mixture
from kshot.models.lora import LoraAdapter, LoraDelta

RANK, TOP_K, DROPOUT = 16, 2, 0.05
TARGETS = ("q_proj", "v_proj")


@dataclass(frozen=True, slots=True)
class Size:
    """What is timed: width, tokens, layers of the model, where and in which numbers."""

    width: int
    tokens: int
    layers: int
    device: str
    dtype: torch.dtype


class Loop(nn.Module):
    """The mixture as it is written down: one expert after the other."""

    def __init__(self, base: nn.Module, pairs: list[LoraPair]) -> None:
        super().__init__()
        self.base = base.requires_grad_(False)
        self.router = nn.Linear(pairs[0].A.shape[1], len(pairs), bias=False)
        self.A = nn.ParameterList(pair.A.clone() for pair in pairs)
        self.B = nn.ParameterList(pair.B.clone() for pair in pairs)

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) to (..., out)."""
        out, x = self.base(x), x.to(self.A[0].dtype)
        best, chosen = self.router(x).topk(TOP_K, dim=-1)
        gates = torch.zeros(*x.shape[:-1], len(self.A), device=x.device, dtype=x.dtype)
        gates = gates.scatter(-1, chosen, best.softmax(-1))
        x = nn.functional.dropout(x, DROPOUT, self.training)
        part: Any = 0
        for e, (a, b) in enumerate(zip(self.A, self.B, strict=True)):
            part = part + gates[..., e : e + 1] * (x @ a.T @ b.T)
        return (out + part).to(out.dtype)


def layer_ways(size: Size, experts: int) -> dict[str, nn.Module]:
    """One linear layer, square; adapters in float32."""
    base = nn.Linear(size.width, size.width, bias=False)
    pairs = [
        LoraPair(0.01 * torch.randn(RANK, size.width), 0.01 * torch.randn(size.width, RANK))
        for _ in range(experts)
    ]
    lora = peft.inject_adapter_in_model(
        peft.LoraConfig(r=RANK * experts, lora_alpha=16, lora_dropout=DROPOUT, target_modules=["0"]),
        nn.Sequential(copy.deepcopy(base)),
    )
    made = {
        "base": base,
        "lora": lora,
        "mixture": LoraMoELinear(base, pairs, top_k=TOP_K, dropout=DROPOUT),
        "stacked": LoraMoELinear(base, pairs, top_k=TOP_K, dropout=DROPOUT, dispatch="stacked"),
        "loop": Loop(base, pairs),
    }
    base.to(size.dtype)
    lora[0].base_layer.to(size.dtype)
    return {name: module.to(size.device) for name, module in made.items()}


def model_ways(size: Size, experts: int, place: Path) -> dict[str, nn.Module]:
    """A Llama with adapters on q and v; the experts lie under ``place``."""
    base = _llama(size)
    adapters = [_expert(base, seed) for seed in range(experts)]
    paths = [str(adapter.save(place / f"{experts}-{size.width}-{at}")) for at, adapter in enumerate(adapters)]
    mixture = build_mixture(
        adapters,
        out=place / f"{experts}-{size.width}",
        settings=MixtureSettings(top_k=TOP_K, dropout=DROPOUT),
    )
    with _quiet():
        return {
            "base": copy.deepcopy(base),
            "lora": peft.get_peft_model(
                copy.deepcopy(base),
                peft.LoraConfig(
                    r=RANK * experts,
                    lora_dropout=DROPOUT,
                    target_modules=list(TARGETS),
                    task_type="CAUSAL_LM",
                ),
            ),
            "mixture": peft.PeftModel.from_pretrained(copy.deepcopy(base), mixture, is_trainable=True),
            "loop": _looped(copy.deepcopy(base), adapters),
            "x-lora": _xlora(copy.deepcopy(base), paths, size),
            "arrow": create_arrow_model(copy.deepcopy(base), paths, ArrowConfig(top_k=TOP_K)),
        }


def _llama(size: Size) -> Any:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=2048,
        hidden_size=size.width,
        intermediate_size=size.width * 11 // 4,
        num_hidden_layers=size.layers,
        num_attention_heads=size.width // 64,
        num_key_value_heads=size.width // 64,
        max_position_embeddings=4096,
        use_cache=False,
    )
    with torch.device(size.device):
        return LlamaForCausalLM(config).to(size.dtype)


def _expert(base: Any, seed: int) -> LoraAdapter:
    random = np.random.default_rng(seed)

    def drawn(*shape: int) -> Any:
        return (0.01 * random.standard_normal(shape)).astype(np.float32)

    width = base.config.hidden_size
    modules = {
        name: LoraDelta(drawn(RANK, width), drawn(width, RANK), 1.0)
        for name, _ in base.named_modules()
        if name.endswith(TARGETS)
    }
    return LoraAdapter(f"e{seed}", modules)


def _looped(base: Any, adapters: list[LoraAdapter]) -> Any:
    base.requires_grad_(False)
    for name in adapters[0].modules:
        deltas = [adapter.modules[name] for adapter in adapters]
        pairs = [LoraPair(torch.from_numpy(d.a), torch.from_numpy(d.b)) for d in deltas]
        base.set_submodule(name, Loop(base.get_submodule(name), pairs).to(base.device))
    return base


def _xlora(base: Any, paths: list[str], size: Size) -> Any:
    config = peft.XLoraConfig(
        task_type="CAUSAL_LM",
        hidden_size=size.width,
        adapters={str(at): path for at, path in enumerate(paths)},
        top_k_lora=TOP_K,
        layerwise_scalings=True,
        use_trainable_adapters=True,
    )
    made = peft.get_peft_model(base, config)
    return made.to(size.device)


@contextlib.contextmanager
def _quiet() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
