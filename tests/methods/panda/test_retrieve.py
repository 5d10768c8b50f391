"""Retrieval: what a slow cosine over all records gives, whatever stands around it."""

import json
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kshot.data.example import Example
from kshot.errors import DataError
from kshot.measure.overlap import rouge_l
from kshot.methods.panda.pool import InsightPool, PoolHeader, embed_pool, open_vectors
from kshot.methods.panda.records import Candidate, ExpertFacts, Insight, Preference
from kshot.methods.panda.retrieve import Retrieval, Retriever, entry_text, open_retriever, search
from kshot.methods.panda.seams import Retrieved
from kshot.models.base import Floats
from kshot.models.embed import HashingEncoder

HEADER = PoolHeader("t", "classification")
WORDS = ["a", "cat", "dog", "sees", "red", "moon", "not", "the", "train", "to", "rome"]


class Given:
    """An encoder whose vectors are given: keys are numbers."""

    def __init__(self, rows: Floats) -> None:
        self.rows = rows
        self.id = "given"
        self.dim = rows.shape[1]

    def encode(self, texts: Sequence[str]) -> Floats:
        return self.rows[[int(text) for text in texts]]


def a_pool(keys: Sequence[str], texts: Sequence[str] | None = None) -> InsightPool:
    texts = texts or ["x"] * len(keys)
    found = [
        Insight(row, key, text, model=f"{row}", source=f"pool:{row}")
        for row, (key, text) in enumerate(zip(keys, texts, strict=True))
    ]
    return InsightPool(found, HEADER)


def slow_order(rows: Floats, query: Floats) -> list[tuple[float, int]]:
    """(score, place), best first: sums of exact products, rounded once."""
    scores = [
        np.float32(min(1.0, max(-1.0, float(np.sum(row.astype(np.float64) * query.astype(np.float64))))))
        for row in rows
    ]
    return [
        (float(scores[place]), place) for place in sorted(range(len(rows)), key=lambda n: (-scores[n], n))
    ]


def places(found: Retrieved) -> list[int]:
    return [chosen.insight.row for chosen in found.chosen]


def reasons(found: Retrieved) -> list[tuple[int, str]]:
    return [(left.insight.row, left.reason) for left in found.left_out]


def random_texts(rng: np.random.Generator, count: int) -> list[str]:
    return [" ".join(rng.choice(WORDS, size=rng.integers(0, 5))) for _ in range(count)]


@pytest.mark.parametrize("seed", range(100))
def test_it_equals_a_slow_cosine(seed: int):
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 400))
    encoder = HashingEncoder(int(rng.integers(2, 70)))  # few numbers: many ties and near-ties
    keys = random_texts(rng, count)
    retrieve = Retriever(a_pool(keys), encoder, Retrieval(k=int(rng.integers(1, 30))))
    for query in random_texts(rng, 5):
        expected = slow_order(encoder.encode(keys), encoder.encode([query])[0])[: retrieve.options.k]
        found = retrieve.nearest(query)
        assert [(chosen.score, chosen.insight.row) for chosen in found.chosen] == expected
        assert found.left_out == ()


def test_equal_keys_tie_exactly_wherever_they_stand():
    rng = np.random.default_rng(0)
    keys = random_texts(rng, 3000)
    keys[::7] = ["the cat sees a red moon"] * len(keys[::7])
    found = Retriever(a_pool(keys), HashingEncoder(384), Retrieval(k=500)).nearest("the cat sees the moon")
    ours = [chosen for chosen in found.chosen if chosen.insight.key == keys[0]]
    assert [chosen.insight.row for chosen in ours] == list(range(0, 3000, 7))
    assert len({chosen.score for chosen in ours}) == 1


def test_nothing_around_a_record_changes_its_score():
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(500, 384)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    rows = rows.astype(np.float32)
    encoder = Given(np.concatenate([rows, rows[:1]]))
    whole = Retriever(a_pool([str(n) for n in range(500)]), encoder, Retrieval(k=500)).nearest("500")
    scores = {chosen.insight.key: chosen.score for chosen in whole.chosen}
    for start in range(0, 500, 37):
        keys = [str(n) for n in range(start, min(500, start + 41))][::-1]
        part = Retriever(a_pool(keys), encoder, Retrieval(k=50)).nearest("500")
        assert {c.insight.key: c.score for c in part.chosen} == {key: scores[key] for key in keys}


def near_ties(count: int, dim: int = 384) -> Given:
    """Unit rows whose float32 products with the last one differ by less than their rounding errors."""
    rng = np.random.default_rng(6)
    base = rng.normal(size=dim)
    rows = base / np.linalg.norm(base) + rng.normal(size=(count + 1, dim)) * 3e-5
    return Given((rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32))


