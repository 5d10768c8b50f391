"""Runs that take turns in one process, so that whatever else the machine does meets all of them alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

import torch

Run = Callable[[], object]


def medians(runs: Mapping[str, Run], *, rounds: int) -> dict[str, float]:
    """Milliseconds of each run, the median over rounds; every run was made once before."""
    spent: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds + 1):
        for name, run in runs.items():
            started = _now()
            run()
            if number:
                spent[name].append(_now() - started)
    return {name: 1000 * statistics.median(values) for name, values in spent.items()}


def forward(module: torch.nn.Module, *args: object, **kwargs: object) -> Run:
    """A pass in evaluation, without gradients."""

    def run() -> None:
        if module.training:  # not each time: it drops what a mixture keeps between calls
            module.eval()
        with torch.no_grad():
            module(*args, **kwargs)

    return run


def step(module: torch.nn.Module, loss: Callable[..., torch.Tensor], *args: object) -> Run:
    """A pass in training, and its gradients; no optimiser, which is the same for all."""

    def run() -> None:
        if not module.training:
            module.train()
        loss(module, *args).backward()
        for parameter in module.parameters():
            parameter.grad = None

    return run


def _now() -> float:
    """On a GPU the wall's seconds; else the processor's, which others on the machine hardly change."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time()
