"""Every form is read back by kshot's own readers, with each row's provenance beside it."""

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from kshot.data.formats import read_examples
from kshot.data.formats.parquet import read_parquet
from kshot.data.formats.records import Record
from kshot.errors import DataError, InputError
from kshot.methods.explore.formats import load_released
from kshot.methods.explore.records import Item, Row, row_id
from kshot.methods.explore.spending import Spent
from kshot.methods.explore.tree import DomainTree
from kshot.pipeline.explore.export import FORMS, Card, Exported, example_of_row, export_rows, row_record

CARD = Card(model="small-model", licence="apache-2.0", rules=("too_short",), spent=Spent(3, 10, 20))


def made(count: int = 6) -> tuple[DomainTree, list[Row]]:
    tree = DomainTree.planted("改写 texts")
    child = tree.add(tree.root.id, 'style: "formal" \ud800')
    rows = []
    for place in range(count):
        node = (tree.root.id, child.id)[place % 2]
        item = Item(
            f"Write no. {place}:\t第{place}行。", "" if place % 3 else 'a "b"\n\n c\u2028', f"out\n{place}"
        )
        origin = "attached" if place == 1 else "fill"
        rows.append(Row(row_id(node, item), node, item, f"fill:{node}:{place}", origin))  # type: ignore[arg-type]
    return tree, rows


def plain(exported: Exported) -> list[dict[str, Any]]:
    file = exported.rows
    if file.suffix == ".parquet":
        return [one.values for one in read_parquet(file, notes=[]) if isinstance(one, Record)]
    text = file.read_text(encoding="utf-8")
    return (
        json.loads(text) if file.suffix == ".json" else [json.loads(line) for line in text.split("\n")[:-1]]
    )


@pytest.mark.parametrize("form", FORMS)
def test_kshot_reads_every_form_back(tmp_path: Path, form: str) -> None:
    tree, rows = made()
    exported = export_rows(tmp_path / "new" / "out", tree, rows, form=form, card=CARD)
    assert (exported.count, exported.left_out) == (6, {})
    result = read_examples(exported.rows)
    assert result.format == ("messages" if form == "messages" else "alpaca")
    expected = [example_of_row(row) for row in rows]
    assert [(one.prompt, one.answer) for one in result.examples] == [(e.prompt, e.answer) for e in expected]
    assert all(file.is_file() for file in exported.files)
    assert not list((tmp_path / "new" / "out").glob(".*"))


@pytest.mark.parametrize("form", ["jsonl", "parquet", "alpaca", "messages"])
def test_each_row_says_where_it_came_from(tmp_path: Path, form: str) -> None:
    tree, rows = made()
    found = plain(export_rows(tmp_path, tree, rows, form=form, card=CARD))
    told = [
        {key: record[key] for key in record if key not in ("instruction", "input", "output", "messages")}
        for record in found
    ]
    whole = [row_record(row, tree, CARD) for row in rows]
    assert told == [{key: record[key] for key in told[0]} for record in whole]
    assert told[0] == {
        "id": rows[0].id,
        "task": "改写 texts",
        "task_path": ["改写 texts"],
        "request": rows[0].request,
        "origin": "fill",
        "model": "small-model",
        "licence": "apache-2.0",
        "filter": "ROUGE-L F at most 0.7 to every earlier instruction in the tree; row rules: too_short",
    }
    assert told[1]["task_path"] == ["改写 texts", 'style: "formal" �']
    assert (told[1]["origin"], told[1]["model"], told[1]["licence"], told[1]["filter"]) == (
        "attached",
        "",
        "",
        "",
    )


def test_the_released_form_is_the_release_and_its_provenance(tmp_path: Path) -> None:
    tree, rows = made()
    exported = export_rows(tmp_path, tree, rows, form="released", card=CARD)
    assert [set(one) for one in plain(exported)] == [{"instruction", "input", "output"}] * 6
    back, again = load_released(tmp_path / "tree")
    assert [node.id for node in back] == [node.id for node in tree]
    assert sorted(row.id for row in again) == sorted(row.id for row in rows)
    lines = (tmp_path / "provenance.jsonl").read_text(encoding="utf-8").split("\n")[:-1]
    assert [json.loads(line)["id"] for line in lines] == [row.id for row in rows]