def test_near_ties_are_decided_by_the_exact_score():
    encoder = near_ties(500)
    rows, query = encoder.rows[:-1], encoder.rows[-1]
    expected = slow_order(rows, query)
    products = rows @ query
    by_product = sorted(range(500), key=lambda place: (-products[place], place))
    assert by_product[:64] != [place for _, place in expected[:64]]  # so the products would not do
    pool = a_pool([str(place) for place in range(500)])
    for k in (1, 6, 63, 64, 65, 300):
        for mmr in (None, 1.0):
            if k < 100 or mmr is None:
                found = Retriever(pool, encoder, Retrieval(k=k, mmr=mmr)).nearest("500")
                assert [(chosen.score, chosen.insight.row) for chosen in found.chosen] == expected[:k]


def test_more_than_there_are_and_nothing_at_all():
    retrieve = Retriever(a_pool(["a cat", "a dog"]), HashingEncoder(64), Retrieval(k=9))
    assert places(retrieve.nearest("a dog")) == [1, 0]
    assert Retriever(a_pool(["a"]), HashingEncoder(64), Retrieval(k=0)).nearest("a") == Retrieved()
    assert Retriever(a_pool([]), HashingEncoder(64)).nearest("a") == Retrieved()
    nothing = Retriever(a_pool(["a", "b"]), HashingEncoder(64), Retrieval(k=1)).nearest("")
    assert places(nothing) == [0]  # a text without features ties with all


def test_the_same_from_the_folder_and_from_cached_vectors(tmp_path: Path):
    rng = np.random.default_rng(2)
    keys, queries, encoder = random_texts(rng, 300), random_texts(rng, 20), HashingEncoder(256)
    a_pool(keys).save(tmp_path / "pool")
    in_memory = Retriever(a_pool(keys), encoder)
    new, cached = open_retriever(tmp_path / "pool", encoder), open_retriever(tmp_path / "pool", encoder)
    assert isinstance(cached.vectors.rows, np.memmap)
    for query in queries:
        expected = in_memory.nearest(query)
        assert expected == new.nearest(query) == cached.nearest(query)
        assert expected == search(in_memory.pool, encoder, query)


def test_the_key_of_a_row_is_its_prompt_or_what_is_asked_for():
    pool = a_pool(["a cat", "rome"])
    row = Example("the cat", "", system="to rome")
    assert places(Retriever(pool, HashingEncoder(), Retrieval(k=1))(row)) == [0]
    other = Retriever(pool, HashingEncoder(), Retrieval(k=1), key=lambda row: row.system or "")
    assert places(other(row)) == [1]


def test_leave_one_out_never_returns_the_query():
    pool = a_pool(["a cat", "A  CAT", "a cat sees", "a dog", "rome"])
    pool = pool.with_insights([*pool.insights[:3], replace(pool[3], source="shots:7"), pool[4]])
    options = Retrieval(k=5, leave_one_out=True)
    found = Retriever(pool, HashingEncoder(), options)(Example("a cat", "x", source="shots:7"))
    assert sorted(places(found)) == [2, 4]
    assert sorted(reasons(found)) == [(place, "is the query itself") for place in (0, 1, 3)]
    found = Retriever(pool, HashingEncoder(), options).nearest("a cat")
    assert sorted(places(found)) == [2, 3, 4]
    row = Example("x y z", "")
    named = pool.with_insights([replace(pool[0], source=row.id)])
    assert Retriever(named, HashingEncoder(), options)(row).chosen == ()
    ranked = Preference("a", (Candidate("b"),), ExpertFacts("gold"), source="shots:7")
    told = pool.with_insights([replace(pool[0], source="", preference=ranked)])
    assert Retriever(told, HashingEncoder(), options)(Example("x", "", source="shots:7")).chosen == ()
    assert len(Retriever(told, HashingEncoder(), options)(Example("x", "")).chosen) == 1  # "" is no source


def test_the_floor_tells_the_nearest_below_it():
    rows = np.array([[1, 0], [0.8, 0.6], [0.6, 0.8], [0, 1], [-1, 0]], np.float32)
    encoder = Given(rows)
    pool = a_pool(["0", "1", "2", "3", "4"])
    found = Retriever(pool, encoder, Retrieval(k=4, floor=0.7)).nearest("0")
    assert places(found) == [0, 1]
    assert reasons(found) == [(2, "lies below the floor"), (3, "lies below the floor")]
    at_it = float(found.chosen[1].score)
    assert places(Retriever(pool, encoder, Retrieval(k=4, floor=at_it)).nearest("0")) == [0, 1]
    for mmr in (None, 0.5, 1.0):
        found = Retriever(pool, encoder, Retrieval(k=1, floor=1.0, mmr=mmr)).nearest("1")
        assert all(chosen.score >= 1 for chosen in found.chosen)
        none = Retriever(a_pool(["3"]), encoder, Retrieval(k=2, floor=0.5, mmr=mmr)).nearest("0")
        assert (none.chosen, reasons(none)) == ((), [(0, "lies below the floor")])


