"""Trees as JSON files: everything comes back, and every fault has its place."""

import dataclasses
import json
import time
from pathlib import Path

import pytest

from kshot.errors import DataError
from kshot.methods.explore.records import Counts, Item, TaskNode
from kshot.methods.explore.tree import DEEPEST, DomainTree


def worked_on() -> DomainTree:
    tree = DomainTree.planted("改写", "Texts are changed.")
    child = tree.add(tree.root.id, "style: \ud800", reason="a\nb", examples=(Item("Do.", "x", "y"),))
    tree.add(child.id, "deep", origin="back_track", requests=("extend:a:0",), is_complete=True)
    tree.put(tree[child.id].with_rows("1101", calls=2, asked=20, delivered=4, kept=3, refused=["overlap"]))
    leaf = tree.add(tree.root.id, "by hand", origin="person", closed="cap", full="count", low_yields=2)
    tree.put(TaskNode(**{**vars_of(leaf), "names": Counts(calls=1, asked=12, delivered=3, kept=2)}))
    return tree


def vars_of(node: TaskNode) -> dict[str, object]:
    return {name: getattr(node, name) for name in TaskNode.__dataclass_fields__}


def test_everything_comes_back_from_a_file(tmp_path: Path) -> None:
    tree = worked_on()
    tree.save(tmp_path / "tree.json")
    back = DomainTree.load(tmp_path / "tree.json")
    assert list(back) == list(tree)
    assert back.to_json() == tree.to_json() == DomainTree.from_json(tree.to_json()).to_json()
    assert "改写" in (tmp_path / "tree.json").read_text(encoding="utf-8")
    assert [path.name for path in tmp_path.iterdir()] == ["tree.json"]


def test_the_file_of_a_person_needs_names_only(tmp_path: Path) -> None:
    file = tmp_path / "tree.JSON"
    file.write_bytes(b'\xef\xbb\xbf{"name": "a", "children": [{"name": "b", "reason": "c"}, {"name": "d"}]}')
    tree = DomainTree.load(file)
    assert [(n.name, n.reason, n.origin) for n in tree] == [
        ("a", "", "root"),
        ("b", "c", "person"),
        ("d", "", "person"),
    ]


def test_no_field_of_a_task_is_forgotten() -> None:
    fields = {field.name: field for field in dataclasses.fields(TaskNode)}
    told = {"str": "1", "int": 3, "bool": True, "Counts": Counts(kept=2), "Origin": "import"}
    told |= {"tuple[str, ...]": ("r",), "tuple[Item, ...]": (Item("Do."),)}
    place = ("id", "name", "depth", "parent", "children")
    values = {name: told[str(field.type)] for name, field in fields.items() if name not in place}
    tree = DomainTree.planted("a")
    child = tree.add(tree.root.id, "b", **values)
    assert DomainTree.from_json(json.loads(json.dumps(tree.to_json())))[child.id] == child


