"""The rows that a mix is weighed by, from files of both sorts, objects of tasks, and memory."""

import json

import pytest

from kshot.data.example import Example
from kshot.data.ranking import Ranking
from kshot.errors import DataError
from kshot.models.kinds.rows import mixing_rows, mixing_rows_of

PAIR = {"input": "2 + 2?", "output": "4"}
RANK = {"query": "tea", "pos": ["a hot drink"], "neg": ["a bicycle"]}


def lines(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_the_first_row_tells_which_they_are(tmp_path):
    assert mixing_rows(lines(tmp_path / "a.jsonl", PAIR)) == [Example("2 + 2?", "4", source="a.jsonl:1")]
    assert mixing_rows(lines(tmp_path / "b.jsonl", RANK)) == [
        Ranking("tea", ("a hot drink",), ("a bicycle",), id="b.jsonl:1")
    ]
    (tmp_path / "c.json").write_text(json.dumps([RANK, RANK], indent=1))
    assert [row.id for row in mixing_rows(str(tmp_path / "c.json"))] == ["c.json:2", "c.json:11"]


def test_rows_of_both_sorts_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"b.jsonl:2: field 'input' is not known"):
        mixing_rows(lines(tmp_path / "b.jsonl", RANK, PAIR))
    with pytest.raises(DataError, match=r"a.jsonl:2: field 'input' is missing"):
        mixing_rows(lines(tmp_path / "a.jsonl", PAIR, RANK))


@pytest.mark.parametrize("indent", [None, 1])
def test_an_object_of_tasks(tmp_path, indent):
    path = tmp_path / "tasks.json"
    path.write_text(json.dumps({"sums": [PAIR, PAIR], "drinks": [RANK]}, indent=indent))
    assert [row.source for row in mixing_rows(f"{path}#sums")] == ["tasks.json#sums:1", "tasks.json#sums:2"]
    assert mixing_rows(f"{path}#drinks") == [
        Ranking("tea", ("a hot drink",), ("a bicycle",), id="tasks.json#drinks:1")
    ]
    with pytest.raises(DataError, match=r"holds 2 tasks \(sums, drinks\); name one: .*tasks.json#sums"):
        mixing_rows(path)
    with pytest.raises(DataError, match="has no task 'sum'; tasks: sums, drinks; did you mean 'sums'"):
        mixing_rows(f"{path}#sum")


def test_a_task_is_only_for_an_object_of_tasks(tmp_path):
    path = lines(tmp_path / "a.jsonl", PAIR)
    with pytest.raises(DataError, match="give the file without #x"):
        mixing_rows(f"{path}#x")
    hashed = lines(tmp_path / "a#b.jsonl", PAIR)
    assert len(mixing_rows(hashed)) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "the file is empty"), ("{", "goes on over several lines"), ('{"a": 1}', "no row format fits")],
)
def test_files_without_rows(tmp_path, text, message):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(DataError, match=message):
        mixing_rows(tmp_path / "a.json")


def test_a_missing_file(tmp_path):
    lines(tmp_path / "shots.jsonl", PAIR)
    with pytest.raises(DataError, match=r"did you mean 'shots\.jsonl'"):
        mixing_rows(tmp_path / "shot.jsonl")


def test_rows_in_memory():
    assert mixing_rows_of([RANK])[0].id == "example_data:1"
    assert mixing_rows_of([PAIR, PAIR])[1].source == "example_data:2"
    faults = [
        ([], "example_data: holds no rows"),
        (["x"], "example_data:1: found text, expected an object"),
        ([PAIR, {"input": "a"}], "example_data:2: field 'output' is missing"),
        ([{"a": "b"}], "example_data: no row format fits"),
        ([RANK, RANK | {"pos": "x"}], "example_data:2: field 'pos' is text, expected a list of texts"),
    ]
    for rows, message in faults:
        with pytest.raises(DataError, match=message):
            mixing_rows_of(rows)
