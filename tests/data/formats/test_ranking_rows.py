"""Files of rankings, and every fault of a row with its line."""

import json

import pytest

from kshot.data.formats.ranking_rows import read_rankings
from kshot.errors import DataError

ROW = {"query": "tea", "pos": ["a hot drink", "a leaf"], "neg": ["a bicycle"]}


def lines(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_rows_in_order(tmp_path):
    path = lines(tmp_path / "a.jsonl", ROW, {"query": "x", "pos": ["y"], "id": 7, "pos_scores": [0.5]})
    first, second = read_rankings(path)
    assert (first.query, first.positives, first.negatives) == (
        "tea",
        ("a hot drink", "a leaf"),
        ("a bicycle",),
    )
    assert (second.negatives, second.id) == ((), "a.jsonl:2")


def test_parquet(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist([ROW]), tmp_path / "a.parquet")
    assert read_rankings(tmp_path / "a.parquet")[0].positives == ("a hot drink", "a leaf")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"query": " "}, "example a.jsonl:2: the query is empty"),
        ({"query": 3}, "a.jsonl:2: field 'query' is a number, expected text"),
        ({"query": None}, "a.jsonl:2: field 'query' is null"),
        ({"pos": []}, "example a.jsonl:2: there is no positive"),
        ({"pos": "a hot drink"}, "a.jsonl:2: field 'pos' is text, expected a list of texts"),
        ({"pos": [1]}, "a.jsonl:2: field 'pos' holds a number, expected texts alone"),
        ({"neg": [""]}, "example a.jsonl:2: a passage is empty"),
        ({"neg": {"a": "b"}}, "a.jsonl:2: field 'neg' is an object"),
        ({"negs": ["a"]}, "a.jsonl:2: field 'negs' is not known; .* did you mean 'neg'"),
        ({"prompt": "Find: "}, "a.jsonl:2: field 'prompt' is not known"),
    ],
)
def test_a_fault_names_its_line(tmp_path, change, message):
    with pytest.raises(DataError, match=f"^{message}"):
        read_rankings(lines(tmp_path / "a.jsonl", ROW, ROW | change))


def test_missing_fields_and_broken_lines_are_collected(tmp_path):
    path = lines(tmp_path / "a.jsonl", {"pos": ["a"]}, {"query": "a"}, ROW)
    path.write_text(path.read_text() + "{broken\n[1]\n")
    with pytest.raises(DataError) as caught:
        read_rankings(path)
    assert str(caught.value).splitlines()[:2] == [
        "a.jsonl:1: field 'query' is missing; every row needs query and pos",
        "a.jsonl:2: field 'pos' is missing; every row needs query and pos",
    ]
    assert str(caught.value).endswith("... and 1 more of 4")


def test_no_rows(tmp_path):
    (tmp_path / "a.json").write_text("[]")
    with pytest.raises(DataError, match="the file holds no rows"):
        read_rankings(tmp_path / "a.json")
