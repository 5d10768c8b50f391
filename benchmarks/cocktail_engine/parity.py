"""The same mix by kshot and by each peer, element by element."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import torch
from safetensors.torch import load_file
from torch import Tensor

from benchmarks.cocktail_engine.peers import Peers, mergekit_deltas, mergekit_linear, mergekit_slerp, why
from benchmarks.cocktail_engine.tiny_models import KINDS, save_family
from kshot.models.checkpoint.operations import Slerp, operation_of
from kshot.models.checkpoint.plan import plan_mix
from kshot.models.checkpoint.write import write_mix

Tensors: TypeAlias = dict[str, Tensor]

WEIGHTS = (0.5, 0.3, 0.2)
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
HEAD = [
    "| model | dtype | tensors | against once-rounded float64 | mergekit | LM_Cocktail mix_models |",
    "|---|---|--:|---|---|---|",
]
OPERATION_HEAD = ["| operation | model | dtype | mergekit |", "|---|---|---|---|"]


@dataclass(frozen=True)
class Likeness:
    """How alike two sets of tensors are.

    Attributes:
        equal: Share of equal elements.
        worst: The largest difference, in ulps at the magnitude of the terms that are added up.
        beyond: Elements that differ by more than an ulp of the result: where the terms cancel, the rounding
            of float32 sums is many ulps of what is left.
        missing: Tensors that kshot alone has.
        extra: Tensors that the other alone has.
    """

    equal: float
    worst: float
    beyond: int
    missing: int
    extra: int

    def __str__(self) -> str:
        """As in the table."""
        told = f"{self.equal:.2%}, {self.worst:.2g} ulp, {self.beyond}"
        names = [
            f"{count} {word}" for count, word in ((self.missing, "missing"), (self.extra, "extra")) if count
        ]
        return "; ".join([told, *names])


def parity_rows(peers: Peers | None, kinds: Sequence[str]) -> Iterator[str]:
    """The average of each kind of model, in both dtypes."""
    for kind in kinds:
        for dtype in DTYPES:
            with tempfile.TemporaryDirectory() as work:
                yield _row(kind, dtype, peers, Path(work))


def operation_rows(peers: Peers) -> Iterator[str]:
    """Task arithmetic, slerp and ties against mergekit's, on Llama and XLM-R."""
    density = 0.3
    plain = {"float32": 1.0, "bfloat16": 1.0}
    ways: list[tuple[str, Any, Sequence[float], Callable[..., Any]]] = [
        ("task arithmetic", operation_of("task_arithmetic"), (0.0, 0.6, -0.3), _deltas("task_arithmetic")),
        ("slerp", Slerp(), (0.4, 0.6), mergekit_slerp),
        ("slerp, parallel above .9995", Slerp(parallel=0.9995), (0.4, 0.6), mergekit_slerp),
        ("ties, all entries", operation_of("ties", density=1.0), (0.0, 0.6, 0.3), _deltas("ties", 1.0)),
        ("ties", operation_of("ties", density=density), (0.0, 0.6, 0.3), _deltas("ties", density)),
    ]
    for kind in ("Llama", "XLM-R"):
        for dtype in plain:
            with tempfile.TemporaryDirectory() as work:
                place = Path(work)
                folders = save_family(kind, DTYPES[dtype], place)
                for at, (name, operation, weights, config) in enumerate(ways):
                    used = folders[: len(weights)]
                    ours = place / f"ours-{at}"
                    write_mix(plan_mix(used), weights, ours, operation=operation)
                    command = peers.mergekit(config(used, weights, dtype=dtype), place / f"theirs-{at}")
                    sizes = sizes_of(used, weights)
                    told = _by(peers, command, place / f"theirs-{at}", tensors(ours), sizes)
                    yield f"| {name} | {kind} | {dtype} | {told} |"


def _deltas(method: str, density: float | None = None) -> Callable[..., Any]:
    def config(folders: Sequence[Path], weights: Sequence[float], *, dtype: str) -> dict[str, Any]:
        return mergekit_deltas(method, folders, weights, dtype=dtype, density=density)

    return config


