"""What a tree keeps besides its tasks, and what it leaves behind when an exploration begins with it."""

from kshot.methods.explore.records import Counts, Item
from kshot.methods.explore.tree import DomainTree


def test_a_new_exploration_begins_without_the_progress_of_another() -> None:
    tree = DomainTree.planted("a", "why")
    child = tree.add(
        tree.root.id, "b", reason="c", origin="person", closed="x", full="y", names=Counts(calls=1),
        rows=Counts(kept=3), recent="1", low_yields=1, is_complete=True, examples=(Item("Do."),),
        requests=("r",),
    )  # fmt: skip
    tree.released_names = {child.id: ("b", "b.json")}
    before = tree.to_json()
    fresh = tree.without_progress()
    assert fresh.to_json() == {
        "name": "a",
        "reason": "why",
        "children": [
            {
                "name": "b", "reason": "c", "examples": [{"instruction": "Do.", "input": "", "output": ""}],
                "task_name": "b", "config_filename": "b.json", "children": [],
            }
        ],
    }  # fmt: skip
    assert tree.to_json() == before


def test_a_copy_is_a_tree_of_its_own() -> None:
    tree = DomainTree.planted("a")
    tree.released_names = {tree.root.id: ("a", "a.json")}
    copy = tree.copy()
    copy.add(copy.root.id, "b")
    copy.released_names.clear()
    assert len(tree) == len(tree.released_names) == 1
