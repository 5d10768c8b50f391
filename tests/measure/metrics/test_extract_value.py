"""Letters and numbers read from replies."""

from __future__ import annotations

import doctest
import json
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kshot.measure.metrics import extract_value
from kshot.measure.metrics.extract_value import extract_choice, extract_number

GSM8K = Path(__file__).parents[3] / ".." / "shared" / "data" / "gsm8k" / "test.jsonl"


def test_examples() -> None:
    assert doctest.testmod(extract_value).failed == 0


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("B", "B"), ("(B)", "B"), ("B.", "B"), ("B) text", "B"), ("Answer: B", "B"),
        ("the answer is (b)", "B"),
        ("b", "B"), ("[B] Paris", "B"), ("**B**", "B"), ("B: Paris", "B"), ("B - Paris", "B"),
        ("\\boxed{C}", "C"),
        ("The answer is \\boxed{C}.", "C"), ("It must be (B).", "B"), ("The answer is\nB", "B"),
        ("Ｂ", "B"),
        ("Answer:\n\n**C**", "C"), ("The correct option is D) x", "D"), ("The answer is option D", "D"),
        ("Answer: A", "A"), ("The answer is A because x", "A"), ("Answer: A\nAnswer: B", "B"),
        ("A. Rome", "A"),
        # no answer, or no single one
        ("A dog ran", None), ("The answer is a dog", None), ("The answer is A dog", None),
        ("I am sure", None),
        ("A. Rome\nB. Paris", None), ("Answer: B or C", None), ("Answer: A, B", None), ("(A) or (B)", None),
        ("", None), ("Paris", None), ("Answer: Paris", None), ("Answer: U.S.", None), ("B2", None),
        ("a b c", None),
        ("The answer is not B", None), ("12", None), ("ABC", None),
    ],
)  # fmt: skip
def test_choice(reply: str, expected: str | None) -> None:
    assert extract_choice(reply) == expected


@given(
    st.sampled_from("ABCDEFGH"),
    st.sampled_from(["{}", "({})", "{}.", "{}) x y", "Answer: {}", "The answer is ({})"]),
)
def test_every_letter_in_every_form(letter: str, form: str) -> None:
    assert extract_choice(form.format(letter)) == extract_choice(form.format(letter.lower())) == letter


@given(st.text(max_size=200))
def test_any_text_gives_a_letter_or_none(reply: str) -> None:
    letter = extract_choice(reply)
    assert letter is None or (len(letter) == 1 and "A" <= letter <= "Z")


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("#### 1,234", "1234"), ("$5", "5"), ("-$5", "-5"), ("$-5", "-5"), ("−5", "-5"), ("+3", "3"),
        ("5-3", "3"),
        ("7 - 5", "5"), ("x=-5", "-5"), ("50%", "50"), ("1/2", "1/2"), ("-7/2", "-7/2"), ("½", "1/2"),
        ("0.50", "1/2"),
        (".5", "1/2"), ("-.5", "-1/2"), ("1.5e3", "1500"), ("1.5E-3", "3/2000"), ("2e", "2"),
        ("5.", "5"), ("(5)", "5"),
        ("1,234,567.89.", "123456789/100"), ("1,2,3", "3"), ("12,34", "34"), ("答案是5。", "5"),
        ("No.5", "5"),
        ("10km", "10"), ("10:30", "30"), ("1/2/2020", "2020"), ("3 + 4 = 7 apples", "7"),
        ("#### 5\nof 7", "5"),
        ("#### 5\n#### 6", "6"), ("#### $1,000.50 dollars", "2001/2"), ("#### Step 2\nso 9", "9"),
        # none
        ("", None), ("none", None), ("H2O", None), ("v1.2.3", None), ("3/0", None), ("1/000", None),
        ("9" * 5000, None), ("1e999999", None), ("1e5000", None), ("nan inf", None),
    ],
)  # fmt: skip
def test_number(reply: str, expected: str | None) -> None:
    assert extract_number(reply) == (None if expected is None else Fraction(expected))


@given(st.fractions(min_value=-(10**12), max_value=10**12))
def test_fractions_come_back_exactly(value: Fraction) -> None:
    assert extract_number(f"It is {value}") == value


@given(st.integers(-(10**15), 10**15), st.integers(0, 9999))
def test_decimals_with_thousands_commas_come_back_exactly(whole: int, tail: int) -> None:
    exact = Fraction(f"{whole}.{tail:04d}")
    assert extract_number(f"Total: {whole:,}.{tail:04d}.") == exact


@given(st.text(max_size=200))
def test_any_text_gives_a_number_or_none(reply: str) -> None:
    assert isinstance(extract_number(reply), Fraction | None)


@pytest.mark.skipif(not GSM8K.is_file(), reason="GSM8K is not here")
def test_every_gsm8k_answer_is_read() -> None:
    answers = [json.loads(line)["answer"] for line in GSM8K.read_text("utf-8").split("\n") if line]
    assert len(answers) == 600
    for answer in answers:
        stated = answer.rsplit("#### ", 1)[1].replace(",", "")
        assert extract_number(answer) == Fraction(stated)
