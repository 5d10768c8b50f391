"""ROUGE-L against rouge_score, a slow restatement, and the figures of the specification."""

from __future__ import annotations

import doctest
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kshot.measure.overlap import rouge as overlap
from kshot.measure.overlap.rouge import f_measure, rouge_l, tokens

DEMO = Path(__file__).parents[3] / ".." / "shared" / "data" / "explore_demo"
WORDS = st.lists(st.sampled_from(["the", "cat", "Sat", "2", "o'clock", "-", "\n", "a_b"]), max_size=14).map(
    " ".join
)
ASCII = st.text(st.characters(max_codepoint=127), max_size=40)


def test_examples() -> None:
    assert doctest.testmod(overlap).failed == 0


def slow_f(a: list[str], b: list[str]) -> float:
    table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            table[i + 1][j + 1] = table[i][j] + 1 if x == y else max(table[i][j + 1], table[i + 1][j])
    common = table[-1][-1]
    if not common:
        return 0.0
    p, r = common / len(b), common / len(a)
    return 2 * p * r / (p + r)


@settings(deadline=None)  # rouge_score imports nltk
@given(WORDS | ASCII, WORDS | ASCII)
def test_equals_rouge_score_on_ascii_to_the_last_bit(a: str, b: str) -> None:
    from rouge_score.rouge_scorer import RougeScorer

    assert rouge_l(a, b) == RougeScorer(["rougeL"]).score(a, b)["rougeL"].fmeasure


@given(ASCII)
def test_tokens_equal_rouge_score_on_ascii(text: str) -> None:
    from rouge_score.tokenize import tokenize

    assert tokens(text) == tokenize(text, None)


@given(st.text(max_size=30), st.text(max_size=30))
def test_symmetric_and_within_0_and_1_on_any_text(a: str, b: str) -> None:
    assert rouge_l(a, b) == rouge_l(b, a) == slow_f(tokens(a), tokens(b))
    assert 0 <= rouge_l(a, b) <= 1
    assert rouge_l(a, a) == (1.0 if tokens(a) else 0.0)


@pytest.mark.parametrize(
    ("common", "m", "n", "expected"),
    [
        (7, 10, 10, 0.7), (7, 7, 13, 0.7000000000000001), (7, 8, 12, 0.7000000000000001),
        (7, 9, 11, 0.7000000000000001), (14, 20, 20, 0.7), (21, 23, 37, 0.6999999999999998),
    ],
)  # fmt: skip
def test_ties_at_seven_tenths_fall_as_specified(common: int, m: int, n: int, expected: float) -> None:
    shared = [f"s{i}" for i in range(common)]
    a = shared + [f"a{i}" for i in range(m - common)]
    b = shared + [f"b{i}" for i in range(n - common)]
    assert f_measure(a, b) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []), ("...", []), ("你好，世界", ["你", "好", "世", "界"]),
        ("第3章 GPT", ["第", "3", "章", "gpt"]),
        ("Straße café", ["straße", "café"]), ("हिन्दी", ["हिन्दी"]), ("ひらカナ", ["ひ", "ら", "カ", "ナ"]),
        ("Привет, мир", ["привет", "мир"]), ("cafe\u0301", ["cafe\u0301"]), ("𠮷野", ["𠮷", "野"]),
    ],
)  # fmt: skip
def test_other_scripts(text: str, expected: list[str]) -> None:
    assert tokens(text) == expected


@pytest.mark.skipif(not DEMO.is_dir(), reason="the demo domain is not here")
def test_the_released_demo_keeps_2448_of_4433_per_node() -> None:
    kept = total = 0
    for path in sorted(DEMO.glob("*.json")):
        node = json.loads(path.read_text("utf-8"))
        lists: list[list[str]] = []
        for row in node.get("examples", ()):
            total += 1
            new = tokens(row["instruction"])
            if not any(f_measure(new, old) > 0.7 for old in lists):
                lists.append(new)
        kept += len(lists)
    assert (kept, total) == (2448, 4433)
