"""Whole pools changed: a new pool and what was dropped, with reasons, and nothing edited in place."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kshot.errors import DataError
from kshot.measure.overlap import rouge_l
from kshot.methods.panda.pool import InsightPool, PoolHeader, deduplicate, diff, inspect, merge, prune
from kshot.methods.panda.records import Candidate, Counters, ExpertFacts, Insight, Preference, Spent
from kshot.models.embed import HashingEncoder

HEADER = PoolHeader("irony", "classification", labels=("no", "yes"))


def an_insight(
    row: int, text: str = "", *, answer: str = "yes", chance: float | None = 0.9, **fields
) -> Insight:
    key = fields.pop("key", f"text {row}")
    candidates = (Candidate(answer, probability=chance), Candidate("other"))
    preference = Preference(key, candidates, ExpertFacts("gold"), gold=fields.pop("gold", None))
    return Insight(row, key, text, preference=preference, **fields)


def test_prune_by_each_rule():
    pool = InsightPool(
        [
            an_insight(0, "a"),
            an_insight(1, "b", flags=("cut", "against_gold")),
            an_insight(2, "c", chance=0.4),
            an_insight(3, "d", chance=None),
            an_insight(4, "e", counters=Counters(9, helped=1, hurt=2)),
            an_insight(5, "f", counters=Counters(9, helped=2, hurt=2)),
        ],
        HEADER,
    )
    found = prune(pool, flags=["cut", "absent"], min_probability=0.5, hurt_over_helped=True, ids=[pool[0].id])
    assert [insight.row for insight in found.pool] == [3, 5]
    assert [(insight.row, reason) for insight, reason in found.dropped] == [
        (0, "named"),
        (1, "carries the flag cut"),
        (2, "the expert's probability is below 0.5"),
        (4, "hurt more often than it helped"),
    ]
    assert found.pool.header.counts == {"insights": 2}
    assert len(pool) == 6
    assert prune(pool).pool.insights == pool.insights
    assert prune(pool, flags="cut").counts() == {"carries the flag cut": 1}


def test_prune_refuses_what_is_not_there():
    pool = InsightPool([an_insight(0, "a")], HEADER)
    with pytest.raises(DataError, match="the pool has no insight 'zz'"):
        prune(pool, ids=["zz"])
    with pytest.raises(DataError, match=r"min_probability is 1\.5"):
        prune(pool, min_probability=1.5)


def test_merge_numbers_rows_anew_and_drops_what_was_there():
    one = InsightPool([an_insight(5, "a"), an_insight(7, "b")], HEADER)
    two = InsightPool([replace(one[1], row=0, insight="otherwise"), an_insight(9, "c")], HEADER)
    found = merge([one, two])
    assert [(insight.row, insight.insight) for insight in found.pool] == [(0, "a"), (1, "b"), (2, "c")]
    assert found.counts() == {"is in an earlier pool": 1}
    assert found.repeats == {one.ids[1]: one.ids[1]}
    assert found.pool.header.counts == {"insights": 3}
    assert merge([one]).pool.ids == one.ids


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"task": "hate"}, "pool 0 has task 'irony', pool 1 has 'hate'"),
        ({"labels": ("yes", "no")}, "labels"),
        ({"kind": "choice"}, "kind"),
    ],
)
def test_merge_refuses_pools_of_different_tasks(change, told):
    with pytest.raises(DataError, match=told):
        merge([InsightPool([], HEADER), InsightPool([], replace(HEADER, **change))])
    with pytest.raises(DataError, match="no pool to merge"):
        merge([])


words = st.lists(st.sampled_from(["sad", "word", "it", "is", "not", "!"]), max_size=6).map(" ".join)


@given(st.lists(st.tuples(words, st.sampled_from("ab"), st.sampled_from(["yes", "no"])), max_size=8))
def test_deduplicate_is_the_greedy_walk_over_all_pairs(found):
    pool = InsightPool(
        [an_insight(row, text, key=f"{key}{row if text else ''}", answer=answer, model=f"{row}")
         for row, (text, key, answer) in enumerate(found)],
        HEADER,
    )  # fmt: skip
    kept: list[Insight] = []
    for insight in pool:
        repeats = any(
            other.answer == insight.answer
            and (
                rouge_l(other.insight, insight.insight) > 0.6
                or (
                    not insight.insight.strip(" !")
                    and not other.insight.strip(" !")
                    and other.key == insight.key
                )
            )
            for other in kept
        )
        if not repeats:
            kept.append(insight)
    assert deduplicate(pool, overlap=0.6).pool.insights == tuple(kept)


def test_deduplicate_keeps_the_same_advice_for_other_keys_where_an_embedder_compares_them():
    text = "the expert goes through the open door"
    pool = InsightPool(
        [
            an_insight(0, text, key="a kitchen with a stove"),
            an_insight(1, text, key="a kitchen with a stove!"),
            an_insight(2, text, key="nothing of the kind"),
        ],
        HEADER,
    )
    assert [insight.row for insight in deduplicate(pool).pool] == [0]
    found = deduplicate(pool, HashingEncoder(), similarity=0.8)
    assert [insight.row for insight in found.pool] == [0, 2]
    assert found.repeats == {pool.ids[1]: pool.ids[0]}
    assert found.counts() == {"repeats an earlier one": 1}
    with pytest.raises(DataError, match="overlap"):
        deduplicate(pool, overlap=1.0)


def test_a_record_that_fell_drops_nobody():
    chain = ["a b c d e", "b c d e f", "c d e f g"]  # each F 0.8 with the next, 0.6 with the one after
    pool = InsightPool([an_insight(row, text) for row, text in enumerate(chain)], HEADER)
    assert [insight.row for insight in deduplicate(pool).pool] == [0, 2]


def test_contrary_answers_are_no_repeats_though_their_words_are():
    text = "it prefers yes over no by tone"
    pool = InsightPool([an_insight(0, text), an_insight(1, text, answer="no")], HEADER)
    assert len(deduplicate(pool).pool) == 2


def test_diff():
    same, gone, changed, new = (an_insight(row, "x") for row in range(4))
    left = InsightPool([same, gone, changed], HEADER)
    right = InsightPool([same, replace(changed, insight="y"), new], replace(HEADER, model="m"))
    found = diff(left, right)
    assert (found.only_left, found.only_right, found.same) == ((gone,), (new,), 1)
    assert [(one.insight, other.insight) for one, other in found.changed] == [("x", "y")]
    assert found.header == ("model '' and 'm'",)
    assert diff(left, left).same == 3


def test_inspect_counts():
    pool = InsightPool(
        [
            an_insight(
                0, "one two three four", key="k", gold="yes", flags=("cut",), spent=Spent(1, 2, 3, 0.5)
            ),
            an_insight(1, "one two three four", key="k", gold="no", answer="yes", chance=0.6, model="m"),
            an_insight(2, "", answer="no", counters=Counters(3, 2, 1), heuristic="top1"),
            Insight(3, "k", "five", finish_reason="length", spent=Spent(1, 1, 1, 0.25)),
        ],
        HEADER,
    )
    found = inspect(pool)
    assert (found.count, found.answers, found.flags) == (4, {"yes": 2, "no": 1}, {"cut": 1})
    assert (found.heuristics, found.finish_reasons) == ({"top2": 3, "top1": 1}, {"stop": 3, "length": 1})
    assert (found.without_text, found.without_preference) == (1, 1)
    assert (found.gold_count, found.gold_agreement_share) == (2, 0.5)
    assert (found.distinct_keys, found.repeated_key_share, found.most_of_one_key) == (2, 0.5, 3)
    assert found.near_duplicate_share == pytest.approx(1 / 3)
    assert found.probabilities is not None
    assert (found.probabilities.least, found.probabilities.median, found.probabilities.most) == (
        0.6,
        0.9,
        0.9,
    )
    assert found.insight_tokens is not None
    assert (found.insight_tokens.least, found.insight_tokens.most) == (2, 6)
    assert (found.shown, found.helped, found.hurt) == (3, 2, 1)
    assert found.spent == Spent(2, 3, 4, 0.75)
    assert {"name": "distinct_keys", "value": 2} in found.rows()
    nothing = inspect(InsightPool([], HEADER))
    assert (nothing.count, nothing.gold_agreement_share, nothing.key_tokens) == (0, None, None)
