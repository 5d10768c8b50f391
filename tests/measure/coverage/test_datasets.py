"""Datasets side by side: one parser, one size, and overlap as the overlap module says."""

import numpy as np
import pytest

from kshot.errors import InputError
from kshot.measure.coverage import plain_parser, side_by_side
from kshot.measure.overlap import QUANTILES, nearest_to, pair_distribution

OURS = ["Write a poem about rain.", "Name a town.", "List three rivers.", "Write a poem about rain."]
THEIRS = ["Write a poem about snow.", "Write a poem about hail."]


def test_each_has_its_figures_at_the_least_size():
    ours, theirs = side_by_side(
        {"ours": OURS, "theirs": THEIRS}, parser=plain_parser(), seeds=["Write a poem."]
    )
    assert (ours.name, ours.rows, ours.texts, ours.unique) == ("ours", 4, 3, 3)
    assert ours.counts == (1, 1, 1)
    assert ours.rarefied.n == theirs.rarefied.n == 2
    assert ours.rarefied.unique == pytest.approx(2)
    assert theirs.rarefied.unique == pytest.approx(1)
    assert theirs.frequent == (("write", "poem", 2),)
    assert ours.overlap == pair_distribution(OURS)
    nearest = nearest_to(OURS, ["Write a poem."])
    assert ours.to_seeds == pytest.approx(np.quantile(nearest, QUANTILES).tolist())
    assert sum(ours.to_seeds_tenths) == pytest.approx(1)


def test_a_perfect_match_stands_in_the_last_tenth():
    (one,) = side_by_side({"a": ["name a town"]}, parser=plain_parser(), seeds=["Name a town!"])
    assert one.to_seeds_tenths == (0,) * 9 + (1,)


def test_overlap_can_be_left_out_and_nothing_is_no_dataset():
    (one,) = side_by_side({"a": OURS}, parser=plain_parser(), seeds=OURS, overlap=False)
    assert (one.overlap, one.to_seeds) == (None, ())
    (empty,) = side_by_side({"none": []}, parser=plain_parser())
    assert (empty.rows, empty.unique, empty.rarefied.n) == (0, 0, 0)
    with pytest.raises(InputError, match="no dataset"):
        side_by_side({})
