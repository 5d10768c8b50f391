"""A metric of the user's own, and everything that may be wrong with it."""

from __future__ import annotations

import doctest
import os
from pathlib import Path

import pytest

from kshot.errors import MetricError
from kshot.measure.metrics import own as own_metric
from kshot.measure.metrics.scoring import evaluate, row_scores

METRIC = """
def length(prediction, answer):
    return len(prediction) / len(answer)
def fails(prediction, answer):
    return 1 / (len(prediction) - 1)
def nan(prediction, answer):
    return float("nan")
def text(prediction, answer):
    return "1.0"
def below(prediction, answer):
    return -1.0
def truth(prediction, answer):
    return prediction == answer
def leaves(prediction, answer):
    raise SystemExit(0)
def interrupts(prediction, answer):
    raise KeyboardInterrupt
def huge(prediction, answer):
    return 10**400
def endless(prediction, answer):
    return 10**5000
CONSTANT = 3
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "my metric.py"
    path.write_text(METRIC, "utf-8")
    return path


def test_examples() -> None:
    assert doctest.testmod(own_metric).failed == 0


def test_it_is_called_on_every_row_but_those_without_an_answer(file: Path) -> None:
    scores = row_scores(f"{file}:length", ["ab", None, ""], ["abcd", "a", "b"])
    assert scores is not None
    assert scores.tolist() == [0.5, 0.0, 0.0]
    assert evaluate(f"{file}:truth", ["a", "b"], ["a", "c"]) == 0.5
    assert evaluate(f"{file}:below", ["a"], ["a"]) == -1


def test_an_edited_file_is_read_anew(file: Path) -> None:
    assert evaluate(f"{file}:truth", ["a"], ["a"]) == 1
    file.write_text("def truth(p, a): return 7", "utf-8")
    os.utime(file, ns=(1, 1))
    assert evaluate(f"{file}:truth", ["a"], ["a"]) == 7


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("fails", r"row 1: ZeroDivisionError: division by zero"),
        ("nan", r"row 0: gave nan, expected a finite number"),
        ("text", r"row 0: gave '1.0', expected a finite number"),
        ("below", r"row 0: gave -1.0; where replies may state no answer"),
        ("leaves", r"row 0: SystemExit: 0"),
        ("huge", r"row 0: gave 1000+\.\.\., expected a finite number"),
        ("endless", r"row 0: gave something of type int, expected a finite number"),
        ("absent", r"no such function; the file has below, endless, fails"),
        ("CONSTANT", r"no such function"),
        ("", r"no such function"),
    ],
)
def test_what_is_wrong_with_a_function(file: Path, name: str, says: str) -> None:
    with pytest.raises(MetricError, match=says):
        evaluate(f"{file}:{name}", ["ab", "a", None], ["a", "a", "a"])


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("def f(:", "SyntaxError"),
        ("import sys; sys.exit(3)", "SystemExit"),
        ("1/0", "ZeroDivisionError"),
        ("\0", ""),
    ],
)
def test_a_file_that_fails(tmp_path: Path, content: str, says: str) -> None:
    path = tmp_path / "m.py"
    path.write_text(content, "utf-8")
    with pytest.raises(MetricError, match=f"the file fails: {says}"):
        evaluate(f"{path}:f", ["a"], ["a"])


def test_who_interrupts_is_heard(file: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        evaluate(f"{file}:interrupts", ["a"], ["a"])


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("absent.py:f", "there is no file"),
        (".:f", "does not exist"),
        ("folder.py:f", "folder.py is a folder"),
    ],
)
def test_a_file_that_is_not_there(tmp_path: Path, name: str, says: str) -> None:
    (tmp_path / "folder.py").mkdir()
    with pytest.raises(MetricError, match=says):
        evaluate(f"{tmp_path}/{name}", ["a"], ["a"])