def _row(kind: str, dtype: str, peers: Peers | None, place: Path) -> str:
    folders = save_family(kind, DTYPES[dtype], place)
    write_mix(plan_mix(folders), WEIGHTS, place / "ours")
    ours = tensors(place / "ours")
    sizes = sizes_of(folders, WEIGHTS)
    cells = [kind, dtype, str(len(ours)), str(likeness(ours, reference(folders), sizes))]
    if peers is not None:
        command = peers.mergekit(mergekit_linear(folders, WEIGHTS, dtype=dtype), place / "mergekit")
        cells.append(_by(peers, command, place / "mergekit", ours, sizes))
        cells.append(_by_cocktail(peers, kind, folders, ours, sizes))
    return f"| {' | '.join(cells)} |"


def _by(peers: Peers, command: Sequence[str], out: Path, ours: Tensors, sizes: Tensors) -> str:
    run = subprocess.run(command, env=peers.environment, capture_output=True, text=True)
    if run.returncode or not list(out.glob("*.safetensors")):
        return f"crashes: {why(run)}"
    return str(likeness(ours, tensors(out), sizes))


def _by_cocktail(peers: Peers, kind: str, folders: Sequence[Path], ours: Tensors, sizes: Tensors) -> str:
    place, name = folders[0].parent, KINDS[kind][0]
    whole = peers.lm_cocktail(folders, name, WEIGHTS, place / "cocktail")
    run = subprocess.run(whole, env=peers.environment, capture_output=True, text=True)
    if not run.returncode:
        return str(likeness(ours, tensors(place / "cocktail"), sizes))
    bare = peers.lm_cocktail(folders, name, WEIGHTS, place / "returned", returned=True)
    told = _by(peers, bare, place / "returned", ours, sizes)
    return told if told.startswith("crashes") else f"{told} (its output_path crashes: {why(run)})"


def tensors(folder: Path) -> Tensors:
    """All tensors of a folder's own safetensors files."""
    return {n: value for path in sorted(folder.glob("*.safetensors")) for n, value in load_file(path).items()}


def reference(folders: Sequence[Path]) -> Tensors:
    """The weighted sum in float64, rounded once; what is not floating point is the first model's."""
    parts = [tensors(folder) for folder in folders]
    found = {}
    for name, first in parts[0].items():
        if first.is_floating_point():
            whole = sum(w * part[name].double() for w, part in zip(WEIGHTS, parts, strict=True))
            found[name] = rounded(whole, first.dtype)
        else:
            found[name] = first
    return found


def sizes_of(folders: Sequence[Path], weights: Sequence[float]) -> Tensors:
    """The magnitudes that are added up: the base counts whole where its weight is 0."""
    parts = [tensors(folder) for folder in folders]
    return {
        name: sum(abs(w or 1.0) * part[name].double().abs() for w, part in zip(weights, parts, strict=True))
        for name in parts[0]
    }


def rounded(values: Tensor, dtype: torch.dtype) -> Tensor:
    """Float64 to the nearest value of a dtype, ties to even, in one step; torch takes two to bfloat16."""
    if dtype != torch.bfloat16:
        return values.to(dtype)
    dropped = 52 - 7  # bits of the fraction
    bits = values.view(torch.int64)
    bits = bits + ((bits >> dropped) & 1) + (1 << (dropped - 1)) - 1
    return ((bits >> dropped) << dropped).view(torch.float64).to(dtype)


def likeness(ours: Tensors, theirs: Tensors, sizes: Tensors) -> Likeness:
    """How alike the tensors are that both have; ``sizes`` holds the magnitude of each element's terms."""
    missing, extra = len(ours.keys() - theirs.keys()), len(theirs.keys() - ours.keys())
    equal = count = beyond = 0
    worst = 0.0
    for name in ours.keys() & theirs.keys():
        a, b = ours[name], theirs[name]
        if a.dtype != b.dtype or a.shape != b.shape:
            return Likeness(0.0, float("inf"), 0, missing, extra)
        equal += int((a == b).sum())
        count += a.numel()
        if a.numel() and a.is_floating_point():
            off = (a.double() - b.double()).abs() / _ulp(sizes[name], a.dtype)
            worst = max(worst, float(off.max()))
            beyond += int(((a.double() - b.double()).abs() > _ulp(b.double().abs(), a.dtype)).sum())
    return Likeness(equal / max(1, count), worst, beyond, missing, extra)


def _ulp(size: Tensor, dtype: torch.dtype) -> Tensor:
    """The distance between neighbouring values of a dtype at a magnitude."""
    exponent = torch.frexp(size.double().clamp_min(torch.finfo(dtype).tiny)).exponent - 1
    return torch.ldexp(torch.full_like(exponent, torch.finfo(dtype).eps, dtype=torch.float64), exponent)