def test_equal_keys_and_near_duplicates_are_passed_over():
    keys = ["a cat", "a cat", "a cat sees", "a dog"]
    texts = ["one two three", "seven", "one two three four", "eight"]
    pool = a_pool(keys, texts)
    found = Retriever(pool, HashingEncoder(), Retrieval(k=3, distinct_keys=True)).nearest("a cat")
    assert places(found) == [0, 2, 3]
    assert reasons(found) == [(1, "its key repeats a chosen one")]
    found = Retriever(pool, HashingEncoder(), Retrieval(k=3, overlap=0.7)).nearest("a cat")
    assert places(found) == [0, 1, 3]
    assert reasons(found) == [(2, "its text repeats a chosen one")]
    both = Retriever(pool, HashingEncoder(), Retrieval(k=4, overlap=0.7, distinct_keys=True)).nearest("a cat")
    assert places(both) == [0, 3]


def test_the_budget_skips_what_does_not_fit_and_goes_on():
    pool = a_pool(["a", "a b", "a b c", "a b c d"], ["x " * 4, "x " * 90, "x " * 2, "x"])
    options = Retrieval(k=3, token_budget=20, count=lambda text: len(text.split()))
    found = Retriever(pool, HashingEncoder(), options).nearest("a b")
    assert set(places(found)) == {0, 2, 3}
    assert reasons(found) == [(1, "does not fit the token budget")]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 60), st.integers(0, 8))
def test_the_budget_is_never_exceeded(seed, budget, k):
    rng = np.random.default_rng(seed)
    pool = a_pool(random_texts(rng, 30), [text * 3 for text in random_texts(rng, 30)])
    options = Retrieval(k=k, token_budget=budget)
    found = Retriever(pool, HashingEncoder(64), options).nearest("a cat sees rome")
    assert sum(options.count(entry_text(chosen.insight)) for chosen in found.chosen) <= budget
    assert len(found.chosen) <= k


def slow_mmr(rows: Floats, query: Floats, weight: float, k: int) -> list[int]:
    """The equation, record by record, in double of the rounded scores."""

    def score(one: Floats, other: Floats) -> float:
        exact = float(np.sum(one.astype(np.float64) * other.astype(np.float64)))
        return float(np.float32(min(1.0, max(-1.0, exact))))

    chosen: list[int] = []
    while len(chosen) < min(k, len(rows)):
        ranked = []
        for place in set(range(len(rows))) - set(chosen):
            near = score(rows[place], query)
            repeated = max((score(rows[place], rows[other]) for other in chosen), default=0.0)
            ranked.append((-(weight * near - (1 - weight) * repeated), -near, place))
        chosen.append(min(ranked)[2])
    return chosen


@pytest.mark.parametrize("weight", [0.0, 0.3, 0.5, 0.9])
@pytest.mark.parametrize("seed", range(6))
def test_marginal_relevance_is_the_equation(seed: int, weight: float):
    rng = np.random.default_rng(seed)
    keys, encoder = random_texts(rng, 60), HashingEncoder(32)
    retrieve = Retriever(a_pool(keys), encoder, Retrieval(k=7, mmr=weight))
    plain = Retriever(a_pool(keys), encoder, Retrieval(k=7))
    for query in random_texts(rng, 3):
        rows = encoder.encode(keys)
        expected = slow_mmr(rows, encoder.encode([query])[0], weight, 7)
        found = retrieve.nearest(query)
        assert set(places(found)) == set(expected)
        order = [(-chosen.score, chosen.insight.row) for chosen in found.chosen]
        assert order == sorted(order)
        missed = set(places(plain.nearest(query))) - set(expected)
        assert {row for row, reason in reasons(found) if reason.startswith("passed over")} == missed


@pytest.mark.parametrize("seed", range(30))
def test_marginal_relevance_of_weight_one_is_the_plain_order(seed: int):
    rng = np.random.default_rng(seed)
    keys, encoder = random_texts(rng, 200), HashingEncoder(16)
    pool = a_pool(keys, random_texts(rng, 200))
    vectors = embed_pool(pool, encoder)
    options = Retrieval(k=8, floor=0.1, distinct_keys=True, overlap=0.7, token_budget=60, leave_one_out=True)
    plain = Retriever(pool, encoder, options, vectors=vectors)
    same = Retriever(pool, encoder, replace(options, mmr=1.0), vectors=vectors)
    for query in random_texts(rng, 5):
        assert plain.nearest(query) == same.nearest(query)