def test_rows_that_no_reader_would_take_are_left_out_and_counted(tmp_path: Path) -> None:
    tree, rows = made()
    bad = [
        Row("a", "gone", Item("Do.", "", "x")),
        Row("b", tree.root.id, Item(" ", "", "x")),
        Row("c", tree.root.id, Item("Do.", "", " \n")),
        Row("d", tree.root.id, Item("Do.", "\udc00", "x")),
        Row("e", tree.root.id, Item("Do.", "", "")),
    ]
    exported = export_rows(tmp_path, tree, [*bad[:2], *rows, *bad[2:]], card=CARD)
    assert exported.count == 6
    assert exported.left_out == {
        "without an output": 2,
        "of no task in the tree": 1,
        "without an instruction": 1,
        "half a character (a lone surrogate)": 1,
    }
    assert "| without an output | 2 |" in (tmp_path / "README.md").read_text(encoding="utf-8")
    with pytest.raises(DataError, match="none of 5 rows can be exported"):
        export_rows(tmp_path / "x", tree, bad, card=CARD)
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_long_rows_are_streamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    monkeypatch.setattr("kshot.pipeline.explore.export.parquet.GROUP_CHARACTERS", 2_000_000)
    tree, _ = made()
    long = "ä" * 1_000_000
    rows = [Row(str(n), tree.root.id, Item(f"Copy {n}.", long, "x")) for n in range(20)]
    export_rows(tmp_path, tree, rows[:1], form=form, card=CARD)
    tracemalloc.start()
    exported = export_rows(tmp_path, tree, rows, form=form, card=CARD)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000_000  # all rows at once are 40 MB
    if form == "parquet":
        assert pq.ParquetFile(exported.rows).num_row_groups == 10
    assert len(read_examples(exported.rows).examples[19].prompt) == 1_000_009


@pytest.mark.parametrize("form", FORMS)
def test_a_row_of_ten_megabytes(tmp_path: Path, form: str) -> None:
    tree, _ = made()
    row = Row("r", tree.root.id, Item("Copy.", "x" * 10_000_000, "x"))
    exported = export_rows(tmp_path, tree, [row], form=form, card=CARD)
    assert len(read_examples(exported.rows).examples[0].prompt) == 10_000_006


def test_parquet_in_several_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kshot.pipeline.explore.export.parquet.GROUP_ROWS", 4)
    tree, rows = made(10)
    exported = export_rows(tmp_path, tree, rows, form="parquet", card=CARD)
    assert pq.ParquetFile(exported.rows).num_row_groups == 3
    assert [record["id"] for record in plain(exported)] == [row.id for row in rows]


@pytest.mark.parametrize("form", FORMS)
def test_entries_for_trainers(tmp_path: Path, form: str) -> None:
    tree, rows = made()
    exported = export_rows(tmp_path, tree, rows, form=form, card=CARD)
    ((name, entry),) = json.loads((tmp_path / "dataset_info.json").read_bytes()).items()
    ((axolotl,),) = yaml.safe_load((tmp_path / "axolotl.yaml").read_bytes()).values()
    assert name.startswith("kshot_")
    assert entry["file_name"] == exported.rows.name
    assert axolotl["path"] == f"./{exported.rows.name}"
    assert axolotl["ds_type"] == ("parquet" if form == "parquet" else "json")
    record = plain(exported)[0]
    if form == "messages":
        assert (entry["formatting"], entry["columns"]["messages"]) == ("sharegpt", "messages")
        assert set(record["messages"][0]) == {entry["tags"]["role_tag"], entry["tags"]["content_tag"]}
        assert axolotl["type"] == "chat_template"
        assert axolotl["message_property_mappings"] == {"role": "role", "content": "content"}
    else:
        assert set(entry["columns"].values()) <= set(record)
        assert axolotl["type"] == "alpaca"


def test_what_cannot_be_exported(tmp_path: Path) -> None:
    tree, rows = made()
    with pytest.raises(InputError, match=r"there is no form 'alpacca'; forms: .*; did you mean 'alpaca'"):
        export_rows(tmp_path, tree, rows, form="alpacca", card=CARD)
    with pytest.raises(DataError, match=r"none of 0 rows can be exported .there are none."):
        export_rows(tmp_path, tree, [], card=CARD)
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        export_rows(tmp_path / "file", tree, rows, card=CARD)
