"""The product: guarded against shots and test rows, drawn exactly, attached, exported, measured."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest

from kshot.data.example import Example
from kshot.data.formats import read_examples
from kshot.errors import DataError, InputError
from kshot.methods.explore.records import Item, Refusal, Row, row_id
from kshot.methods.explore.seams import Progress
from kshot.methods.explore.tree import DomainTree
from kshot.pipeline.explore.attach_rows import attach_files, import_released
from kshot.pipeline.explore.evaluation import Beside, evaluate_folder
from kshot.pipeline.explore.facts import shown
from kshot.pipeline.explore.folder import ExploreFolder
from kshot.pipeline.explore.product import export_product, make_product

DEMO = Path(__file__).parents[4] / "shared" / "data" / "explore_demo"
CHORES = ["sweep", "paint", "mend", "polish", "measure", "count", "weigh", "stack"]
THINGS = ["door", "kettle", "lantern", "wheel", "basket", "ladder", "anchor", "mirror"]


def begun(place, per_task=20):
    tree = DomainTree.planted("house work", "Chores about a house.")
    rows = []
    draw = random.Random(0)
    for number, name in enumerate(("rooms", "garden", "tools")):
        node = tree.add(tree.root.id, name, reason=f"Work on {name}.")
        for at in range(per_task):
            chore, thing = CHORES[(at + number) % 8], THINGS[(at * 3 + number) % 8]
            odd = " ".join("".join(draw.choices("abcdefghilmnoprstu", k=6)) for _ in range(6))
            text = f"{chore.capitalize()} the {thing} {odd}."
            item = Item(text, "", f"Take the {thing} and {chore} it.")
            rows.append(Row(row_id(node.id, item), node.id, item, f"fill:{node.id}:{at // 10}"))
        tree.put(replace(tree[node.id], rows=node.rows.plus(kept=per_task, delivered=per_task)))
    with ExploreFolder(place).open(make=True) as folder:
        saved = folder.begin(tree, {"language": "en", "simulated": True})
        saved.found.rows.extend(rows)
        folder.commit(saved, Progress("fill", 1, tuple(rows)))
    return rows


def test_rows_near_protected_ones_stay_out_and_are_told(tmp_path):
    rows = begun(tmp_path / "x")
    copy = Example(rows[3].item.instruction.upper(), "")
    near = Example(rows[30].item.instruction + " please", "")
    shot = Example(rows[50].item.instruction, "an answer")
    made = make_product(tmp_path / "x", protected={"shots": (shot,), "test": (copy, near)})
    assert made.rows == made.kept - 3 == 57
    assert sum(made.contamination.values()) == 3
    assert {name.partition(":")[0] for name in made.contamination} == {"shots", "test"}
    kept = {example.prompt for example in read_examples(made.file).examples}
    assert not kept & {rows[place].item.instruction for place in (3, 30, 50)}
    told = json.loads((tmp_path / "x" / "contamination.json").read_text())
    assert {one["id"] for one in told["found"]} == {rows[place].id for place in (3, 30, 50)}
    assert json.loads((tmp_path / "x" / "report.json").read_text())["contamination"]["checked"] == 60


def test_without_protected_rows_nothing_is_claimed(tmp_path):
    begun(tmp_path / "x")
    make_product(tmp_path / "x")
    assert json.loads((tmp_path / "x" / "report.json").read_text())["contamination"] is None
    assert "Not looked for" in (tmp_path / "x" / "pool" / "README.md").read_text()


def test_exactly_as_many_rows_as_asked_for_evenly(tmp_path):
    begun(tmp_path / "x")
    made = make_product(tmp_path / "x", rows=30)
    found = [json.loads(line) for line in made.file.read_text().splitlines()]
    assert made.rows == len(found) == 30
    assert sorted(row["task_path"][-1] for row in found).count("garden") == 10


def test_too_few_rows_are_told_and_not_padded(tmp_path):
    begun(tmp_path / "x")
    made = make_product(tmp_path / "x", rows=100)
    assert made.rows == 60
    assert "100 rows were wanted, and there are 60" in " ".join(made.notes)


def test_simulated_is_said_everywhere(tmp_path):
    begun(tmp_path / "x")
    made = make_product(tmp_path / "x")
    assert "simulated" in made.lines()[0]
    for file in ("report.html", "report.md", "pool/README.md"):
        assert "imulated" in (tmp_path / "x" / file).read_text(), file


def test_exports_are_guarded_and_counted(tmp_path):
    rows = begun(tmp_path / "x")
    protected = {"test": (Example(rows[0].item.instruction, ""),)}
    made = export_product(tmp_path / "x", tmp_path / "out", form="alpaca", count=20, protected=protected)
    assert made["rows"] == 20
    assert made["contamination"] == {"test: equal": 1}
    with pytest.raises(DataError, match="60"):
        export_product(tmp_path / "x", tmp_path / "out2", count=61)
    with pytest.raises(InputError, match="the exploration lies here"):
        export_product(tmp_path / "x", tmp_path / "x")
    with pytest.raises(InputError, match="form"):
        export_product(tmp_path / "x", tmp_path / "out3", form="xml")


@pytest.mark.parametrize("name", ["README.md", "alpaca.json", "dataset_info.json"])
def test_an_export_writes_over_nothing_of_the_users(tmp_path, name):
    begun(tmp_path / "x")
    out = tmp_path / "out"
    out.mkdir()
    (out / "other.txt").write_text("mine")
    for count in (20, 10):  # the second one goes over the first
        assert export_product(tmp_path / "x", out, form="alpaca", count=count)["rows"] == count
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / name).write_text("mine")
    with pytest.raises(InputError, match="of no export"):
        export_product(tmp_path / "x", mine, form="alpaca")
    assert [file.read_text() for file in mine.iterdir()] == ["mine"]
    with pytest.raises(InputError, match="the exploration lies here"):
        export_product(tmp_path / "x", tmp_path / "x" / "pool", form="alpaca")


def test_rows_that_a_person_rejected_stay_out(tmp_path):
    rows = begun(tmp_path / "x")
    votes = [(rows[0].id, "reject"), (rows[1].id, "reject"), (rows[1].id, "accept"), (rows[2].id, "accept")]
    lines = [json.dumps({"id": name, "verdict": verdict}) + "\n" for name, verdict in votes]
    (tmp_path / "x" / "reviews.jsonl").write_text("".join(lines) + '{"id": "half')
    made = make_product(tmp_path / "x")
    assert made.rows == 59
    assert "left out: 1 rows, rejected in reviews.jsonl" in made.notes
    assert export_product(tmp_path / "x", tmp_path / "out")["rows"] == 59
    (tmp_path / "x" / "reviews.jsonl").write_text("rubbish\n" + lines[0])
    with pytest.raises(DataError, match=r"reviews\.jsonl:1"):
        make_product(tmp_path / "x")


def test_an_earlier_pool_goes_where_no_row_may_be_used_any_more(tmp_path):
    rows = begun(tmp_path / "x")
    assert make_product(tmp_path / "x").file.is_file()
    every = tuple(Example(row.item.instruction, "") for row in rows)
    made = make_product(tmp_path / "x", protected={"test": every})
    assert (made.file, made.rows) == (None, 0)
    assert list((tmp_path / "x" / "pool").iterdir()) == []


def test_rows_that_cannot_be_exported_are_told_and_not_counted(tmp_path):
    begun(tmp_path / "x")
    with ExploreFolder(tmp_path / "x").open() as folder:
        saved = folder.load()
        item = Item("Mend it without an answer.")
        bare = Row(row_id(saved.found.tree.root.id, item), saved.found.tree.root.id, item)
        folder.commit(saved, Progress("fill", 2, (bare,)))
    made = make_product(tmp_path / "x", rows=61)
    assert made.rows == len(made.file.read_text().splitlines()) == 60
    assert "left out: 1 rows, without an output" in made.notes
    assert export_product(tmp_path / "x", tmp_path / "out", count=60)["rows"] == 60


def test_what_is_shown_moves_no_cursor(tmp_path):
    begun(tmp_path / "x")
    evil = "\x1b]0;title\x07\x9b31m \u202e"
    with ExploreFolder(tmp_path / "x").open() as folder:
        saved = folder.load()
        root = saved.found.tree.root.id
        saved.found.tree.add(root, f"half \ud800 {evil}", origin="person")
        refused = (Refusal("row", root, "overlap", f"Mend {evil}."), Refusal("name", root, "repeat", evil))
        folder.commit(saved, Progress("fill", 2, (), refused))
    told = shown(tmp_path / "x", refused=True) + shown(tmp_path / "x", refused=True, as_json=True)
    told.encode()
    assert "Mend" in told
    assert not set(shown(tmp_path / "x", refused=True)) & set("\x1b\x07\x9b\u202e")


def test_attached_rows_fill_gaps(tmp_path):
    begun(tmp_path / "x", per_task=0)
    mine = tmp_path / "mine.jsonl"
    texts = ["garden: Work on garden. rake leaves", "tools: Work on tools. oil the saw", "zzz qqq"]
    mine.write_text("".join(json.dumps({"prompt": text, "completion": "done"}) + "\n" for text in texts))
    told = attach_files(tmp_path / "x", [mine], floor=0.3)
    assert (told["read"], told["attached"], told["unassigned"], told["empty"]) == (3, 2, 1, 2)
    again = attach_files(tmp_path / "x", [mine], floor=0.3)
    assert (again["attached"], again["repeats"]) == (0, 2)
    with ExploreFolder(tmp_path / "x").open() as folder:
        rows = folder.load().found.rows
    assert [(row.origin, row.request) for row in rows] == [
        ("attached", "mine.jsonl:1"), ("attached", "mine.jsonl:2"),
    ]  # fmt: skip


def test_rows_near_test_rows_are_not_attached(tmp_path):
    """They would stand in requests."""
    begun(tmp_path / "x", per_task=0)
    mine = tmp_path / "mine.jsonl"
    texts = ["garden: Work on garden. rake leaves", "tools: Work on tools. oil the saw"]
    mine.write_text("".join(json.dumps({"prompt": text, "completion": "done"}) + "\n" for text in texts))
    told = attach_files(tmp_path / "x", [mine], protected={"test": (Example(texts[0], ""),)})
    assert (told["read"], told["attached"], told["guarded"]) == (2, 1, {"test: equal": 1})
    assert texts[0] not in (tmp_path / "x" / "rows.jsonl").read_text()


def test_evaluated_beside_another_dataset(tmp_path):
    begun(tmp_path / "x")
    other = tmp_path / "other.jsonl"
    other.write_text(
        "".join(json.dumps({"prompt": "Sweep the door.", "completion": "x"}) + "\n" for _ in range(30))
    )
    found = evaluate_folder(tmp_path / "x", Beside(against=(f"other={other}",), parser="plain"))
    assert [one.name for one in found.datasets] == ["explored", "other"]
    assert found.datasets[0].unique > found.datasets[1].unique == 1
    assert len(found.text().splitlines()) == 3
    told = json.loads((tmp_path / "x" / "report.json").read_text())
    assert {point["group"] for point in told["map"]} == {"explored", "other"}


@pytest.mark.parametrize("against", ["other", "=x.jsonl", "explored=x.jsonl"])
def test_what_stands_beside_must_be_named(tmp_path, against):
    begun(tmp_path / "x")
    with pytest.raises(InputError):
        evaluate_folder(tmp_path / "x", Beside(against=(against,)))


@pytest.mark.skipif(not DEMO.is_dir(), reason="development data is absent")
def test_the_released_demo_comes_in_whole(tmp_path):
    told = import_released(DEMO, tmp_path / "demo")
    assert told["tasks"] == 9
    assert told["rows"] + told["repeats"] == 4433
    with ExploreFolder(tmp_path / "demo").open() as folder:
        saved = folder.load()
    assert sum(node.rows.kept for node in saved.found.tree) == told["rows"]