def test_no_more_than_the_reach_is_looked_at():
    pool = a_pool(["a cat"] * 500)
    found = Retriever(pool, HashingEncoder(), Retrieval(k=3, distinct_keys=True, reach=50)).nearest("a cat")
    assert places(found) == [0]
    assert len(found.left_out) == 49
    all_of_them = Retriever(pool, HashingEncoder(), Retrieval(k=300)).nearest("a cat")
    assert len(all_of_them.chosen) == 300


def test_all_checks_against_a_slow_walk():
    rng = np.random.default_rng(3)
    keys, texts = random_texts(rng, 150), random_texts(rng, 150)
    pool, encoder = a_pool(keys, texts), HashingEncoder(48)
    options = Retrieval(k=5, floor=0.05, distinct_keys=True, overlap=0.5, token_budget=30, leave_one_out=True)
    retrieve = Retriever(pool, encoder, options)
    for query in random_texts(rng, 30):
        chosen: list[int] = []
        for score, place in slow_order(encoder.encode(keys), encoder.encode([query])[0]):
            taken = sum(options.count(entry_text(pool[other])) for other in chosen)
            if (
                score >= 0.05
                and keys[place].split() != query.split()
                and keys[place] not in [keys[other] for other in chosen]
                and not any(rouge_l(texts[place], texts[other]) > 0.5 for other in chosen)
                and taken + options.count(entry_text(pool[place])) <= 30
            ):
                chosen.append(place)
        assert places(retrieve.nearest(query)) == chosen[:5]


def test_a_pool_from_another_encoder_is_embedded_anew_and_told(tmp_path: Path):
    a_pool(["a cat", "a dog"]).save(tmp_path / "pool")
    open_retriever(tmp_path / "pool", HashingEncoder(64))
    found = open_retriever(tmp_path / "pool", HashingEncoder(128), Retrieval(k=1))
    assert "embedded anew" in found.notes[0]
    assert places(found.nearest("the dog")) == [1]


def test_vectors_of_something_else_are_refused(tmp_path: Path):
    one, two = a_pool(["a"]), a_pool(["a", "b"])
    encoder = HashingEncoder(64)
    with pytest.raises(DataError, match=r"shape \(1, 64\), expected \(2, 64\)"):
        Retriever(two, encoder, vectors=embed_pool(one, encoder))
    one.save(tmp_path / "pool")
    other = replace(open_vectors(tmp_path / "pool", one, encoder).encoder, id="other")
    with pytest.raises(DataError, match="were made by other"):
        Retriever(one, encoder, vectors=replace(embed_pool(one, encoder), encoder=other))


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"k": -1}, "k is -1"),
        ({"k": True}, "k is True"),
        ({"k": 1.5}, "k is 1.5"),
        ({"reach": 0}, "reach is 0"),
        ({"floor": 2}, "floor is 2"),
        ({"floor": float("nan")}, "floor is nan"),
        ({"overlap": -0.1}, "overlap is -0.1, expected a number from 0 to 1"),
        ({"mmr": "0.5"}, "mmr is '0.5'"),
        ({"token_budget": -1}, "token_budget is -1"),
    ],
)
def test_options_that_cannot_be(wrong, told):
    with pytest.raises(DataError, match=told):
        Retrieval(**wrong)


def test_many_threads_get_what_one_gets():
    rng = np.random.default_rng(4)
    queries = random_texts(rng, 40)
    retrieve = Retriever(a_pool(random_texts(rng, 200)), HashingEncoder(64), Retrieval(k=3, mmr=0.5))
    expected = [retrieve.nearest(query) for query in queries]
    found: dict[int, list[Retrieved]] = {}

    def ask(name: int) -> None:
        found[name] = [retrieve.nearest(query) for query in queries]

    threads = [threading.Thread(target=ask, args=(name,)) for name in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(found[name] == expected for name in range(6))


def test_a_query_that_cannot_be_embedded_is_an_error():
    encoder = Given(np.array([[1, 0], [np.nan, 0]], np.float32))
    retrieve = Retriever(a_pool(["0"]), encoder)
    with pytest.raises(DataError, match="found a row of length nan"):
        retrieve.nearest("1")


def test_what_was_retrieved_is_plain_data():
    found = Retriever(a_pool(["a cat"]), HashingEncoder(64)).nearest("a cat")
    assert json.dumps([chosen.score for chosen in found.chosen])
    assert type(found.chosen[0].score) is float