def test_an_outline_is_a_file_too(tmp_path: Path) -> None:
    tree = worked_on()
    tree.save(tmp_path / "tree.md")
    back = DomainTree.load(str(tmp_path / "tree.md"))
    assert [(n.id, n.reason) for n in back] == [(n.id, n.reason) for n in tree]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([], "the tree is a list, expected an object"),
        ({}, "name is missing, expected the task's name"),
        ({"name": 3}, "name is a number, expected"),
        ({"name": "  "}, "name is empty"),
        ({"name": "a", "resaon": ""}, "'resaon' is no field of a task; fields: name, reason"),
        ({"name": "a", "resaon": ""}, "did you mean 'reason'?"),
        ({"name": "a", "children": {}}, "children is an object, expected a list"),
        ({"name": "a", "children": [{"name": "b"}, 3]}, "children[1] is a number"),
        ({"name": "a", "children": [{"name": "b", "children": [{}]}]}, "children[0].children[0].name is"),
        ({"name": "a", "children": [{"name": "b"}, {"name": "b"}]}, "children[1]: 'a' has two children"),
        ({"name": "a", "reason": None}, "reason is null, expected text"),
        ({"name": "a", "origin": "x"}, "origin is 'x', expected one of root, shots"),
        ({"name": "a", "recent": "12"}, "recent is '12'"),
        ({"name": "a", "low_yields": True}, "low_yields is True"),
        ({"name": "a", "is_complete": 1}, "is_complete is 1"),
        ({"name": "a", "rows": 3}, "rows: counts are a number"),
        ({"name": "a", "rows": {"kept": -1}}, "rows: counts are"),
        ({"name": "a", "examples": [3]}, "examples[0] is a number"),
        ({"name": "a", "examples": [{"input": ""}]}, "examples[0]: field 'instruction'"),
        ({"name": "a", "requests": [3]}, "requests holds something other than text"),
    ],
)  # fmt: skip
def test_faults_have_their_place(tmp_path: Path, value: object, words: str) -> None:
    file = tmp_path / "tree.json"
    file.write_text(json.dumps(value))
    with pytest.raises(DataError) as error:
        DomainTree.load(file)
    assert str(error.value).startswith(f"{file}: ")
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.json", b"", "a.json: the file is empty"),
        ("a.md", b" \n", "a.md: the file is empty"),
        ("a.json", b"\x89PNG\0", "a.json: this is a binary file"),
        ("a.json", b"\xff\xfea\0", "UTF-16"),
        ("a.md", b"# a\n- \xff\n", "a.md:2: the bytes are no UTF-8"),
        ("a.json", b'{\n"name": \n}', "a.json:3: this is no valid JSON"),
        ("a.json", b'{"name": "a", "name": "b"}', "key 'name' stands twice"),
        ("a.json", b'{"name": NaN}', "NaN is no JSON value"),
        ("a.json", b"[" * 100_000, "nested too deep"),
        ("a.json", b'{"name": ' + b"1" * 5000 + b"}", "a.json: "),
        ("a.txt", b"x", "no tree is known by the ending '.txt'; expected .json"),
        ("tre.json", None, "there is no such file or folder"),
        ("a\0.json", None, "there is no such file"),
        ("a" * 5000 + ".json", None, "cannot be read"),
        ("tree", None, "there is no such file"),
        (".", None, "the folder has no tree_meta_info.json"),
    ],
)
def test_files_that_are_no_tree(tmp_path: Path, name: str, content: bytes | None, words: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as error:
        DomainTree.load(tmp_path / name)
    assert words in str(error.value)


def test_a_tree_that_is_too_deep(tmp_path: Path) -> None:
    value: dict[str, object] = {"name": "n"}
    for _ in range(DEEPEST):
        value = {"name": "n", "children": [value]}
    tree = DomainTree.from_json(value)
    assert len(tree) == DEEPEST + 1
    with pytest.raises(DataError, match="13 levels deep, expected at most 12"):
        tree.add(list(tree)[-1].id, "n")
    with pytest.raises(DataError, match=r"task 'n' is 13 levels deep"):
        DomainTree.from_json({"name": "n", "children": [value]})


def test_where_a_file_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"not written to the ending '.txt'"):
        worked_on().save(tmp_path / "tree.txt")
    with pytest.raises(DataError, match="cannot be written"):
        worked_on().save(tmp_path / "no" / "tree.json")


def test_ten_thousand_tasks_are_quick(tmp_path: Path) -> None:
    children = [{"name": f"b{i}", "children": [{"name": f"c{j}"} for j in range(9)]} for i in range(500)]
    wide = [{"name": f"w{i}"} for i in range(5_000)]
    tree = DomainTree.from_json({"name": "a", "children": children + wide})
    begun = time.perf_counter()
    for name in ("tree.json", "tree.md"):
        tree.save(tmp_path / name)
        assert len(DomainTree.load(tmp_path / name)) == 10_001
    assert time.perf_counter() - begun < 20  # about 0.5 s on an idle machine


def test_tasks_that_make_no_tree() -> None:
    tree = worked_on()
    nodes = list(tree)
    for wrong in ([], nodes[:-1], [*nodes, nodes[-1]], [nodes[0], nodes[2]], nodes[1:]):
        with pytest.raises(DataError):
            DomainTree.of(wrong)
    a, b = TaskNode("a", "a", children=("r",), depth=1, parent="r"), TaskNode("r", "r", origin="root")
    with pytest.raises(DataError, match="make no tree"):
        DomainTree.of([b, a])
