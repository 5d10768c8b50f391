"""Mixes of MiniLM and its two fine-tunes: their weights from shots, and the folders that are scored."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from kshot.data.ranking import Ranking
from kshot.methods.cocktail import (
    Remembered,
    choose_temperature,
    greedy_soup,
    mean_losses,
    mixing_weights,
    uniform,
)
from kshot.models.checkpoint.members import open_member
from kshot.models.checkpoint.plan import plan_mix
from kshot.models.checkpoint.resident import ResidentMix
from kshot.models.checkpoint.write import write_mix
from kshot.models.kinds.open import KindOptions

Weights = tuple[float, ...]
FOLDS = 4


def opened(folders: Sequence[Path], *, most_negatives: int) -> ResidentMix:
    """All members in memory, the base first; every negative of a shot counts."""
    members = [open_member(folder) for folder in folders]
    return ResidentMix.open(members, "encoder", options=KindOptions(neg_number=most_negatives))


def from_shots(mix: ResidentMix, shots: Sequence[Ranking]) -> Mapping[str, Weights]:
    """The weights of each rule. A shot is contrasted with its own negatives alone (batch 1): the passages of
    other shots may have its label.
    """
    table = np.array([losses.each for losses in mix.own_losses(shots, batch_size=1)])  # (N, K)
    objective = Remembered(mix.objective(shots, batch_size=1), len(shots))
    own = mean_losses(table)
    found = {
        "best single": np.eye(len(own))[own.argmin()],
        "cocktail, temperature 5": mixing_weights(own),
        "cocktail, auto": choose_temperature(table, objective, folds=FOLDS).weights,
        "greedy soup": greedy_soup(own, objective, range(len(shots))).weights,
        "uniform soup": uniform(len(own)),
    }
    return {name: tuple(map(float, weights)) for name, weights in found.items()}


@contextmanager
def mixed(folders: Sequence[Path], weights: Weights) -> Iterator[Path]:
    """The folder of a mix, written by the engine; a member that has all the weight is its own folder."""
    if 1.0 in weights:
        yield folders[weights.index(1.0)]
        return
    place = Path(tempfile.mkdtemp())
    try:
        plan = plan_mix(folders)
        plan.check()
        write_mix(plan, weights, place / "mix")
        yield place / "mix"
    finally:
        shutil.rmtree(place)
