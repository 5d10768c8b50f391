"""What repeats: as a plain comparison with every kept row would say."""

import random

from hypothesis import given
from hypothesis import strategies as st

from kshot.data.example import normalised
from kshot.measure.overlap import rouge_l
from kshot.methods.explore.fill import Repeat, Sieve
from kshot.methods.explore.records import Item, Row

WORD = st.sampled_from(["a", "b", "c", "d", "e", "写", "信"])
TEXT = st.lists(WORD, min_size=1, max_size=8).map(" ".join) | st.sampled_from(["??", "A B c"])
ITEMS = st.lists(st.tuples(st.sampled_from("xy"), TEXT, st.sampled_from(["", "in", " IN"])), max_size=25)


def plainly(items, overlap, scope, seeds=()):
    """The slow restatement: every row against every kept one, the highest F, of equals the first."""
    kept, found = [("", text, "", f"seed:{n}") for n, text in enumerate(seeds)], []
    for number, (node, text, given_input) in enumerate(items):
        others = [one for one in kept if scope == "tree" or one[0] == node]
        same = [
            one[3]
            for one in others
            if one[3][:4] != "seed"
            and (normalised(one[1]), normalised(one[2])) == (normalised(text), normalised(given_input))
        ]
        best = None
        for _, other, _, name in others:
            score = rouge_l(text, other)
            if score > overlap and (best is None or score > best.score):
                best = Repeat("overlap", score, name)
        found.append(Repeat("repeat", None, same[0]) if same else best)
        if found[-1] is None:
            kept.append((node, text, given_input, str(number)))
    return found


@given(
    items=ITEMS,
    overlap=st.sampled_from([0.0, 0.5, 0.7, 0.9]),
    scope=st.sampled_from(["tree", "per_node"]),
    cuts=st.sets(st.integers(0, 25)),
    seeds=st.lists(TEXT, max_size=2),
)
def test_in_rounds_it_decides_as_one_by_one(items, overlap, scope, cuts, seeds) -> None:
    seeds = seeds if scope == "tree" else []
    sieve, found, round_ = Sieve([], overlap=overlap, scope=scope, seeds=seeds), [], []

    def end():
        known = [sieve.known(node, item) for _, node, item in reversed(round_)][::-1]  # in any order
        found.extend(
            sieve.offer(node, item, name, known=said)
            for (name, node, item), said in zip(round_, known, strict=True)
        )
        sieve.settle()
        round_.clear()

    for number, (node, text, given_input) in enumerate(items):
        round_.append((str(number), node, Item(text, given_input)))
        if number in cuts:
            end()
    end()
    assert found == plainly(items, overlap, scope, seeds)


def test_a_sieve_of_kept_rows_goes_on_as_the_one_that_kept_them() -> None:
    draw = random.Random(3)
    items = [Item(" ".join(draw.choices("abcdefgh", k=6)), "", "x") for _ in range(60)]
    sieve, rows = Sieve([], overlap=0.7), []
    for number, item in enumerate(items[:40]):
        if sieve.offer("n", item, str(number), known=sieve.known("n", item)) is None:
            rows.append(Row(str(number), "n", item))
    sieve.settle()
    again = Sieve(rows, overlap=0.7)
    assert [again.known("n", item) for item in items] == [sieve.known("n", item) for item in items]
    assert any(again.known("n", item) for item in items[40:])


def test_texts_without_any_token_still_repeat() -> None:
    sieve = Sieve([], overlap=0.7)
    assert sieve.offer("n", Item("???"), "1") is None
    assert sieve.offer("n", Item("???"), "2") == Repeat("repeat", near="1")
    assert sieve.offer("n", Item("???", "input"), "3") is None
