"""Every line of the spec's judge tables recomputes; the figures hold at their edges."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kshot.errors import DataError, MetricError
from kshot.measure.judge import JudgedPair, Tally, agreement, beat_rate, figures, kappa, net_score

# specs/explore.md, section 16: win, tie, lose, beat rate as printed; one order only
JUDGE = [
    (194, 1, 13, 93.72), (196, 1, 11, 94.69), (114, 56, 38, 75.00), (122, 55, 31, 79.74),
    (52, 71, 85, 37.96), (83, 69, 56, 59.71), (50, 38, 6, 89.29), (53, 37, 4, 92.98),
    (34, 49, 11, 75.56), (35, 53, 6, 85.37), (11, 59, 24, 31.43), (12, 56, 26, 31.58),
]  # fmt: skip
# likewise, three annotators
HUMAN = [
    (190, 13, 5), (194, 9, 5), (45, 121, 42), (72, 105, 31), (22, 103, 83), (41, 91, 76),
    (53, 38, 3), (55, 35, 4), (21, 64, 9), (19, 68, 7), (12, 50, 32), (15, 51, 28),
]  # fmt: skip


@pytest.mark.parametrize(("win", "tie", "lose", "printed"), JUDGE)
def test_the_judge_table_recomputes(win: int, tie: int, lose: int, printed: float) -> None:
    rate, (low, high) = beat_rate(win, lose)
    assert round(rate, 2) == printed
    assert low < rate < high
    found = figures(Tally(win, tie, lose))
    assert (found.beat_rate, found.beat_interval) == (rate, (low, high))
    assert found.net_score == (win - lose) / (win + tie + lose)
    assert win + tie + lose in (208, 94)


def test_the_human_table_recomputes() -> None:
    assert [sum(row) for row in HUMAN] == [208] * 6 + [94] * 6
    rates = [beat_rate(win, lose)[0] for win, _, lose in HUMAN]
    assert [round(rate, 1) for rate in rates] == [
        97.4, 97.5, 51.7, 69.9, 21.0, 35.0, 94.6, 93.2, 70.0, 73.1, 27.3, 34.9,
    ]  # fmt: skip
    # where the judge gives 75 %, people give 45 to 42: no difference can be told
    assert figures(Tally(45, 121, 42)).p == pytest.approx(0.83, abs=0.01)
    assert figures(Tally(114, 56, 38)).p < 1e-8


def test_swapping_the_sides_mirrors_the_figures() -> None:
    one, other = figures(Tally(30, 5, 10)), figures(Tally(10, 5, 30))
    assert one.beat_rate == pytest.approx(100 - other.beat_rate)
    assert one.net_score == -other.net_score
    assert one.p == other.p


def test_nothing_decided_has_no_rate() -> None:
    found = figures(Tally(split=4))
    assert (found.beat_rate, found.net_score, found.p, found.first_place) == (None, 0.0, 1.0, None)
    assert figures(Tally()).net_score is None
    with pytest.raises(MetricError, match="no pair is decided"):
        beat_rate(0, 0)
    with pytest.raises(MetricError, match="do not go together"):
        net_score(3, 3, 5)
    with pytest.raises(DataError, match="expected none below 0"):
        Tally(tie=1, equal=2)


def test_the_pull_of_the_first_place() -> None:
    found = figures(Tally(split=10), places=(20, 0, 0))
    assert found.first_place == 1.0
    assert found.first_interval[0] > 0.8


def test_kappa_against_the_textbook_and_its_edges() -> None:
    assert kappa([[20, 5], [10, 15]]) == pytest.approx(0.4)
    assert kappa([[45, 15], [25, 15]]) == pytest.approx(0.1304, abs=1e-4)
    assert kappa([[0, 5], [5, 0]]) == -1.0
    assert kappa([[5, 0, 0], [0, 5, 0], [0, 0, 5]]) == 1.0
    assert kappa([[9, 0], [0, 0]]) is None
    with pytest.raises(MetricError, match="square"):
        kappa([[1, 2, 3]])


@settings(max_examples=25)
@given(st.lists(st.integers(0, 9), min_size=9, max_size=9).filter(any))
def test_kappa_against_scikit_learn(cells: list[int]) -> None:
    import warnings

    from sklearn.metrics import cohen_kappa_score

    rows = [(i // 3, i % 3) for i, count in enumerate(cells) for _ in range(count)]
    found = kappa([cells[:3], cells[3:6], cells[6:]])
    if found is not None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = cohen_kappa_score([a for a, _ in rows], [b for _, b in rows], labels=[0, 1, 2])
        assert found == pytest.approx(expected)


def test_agreement_joins_by_id_and_keeps_splits_apart() -> None:
    pairs = [JudgedPair(str(i), outcome) for i, outcome in enumerate(
        ["win", "win", "tie", "lose", "lose", "split", "unreadable", "win"]
    )]  # fmt: skip
    human = {"0": "a", "1": "tie", "2": "tie", "3": "b", "4": "a", "5": "a", "6": "b", "elsewhere": "a"}
    found = agreement(pairs, human)
    assert found.counts == ((1, 1, 0), (0, 1, 0), (1, 0, 1), (1, 0, 0), (0, 0, 1))
    assert (found.joined, found.only_human, found.compared) == (7, 1, 5)
    assert found.same == 0.6
    assert found.kappa == pytest.approx((0.6 - 0.32) / 0.68)
    assert agreement(pairs[::-1], dict(reversed(human.items()))) == found
    assert agreement(pairs, {}).kappa is None
