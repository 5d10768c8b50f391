"""Rows that are there already find their tasks."""

import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from kshot.data.example import Example
from kshot.data.formats import read_examples
from kshot.errors import InputError
from kshot.methods.explore import attach as module
from kshot.methods.explore.attach import attach, example_of_item, item_of_example, item_text, task_text
from kshot.methods.explore.records import Item
from kshot.methods.explore.tree import DomainTree
from kshot.models.base import Floats
from kshot.models.embed import HashingEncoder


@pytest.fixture
def tree() -> DomainTree:
    tree = DomainTree.planted("writing", "Everything about texts.")
    letters = tree.add(tree.root.id, "letters", reason="Write a formal letter to an office.")
    tree.add(letters.id, "complaints", reason="Complain about a broken product in a letter.")
    tree.add(tree.root.id, "poems", reason="Write a poem that rhymes.")
    return tree


ITEMS = [
    Item("Write a poem about the sea that rhymes."),
    Item("Complain about a broken kettle in a letter."),
    Item("Zqx vvk jjw."),
    Item("Write a poem about the sea that rhymes."),
]


def test_rows_find_their_tasks(tree: DomainTree) -> None:
    names = {node.name: node.id for node in tree}
    found = attach(tree, ITEMS, embedder=HashingEncoder(), floor=0.3, sources=["a:1", "a:2", "a:3", "a:4"])
    assert [(one.place, one.row.node) for one in found.assigned] == [
        (0, names["poems"]),
        (1, names["complaints"]),
    ]
    assert [row.request for row in found.rows] == ["a:1", "a:2"]
    assert {row.origin for row in found.rows} == {"attached"}
    assert [(one.place, one.item) for one in found.unassigned] == [(2, ITEMS[2])]
    assert found.unassigned[0].cosine < 0.3 <= min(one.cosine for one in found.assigned)
    assert found.unassigned[0].node in tree
    assert found.repeats == (3,)


def test_rows_that_are_known_are_repeats(tree: DomainTree) -> None:
    known = {row.id for row in attach(tree, ITEMS[:1], embedder=HashingEncoder(), floor=-1).rows}
    found = attach(tree, ITEMS, embedder=HashingEncoder(), floor=-1, known=known)
    assert found.repeats == (0, 3)
    assert len(found.assigned) == 2


class Counting:
    """Every text has the same vector; how many texts came at once is kept."""

    id, dim = "equal", 2

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def encode(self, texts: Sequence[str]) -> Floats:
        self.sizes.append(len(texts))
        return np.tile(np.array([[1, 0]], dtype=np.float32), (len(texts), 1))


def test_ties_go_to_the_first_task_and_items_come_in_blocks(
    tree: DomainTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_BLOCK_ROWS", 3)
    embedder = Counting()
    items = [Item(f"Do {place}.") for place in range(7)]
    found = attach(tree, items, embedder=embedder, floor=1.0)
    assert {row.node for row in found.rows} == {tree.root.id}
    assert embedder.sizes == [4, 3, 3, 1]


def test_blocks_change_nothing(tree: DomainTree, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["letter", "poem", "rhyme", "office", "broken", "sea", "text", "formal", "write", "product"]
    draws = random.Random(0)
    items = [Item(" ".join(draws.choices(words, k=5))) for _ in range(50)]
    whole = attach(tree, items, embedder=HashingEncoder(), floor=0.2)
    monkeypatch.setattr(module, "_BLOCK_ROWS", 7)
    assert attach(tree, items, embedder=HashingEncoder(), floor=0.2) == whole


def test_no_items_and_wrong_options(tree: DomainTree) -> None:
    assert attach(tree, [], embedder=HashingEncoder(), floor=0.2).rows == ()
    with pytest.raises(InputError, match=r"floor is 1\.5"):
        attach(tree, ITEMS, embedder=HashingEncoder(), floor=1.5)
    with pytest.raises(InputError, match="1 sources for 4 items"):
        attach(tree, ITEMS, embedder=HashingEncoder(), floor=0.2, sources=["a"])


def test_texts_for_the_embedder(tree: DomainTree) -> None:
    found = {node.name: task_text(tree, node.id) for node in tree}
    assert found["writing"] == "writing: Everything about texts."
    assert found["complaints"] == "complaints: Complain about a broken product in a letter. (letters)"
    assert item_text(Item(" ", "only input")) == "only input"
    assert len(item_text(Item("x" * 10**6))) == 2000


def test_items_are_what_alpaca_rows_are_read_as(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text('{"instruction": "Sum up.", "input": "A\\n\\nB", "output": "C"}\n')
    example = read_examples(file).examples[0]
    assert item_of_example(example) == Item("Sum up.", "A\n\nB", "C")
    assert example_of_item(item_of_example(example)).id == example.id


@pytest.mark.parametrize("prompt", ["one", "one\ntwo\n three", "\none", "one\n", " \n\n one"])
def test_no_prompt_is_lost_on_the_way(prompt: str) -> None:
    assert example_of_item(item_of_example(Example(prompt, "x"))).prompt == prompt


def test_choices_and_a_task_s_own_instruction() -> None:
    example = Example("Capital of\nFrance?", "Paris", choices=("Rome", "Paris"))
    assert item_of_example(example) == Item("Capital of", "France?\nA. Rome\nB. Paris", "Paris")
    said = Item("Answer.", "Capital of\nFrance?\nA. Rome\nB. Paris", "Paris")
    assert item_of_example(example, instruction="Answer.") == said
