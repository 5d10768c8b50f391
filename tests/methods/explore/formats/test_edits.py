"""A person edits the tree between growing and filling."""

from dataclasses import replace

import pytest

from kshot.errors import DataError
from kshot.methods.explore.formats import merged, outline_of, tree_of_outline
from kshot.methods.explore.records import Counts, Item
from kshot.methods.explore.tree import DomainTree


@pytest.fixture
def grown() -> DomainTree:
    tree = DomainTree.planted("rewriting", "old words")
    for name in ("paraphrase", "letters", "poems"):
        child = tree.add(tree.root.id, name, closed="low yield", examples=(Item(f"Do {name}."),))
        tree.add(child.id, f"short {name}", reason="why", full="count reached")
        tree.put(replace(tree[child.id], rows=Counts(kept=7), recent="101"))
    return tree


def test_an_untouched_outline_changes_nothing(grown: DomainTree) -> None:
    both, gone = merged(grown, tree_of_outline(outline_of(grown)))
    assert list(both) == list(grown)
    assert gone == ()


def test_edits_of_every_kind(grown: DomainTree) -> None:
    before = grown.to_json()
    edited = """# rewriting

new words

- poems: In verse.
  - long poems
- letters
  - brief letters: Renamed.
- recipes: New.
  - soups
"""
    both, gone = merged(grown, tree_of_outline(edited))
    assert [(n.name, n.reason, n.origin, n.closed, n.full, n.rows.kept) for n in both] == [
        ("rewriting", "new words", "root", "", "", 0),
        ("poems", "In verse.", "look_ahead", "low yield", "", 7),
        ("long poems", "", "person", "", "", 0),
        ("letters", "", "look_ahead", "low yield", "", 7),
        ("brief letters", "Renamed.", "person", "", "", 0),
        ("recipes", "New.", "person", "", "", 0),
        ("soups", "", "person", "", "", 0),
    ]
    assert [grown[node].name for node in gone] == [
        "paraphrase",
        "short paraphrase",
        "short letters",
        "short poems",
    ]
    assert both.children(both.root.id)[0].examples == (Item("Do poems."),)
    assert grown.to_json() == before


def test_json_brings_examples_but_no_progress(grown: DomainTree) -> None:
    plain = grown.to_json()
    plain["children"][0] |= {"examples": [{"instruction": "Mine."}], "rows": {"kept": 99}, "closed": ""}
    plain["children"].append({"name": "new", "rows": {"kept": 5}, "origin": "import", "closed": "x"})
    both, gone = merged(grown, DomainTree.from_json(plain))
    first, last = both.children(both.root.id)[0], both.children(both.root.id)[-1]
    assert (first.examples, first.rows.kept, first.closed) == ((Item("Mine."),), 7, "low yield")
    assert (last.origin, last.rows.kept, last.closed) == ("person", 0, "")
    assert gone == ()


def test_another_domain_is_refused(grown: DomainTree) -> None:
    with pytest.raises(DataError, match="about 'cooking', the tree in work about 'rewriting'"):
        merged(grown, DomainTree.planted("cooking"))


def test_file_names_of_the_release_stay_with_their_tasks(grown: DomainTree) -> None:
    ids = [node.id for node in grown]
    grown.released_names = {ids[0]: ("r", "r.json"), ids[1]: ("p", "p.json")}
    both, _ = merged(grown, tree_of_outline("# rewriting\n- poems\n"))
    assert both.released_names == {ids[0]: ("r", "r.json")}
