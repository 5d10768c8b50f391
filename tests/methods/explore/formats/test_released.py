"""The released layout: the demo goes out as it came in, and no file is overwritten."""

import json
from collections import Counter
from pathlib import Path

import pytest

from kshot.errors import DataError
from kshot.methods.explore.formats import load_released, save_released
from kshot.methods.explore.formats.released import META, file_names
from kshot.methods.explore.records import Counts, Item, Row, row_id
from kshot.methods.explore.tree import DomainTree

DEMO = Path(__file__).parents[4].parent / "shared" / "data" / "explore_demo"


def demo() -> Path:
    if not DEMO.is_dir():
        pytest.skip("the development data is absent")
    return DEMO


def test_the_demo_comes_out_as_it_came_in(tmp_path: Path) -> None:
    tree, rows = load_released(demo())
    assert (len(tree), len(tree.children(tree.root.id))) == (9, 8)
    assert len(rows) == 4433
    assert len({row.item.instruction for row in rows}) == 4113
    by_name = Counter(tree[row.node].name for row in rows)
    assert by_name["Assistance for text editting"] == 2
    assert by_name["Paraphrase"] == 512
    assert by_name["Text expansion"] == 634
    assert [node.rows.kept for node in tree] == [by_name[node.name] for node in tree]
    assert rows[2].request == "paraphrase.json[0]"

    for folder in (tmp_path / "once", tmp_path / "twice"):
        save_released(folder, tree, rows)
        assert sorted(p.name for p in folder.iterdir()) == sorted(p.name for p in demo().iterdir())
        for file in folder.iterdir():
            ours, theirs = json.loads(file.read_bytes()), json.loads((demo() / file.name).read_bytes())
            assert ours == theirs
            assert list(ours) == list(theirs)
        tree, rows = load_released(folder)


def test_the_tree_alone_is_read_by_its_file_or_folder(tmp_path: Path) -> None:
    tree = DomainTree.load(demo() / META)
    whole = DomainTree.load(demo())
    assert {n.rows for n in whole} == {Counts()}
    assert [n.id for n in tree] == [n.id for n in whole]
    assert {n.origin for n in tree} == {"import"}
    assert [len(n.examples) for n in whole] == [2] * 9
    whole.save(tmp_path / "tree.json")
    assert DomainTree.load(tmp_path / "tree.json").released_names == whole.released_names


def rows_of(tree: DomainTree) -> list[Row]:
    items = [(node.id, Item(f"Do {node.name}.", "in\ud800", "out")) for node in tree]
    return [Row(row_id(node, item), node, item) for node, item in items]


def test_equal_and_empty_short_names_get_files_of_their_own(tmp_path: Path) -> None:
    tree = DomainTree.planted("改写")
    for parent in [tree.add(tree.root.id, f"文{place}").id for place in range(13)]:
        tree.add(parent, "Write!")
    for name in ("Tree meta info", "con", "123", "x" * 300, "write", "WRITE", "write 2"):
        tree.add(tree.root.id, name)
    rows = rows_of(tree)
    files = save_released(tmp_path, tree, rows)
    assert len({file.name.casefold() for file in files}) == len(tree) + 1
    back, again = load_released(tmp_path)
    assert [n.name for n in back] == [n.name for n in tree]
    assert [row.item for row in again] == [row.item for row in rows]
    assert {short for short, _ in file_names(tree).values()} >= {"write", "write_2", "write_13", "task_con"}
    assert max(len(file.name) for file in files) < 100


def test_file_names_that_were_read_stay_when_tasks_are_added(tmp_path: Path) -> None:
    tree = DomainTree.planted("a")
    tree.add(tree.root.id, "b c")
    save_released(tmp_path, tree, [])
    meta = json.loads((tmp_path / META).read_bytes())
    meta["children"][0] |= {"task_name": "odd", "config_filename": "Z.json"}
    (tmp_path / META).write_text(json.dumps(meta))
    (tmp_path / "b_c.json").rename(tmp_path / "Z.json")
    back, _ = load_released(tmp_path)
    back.add(back.root.id, "Z")
    back.add(back.root.id, "odd")
    assert list(file_names(back.copy()).values())[1:] == [
        ("odd", "Z.json"), ("z_2", "z_2.json"), ("odd", "odd.json"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"config_filename": "../a.json"}, "'../a.json' cannot be the file of task 'b'"),
        ({"config_filename": "a.json"}, "tasks 'a' and 'b' share the file a.json"),
        ({"config_filename": "c.json"}, "c.json: there is no such file"),
        ({"config_filename": 3}, "children[0].config_filename is a number"),
        ({"raw_task_name": "c"}, "this is not the file of task 'c'"),
        ({"examples": 3}, "children[0].examples is a number"),
    ],
)
def test_released_folders_that_do_not_fit(tmp_path: Path, change: dict[str, object], words: str) -> None:
    tree = DomainTree.planted("a")
    tree.add(tree.root.id, "b")
    save_released(tmp_path, tree, rows_of(tree))
    meta = json.loads((tmp_path / META).read_bytes())
    meta["children"][0] |= change
    (tmp_path / META).write_text(json.dumps(meta))
    with pytest.raises(DataError) as error:
        load_released(tmp_path)
    assert words in str(error.value)


def test_node_files_that_do_not_fit(tmp_path: Path) -> None:
    tree = DomainTree.planted("a")
    save_released(tmp_path, tree, [])
    told = json.loads((tmp_path / "a.json").read_bytes())
    for examples, words in ((3, "examples is no list"), ([{"input": ""}], r"examples\[0\]: field 'instr")):
        (tmp_path / "a.json").write_text(json.dumps(told | {"examples": examples}))
        with pytest.raises(DataError, match=words):
            load_released(tmp_path)
    (tmp_path / META).write_text(json.dumps({"raw_task_name": "a"}))
    with pytest.raises(DataError, match="task 'a' has no config_filename"):
        load_released(tmp_path)


def test_rows_of_no_task_are_refused(tmp_path: Path) -> None:
    tree = DomainTree.planted("a")
    with pytest.raises(DataError, match="1 of 1 rows belong to no task"):
        save_released(tmp_path / "x", tree, [Row("r", "gone", Item("Do."))])
    assert not (tmp_path / "x").exists()
