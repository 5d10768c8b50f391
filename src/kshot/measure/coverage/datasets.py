"""Several sets of instructions side by side: pairs at equal size, overlap within, and overlap with seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kshot.errors import InputError
from kshot.measure.coverage.parsers import Parser, default_parser
from kshot.measure.coverage.verb_nouns import Rarefied, VerbNouns, at_equal_size, verb_nouns
from kshot.measure.overlap import QUANTILES, Distribution, nearest_to, pair_distribution

SHOWN_PAIRS = 20


@dataclass(frozen=True, slots=True)
class DatasetCoverage:
    """What one set of instructions covers, in plain values.

    Attributes:
        name: Of the set.
        rows: Instructions, repeats included; ``texts`` are the distinct ones.
        parser: That found the pairs.
        parsed_share: Share of the distinct instructions with a pair.
        unique: Different verb-noun pairs, as ``mean`` and ``std`` of their counts, and ``effective`` =
            exp(entropy), all over everything that was parsed.
        counts: Of the pairs, most frequent first.
        frequent: The most frequent pairs, (verb, noun, count).
        rarefied: The same figures at the least number of parsed instructions among the sets shown together.
        overlap: ROUGE-L F within, over all rows; None where it was not asked for.
        to_seeds: Quantiles (``QUANTILES``) of each instruction's highest F with a seed; empty without seeds.
        to_seeds_tenths: Share of the instructions by that F, in tenths; empty without seeds.
    """

    name: str
    rows: int
    texts: int
    parser: str
    parsed_share: float
    unique: int
    mean: float
    std: float
    effective: float
    counts: tuple[int, ...]
    frequent: tuple[tuple[str, str, int], ...]
    rarefied: Rarefied
    overlap: Distribution | None = None
    to_seeds: tuple[float, ...] = ()
    to_seeds_tenths: tuple[float, ...] = ()


def side_by_side(
    datasets: Mapping[str, Sequence[str]],
    *,
    parser: Parser | None = None,
    seeds: Sequence[str] = (),
    overlap: bool = True,
    most: int = 5_000,
    seed: int = 0,
) -> tuple[DatasetCoverage, ...]:
    """The figures of each set of instructions by name, in order, all by one parser.

    ``overlap`` False leaves ROUGE-L out, the slow part. Above ``most`` rows it is a sample drawn by ``seed``.

    Raises:
        InputError: There is no dataset.

    >>> from kshot.measure.coverage.plain_parser import plain_parser
    >>> sets = {"ours": ["Write a poem.", "Name a town."], "theirs": ["Write a poem."]}
    >>> [(one.name, one.unique, one.rarefied.n) for one in side_by_side(sets, parser=plain_parser())]
    [('ours', 2, 1), ('theirs', 1, 1)]
    """
    if not datasets:
        raise InputError("no dataset was given; expected one or more by name")
    reader = default_parser() if parser is None else parser
    found = [verb_nouns(texts, reader) for texts in datasets.values()]
    made = []
    for (name, texts), pairs, equal in zip(datasets.items(), found, at_equal_size(found), strict=True):
        within = pair_distribution(texts, most=most, seed=seed) if overlap else None
        quantiles, tenths = _near_seeds(texts, seeds) if overlap else ((), ())
        made.append(_coverage(name, len(texts), pairs, equal, (within, quantiles, tenths)))
    return tuple(made)


def _coverage(
    name: str,
    rows: int,
    pairs: VerbNouns,
    equal: Rarefied,
    near: tuple[Distribution | None, tuple[float, ...], tuple[float, ...]],
) -> DatasetCoverage:
    within, quantiles, tenths = near
    return DatasetCoverage(
        name, rows, pairs.texts, pairs.parser, pairs.parsed_share, pairs.unique, pairs.mean, pairs.std,
        pairs.effective, pairs.counts, pairs.pairs[:SHOWN_PAIRS], equal, within, quantiles, tenths,
    )  # fmt: skip


def _near_seeds(texts: Sequence[str], seeds: Sequence[str]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    import numpy as np

    if not seeds or not texts:
        return (), ()
    nearest = nearest_to(texts, seeds)
    tenths = np.bincount(np.minimum((nearest * 10).astype(int), 9), minlength=10) / len(texts)
    quantiles = tuple(float(value) for value in np.quantile(nearest, QUANTILES))
    return quantiles, tuple(float(share) for share in tenths)
