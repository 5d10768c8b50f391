"""Code replies: what is taken as the code, and pass@1."""

from __future__ import annotations

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kshot.errors import MetricError, SandboxError
from kshot.measure.metrics import programs
from kshot.measure.metrics.programs import pass_scores, unfenced
from kshot.measure.metrics.scoring import evaluate, row_scores
from kshot.measure.sandbox.run import sandbox_available

needs_sandbox = pytest.mark.skipif(sandbox_available() is not None, reason="no sandbox here")


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        ("x = 1", "x = 1"),
        ("Here:\n```python\nx = 1\n```\nDone.", "x = 1\n"),
        ("```\nx = 1\n```", "x = 1\n"),
        ("```Python title=a.py\nx = 1\n```", "x = 1\n"),
        ("```py\nx = 1", "x = 1"),  # never closed
        ("```bash\npip install x\n```\n```python\nx = 1\n```", "x = 1\n"),
        ("```python\nx = 1\n```\n```python\nx = 2\n```", "x = 1\n"),
        ("~~~python\nx = '```'\n~~~", "x = '```'\n"),
        ("````python\n'''\n```\n'''\n````", "'''\n```\n'''\n"),
        ("```json\n{}\n```", "```json\n{}\n```"),
        ("", ""),
    ],
)
def test_the_code_of_a_reply(reply: str, code: str) -> None:
    assert unfenced(reply) == code


@given(st.text(max_size=60).filter(lambda text: "`" not in text and "~" not in text and "\r" not in text))
def test_fences_come_off_and_nothing_else(code: str) -> None:
    assert unfenced(code) == code
    assert unfenced(f"Sure:\n```python\n{code}\n```\n") == code + "\n"


@needs_sandbox
def test_examples() -> None:
    assert doctest.testmod(programs).failed == 0


@needs_sandbox
def test_pass_at_1_runs_each_reply_with_its_tests_in_order() -> None:
    right, wrong = "def f(x):\n    return 2 * x", "def f(x):\n    return x"
    fenced = f"```python\n{right}\n```"
    replies = [right, wrong, fenced, None, "def f(", "import sys; sys.exit(0)", right]
    tests = ["assert f(2) == 4"] * 6 + ["assert f(2) == 5"]
    scores = row_scores("pass_at_1", replies, tests)
    assert scores is not None
    assert scores.tolist() == [1, 0, 1, 0, 0, 0, 0]
    assert evaluate("pass_at_1", replies, tests) == pytest.approx(2 / 7)


@needs_sandbox
def test_a_reply_that_ends_in_a_comment_or_an_open_string_does_not_swallow_the_tests() -> None:
    assert pass_scores(["x = 1  # done", "x = 1\n'''", "x = 1\n\\"], ["assert x == 2"] * 3) == [0, 0, 0]


def test_empty_tests_would_pass_anything() -> None:
    with pytest.raises(MetricError, match="row 1: its tests are empty"):
        pass_scores(["x", "x"], ["assert x", " \n"])


def test_without_a_sandbox_nothing_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "sandbox_available", lambda: "no namespaces here; do this and that")
    monkeypatch.setattr(programs, "run_code", lambda program: pytest.fail("it was run"))
    with pytest.raises(SandboxError, match="do this and that"):
        evaluate("pass_at_1", ["x = 1"], ["assert x"])
