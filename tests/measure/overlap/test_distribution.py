"""Distributions of ROUGE-L against a loop over all pairs, and against the figures of the specification."""

from __future__ import annotations

import doctest
import json
import random
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kshot.errors import DataError, InputError
from kshot.measure.overlap import distribution
from kshot.measure.overlap.distribution import QUANTILES, nearest_to, pair_distribution
from kshot.measure.overlap.rouge import rouge_l

DEMO = Path(__file__).parents[3] / ".." / "shared" / "data" / "explore_demo"
TEXTS = st.lists(st.lists(st.sampled_from("abcde"), max_size=12).map(" ".join), max_size=9)


def made_up(count: int) -> list[str]:
    rng = random.Random(0)
    words = [f"w{number}" for number in range(60)]
    return [" ".join(rng.choices(words, range(60, 0, -1), k=rng.randint(4, 16))) for _ in range(count)]


def test_examples() -> None:
    assert doctest.testmod(distribution).failed == 0


@settings(deadline=None)
@given(TEXTS, st.sampled_from([0.5, 0.7]), st.sampled_from([1, 3, 1 << 20]))
def test_equals_a_loop_over_all_pairs(texts: list[str], threshold: float, cells: int) -> None:
    table = [[rouge_l(a, b) for b in texts] for a in texts]
    pairs = [table[i][j] for i in range(len(texts)) for j in range(i)]
    others = [[table[i][j] for j in range(len(texts)) if j != i] for i in range(len(texts))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(distribution, "_CELLS", cells)
        found = pair_distribution(texts, threshold=threshold)
    assert (found.texts, found.compared, found.pairs) == (len(texts), len(texts), len(pairs))
    assert not found.is_sample
    assert found.above == sum(score > threshold for score in pairs)
    assert found.mean == pytest.approx(sum(pairs) / max(1, len(pairs)))
    tenths = np.histogram(pairs, bins=10, range=(0, 1))[0] / max(1, len(pairs))
    assert found.tenths == pytest.approx(tenths.tolist())
    if texts:
        nearest = [max(scores, default=0) for scores in others]
        means = [sum(scores) / max(1, len(scores)) for scores in others]
        assert found.nearest == pytest.approx(np.quantile(nearest, QUANTILES).tolist())
        assert found.means == pytest.approx(np.quantile(means, QUANTILES).tolist())
        assert found.nearest_tenths == pytest.approx(
            (np.histogram(nearest, bins=10, range=(0, 1))[0] / len(texts)).tolist()
        )


def test_exact_ties_are_counted_and_those_that_rounding_puts_above() -> None:
    def text(prefix: str, length: int) -> str:
        return " ".join([f"s{word}" for word in range(7)] + [f"{prefix}{word}" for word in range(length - 7)])

    kept, refused = (
        pair_distribution([text("a", 10), text("b", 10)]),
        pair_distribution([text("a", 8), text("b", 12)]),
    )
    assert (kept.ties, kept.ties_above, kept.above, kept.tenths[6]) == (1, 0, 0, 1.0)
    assert (refused.ties, refused.ties_above, refused.above, refused.tenths[7]) == (1, 1, 1, 1.0)


def test_a_sample_is_said_and_comes_near_the_whole() -> None:
    texts = made_up(400)
    whole, part = pair_distribution(texts), pair_distribution(texts, most=200, seed=3)
    assert (part.texts, part.compared, part.pairs) == (400, 49, 49 * 399)
    assert part.is_sample
    assert part.mean == pytest.approx(whole.mean, rel=0.1)
    assert part.nearest == pytest.approx(whole.nearest, abs=0.06)
    assert part == pair_distribution(texts, most=200, seed=3) != pair_distribution(texts, most=200, seed=4)


def test_nearest_to_seeds_is_the_highest_of_all() -> None:
    texts, seeds = [*made_up(60), ""], made_up(90)[60:]
    slow = [max(rouge_l(text, seed) for seed in seeds) for text in texts]
    assert nearest_to(texts, seeds).tolist() == slow
    assert nearest_to(texts[:2], []).tolist() == [0.0, 0.0]
    assert nearest_to([], seeds).shape == (0,)


def test_memory_does_not_hold_all_pairs() -> None:
    def taken(count: int) -> int:
        texts = made_up(count)
        tracemalloc.start()
        pair_distribution(texts)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(distribution, "_CELLS", 1 << 14)
        taken(100)
        assert taken(1600) < 2.5 * taken(800)


@pytest.mark.skipif(not DEMO.is_dir(), reason="the demo domain is not here")
def test_the_demo_domain_gives_the_figures_of_the_specification() -> None:
    texts = [
        row["instruction"]
        for path in sorted(DEMO.glob("*.json"))
        for row in json.loads(path.read_text("utf-8")).get("examples", ())
    ]
    found = pair_distribution(texts)
    assert (found.texts, found.pairs) == (4433, 9_823_528)
    assert round(found.mean, 4) == 0.1450
    assert [round(share, 4) for share in found.tenths] == [
        0.3026, 0.4281, 0.1773, 0.0572, 0.0191, 0.0109, 0.0029, 0.0014, 0.0004, 0.0001,
    ]  # fmt: skip
    assert (found.above, found.ties, found.ties_above) == (18_289, 1_175, 479)
    assert sum(found.tenths[7:]) == pytest.approx(found.above / found.pairs)
    assert [round(score, 3) for score in found.nearest] == [0.588, 0.667, 0.778, 0.875, 1.0]


def test_what_cannot_be_asked_is_refused() -> None:
    with pytest.raises(InputError, match="most is 1"):
        pair_distribution(["a"], most=1)
    with pytest.raises(DataError, match="overlap threshold"):
        pair_distribution(["a"], threshold=1.5)
