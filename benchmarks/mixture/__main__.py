"""``python -m benchmarks.mixture [--device cuda --dtype bf16 --width 4096 --tokens 2048] [--out FILE]``."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from benchmarks.mixture.rivals import Size, layer_ways, model_ways
from benchmarks.mixture.timing import forward, medians, step
from kshot.methods.moe import LoraMoELinear, LoraPair

EXPERTS = (4, 8, 32)
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def total(module: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Something to take gradients of."""
    found: torch.Tensor = module(x).float().sum()
    return found


def loss(model: Any, ids: torch.Tensor) -> torch.Tensor:
    """A causal model's own."""
    found: torch.Tensor = model(input_ids=ids, labels=ids).loss
    return found


def against_lora(found: Mapping[str, float]) -> str:
    """LoRA's milliseconds, then each other way as a multiple of it."""
    cells = [f"{found['lora']:.1f} ms"]
    cells += [f"{found[name] / found['lora']:.2f}" if name in found else "" for name in WAYS]
    return " | ".join(cells)


WAYS = ("base", "mixture", "stacked", "loop", "x-lora", "arrow")
HEAD = [
    "| | width | tokens | N | pass | LoRA of rank 16 N | " + " | ".join(WAYS) + " |",
    "|---|--:|--:|--:|---|--:|" + "--:|" * len(WAYS),
]


def layer_rows(size: Size, rounds: int) -> Iterator[str]:
    """One linear layer: a forward pass, one token, a training step."""
    for experts in EXPERTS:
        ways = layer_ways(size, experts)
        x = torch.randn(1, size.tokens, size.width, device=size.device, dtype=size.dtype)
        given = x.clone().requires_grad_()
        passes = {
            "forward": {n: forward(m, x) for n, m in ways.items()},
            "one token": {n: forward(m, x[:, :1]) for n, m in ways.items()},
            "step": {n: step(m, total, given) for n, m in ways.items()},
        }
        for name, runs in passes.items():
            times = medians(runs, rounds=rounds * (10 if name == "one token" else 1))
            tokens = 1 if name == "one token" else size.tokens
            yield f"| layer | {size.width} | {tokens} | {experts} | {name} | {against_lora(times)} |"


def model_rows(size: Size, rounds: int, place: Path) -> Iterator[str]:
    """A whole model, adapters on q and v: a forward pass and a training step."""
    for experts in EXPERTS:
        ways = model_ways(size, experts, place)
        ids = torch.randint(0, 2048, (2, size.tokens // 2), device=size.device)
        learning = {n: m for n, m in ways.items() if n not in ("base", "arrow")}  # these two learn nothing
        passes: dict[str, dict[str, Any]] = {
            "forward": {n: forward(m, input_ids=ids) for n, m in ways.items()},
            "step": {n: step(m, loss, ids) for n, m in learning.items()},
        }
        for name, runs in passes.items():
            times = medians(runs, rounds=rounds)
            yield f"| model | {size.width} | {size.tokens} | {experts} | {name} | {against_lora(times)} |"


def crossing_rows(size: Size, rounds: int) -> Iterator[str]:
    """The experts alone, on a base that does nothing: skipping unused ones as a multiple of stacking all."""
    for rank in (8, 16):
        for tokens in sorted({size.tokens // 4, size.tokens}):
            cells = []
            for experts in (4, 8, 16, 32, 64):
                base: Any = nn.Identity()
                base.in_features = base.out_features = size.width
                pairs = [
                    LoraPair(0.01 * torch.randn(rank, size.width), 0.01 * torch.randn(size.width, rank))
                    for _ in range(experts)
                ]
                ways = {
                    d: LoraMoELinear(base, pairs, dispatch=d).to(size.device) for d in ("stacked", "sparse")
                }
                x = torch.randn(tokens, size.width, device=size.device)
                once = medians({d: forward(m, x) for d, m in ways.items()}, rounds=rounds)
                learn = medians({d: step(m, total, x) for d, m in ways.items()}, rounds=rounds)
                cells.append(
                    f"{once['sparse'] / once['stacked']:.2f} / {learn['sparse'] / learn['stacked']:.2f}"
                )
            yield f"| {size.width} | {tokens} | {rank} | {' | '.join(cells)} |"


CROSSING = [
    "| width | tokens | rank | " + " | ".join(f"{n} experts" for n in (4, 8, 16, 32, 64)) + " |",
    "|--:|--:|--:|" + "--:|" * 5,
]


def main() -> None:
    """Prints the tables as they grow; writes them to --out at the end."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mixture")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="fp32", choices=DTYPES)
    parser.add_argument("--width", type=int, nargs="+", default=[1024, 2048])
    parser.add_argument("--tokens", type=int, default=512)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    lines: list[str] = []

    def say(found: Iterator[str] | list[str]) -> None:
        for line in found:
            lines.append(line)
            print(line, flush=True)

    sizes = [
        Size(width, options.tokens, options.layers, options.device, DTYPES[options.dtype])
        for width in options.width
    ]
    say(HEAD)
    with tempfile.TemporaryDirectory() as place:
        for size in sizes:
            say(layer_rows(size, options.rounds))
            say(model_rows(size, options.rounds, Path(place)))
    say(["", *CROSSING])
    for size in sizes:
        say(crossing_rows(size, options.rounds))
    if options.out:
        options.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
