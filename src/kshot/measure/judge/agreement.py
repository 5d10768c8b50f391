"""A judge beside people: how far they agree on the same pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike

from kshot.data.formats.records import Fault, file_type, read_records
from kshot.errors import DataError, MetricError, collected
from kshot.measure.judge.records import OUTCOMES, JudgedPair
from kshot.measure.statistics.bootstrap import percentile_interval, resampled
from kshot.measure.statistics.proportions import Interval

HumanVerdict: TypeAlias = Literal["a", "b", "tie"]
HUMAN: tuple[HumanVerdict, ...] = ("a", "tie", "b")  # in the order win, tie, lose


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far a judge and a person agree.

    Attributes:
        counts: (5, 3) pairs by the judge's outcome (win, tie, lose, split, unreadable) and the person's
            verdict (a, tie, b).
        joined: How many pairs both have a verdict on.
        only_human: Verdicts of the person on pairs that were not judged.
        compared: Pairs on which the judge's two orders agree; the figures below are of these.
        same: Share of them with the same verdict; None where there are none.
        kappa: Cohen's; None where both say the same one thing throughout.
        interval: 95 % bootstrap interval of kappa.
    """

    counts: tuple[tuple[int, ...], ...]
    joined: int
    only_human: int
    compared: int
    same: float | None = None
    kappa: float | None = None
    interval: Interval | None = None


def read_human(path: Path) -> dict[str, HumanVerdict]:
    """Verdicts of a person by pair: lines {"id", "verdict": "a", "b" or "tie"}; the last of an id counts.

    A verdict of null takes an earlier one back.

    Raises:
        DataError: A line is none of these.

    Example::

        read_human(Path("votes.jsonl"))["pair-7"]
    """
    found: dict[str, HumanVerdict] = {}
    wrong: list[str] = []
    for record in read_records(path, file_type(path), notes=[]):
        where = f"{path}:{record.line}"
        if isinstance(record, Fault):
            wrong.append(f"{where}: {record.sentence}")
            continue
        identity, verdict = record.values.get("id"), record.values.get("verdict")
        if (
            isinstance(identity, bool)
            or not isinstance(identity, str | int)
            or "verdict" not in record.values
        ):
            wrong.append(f"{where}: expected an object with id and verdict")
        elif verdict is None:
            found.pop(str(identity), None)
        elif verdict in get_args(HumanVerdict):
            found[str(identity)] = verdict
        else:
            wrong.append(f"{where}: verdict is {verdict!r}, expected a, b or tie")
    if wrong:
        raise DataError(collected(wrong))
    return found


def agreement(pairs: Sequence[JudgedPair], human: Mapping[str, HumanVerdict], *, seed: int = 0) -> Agreement:
    """Judge against person on the pairs that both have, joined by id.

    Kappa is over win, tie and lose; a split or unreadable pair is no verdict of the judge, so it stands in
    the counts and in none of the figures.

    >>> pairs = [JudgedPair("1", "win"), JudgedPair("2", "lose"), JudgedPair("3", "split")]
    >>> found = agreement(pairs, {"1": "a", "2": "b", "3": "a", "4": "tie"})
    >>> found.kappa, found.joined, found.compared, found.only_human
    (1.0, 3, 2, 1)
    """
    counts = np.zeros((len(OUTCOMES), len(HUMAN)), np.int64)
    known = {pair.id: pair.outcome for pair in pairs}
    for identity, verdict in human.items():
        if identity in known:
            counts[OUTCOMES.index(known[identity]), HUMAN.index(verdict)] += 1
    agreed = counts[:3]
    compared, joined = int(agreed.sum()), int(counts.sum())
    return Agreement(
        tuple(tuple(map(int, row)) for row in counts),
        joined,
        len(human) - joined,
        compared,
        same=float(np.trace(agreed)) / compared if compared else None,
        kappa=kappa(agreed) if compared else None,
        interval=_interval(agreed, seed) if compared else None,
    )


def kappa(counts: ArrayLike) -> float | None:
    """Cohen's kappa of a square table of counts; None where chance alone would agree throughout.

    (p - e) / (1 - e): p the share on the diagonal, e what the margins alone would give.

    Source: Cohen 1960, Educational and Psychological Measurement 20, 37-46.

    Raises:
        MetricError: The table is not square, or counts nothing.

    >>> round(kappa([[20, 5], [10, 15]]) or 0, 4), kappa([[7, 0], [0, 0]])
    (0.4, None)
    """
    table = np.asarray(counts, np.float64)
    if table.ndim != 2 or table.shape[0] != table.shape[1] or table.sum() < 1 or table.min() < 0:
        raise MetricError(f"kappa of a table {table.shape}; expected square counts of at least one pair")
    n = table.sum()
    same, by_chance = np.trace(table) / n, float(table.sum(axis=0) @ table.sum(axis=1)) / n**2
    return None if by_chance >= 1 - 1e-12 else float((same - by_chance) / (1 - by_chance))


def _interval(table: np.ndarray[tuple[int, ...], np.dtype[np.int64]], seed: int) -> Interval | None:
    """Of draws of pairs; draws without a kappa are left out, and where these are many there is none."""
    draws = resampled(
        table.ravel(),
        lambda drawn: np.array([np.nan if (k := kappa(row.reshape(3, 3))) is None else k for row in drawn]),
        resamples=2000,
        seed=seed,
    )
    known = draws[~np.isnan(draws)]
    return percentile_interval(known) if len(known) >= 0.95 * len(draws) else None
