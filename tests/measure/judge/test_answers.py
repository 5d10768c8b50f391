"""Files of answers and of people's verdicts: read strictly, joined by id, never by line."""

import json
from pathlib import Path

import pytest

from kshot.errors import DataError
from kshot.measure.judge import Answer, join_answers, read_answers, read_human


def write(path: Path, rows: list) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def test_rows_of_several_shapes(tmp_path: Path) -> None:
    rows = [
        {"id": "1", "question": "Q", "answer": "a"},
        {"question_id": 2, "prompt": "P", "std_answer": "b", "model": "m"},
        {"instruction": "I", "input": "given", "output": "c"},
        {"id": "4", "answer": ""},
        {"id": 5, "answer": 0.5},
    ]
    found = read_answers(write(tmp_path / "a.jsonl", rows))
    assert found == (
        Answer("1", "Q", "a"), Answer("2", "P", "b", "m"), Answer("", "I\n\ngiven", "c"), Answer("4", "", ""),
        Answer("5", "", "0.5"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"id": "1"}], "no answer"),
        ([{"answer": "a"}], "neither an id nor a question"),
        ([{"id": "1", "answer": "a"}, {"id": "1", "answer": "b"}], "stands in line 1 too"),
        ([{"id": "1", "answer": ["a"]}], "the answer is list"),
    ],
)
def test_what_cannot_be_used_is_told_with_its_line(tmp_path: Path, rows: list, said: str) -> None:
    path = write(tmp_path / "a.jsonl", rows)
    with pytest.raises(DataError, match=said) as told:
        read_answers(path)
    assert f"{path}:{len(rows)}:" in str(told.value)


def test_joined_by_id_whatever_the_order() -> None:
    a = [Answer("1", "Q1", "x"), Answer("2", "Q2", "y"), Answer("3", "Q3", "z")]
    b = [Answer("2", "q2 ", "v"), Answer("1", "", "u"), Answer("9", "", "w")]
    found = join_answers(a, b)
    assert [(one.id, one.question, one.a, one.b) for one in found.pairs] == [
        ("1", "Q1", "x", "u"), ("2", "Q2", "y", "v"),
    ]  # fmt: skip
    assert (found.by, found.only_a, found.only_b) == ("id", 1, 1)


def test_joined_by_question_where_ids_are_missing() -> None:
    found = join_answers([Answer("", "What  IS it?", "x")], [Answer("7", "what is it?", "y")])
    assert (found.by, found.pairs[0].id) == ("question", "7")
    nameless = join_answers([Answer("", "What?", "x")], [Answer("", "what?", "y")])
    assert len(nameless.pairs[0].id) == 16


def test_what_does_not_go_together() -> None:
    one = Answer("1", "Q", "x")
    with pytest.raises(DataError, match="no row of A"):
        join_answers([one], [Answer("2", "Q", "x")])
    with pytest.raises(DataError, match="asks different questions"):
        join_answers([one], [Answer("1", "another", "x")])
    with pytest.raises(DataError, match="two rows have the question"):
        join_answers([Answer("", "Q", "x"), Answer("", "q", "y")], [one])
    with pytest.raises(DataError, match="not all rows have ids"):
        join_answers([one, Answer("2", "", "y")], [Answer("", "Q", "z")])


def test_the_last_verdict_of_a_person_counts(tmp_path: Path) -> None:
    lines = [
        {"id": "1", "verdict": "a"}, {"id": "2", "verdict": "tie"}, {"id": "1", "verdict": "b", "at": 1},
        {"id": "3", "verdict": "a"}, {"id": "3", "verdict": None}, {"id": 4, "verdict": "a"},
    ]  # fmt: skip
    assert read_human(write(tmp_path / "h.jsonl", lines)) == {"1": "b", "2": "tie", "4": "a"}
    with pytest.raises(DataError, match=r"h\.jsonl:1: verdict is 'win', expected a, b or tie"):
        read_human(write(tmp_path / "h.jsonl", [{"id": "1", "verdict": "win"}]))
    with pytest.raises(DataError, match="expected an object with id and verdict"):
        read_human(write(tmp_path / "h.jsonl", [{"verdict": "a"}]))
