"""The equality table of the spec in both modes, and what holds for any text."""

import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kshot.measure.maths import answers_equal, boxed, equivalent, gold_answer, normalised, stated
from kshot.measure.metrics import evaluate, invalid_count, row_scores

MATH = Path(__file__).parents[3].parent / "shared" / "data" / "explore_eval" / "MATH_eval_set_sample.jsonl"

EQUAL = [  # of the first column: every pair within a line
    (r"\frac12", r"\frac{1}{2}", "0.5", "1/2"),
    (".5", "0.5"),
    ("x=5", "5"),
    (r"10\%", "10"),
    (r"90^\circ", "90"),
    (r"90^{\circ}", "90"),
    (r"\sqrt3", r"\sqrt{3}"),
    (r"\dfrac{1}{2}", r"\tfrac{1}{2}"),
    (r"5\text{ cm}", "5"),
    (r"\left(1, 2\right)", "(1,2)"),
    (r"\$5", "5"),
    (r"x = 5", "5"),
    (r"\frac1{72}", r"\frac{1}{72}"),
]
NEVER = [
    ("(1,2)", "(2,1)"), ("3", ""), ("", ""), ("  ", "  "), ("1", "2"), ("-1", "1"), ("0.5", "0.05"),
    (r"\frac{1}{2}", r"\frac{2}{1}"), (r"\sqrt{2}", "2"), ("x+1", "1+x"), (r"\text{ cm}", r"\text{ m}"),
    ("(1,2)", "[1,2]"), ("(1,2)", "(1,2]"), ("x+y=5", "5"), ("1,2", "12"), ("1/0", "2/0"), (r"\$", r"\%"),
]  # fmt: skip
LENIENT = [
    ("1,000", "1000"), ("2.0", "2"), ("0.25", r"\frac{1}{4}"), ("-1/2", r"-\frac{1}{2}"), ("$5$", "5"),
    ("10%", "10"), (r"5\text{cm}", "5"), ("area=5", "5"),
]  # fmt: skip
MORE = [
    (r"\text{(A)}", "(A)"), (r"\frac{-1}{2}", r"-\frac{1}{2}"), (r"\frac{1}{-2}", "-0.5"), (r"f(x)=2x", "2x"),
    ("(0.5, 2.0)", r"(\frac{1}{2},2)"), (r"\frac\pi2", r"\frac{\pi}{2}"), (r"\frac{\pi}2", r"\frac{\pi}{2}"),
    ("-.5", r"-\frac12"), (r"3\mbox{ cm}^2", "3"), (r"12{,}345", r"12{,}345"), ("5.", "5"),
]  # fmt: skip


@pytest.mark.parametrize("line", EQUAL, ids=lambda line: line[0])
@pytest.mark.parametrize("mode", ["strict", "lenient"])
def test_the_first_column_is_equal_in_both_modes(line, mode) -> None:
    for a in line:
        for b in line:
            assert equivalent(a, b, mode=mode), (a, b)


@pytest.mark.parametrize(("a", "b"), NEVER)
@pytest.mark.parametrize("mode", ["strict", "lenient"])
def test_the_second_column_is_never_equal(a: str, b: str, mode) -> None:
    assert not equivalent(a, b, mode=mode)


@pytest.mark.parametrize(("a", "b"), LENIENT)
def test_the_third_column_separates_the_modes(a: str, b: str) -> None:
    assert equivalent(a, b)
    assert not equivalent(a, b, mode="strict")


@pytest.mark.parametrize(("a", "b"), MORE)
def test_more_spellings_that_lenient_takes(a: str, b: str) -> None:
    assert equivalent(a, b)


def test_a_missing_answer_is_wrong_also_beside_another_missing_one() -> None:
    assert not equivalent(None, None)
    assert not equivalent(None, "5")
    assert row_scores("math", [None, "no such thing", "This list"], ["5"] * 3).tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (r"so \boxed{\frac{1}{2}}.", r"\frac{1}{2}"),
        (r"\boxed{1}, then \boxed{2}", "2"),
        (r"\boxed{1}, then \boxed{2", "1"),
        (r"\boxed{\boxed{3}}", "3"),
        (r"\fbox{4}", "4"),
        (r"\boxed 5$ is it", "5"),
        (r"\boxed{\{1,2)} ", r"\{1,2)"),
        (r"{ \boxed{6}", "6"),
        (r"\boxed{}", None),
        ("The answer is 7.", "7"),
        ("This list has none", None),  # "is" inside words
        ("It is said that x = $8$.", "8"),
        ("x >= 9", None),
        ("The answer is:\n\n**12**", "12"),
        ("the sum is", None),
        ("", None),
        ("no cue", None),
    ],
)
def test_where_a_text_states_its_answer(text: str, found: str | None) -> None:
    assert boxed(text) == found


def test_replies_against_gold() -> None:
    assert answers_equal("a=1, b=2", "a=1, b=2")
    assert answers_equal(r"First \boxed{3}, no: \boxed{\frac{1}{2}}", "0.5")
    assert not answers_equal(r"It is 5, hence \boxed{6}", "5")
    assert stated("12") == gold_answer("12") == "12"
    assert gold_answer("several\nlines") is None


def test_the_metric() -> None:
    replies = [r"thus $\boxed{0.5}$", "The answer is 3.", None]
    assert evaluate("math", replies, [r"\frac12", "3", "4"]) == pytest.approx(2 / 3)
    assert invalid_count(["12", "", None, "two\nlines"], metric="math") == 3


PIECES = [*"0123456789.,-+/=()[]{}$% xy", r"\frac", r"\sqrt", r"\text", r"\left", r"\boxed"]
SHORT = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)


@given(st.text(max_size=40) | SHORT, st.text(max_size=40) | SHORT)
def test_reflexive_symmetric_and_never_a_crash(a: str, b: str) -> None:
    for mode in ("strict", "lenient"):
        assert equivalent(a, a, mode=mode) == bool(a.strip())
        assert equivalent(a, b, mode=mode) == equivalent(b, a, mode=mode)
        assert isinstance(normalised(a, mode=mode), str)
    if equivalent(a, b, mode="strict"):
        assert equivalent(a, b)
    boxed(a), stated(b), answers_equal(a, b)


HOSTILE = [
    "{", "}", r"\boxed{", r"\frac", r"\frac{", r"\text{", r"\text{ a}", "=", " is", "9", "9,999", r"\sqrt",
    "$", "\\", "(", " ", ".", r"\boxed  ",
]  # fmt: skip


@pytest.mark.parametrize("piece", HOSTILE)
def test_hostile_input_takes_linear_time(piece: str) -> None:
    text = piece * 100_000
    started = time.perf_counter()
    boxed(text)
    for mode in ("strict", "lenient"):
        equivalent(text, text + "1", mode=mode)
    assert time.perf_counter() - started < 5


@pytest.mark.skipif(not MATH.is_file(), reason="the shared data are not here")
def test_the_solutions_of_the_math_sample_against_themselves() -> None:
    solutions = [json.loads(line)["std_answer"] for line in MATH.read_text(encoding="utf-8").splitlines()]
    assert len(solutions) == 500
    assert all(boxed(text) is not None for text in solutions)
    assert evaluate("math", solutions, solutions) == 1.0
    assert all(equivalent(boxed(text), boxed(text), mode="strict") for text in solutions)
