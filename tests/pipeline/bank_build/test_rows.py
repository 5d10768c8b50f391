"""Rows of a dataset: every one is learned from, held out, or left out with a reason, and counted."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kshot.errors import DataError
from kshot.pipeline.bank_build import load_recipe
from kshot.pipeline.bank_build.rows import NOT_DRAWN, REPEAT, UNUSABLE, DatasetRows, dataset_rows
from kshot.pipeline.bank_build.sources import find_source

COLUMNS = {"input": "{q}", "output": "{a}"}


def rows_of(
    folder: Path, rows: list[dict[str, Any]], entry: dict[str, Any] | None = None, **top: Any
) -> DatasetRows:
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    given = {"name": "x", "path": "rows.jsonl", "columns": COLUMNS} | (entry or {})
    (folder / "bank.yaml").write_text(json.dumps({"datasets": [given]} | top))
    recipe = load_recipe(folder / "bank.yaml")
    return dataset_rows(recipe, recipe.jobs()[0], find_source(recipe, recipe.jobs()[0]))


def plain(count: int) -> list[dict[str, Any]]:
    return [{"q": f"question {i}", "a": f"answer {i}"} for i in range(count)]


def test_a_tenth_is_held_out_and_sources_name_file_and_line(tmp_path: Path) -> None:
    found = rows_of(tmp_path, plain(40))
    assert (len(found.learned), len(found.held_out), found.read, found.left_out) == (36, 4, 40, {})
    assert {row.source for row in (*found.learned, *found.held_out)} == {
        f"rows.jsonl:{i + 1}" for i in range(40)
    }
    assert found == rows_of(tmp_path, plain(40))
    assert found.held_out != rows_of(tmp_path, plain(40), seed=1).held_out


@pytest.mark.parametrize(
    ("section", "count"),
    [({"rows": 0}, 0), ({"rows": 3}, 3), ({"share": 0}, 0), ({"rows": 99, "share": 0.5}, 20)],
)
def test_how_many_are_held_out(tmp_path: Path, section: dict[str, Any], count: int) -> None:
    assert len(rows_of(tmp_path, plain(40), held_out=section).held_out) == count


def test_a_held_out_row_is_asked_by_no_row_that_is_learned(tmp_path: Path) -> None:
    twice = [{"q": row["q"].upper(), "a": "another answer"} for row in plain(35)]
    found = rows_of(tmp_path, plain(40) + twice, held_out={"rows": 50, "share": 0.9})
    assert sorted(row.prompt for row in found.held_out) == [f"question {i}" for i in range(35, 40)]


def test_repeats_count_once_and_a_limit_draws_by_the_seed(tmp_path: Path) -> None:
    found = rows_of(tmp_path, plain(30) + plain(10), {"limit": 20})
    assert found.left_out == {REPEAT: 10, NOT_DRAWN: 10}
    assert len(found.learned) + len(found.held_out) == 20
    places = [int(str(row.source).rpartition(":")[2]) for row in found.learned]
    assert places == sorted(places)
    assert rows_of(tmp_path, plain(30), {"limit": 99}).left_out == {}


def test_where_takes_some_rows_of_a_shared_file(tmp_path: Path) -> None:
    rows = [row | {"task": f"t{i % 3}"} for i, row in enumerate(plain(30))]
    found = rows_of(tmp_path, rows, {"where": {"task": "t1"}})
    assert (found.read, found.left_out) == (10, {})
    with pytest.raises(DataError, match=r"no rows like \{'task': 't9'\} in the files"):
        rows_of(tmp_path, rows, {"where": {"task": "t9"}})


def test_few_bad_rows_fall_and_many_fail_the_dataset(tmp_path: Path) -> None:
    found = rows_of(tmp_path, [*plain(19), {"q": "no answer"}])
    assert found.left_out == {UNUSABLE: 1}
    assert found.faults == ("rows.jsonl:20: column 'a' is missing; found q",)
    with pytest.raises(DataError, match=r"3 of 20 rows cannot be used \(10% may fall") as error:
        rows_of(tmp_path, [*plain(17), *[{"q": "no answer"}] * 3])
    assert "rows.jsonl:18: column 'a' is missing" in str(error.value)
    assert rows_of(tmp_path, [*plain(17), *[{"q": "x"}] * 3], most_dropped=0.5).left_out == {UNUSABLE: 3}
    with pytest.raises(DataError, match="1 of 1 rows cannot be used"):
        rows_of(tmp_path, [{"q": "x"}], most_dropped=1)


def test_rows_of_known_formats_need_no_columns(tmp_path: Path) -> None:
    alpaca = [{"instruction": f"Translate {i}.", "input": "kel", "output": "stone"} for i in range(5)]
    found = rows_of(tmp_path, alpaca, {"columns": {}})
    assert found.learned[0].prompt == "Translate 0.\nkel"
    with pytest.raises(DataError, match=r"rows.jsonl: no row format fits; columns found: a, q"):
        rows_of(tmp_path, plain(3), {"columns": {}})


def test_a_damaged_line_is_a_row_that_falls(tmp_path: Path) -> None:
    rows_of(tmp_path, plain(20))
    recipe = load_recipe(tmp_path / "bank.yaml")
    with (tmp_path / "rows.jsonl").open("a") as file:
        file.write('{"q": "half\n')
    found = dataset_rows(recipe, recipe.jobs()[0], find_source(recipe, recipe.jobs()[0]))
    assert found.left_out == {UNUSABLE: 1}
    assert found.faults[0].startswith("rows.jsonl:21: this is no valid JSON")


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 3)), min_size=1, max_size=30), st.integers(1, 20))
def test_every_row_has_one_place(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[tuple[int, int]], limit: int
) -> None:
    rows = [{"q": f"q{q}", **({"a": f"a{a}"} if a else {})} for q, a in drawn]
    if not any("a" in row for row in rows):
        return
    found = rows_of(
        tmp_path_factory.mktemp("rows"), rows, {"limit": limit}, most_dropped=1, held_out={"share": 0.5}
    )
    assert len(found.learned) + len(found.held_out) + sum(found.left_out.values()) == found.read == len(rows)
    assert len(found.learned) >= 1
    assert not {row.question for row in found.learned} & {row.question for row in found.held_out}
