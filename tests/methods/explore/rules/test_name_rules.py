"""Names that no task may have."""

import pytest

from kshot.methods.explore.rules import name_broken


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("", "empty"),
        (" \n ", "empty"),
        ("a\nb", "line_break"),
        ("a\u2028b", "line_break"),
        ("a" * 80, ""),
        ("a" * 81, "too_long"),
        (" ".join(["a"] * 12), ""),
        (" ".join(["a"] * 13), "too_long"),
        ("12", "no_letters"),
        ("1.2 - 3", "no_letters"),
        ("...", "no_letters"),
        ("。", "no_letters"),
        ("<name>", "placeholder"),
        ("[task name]", "placeholder"),
        ("（名称）", "placeholder"),
        ("Subtask 3", "placeholder"),
        ("sub-task", "placeholder"),
        ("New subtask", "placeholder"),
        ("子任务一", "placeholder"),
        ("新任务", "placeholder"),
        ("N/A", "placeholder"),
        ("None.", "placeholder"),
        ("Other", "placeholder"),
        ("其他", "placeholder"),
        ("paraphrase", ""),
        ("改写", ""),
        ("任务规划", ""),
        ("task planning", ""),
        ("topic modelling", ""),
        ("C++", ""),
        ("перевод", ""),
        ("2D geometry", ""),
        ("summary (short)", ""),
        ("name generation", ""),
    ],
)
def test_names(name: str, rule: str) -> None:
    assert name_broken(name) == rule
